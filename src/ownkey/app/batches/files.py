"""Files that were uploaded: sealed part by part as they come, and read part by part."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ownkey.store.batches import BatchRow, LineState
from ownkey.store.uploads import FileRow
from ownkey.talk.errors import Conflict, InvalidRequest, NotFound, TooLarge
from ownkey.vault.boxes import Box, Boxes

if TYPE_CHECKING:
    from ownkey.app.house import House

PART_BYTES = 256 << 10
MOST_FILE_BYTES = 200 << 20
"""As OpenAI takes for a batch."""
MOST_HELD_BYTES = 2 << 30
"""Of one person's."""

DAY_S = 86_400
KEPT_S = 30 * DAY_S
SHORTEST_S, LONGEST_S = 3600, KEPT_S

STATES: dict[str, tuple[LineState, ...]] = {"output": ("done",), "error": ("failed", "doubtful")}
"""Which lines a batch's files show."""

_NAME = re.compile(r"[^\x00-\x1f\x7f/\\]{1,255}")


class FileBox:
    """One person's. All of it blocks."""

    def __init__(self, house: House, owner: str) -> None:
        self._house = house
        self._store = house.store.uploads
        self._boxes = Boxes(house.store, house.vault)
        self._owner = owner

    def put(self, name: str, pieces: Iterable[bytes], *, kept_s: int = KEPT_S) -> FileRow:
        """A file for a batch. Raises InvalidRequest, TooLarge, VaultSealed; then nothing of it is kept."""
        if not _NAME.fullmatch(name):
            raise InvalidRequest("A file's name is 1 to 255 characters without a slash.", param="file")
        if not SHORTEST_S <= kept_s <= LONGEST_S:
            raise InvalidRequest("A file is kept for an hour to 30 days.", param="expires_after[seconds]")
        room = min(MOST_FILE_BYTES, MOST_HELD_BYTES - self._store.held_bytes(self._owner))
        id, now_ms = f"file-{secrets.token_hex(12)}", time.time_ns() // 1_000_000
        box = self._boxes.make(self._owner, id)
        try:
            size = self._put_parts(box, id, pieces, room)
            row = FileRow(id, self._owner, "batch", name, size, box.id, None, now_ms, now_ms + kept_s * 1000)
            self._store.add(row)
        except BaseException:
            self._store.drop_parts(id)
            self._boxes.drop(self._owner, box.id)
            raise
        return row

    def get(self, id: str) -> FileRow:
        """Raises NotFound, for another's too."""
        row = self._store.get(self._owner, id, time.time_ns() // 1_000_000)
        if row is None:
            raise NotFound("There is no such file.", "GET /v1/files lists those there are.")
        return row

    def listed(self, *, after: str | None = None, limit: int = 100, purpose: str | None = None) -> list[FileRow]:
        """Newest first."""
        last = None if after is None else self.get(after)
        return self._store.listed(self._owner, time.time_ns() // 1_000_000, after=last, limit=limit, purpose=purpose)

    def pieces(self, row: FileRow) -> Iterator[bytes]:
        """What is in it. Raises KeyUnreadable and VaultSealed."""
        if row.batch_id is not None:
            yield from self._shown(row)
            return
        assert row.box is not None
        box = self._boxes.open(self._owner, row.box)
        for number in range(-(-row.size_bytes // PART_BYTES)):
            yield self.part(row, box, number)

    def source(self, row: FileRow) -> SealedFile:
        assert row.box is not None
        return SealedFile(self, row, self._boxes.open(self._owner, row.box))

    def remove(self, id: str) -> None:
        """Raises NotFound, and Conflict where a batch is being worked on that reads it."""
        row = self.get(id)
        if row.batch_id is None and any(
            batch.source == id and batch.owner == self._owner for batch in self._house.store.batches.open("gateway")
        ):
            raise Conflict("A batch that is not over reads this file.", "Cancel it, or wait for its end.")
        self._store.remove(self._owner, id)
        if row.batch_id is not None:
            batches = self._house.store.batches
            batch = batches.get(self._owner, row.batch_id)
            if batch is not None:
                batches.drop_results(self._owner, batch.id, _states(row, batch))
        if row.box is not None:
            self._boxes.drop(self._owner, row.box)

    def part(self, row: FileRow, box: Box, number: int) -> bytes:
        sealed = self._store.part(row.id, number)
        if sealed is None:
            raise NotFound("There is no such file.", "It was removed meanwhile.")
        return box.open(f"part {row.id} {number}", sealed)

    def _put_parts(self, box: Box, id: str, pieces: Iterable[bytes], room: int) -> int:
        left, number, size = bytearray(), 0, 0
        for piece in pieces:
            size += len(piece)
            if size > room:
                raise _too_large(room)
            left += piece
            while len(left) >= PART_BYTES:
                self._store.put_part(id, number, box.seal(f"part {id} {number}", bytes(left[:PART_BYTES])))
                del left[:PART_BYTES]
                number += 1
        if left:
            self._store.put_part(id, number, box.seal(f"part {id} {number}", bytes(left)))
        if not size:
            raise InvalidRequest("The file is empty.", param="file")
        return size

    def _shown(self, row: FileRow) -> Iterator[bytes]:
        """The results of a batch, in the order of its input."""
        assert row.batch_id is not None
        batch = self._house.store.batches.get(self._owner, row.batch_id)
        if batch is None or batch.box is None:
            raise NotFound("There is no such file.", "GET /v1/files lists those there are.")
        box = self._boxes.open(self._owner, batch.box)
        yield from results(self._house, batch.id, box, _states(row, batch))


class SealedFile:
    """A file, read anywhere in it; the part that was read last is kept."""

    def __init__(self, files: FileBox, row: FileRow, box: Box) -> None:
        self._files = files
        self._row = row
        self._box = box
        self._kept: tuple[int, bytes] = (-1, b"")

    def read(self, start: int, length: int) -> bytes:
        first, last = start // PART_BYTES, (start + length - 1) // PART_BYTES
        whole = b"".join(self._part(number) for number in range(first, last + 1))
        begin = start - first * PART_BYTES
        return whole[begin : begin + length]

    def _part(self, number: int) -> bytes:
        kept = self._kept
        if kept[0] != number:
            kept = self._kept = (number, self._files.part(self._row, self._box, number))
        return kept[1]


def results(house: House, batch_id: str, box: Box, states: tuple[LineState, ...]) -> Iterator[bytes]:
    """What the lines of a batch in these states have to show, a few of them in memory."""
    after = 0
    while found := house.store.batches.results(batch_id, states, after):
        for number, sealed in found:
            yield box.open(f"result {number}", sealed)
        after = found[-1][0]


def sweep(house: House, now_ms: int) -> None:
    """Remove everybody's that is past its time: files, and batches with what they have to show."""
    boxes = Boxes(house.store, house.vault)
    for row in house.store.uploads.expired(now_ms):
        house.store.uploads.remove(row.owner, row.id)
        if row.box is not None:
            boxes.drop(row.owner, row.box)
    for batch in house.store.batches.ended_before(now_ms - KEPT_S * 1000):
        house.store.batches.remove(batch.owner, batch.id)
        if batch.box is not None:
            boxes.drop(batch.owner, batch.box)


def _states(row: FileRow, batch: BatchRow) -> tuple[LineState, ...]:
    return STATES["output" if row.id == batch.output_file_id else "error"]


def _too_large(room: int) -> TooLarge:
    if room < MOST_FILE_BYTES:
        return TooLarge("Your files take all the room that there is for them.", "Delete some: DELETE /v1/files/ID.")
    return TooLarge(f"The file is over {MOST_FILE_BYTES >> 20} MiB.", "Make several batches of it.")
