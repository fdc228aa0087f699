"""A batch that is run from a file on this machine: its input stays where it is, its results are written beside it.

What has been answered is kept, sealed, until the batch is let go: the files of results can be made anew from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from hashlib import sha256
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import IO, TYPE_CHECKING

import msgspec
from msgspec import Struct, structs

from ownkey.app.batches.asking import Asker, Terms, check
from ownkey.app.batches.batches import BatchBook
from ownkey.app.batches.files import STATES, results
from ownkey.app.batches.line import Line, Problem, read_all
from ownkey.app.batches.making import put_down
from ownkey.app.batches.quoting import BatchQuote, quote_all
from ownkey.app.batches.work import Work
from ownkey.store.batches import BatchRow, LineState, Tally
from ownkey.talk.errors import Conflict, InvalidRequest, OwnkeyError
from ownkey.vault.boxes import Box, Boxes

if TYPE_CHECKING:
    from ownkey.app.house import House

_READ_BYTES = 256 << 10
_SHOWN = 10


class LocalFile:
    """An input file, and where its results go."""

    def __init__(self, path: Path, out: Path | None = None) -> None:
        """Raises InvalidRequest where it cannot be read."""
        try:
            self._handle: IO[bytes] = path.open("rb")
            self.sha256 = _digest(self._handle)
        except OSError as error:
            raise InvalidRequest(f"{path} cannot be read: {error.strerror}.", param="file") from None
        self.path = path
        self._reading = Lock()
        stem = path.with_suffix("") if path.suffix == ".jsonl" else path
        self.results = out or stem.with_name(f"{stem.name}.results.jsonl")
        self.errors = self.results.with_name(f"{stem.name}.errors.jsonl")
        if path.resolve() in (self.results.resolve(), self.errors.resolve()):
            raise InvalidRequest("The results would be written over the requests.", "Name another: --out.", param="out")

    def pieces(self) -> Iterator[bytes]:
        self._handle.seek(0)
        while piece := self._handle.read(_READ_BYTES):
            yield piece

    def read(self, start: int, length: int) -> bytes:
        with self._reading:
            self._handle.seek(start)
            return self._handle.read(length)

    def close(self) -> None:
        self._handle.close()


class Outcome(Struct, frozen=True):
    """How it stands; `error` is what was in the way, and `there` how many lines are for batch endpoints."""

    batch: BatchRow
    tally: Tally
    error: OwnkeyError | None = None
    stopped: bool = False
    there: int = 0


class LocalBatch:
    """One file's. All of it blocks but `run`."""

    def __init__(self, house: House, owner: str, file: LocalFile) -> None:
        self._house = house
        self._book = BatchBook(house, owner, "command")
        self._boxes = Boxes(house.store, house.vault)
        self._owner = owner
        self._file = file
        self._source = f"sha256:{file.sha256}"

    def begun(self) -> BatchRow | None:
        """The one that was made of this very file, whatever it is called."""
        found = self._house.store.batches.of_source(self._owner, self._source)
        return None if found is None or found.status in ("validating", "failed") else found

    def tally(self, batch: BatchRow) -> Tally:
        return self._book.tally(batch)

    def quote(self, terms: Terms) -> BatchQuote:
        """Raises InvalidRequest, naming the lines, where any is wrong."""
        problems: list[Problem] = []
        asker = Asker(self._owner, None, terms)
        quote = quote_all(self._house, asker, self._lines(problems))
        _refuse(problems)
        return quote

    def make(self, terms: Terms) -> BatchRow:
        """With all its lines put down. Raises InvalidRequest, naming the lines."""
        store = self._house.store.batches
        batch = self._book.create(self._source, "", structs.replace(terms, name=self._file.path.name))
        self._claim(batch)
        try:
            _refuse(put_down(self._house, batch, self._box(batch), self._file.pieces(), None))
        except BaseException:
            self._let_go(batch)
            raise
        store.change(self._owner, batch.id, status="in_progress", begun_at_ms=batch.created_at_ms)
        return self._book.get(batch.id)

    def put_back(self, batch: BatchRow, states: tuple[LineState, ...]) -> int:
        """Lines in these states are sent again; how many."""
        self._claim(batch)
        return self._house.store.batches.put_back(self._owner, batch.id, states)

    def settle_on(self, batch: BatchRow, *, provider_batch: bool) -> BatchRow:
        """Whether what is still to be sent goes to providers' own batch endpoints."""
        self._claim(batch)
        terms = structs.replace(msgspec.json.decode(batch.terms, type=Terms), provider_batch=provider_batch)
        said = msgspec.json.encode(terms).decode()
        self._house.store.batches.change(self._owner, batch.id, terms=said)
        if not provider_batch:
            self._house.store.batch_parts.take_back(self._owner, batch.id)
        return self._book.get(batch.id)

    def there(self, batch: BatchRow) -> int:
        """How many lines wait for a provider's own batch endpoint."""
        return self._house.store.batch_parts.count_there(batch.id)

    def cancel(self, batch: BatchRow) -> BatchRow:
        """Raises Conflict where it is over."""
        return self._book.cancel(batch.id)

    def now(self, batch: BatchRow) -> BatchRow:
        """As it is by now."""
        return self._book.get(batch.id)

    def check_free(self, *, force: bool) -> None:
        """Raises Conflict where a file is in the place of the results."""
        there = next((path for path in (self._file.results, self._file.errors) if path.exists()), None)
        if there is not None and not force:
            raise Conflict(f"{there} is there already, and is not of this batch.", "Name another place: --out.")

    def ready(self, batch: BatchRow, parallel: int, status_of: Callable[[OwnkeyError], int]) -> tuple[Work, Shown]:
        """To be run, with the files of results as they are by now. Raises Conflict where another process runs it."""
        self._claim(batch)
        box = self._box(batch)
        done, failed = (results(self._house, batch.id, box, STATES[kind]) for kind in ("output", "error"))
        shown = Shown(self._file, done, failed)
        return Work(self._house, batch, box, self._file, status_of=status_of, parallel=parallel, shown=shown.add), shown

    def end(self, batch: BatchRow) -> None:
        self._house.store.batches.let_go(self._owner, batch.id)

    def _lines(self, problems: list[Problem]) -> Iterator[Line]:
        return read_all(self._file.pieces(), problems, None, check)

    def _box(self, batch: BatchRow) -> Box:
        assert batch.box is not None
        return self._boxes.open(self._owner, batch.box)

    def _claim(self, batch: BatchRow) -> None:
        if not self._house.store.batches.claim(self._owner, batch.id):
            raise Conflict("This batch is being worked on already.", "Another `ownkey batch` runs: let it, or stop it.")

    def _let_go(self, batch: BatchRow) -> None:
        self._house.store.batches.remove(self._owner, batch.id)
        if batch.box is not None:
            self._boxes.drop(self._owner, batch.box)


