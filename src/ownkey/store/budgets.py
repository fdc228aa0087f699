"""Budgets as they are kept, how they stand, and whether their counters are what the book says."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager

from sqlalchemy import Connection, text

from ownkey.spending.budget import Budget, Budgets, Count, Place, Room
from ownkey.spending.window import check, span
from ownkey.store.budget_rows import COLUMNS, SELECT, VERSION, budget_of, row_of
from ownkey.store.connect import Database
from ownkey.store.posting import from_rows

KEPT_S = 1.0


class BudgetTable:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._current = Budgets(version=-1)
        self._until_s = 0.0

    def all(self) -> list[Budget]:
        with self._database.reading() as connection:
            return [budget_of(row) for row in connection.execute(text(SELECT))]

    def current(self, *, anew: bool = False) -> Budgets:
        """Those of the last second, or of now. What a hold is decided by is read with it, in its own transaction."""
        now_s = time.monotonic()
        if anew or now_s >= self._until_s:
            with self._database.reading() as connection:
                version = connection.execute(text(VERSION)).scalar_one()
                if version != self._current.version:
                    self._current = Budgets(map(budget_of, connection.execute(text(SELECT))), version)
            self._until_s = now_s + KEPT_S
        return self._current

    def set(self, budget: Budget) -> None:
        """Put it, or put it in place of the one of its id. Holds that are open count in it from now on.

        Raises InvalidRequest.
        """
        check(budget.window)
        with self._changing() as connection:
            # Counters come from the rows where there are none: what they count may be another thing now.
            connection.execute(text("DELETE FROM counters WHERE budget = :id"), {"id": budget.id})
            connection.execute(text("DELETE FROM budgets WHERE id = :id"), {"id": budget.id})
            connection.execute(_INSERT, row_of(budget))
        self._until_s = 0.0

    def remove(self, id: str) -> bool:
        with self._changing() as connection:
            connection.execute(text("DELETE FROM counters WHERE budget = :id"), {"id": id})
            found = connection.execute(text("DELETE FROM budgets WHERE id = :id"), {"id": id}).rowcount
        self._until_s = 0.0
        return found > 0

    def rooms(self, at_ms: int, ids: Iterable[str] | None = None) -> list[Room]:
        """How each stands in the window of that time."""
        wanted = None if ids is None else set(ids)
        with self._database.reading() as connection:
            budgets = [budget_of(row) for row in connection.execute(text(SELECT))]
            return [_room(connection, budget, at_ms) for budget in budgets if wanted is None or budget.id in wanted]

    def room(self, budget: Budget, at_ms: int) -> Room:
        """How one would stand that is not set, or set otherwise."""
        start_ms, end_ms = span(budget.window, at_ms)
        with self._database.reading() as connection:
            count = _counted(connection, budget, (budget.id, start_ms, ""))
        return Room(budget=budget, start_ms=start_ms, end_ms=end_ms, spent=count.spent, pending=count.pending)

    def counts(self, places: Iterable[tuple[Budget, Place]]) -> dict[Place, Count]:
        """What is spent and pending at each of these counters."""
        with self._database.reading() as connection:
            return {place: _count(connection, budget, place) for budget, place in dict.fromkeys(places)}

    def wrong_counters(self) -> list[tuple[Place, Count, Count]]:
        """Counters that are not what the rows of the book add up to: which, what it says, what the rows say."""
        with self._changing() as connection:
            return _wrong(connection)

    def mend(self) -> int:
        """Let go of the counters that are wrong: they are counted anew when they are next needed. How many."""
        with self._changing() as connection:
            wrong = _wrong(connection)
            for place, _, _ in wrong:
                connection.execute(_FORGET, dict(zip(("budget", "start_ms", "who"), place, strict=True)))
        return len(wrong)

    @contextmanager
    def _changing(self) -> Generator[Connection]:
        """A transaction that nobody holds or settles beside: all who write the book read the version first."""
        with self._database.writing() as connection:
            connection.execute(text("UPDATE budget_state SET version = version + 1"))
            yield connection


def _room(connection: Connection, budget: Budget, at_ms: int) -> Room:
    start_ms, end_ms = span(budget.window, at_ms)
    count = _count(connection, budget, (budget.id, start_ms, ""))
    return Room(budget=budget, start_ms=start_ms, end_ms=end_ms, spent=count.spent, pending=count.pending)


def _count(connection: Connection, budget: Budget, place: Place) -> Count:
    kept = connection.execute(_COUNT, dict(zip(("budget", "start_ms", "who"), place, strict=True))).first()
    return Count(*kept) if kept else _counted(connection, budget, place)


def _counted(connection: Connection, budget: Budget, place: Place) -> Count:
    sql, asked = from_rows(budget, place, "?" if connection.dialect.name == "sqlite" else "%s")
    spent, pending = connection.exec_driver_sql(sql, tuple(asked)).one()
    return Count(int(spent), int(pending))


def _wrong(connection: Connection) -> list[tuple[Place, Count, Count]]:
    budgets = {budget.id: budget for budget in map(budget_of, connection.execute(text(SELECT)))}
    wrong: list[tuple[Place, Count, Count]] = []
    for budget, start_ms, who, spent, pending in connection.execute(_COUNTERS).all():
        place, kept = (budget, start_ms, who), Count(spent, pending)
        true = _counted(connection, budgets[budget], place) if budget in budgets else Count()
        if (kept.spent, kept.pending) != (true.spent, true.pending):
            wrong.append((place, kept, true))
    return wrong


_INSERT = text(
    f"INSERT INTO budgets ({', '.join(COLUMNS)}) VALUES ({', '.join(':' + name for name in COLUMNS)})"  # noqa: S608
)
_COUNT = text("SELECT spent, pending FROM counters WHERE budget = :budget AND start_ms = :start_ms AND who = :who")
_COUNTERS = text("SELECT budget, start_ms, who, spent, pending FROM counters")
_FORGET = text("DELETE FROM counters WHERE budget = :budget AND start_ms = :start_ms AND who = :who")
