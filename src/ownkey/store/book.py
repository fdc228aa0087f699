"""The book: every attempt, with the money held for it before it was sent and the one way in which it ended."""

from __future__ import annotations

import asyncio
import os
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from threading import Lock, local
from typing import Any, Literal

from msgspec import Struct, structs
from sqlalchemy import ColumnElement, Connection, func, select

from ownkey.spending.budget import Budgets, Refused
from ownkey.spending.refusal import refusal
from ownkey.store.connect import BUSY_S, Database, unavailable
from ownkey.store.entry import BookRow, Ending, Hold
from ownkey.store.holder import PARKED, PARKED_MS, Holder, dead, left_locks
from ownkey.store.lines import Lines
from ownkey.store.pen import Pen
from ownkey.store.posting import Verdict, Wish
from ownkey.store.tables import book as table
from ownkey.store.writer import Gathered, Waiting, Writer, now_ms
from ownkey.talk.errors import StorageUnavailable

__all__ = ["Book", "BookRow", "Ending", "Hold", "Total", "Wish"]

MOST_TURNS = 8
"""Of the event loop, that a hold waits for others to be written with."""

ENDING_WAITS_S = 0.005
"""An ending that is lost with its process costs what was held: it must not wait long for company."""

MOST_ATTEMPTS = 64
"""Of one request: three at each of its targets are usual."""

_SWEPT_AT_ONCE = 512
_NONE_KNOWN = Budgets(version=-1)

Listener = Callable[[Hold, Ending], None]
Group = Literal["owner", "token_id", "key_id", "provider", "model", "wire", "state", "finish", "error"]


class Total(Struct, frozen=True):
    """Sums over the attempts that agree in `group`. `unpriced` counts those whose cost is not known."""

    group: dict[str, str | None]
    attempts: int
    cost_nano: int
    pending_nano: int
    unpriced: int
    input_tokens: int
    output_tokens: int


