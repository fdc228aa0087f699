"""What is noted of keys as they are used: when, and whether their provider takes them.

A request waits for none of it: a thread writes, for each key at most once a minute, and what is left at the end.
"""

from __future__ import annotations

import time
from threading import Lock, Thread

from ownkey.store.db import Store
from ownkey.store.keys import ENVIRONMENT, KeyRow, Note
from ownkey.talk.errors import StorageUnavailable
from ownkey.vault.choice import RESTS_MS, Version

EVERY_MS = 60_000


class KeyNotes:
    """Safe to use from many threads. Of a key from the environment everything stays in this process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._used_at_ms: dict[Version, int] = {}
        self._written_ms: dict[Version, int] = {}
        self._rests_until_ms: dict[Version, int] = {}
        self._found: dict[Version, tuple[int, str | None]] = {}
        self._found_written_ms: dict[Version, int] = {}
        self._pending: list[Note] = []
        self._writer: Thread | None = None

    def used(self, row: KeyRow) -> None:
        """It is used now."""
        version = (row.id, row.version)
        self._used_at_ms[version] = at_ms = _now_ms()
        if at_ms - self._written_ms.get(version, 0) >= EVERY_MS:
            self._written_ms[version] = at_ms
            self._write(row, Note(*version, used_at_ms=at_ms))

    def found(self, row: KeyRow, refused: str | None) -> None:
        """Its provider took it, or refused it with an error of that code."""
        version, at_ms = (row.id, row.version), _now_ms()
        same = self.refused(row) == refused
        self._found[version] = (at_ms, refused)
        if not same or at_ms - self._found_written_ms.get(version, 0) >= EVERY_MS:
            self._found_written_ms[version] = at_ms
            self._write(row, Note(*version, checked_at_ms=at_ms, refused=refused))

    def refused(self, row: KeyRow) -> str | None:
        """The code of the error with which it was refused when it was last asked with, here or as its row says."""
        return self._last(row)[1]

    def resting(self, row: KeyRow) -> bool:
        """Whether others are asked before it."""
        return self.rests_s(row) > 0

    def rests_s(self, row: KeyRow) -> float:
        """For how long others are asked before it, in seconds: it was refused lately, or has had its fill."""
        at_ms, refused = self._last(row)
        rests_s = 0.0 if refused is None else max(0, at_ms + RESTS_MS - _now_ms()) / 1000
        return max(rests_s, self.left_s(row))

    def leave(self, row: KeyRow, for_s: float) -> None:
        """Its provider wants no more requests with it for so long."""
        version, until_ms = (row.id, row.version), _now_ms() + round(for_s * 1000)
        if until_ms > self._rests_until_ms.get(version, 0):
            self._rests_until_ms[version] = until_ms
            self._write(row, Note(*version, rests_until_ms=until_ms))

    def left_s(self, row: KeyRow) -> float:
        """How much longer its provider wants none."""
        until_ms = self.rests_until_ms(row)
        return 0.0 if until_ms is None else max(0, until_ms - _now_ms()) / 1000

    def rests_until_ms(self, row: KeyRow) -> int | None:
        """Until when its provider said, the last time, that it wants none."""
        return max(self._rests_until_ms.get((row.id, row.version), 0), row.rests_until_ms or 0) or None

    def checked_at_ms(self, row: KeyRow) -> int | None:
        return self._last(row)[0] or None

    def used_at_ms(self, row: KeyRow) -> int | None:
        return max(self._used_at_ms.get((row.id, row.version), 0), row.used_at_ms or 0) or None

    def close(self) -> None:
        """Write down what is not yet written."""
        writer = self._writer
        if writer is not None:
            writer.join()
        with self._lock:
            notes, self._pending = self._pending, []
            for version, at_ms in self._used_at_ms.items():
                if at_ms > self._written_ms.get(version, 0) and not version[0].startswith(ENVIRONMENT):
                    self._written_ms[version] = at_ms
                    notes.append(Note(*version, used_at_ms=at_ms))
        self._store_notes(notes)

    def _last(self, row: KeyRow) -> tuple[int, str | None]:
        here = self._found.get((row.id, row.version), (0, None))
        there = (row.checked_at_ms or 0, row.refused)
        return here if here[0] >= there[0] else there

    def _write(self, row: KeyRow, note: Note) -> None:
        if row.from_environment:
            return
        with self._lock:
            self._pending.append(note)
            if self._writer is None:
                self._writer = Thread(target=self._work, name="ownkey-keys", daemon=True)
                self._writer.start()

    def _work(self) -> None:
        while True:
            with self._lock:
                notes, self._pending = self._pending, []
                if not notes:
                    self._writer = None
                    return
            self._store_notes(notes)

    def _store_notes(self, notes: list[Note]) -> None:
        """What cannot be written is lost: no request fails for it."""
        if notes:
            try:
                self._store.keys.note(notes)
            except StorageUnavailable:
                return


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
