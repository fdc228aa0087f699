"""Batches and their lines: what waits, what is done, and which process works on it.

Whoever works on a batch holds a lock that ends with the process, as the book's holders do. A line is done once its
result is here.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from msgspec import Struct, structs
from sqlalchemy import Connection, case, delete, func, insert, select, text, update

from ownkey.store import tables
from ownkey.store.connect import Database
from ownkey.store.holder import Holder, dead, lock_number
from ownkey.store.uploads import FileRow
from ownkey.talk.errors import Conflict, StorageUnavailable

Status = Literal["validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"]
LineState = Literal["waiting", "done", "failed", "doubtful"]

OPEN = ("validating", "in_progress", "finalizing", "cancelling")
"""Those that are not over."""


class BatchRow(Struct, frozen=True):
    """`runs_in`: who works on it. `source`: the id of its file, or the SHA-256 of one that the command reads. `terms`
    and `problems` are JSON. `box`: the id of the key that its results are sealed with. `waits_for` says why it does not
    go on. `completed` and `failed` count lines."""

    id: str
    owner: str
    token_id: str | None
    runs_in: Literal["gateway", "command"]
    source: str
    endpoint: str
    status: Status
    terms: str
    created_at_ms: int
    expires_at_ms: int
    box: str | None = None
    holder: str | None = None
    waits_for: str | None = None
    problems: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    total: int = 0
    completed: int = 0
    failed: int = 0
    begun_at_ms: int | None = None
    cancelling_at_ms: int | None = None
    ended_at_ms: int | None = None


class LineRow(Struct, frozen=True):
    """`start` and `length` say where in the input it stands; `custom_id` is sealed. `attempt` is the next one's
    number. `part`: which of the parts it is in that providers' own batch endpoints work on; 0: it waits for one."""

    number: int
    state: LineState
    start: int
    length: int
    attempt: int
    custom_id: bytes
    cost_nano: int = 0
    part: int | None = None


class Tally(Struct, frozen=True):
    """How many lines are in each state, what was charged for them, and the size of what they have to show."""

    waiting: int = 0
    done: int = 0
    failed: int = 0
    doubtful: int = 0
    cost_nano: int = 0
    done_bytes: int = 0
    failed_bytes: int = 0

    @property
    def total(self) -> int:
        return self.waiting + self.done + self.failed + self.doubtful