class Book:
    """One for each process and database. Its thread starts with the first hold or ending. `parked`: its holds outlive
    the process, for a month at most, and are ended by whoever knows how they ended."""

    def __init__(self, database: Database, *, parked: bool = False) -> None:
        self._database = database
        self._holder = Holder(database, parked=parked)
        self._starting = Lock()
        self._writer: Writer | None = None
        self._closed = False
        self._gathered = _Gathered([])
        self._listeners: tuple[Listener, ...] = ()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=partial(_after_fork, weakref.ref(self)))

    @property
    def holder(self) -> str:
        """The id of this process in the rows that it writes."""
        return self._holder.id

    async def hold(self, hold: Hold, wish: Wish | None = None, *, wait_s: float = 0.0, alone: bool = True) -> Hold:
        """The hold as it was given: committed and on disk when this returns. `wish` says more than that it is wanted.

        Raises StorageUnavailable, BudgetExceeded or OverBudget, and then nothing is held. Where a budget has room as
        soon as what is pending has ended, it waits for that, in its turn, `wait_s` at most; not where that budget falls
        back and this is not `alone`: another target can be asked.
        Cancelled while it waits, it lets the money go. An id serves one hold, also where it failed.
        """
        wish = wish or Wish(hold)
        verdict = await self._asked(structs.replace(wish, waits=wait_s > 0) if wait_s > 0 else wish)
        waits = alone or (isinstance(verdict, Refused) and verdict.room.budget.exhausted != "fall_back")
        if isinstance(verdict, Refused) and verdict.later and wait_s > 0 and waits:
            verdict = await self._waited(wish, verdict, wait_s)
        if isinstance(verdict, Refused):
            raise refusal(verdict, f"{hold.provider}/{hold.model}")
        return verdict

    async def _asked(self, wish: Wish) -> Verdict:
        future: asyncio.Future[Verdict | None] = asyncio.get_running_loop().create_future()
        self._put((wish, future))
        try:
            verdict = await future
        except asyncio.CancelledError:
            self.settle(Ending(wish.hold.id, "released", ended_at_ms=now_ms()))
            raise
        assert verdict is not None
        return verdict

    async def _waited(self, wish: Wish, verdict: Verdict, wait_s: float) -> Verdict:
        began_s = time.monotonic()
        assert isinstance(verdict, Refused)
        with self._gathered.lines.joined(verdict.room.budget.id) as standing:
            while isinstance(verdict, Refused) and verdict.later:
                waited_s = time.monotonic() - began_s
                if waited_s < wait_s:
                    await standing.turn(wait_s - waited_s)
                    waited_s = time.monotonic() - began_s
                # It begins when it is given, which may be in the next window.
                started_at_ms = wish.hold.started_at_ms + int(waited_s * 1000)
                hold = structs.replace(wish.hold, started_at_ms=started_at_ms)
                verdict = await self._asked(structs.replace(wish, hold=hold, waits=waited_s < wait_s))
        return verdict

    def settle(self, ending: Ending, hold: Hold | None = None) -> None:
        """End a hold. Enqueued when this returns, written soon after, and only where the hold has not ended yet.

        With the `hold`, those who listen are told.
        """
        self._put(ending)
        self._gathered.lines.ended()
        if hold is not None:
            for listener in self._listeners:
                listener(hold, ending)

    def listen(self, listener: Listener) -> None:
        """From now on it is called, where they are ended, with the holds of this process that end. It must not wait."""
        self._listeners = (*self._listeners, listener)

    def leave(self, listener: Listener) -> None:
        self._listeners = tuple(one for one in self._listeners if one != listener)

    async def drain(self) -> None:
        """Everything enqueued before is on disk when this returns, however long the database does not answer."""
        writer = self._writer
        if writer is not None:
            future: asyncio.Future[Verdict | None] = asyncio.get_running_loop().create_future()
            for gathered in list(self._gathered.all):
                writer.put(gathered)
            self._put((None, future))
            await future

    def close(self) -> None:
        """Writes what is enqueued. Where the database does not let it, `sweep` ends those holds later."""
        self._closed = True
        if self._writer is not None:
            for gathered in list(self._gathered.all):
                self._writer.put(gathered)
            self._writer.stop(2 * BUSY_S)
        self._holder.release()

    def sweep(self) -> int:
        """End, at the amount held, what processes that are no more have left open; how many there were."""
        with self._database.reading() as connection:
            open_ = connection.execute(select(table.c.holder).where(table.c.state == "held").distinct())
            holders = set(open_.scalars()) | left_locks(self._database)
        return sum(map(self._sweep, holders))

    def _sweep(self, holder: str) -> int:
        still_held = select(table.c.id, table.c.held_nano).where(table.c.holder == holder, table.c.state == "held")
        if holder == PARKED:
            still_held = still_held.where(table.c.started_at_ms < now_ms() - PARKED_MS)
        try:
            with self._database.writing() as connection, dead(self._database, connection, holder) as is_dead:
                left = connection.execute(still_held).all() if is_dead else ()
                endings = [Ending(id, "assumed", held_nano, ended_at_ms=now_ms()) for id, held_nano in left]
                for start in range(0, len(endings), _SWEPT_AT_ONCE):
                    _post(self._database)(connection, holder, endings[start : start + _SWEPT_AT_ONCE])
                return len(endings)
        except OSError as error:
            raise unavailable(error) from None

    def rows(
        self,
        *,
        limit: int = 100,
        since_ms: int | None = None,
        until_ms: int | None = None,
        request_id: str | None = None,
        owner: str | None = None,
        provider: str | None = None,
        model: str | None = None,
    ) -> list[BookRow]:
        """Attempts that began in [since, until), newest first."""
        where = _began(since_ms, until_ms)
        if request_id is not None:
            where.append(table.c.id.in_([f"{request_id}.{attempt}" for attempt in range(1, MOST_ATTEMPTS + 1)]))
        asked = {"owner": owner, "provider": provider, "model": model}
        where += [table.c[name] == value for name, value in asked.items() if value is not None]
        query = _ROWS.where(*where).order_by(table.c.started_at_ms.desc(), table.c.id.desc()).limit(limit)
        with self._database.reading() as connection:
            found = connection.execute(query).mappings().all()
        return [_book_row(dict(row)) for row in found]

    def every(self, since_ms: int, until_ms: int, page: int) -> Iterator[BookRow]:
        """All that began in [since, until), oldest first, read so many at a time: however many there are, memory stays
        as it is. What is written meanwhile may be among them."""
        at_ms, id = since_ms, ""
        while True:
            later = (table.c.started_at_ms > at_ms) | ((table.c.started_at_ms == at_ms) & (table.c.id > id))
            query = _ROWS.where(later, table.c.started_at_ms >= at_ms, table.c.started_at_ms < until_ms)
            query = query.order_by(table.c.started_at_ms, table.c.id).limit(page)
            with self._database.reading() as connection:
                found = connection.execute(query).mappings().all()
            for row in found:
                yield _book_row(dict(row))
            if len(found) < page:
                return
            at_ms, id = found[-1]["started_at_ms"], found[-1]["id"]

    def pending_nano(self, owner: str | None = None) -> int:
        """What is held at this moment, by this owner or by everybody."""
        with self._database.reading() as connection:
            held = select(func.sum(table.c.held_nano)).where(table.c.state == "held")
            if owner is not None:
                held = held.where(table.c.owner == owner)
            return int(connection.execute(held).scalar() or 0)

    def totals(
        self,
        by: Sequence[Group] = ("provider", "model"),
        *,
        since_ms: int | None = None,
        until_ms: int | None = None,
        owner: str | None = None,
    ) -> list[Total]:
        """Sums over attempts that began in [since, until), dearest first."""
        where = _began(since_ms, until_ms) + ([] if owner is None else [table.c.owner == owner])
        groups = [table.c[name] for name in by]
        query = select(*groups, *_SUMS).where(*where).group_by(*groups).order_by(_SUMS[1].desc(), *groups)
        with self._database.reading() as connection:
            found = connection.execute(query).all()
        return [Total(dict(zip(by, row, strict=False)), *(int(n or 0) for n in row[len(by) :])) for row in found]

    def _put(self, item: Waiting | Ending) -> None:
        """What one turn of an event loop brings is written together. Endings wait a little for the next hold."""
        writer = self._writer or self._start()
        gathered = self._gathered
        gathered.items.append(item)
        loop = _running_loop()
        if loop is None:
            writer.put(gathered.items)
        elif isinstance(item, tuple):
            if gathered.soon is not loop:
                gathered.soon = loop
                loop.call_soon(_hand_over_soon, writer, gathered, loop, MOST_TURNS, 0)
        elif gathered.later is not loop:
            gathered.later = loop
            loop.call_later(ENDING_WAITS_S, _hand_over_later, writer, gathered, loop)

    def _start(self) -> Writer:
        with self._starting:
            if self._closed:
                raise StorageUnavailable("The book is closed.", "Open the store again.")
            if self._writer is None:
                self._writer = Writer(partial(_open_pen, self._database, self._holder))
                weakref.finalize(self, self._writer.stop, BUSY_S)
            return self._writer

    def _forget(self) -> None:
        """In a forked child: nothing of the parent's is used, closed or written."""
        if self._writer is not None:
            self._writer.leave()
            _PARENTS.append(self._writer)
        self._holder.forget()
        self._holder = Holder(self._database, parked=self._holder.id == PARKED)
        self._starting = Lock()
        self._writer = None
        self._gathered = _Gathered([])