class Shown:
    """The two files of results: what there is already is written anew, whole; then line by line as they end."""

    def __init__(self, file: LocalFile, done: Iterable[bytes], failed: Iterable[bytes]) -> None:
        self._done, self._failed_at = _anew(file.results, done), file.errors
        self._failed: IO[bytes] | None = None
        failures = iter(failed)
        if (first := next(failures, None)) is not None:
            self._failed = _anew(file.errors, chain((first,), failures))
        else:
            file.errors.unlink(missing_ok=True)

    def add(self, number: int, state: LineState, result: bytes) -> None:
        """Called from several threads: a line is one write."""
        if state == "done":
            self._done.write(result)
            return
        if self._failed is None:
            self._failed = self._failed_at.open("ab", buffering=0)
        self._failed.write(result)

    def close(self) -> None:
        self._done.close()
        if self._failed is not None:
            self._failed.close()


def _anew(path: Path, lines: Iterable[bytes]) -> IO[bytes]:
    """Written beside its place and put there whole; open for more."""
    fresh = path.with_name(f".{path.name}.new")
    try:
        with fresh.open("wb") as file:
            file.writelines(lines)
        fresh.replace(path)
        return path.open("ab", buffering=0)
    except OSError as error:
        with suppress(OSError):
            fresh.unlink()
        raise InvalidRequest(
            f"{path} cannot be written: {error.strerror}.", "Name another: --out.", param="out"
        ) from None


def _digest(handle: IO[bytes]) -> str:
    digest = sha256()
    while piece := handle.read(_READ_BYTES):
        digest.update(piece)
    return digest.hexdigest()


def _refuse(problems: list[Problem]) -> None:
    if not problems:
        return
    shown = " ".join(problem.message for problem in problems[:_SHOWN])
    raise InvalidRequest(f"Nothing was sent. {shown}", "Mend these lines, and run it again.", param="file")