class Batches:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._holder = Holder(database)
        self._session: Connection | None = None

    def add(self, row: BatchRow) -> None:
        with self._database.writing() as connection:
            connection.execute(insert(tables.batches).values(structs.asdict(row)))

    def get(self, owner: str, id: str) -> BatchRow | None:
        with self._database.reading() as connection:
            row = connection.execute(_ALL.where(_B.owner == owner, _B.id == id)).first()
        return None if row is None else BatchRow(*row)

    def listed(self, owner: str, runs_in: str, *, after: BatchRow | None = None, limit: int = 20) -> list[BatchRow]:
        """Newest first."""
        query = _ALL.where(_B.owner == owner, _B.runs_in == runs_in)
        if after is not None:
            at_ms = after.created_at_ms
            query = query.where((_B.created_at_ms < at_ms) | ((_B.created_at_ms == at_ms) & (_B.id < after.id)))
        query = query.order_by(_B.created_at_ms.desc(), _B.id.desc()).limit(limit)
        with self._database.reading() as connection:
            return [BatchRow(*row) for row in connection.execute(query).all()]

    def of_source(self, owner: str, source: str) -> BatchRow | None:
        """The newest that was made from this."""
        query = _ALL.where(_B.owner == owner, _B.source == source).order_by(_B.created_at_ms.desc(), _B.id.desc())
        with self._database.reading() as connection:
            row = connection.execute(query.limit(1)).first()
        return None if row is None else BatchRow(*row)

    def open(self, runs_in: str) -> list[BatchRow]:
        """Everybody's that are not over, oldest first."""
        query = _ALL.where(_B.status.in_(OPEN), _B.runs_in == runs_in).order_by(_B.created_at_ms, _B.id)
        with self._database.reading() as connection:
            return [BatchRow(*row) for row in connection.execute(query).all()]

    def change(self, owner: str, id: str, *, when: Sequence[Status] = (), **values: Any) -> bool:
        """False where it is not there, or not in one of the states of `when`."""
        query = update(tables.batches).where(_B.id == id, _B.owner == owner)
        if when:
            query = query.where(_B.status.in_(when))
        with self._database.writing() as connection:
            return connection.execute(query.values(**values)).rowcount == 1

    def claim(self, owner: str, id: str) -> bool:
        """From now on this process works on it; False where a living one does. Raises StorageUnavailable."""
        self._lock()
        mine = (_B.id == id, _B.owner == owner)
        with self._database.writing() as connection:
            row = connection.execute(select(_B.holder).where(*mine)).first()
            if row is None:
                return False
            taken = update(tables.batches).where(*mine).values(holder=self._holder.id)
            if row.holder in (None, self._holder.id):
                return connection.execute(taken).rowcount == 1
            with dead(self._database, connection, row.holder) as is_dead:
                return is_dead and connection.execute(taken).rowcount == 1

    def let_go(self, owner: str, id: str) -> None:
        self.change(owner, id, holder=None)

    def add_lines(self, owner: str, batch_id: str, rows: Sequence[LineRow]) -> None:
        with self._database.writing() as connection:
            self._mine(connection, owner, batch_id)
            values = [structs.asdict(row) | {"batch_id": batch_id, "result_bytes": 0} for row in rows]
            connection.execute(insert(tables.batch_lines), values)

    def drop_lines(self, owner: str, batch_id: str) -> None:
        """Those of a batch whose input was being read when its process died."""
        with self._database.writing() as connection:
            self._mine(connection, owner, batch_id)
            connection.execute(delete(tables.batch_lines).where(_L.batch_id == batch_id))

    def lines(
        self, batch_id: str, states: Sequence[LineState], *, after: int = 0, limit: int = 200, here: bool = False
    ) -> list[LineRow]:
        """In the order of the input, from behind `after`. `here`: only those that are sent from here."""
        query = select(*(_L[name] for name in LineRow.__struct_fields__))
        query = query.where(_L.batch_id == batch_id, _L.state.in_(states), _L.number > after)
        if here:
            query = query.where(_L.part.is_(None))
        with self._database.reading() as connection:
            return [LineRow(*row) for row in connection.execute(query.order_by(_L.number).limit(limit)).all()]

    def results(
        self, batch_id: str, states: Sequence[LineState], after: int, limit: int = 20
    ) -> list[tuple[int, bytes]]:
        """What lines have to show, sealed, by their numbers."""
        query = select(_L.number, _L.result).where(
            _L.batch_id == batch_id, _L.state.in_(states), _L.number > after, _L.result.is_not(None)
        )
        with self._database.reading() as connection:
            found = connection.execute(query.order_by(_L.number).limit(limit)).all()
        return [(row.number, row.result) for row in found]

    def drop_results(self, owner: str, batch_id: str, states: Sequence[LineState]) -> None:
        """What lines in these states have to show is shown no more."""
        mine = select(_B.id).where(_B.id == batch_id, _B.owner == owner)
        gone = update(tables.batch_lines).where(_L.batch_id == batch_id, _L.state.in_(states))
        with self._database.writing() as connection:
            if connection.execute(mine).first() is not None:
                connection.execute(gone.values(result=None, result_bytes=0))

    def end_line(
        self, owner: str, batch_id: str, number: int, state: LineState, result: bytes, size: int, cost_nano: int
    ) -> None:
        """Its result is on disk when this returns. Raises Conflict where another process works on the batch."""
        values = {"state": state, "result": result, "result_bytes": size, "cost_nano": cost_nano}
        counted = {"completed": _B.completed + 1} if state == "done" else {"failed": _B.failed + 1}
        with self._database.writing() as connection:
            self._mine(connection, owner, batch_id)
            line = (_L.batch_id == batch_id, _L.number == number, _L.state == "waiting")
            if connection.execute(update(tables.batch_lines).where(*line).values(**values)).rowcount == 1:
                connection.execute(update(tables.batches).where(_B.id == batch_id, _B.owner == owner).values(**counted))

    def end_lines(self, owner: str, batch_id: str, ends: Sequence[tuple[int, LineState, bytes, int, int]]) -> None:
        """Several at once: number, state, result, its size before it was sealed, and what it cost."""
        with self._database.writing() as connection:
            self._mine(connection, owner, batch_id)
            for number, state, result, size, cost_nano in ends:
                line = (_L.batch_id == batch_id, _L.number == number)
                values = {"state": state, "result": result, "result_bytes": size, "cost_nano": cost_nano}
                connection.execute(update(tables.batch_lines).where(*line).values(**values))
            counted = update(tables.batches).where(_B.id == batch_id, _B.owner == owner)
            connection.execute(counted.values(failed=_B.failed + len(ends)))

    def next_attempts(self, owner: str, batch_id: str, attempts: Sequence[tuple[int, int, int]]) -> None:
        """The number of a line, of its next attempt, and what those before it cost."""
        with self._database.writing() as connection:
            self._mine(connection, owner, batch_id)
            for number, attempt, cost_nano in attempts:
                line = (_L.batch_id == batch_id, _L.number == number)
                values = {"attempt": attempt, "cost_nano": cost_nano}
                connection.execute(update(tables.batch_lines).where(*line).values(**values))

    def finish(self, owner: str, batch_id: str, files: Sequence[FileRow], **values: Any) -> None:
        """It is over, with these to show."""
        with self._database.writing() as connection:
            self._mine(connection, owner, batch_id)
            connection.execute(delete(tables.files).where(_F.batch_id == batch_id, _F.owner == owner))
            if files:
                connection.execute(insert(tables.files), [structs.asdict(file) for file in files])
            over = update(tables.batches).where(_B.id == batch_id, _B.owner == owner)
            connection.execute(over.values(**values, holder=None, waits_for=None))

    def put_back(self, owner: str, batch_id: str, states: Sequence[LineState]) -> int:
        """Lines in these states wait again, for another attempt; how many."""
        with self._database.writing() as connection:
            self._mine(connection, owner, batch_id)
            again = update(tables.batch_lines).where(_L.batch_id == batch_id, _L.state.in_(states))
            values = {"state": "waiting", "attempt": _L.attempt + 1, "result": None, "result_bytes": 0, "part": None}
            count = connection.execute(again.values(**values)).rowcount
            counts = {"failed": _B.failed - count, "status": "in_progress", "ended_at_ms": None}
            connection.execute(update(tables.batches).where(_B.id == batch_id, _B.owner == owner).values(**counts))
        return count

    def tally(self, batch_id: str) -> Tally:
        sums = [
            func.coalesce(func.sum(case((_L.state == state, 1), else_=0)), 0)
            for state in ("waiting", "done", "failed", "doubtful")
        ]
        sizes = [
            func.coalesce(func.sum(case((_L.state.in_(states), _L.result_bytes), else_=0)), 0)
            for states in (("done",), ("failed", "doubtful"))
        ]
        query = select(*sums, func.coalesce(func.sum(_L.cost_nano), 0), *sizes).where(_L.batch_id == batch_id)
        with self._database.reading() as connection:
            return Tally(*map(int, connection.execute(query).one()))

    def in_book(self, owner: str, batch_id: str, since_ms: int) -> list[tuple[str, str, int]]:
        """What the book has of its lines: request, state, and what it cost or holds."""
        query = select(_K.request_id, _K.state, case((_K.state == "held", _K.held_nano), else_=_K.cost_nano)).where(
            _K.owner == owner, _K.started_at_ms >= since_ms, _K.request_id.startswith(f"{batch_id}-", autoescape=True)
        )
        with self._database.reading() as connection:
            return [(row[0], row[1], int(row[2])) for row in connection.execute(query).all()]

    def remove(self, owner: str, id: str) -> None:
        """With all that it has to show."""
        with self._database.writing() as connection:
            if connection.execute(delete(tables.batches).where(_B.id == id, _B.owner == owner)).rowcount == 1:
                connection.execute(delete(tables.batch_lines).where(_L.batch_id == id))
                connection.execute(delete(tables.batch_parts).where(tables.batch_parts.c.batch_id == id))
                connection.execute(delete(tables.files).where(_F.batch_id == id, _F.owner == owner))

    def ended_before(self, at_ms: int, limit: int = 20) -> list[BatchRow]:
        """Everybody's."""
        with self._database.reading() as connection:
            return [BatchRow(*row) for row in connection.execute(_ALL.where(_B.ended_at_ms < at_ms).limit(limit)).all()]

    def close(self) -> None:
        self._holder.release()
        if self._session is not None:
            self._session.close()
            self._session = None

    def _lock(self) -> None:
        self._holder.lock()
        if self._database.file is None and self._session is None:
            session = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            key = lock_number(self._holder.id)
            if not session.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar():
                raise StorageUnavailable("The lock of this process is taken.", "Try again.")
            self._session = session

    @contextmanager
    def writing(self, owner: str, batch_id: str) -> Generator[Connection]:
        """To write of a batch that this process works on. Raises Conflict where another does."""
        with self._database.writing() as connection:
            self._mine(connection, owner, batch_id)
            yield connection

    def _mine(self, connection: Connection, owner: str, batch_id: str) -> None:
        mine = (_B.id == batch_id, _B.owner == owner, _B.holder == self._holder.id)
        if connection.execute(select(_B.id).where(*mine)).first() is None:
            raise Conflict("Another process works on this batch.", "Let it: it goes on there.")


_B, _L, _F, _K = tables.batches.c, tables.batch_lines.c, tables.files.c, tables.book.c
_ALL = select(*(_B[name] for name in BatchRow.__struct_fields__))