class _Gathered(local):
    """What each thread has put and not yet handed over; `all` has every thread's.

    `soon` and `later` are the loops that will hand it over: one that was closed meanwhile will not.
    """

    def __init__(self, all: list[Gathered]) -> None:
        self.items: Gathered = deque()
        self.lines = Lines()
        self.soon: asyncio.AbstractEventLoop | None = None
        self.later: asyncio.AbstractEventLoop | None = None
        self.all = all
        all.append(self.items)


def _hand_over_soon(writer: Writer, gathered: _Gathered, loop: asyncio.AbstractEventLoop, turns: int, had: int) -> None:
    """In a few turns of the loop, for as long as each brings more: one commit serves them all."""
    here = len(gathered.items)
    if turns and here > had:
        loop.call_soon(_hand_over_soon, writer, gathered, loop, turns - 1, here)
        return
    gathered.soon = None
    writer.put_here(gathered.items, loop)


def _hand_over_later(writer: Writer, gathered: _Gathered, loop: asyncio.AbstractEventLoop) -> None:
    gathered.later = None
    if gathered.items:
        writer.put_here(gathered.items, loop)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


_PARENTS: list[Writer] = []


def _after_fork(book: weakref.ref[Book]) -> None:
    if (mine := book()) is not None:
        mine._forget()  # pyright: ignore[reportPrivateUsage]


def _open_pen(database: Database, holder: Holder) -> Pen:
    """Drivers are loaded when they are needed."""
    holder.lock()
    if database.file is not None:
        from ownkey.store.pen_sqlite import SqlitePen

        return SqlitePen(database.file, holder.id)
    from ownkey.store.pen_postgres import PostgresPen

    return PostgresPen(database.url, holder.id)


def _post(database: Database) -> Callable[[Connection, str, list[Ending]], object]:
    """Writes endings in a transaction that is open, as the pens do."""
    if database.file is not None:
        from ownkey.store.pen_sqlite import Known
        from ownkey.store.pen_sqlite import post as on_sqlite

        return lambda connection, holder, endings: on_sqlite(_driver(connection), Known(), holder, (), endings)
    from ownkey.store.pen_postgres import post as on_postgres

    return lambda connection, holder, endings: on_postgres(_driver(connection), _NONE_KNOWN, holder, (), endings)


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


def _began(since_ms: int | None, until_ms: int | None) -> list[ColumnElement[bool]]:
    began = table.c.started_at_ms
    where: list[ColumnElement[bool]] = []
    if since_ms is not None:
        where.append(began >= since_ms)
    if until_ms is not None:
        where.append(began < until_ms)
    return where


def _book_row(values: dict[str, Any]) -> BookRow:
    values["stream"], values["priced"] = bool(values["stream"]), bool(values["priced"])
    return BookRow(**values)


_ROWS = select(*(table.c[name] for name in BookRow.__struct_fields__))
_SUMS = (
    func.count().label("attempts"),
    func.sum(table.c.cost_nano).label("cost_nano"),
    func.sum(table.c.held_nano).filter(table.c.state == "held").label("pending_nano"),
    func.count().filter(table.c.priced.is_(False), table.c.state.not_in(("held", "released"))).label("unpriced"),
    func.sum(table.c.input_tokens).label("input_tokens"),
    func.sum(table.c.output_tokens).label("output_tokens"),
)
