"""The pen for a SQLite file. Each driver call gives the interpreter away and has to win it back, so a batch is few."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache, lru_cache
from itertools import chain
from pathlib import Path

from msgspec import Struct, structs

from ownkey.spending.budget import Budgets, Count, Place
from ownkey.store.budget_rows import SELECT, STATE, budget_of
from ownkey.store.connect import BUSY_S, sqlite_connection, unavailable
from ownkey.store.entry import COLUMNS_OF_A_HOLD, COLUMNS_OF_AN_ENDING, Ending, Hold
from ownkey.store.posting import (
    COLUMNS_OF_A_ROLLUP,
    COLUMNS_OF_ENDED,
    Posting,
    Verdict,
    Wish,
    close_days,
    from_rows,
    today_ms,
)
from ownkey.store.tables import SUMMED

_RETURNING = f"RETURNING {', '.join(COLUMNS_OF_ENDED)}"
_ROWS_A_STATEMENT = 64
_COMMITS_A_CHECKPOINT = 250
_COUNTS_KEPT = 10_000

# These say that a row cannot be kept; every other error of the driver's, that the database cannot keep any.
_BAD_ROW = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError, sqlite3.ProgrammingError)


class SqlitePen:
    here = True

    def __init__(self, file: Path, holder: str) -> None:
        self._file = file
        self._holder = holder
        self._commits = 0
        self._patient = True
        self._known = Known()
        try:
            self._connection = sqlite_connection(file)
        except sqlite3.Error as error:
            raise unavailable(error) from None

    def write(self, wishes: Sequence[Wish], endings: Sequence[Ending]) -> list[Verdict]:
        execute = self._connection.execute
        try:
            execute("BEGIN IMMEDIATE")
            verdicts = post(self._connection, self._known, self._holder, wishes, endings)
            execute("COMMIT")
        except BaseException as error:
            self._roll_back()
            self._known = Known()
            if isinstance(error, sqlite3.Error) and not isinstance(error, _BAD_ROW):
                raise unavailable(error) from None
            raise
        self._commits += 1
        return verdicts

    def wait_for_others(self, patient: bool) -> None:
        if patient is not self._patient:
            self._patient = patient
            self._connection.execute(f"PRAGMA busy_timeout = {BUSY_S * 1000 if patient else 0}")

    @property
    def untidy(self) -> bool:
        return self._commits >= _COMMITS_A_CHECKPOINT

    def tidy(self) -> None:
        """Bring the log into the file while a second connection keeps every writer out.

        SQLite before 3.51.3 may damage the file where a commit starts the log anew beside a checkpoint:
        https://www.sqlite.org/wal.html#walresetbug
        """
        self._commits = 0
        with suppress(sqlite3.Error):
            guard = sqlite_connection(self._file)
            try:
                guard.execute("BEGIN IMMEDIATE")
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            finally:
                guard.close()

    def assume(self, id: str, at_ms: int) -> None:
        try:
            held = self._connection.execute("SELECT held_nano FROM book WHERE id = ?", (id,)).fetchone()
        except _BAD_ROW:
            raise
        except sqlite3.Error as error:
            raise unavailable(error) from None
        if held is not None:
            self.write([], [Ending(id, "assumed", held[0], ended_at_ms=at_ms)])

    def close(self) -> None:
        self._connection.close()

    def leave(self) -> None:
        """Nothing to do: SQLite's locks are not inherited. A connection that is closed here would drop the parent's."""

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")


class Known(Struct):
    """What one connection has read, and holds as long as nobody else has written (SQLite, PRAGMA data_version)."""

    data_version: int = -1
    closed_ms: int = 0
    budgets: Budgets = Budgets(version=-1)
    counts: dict[Place, Count] = {}


def post(
    connection: sqlite3.Connection, known: Known, holder: str, wishes: Sequence[Wish], endings: Sequence[Ending]
) -> list[Verdict]:
    """Inside a transaction that keeps other writers out. What is `known` is brought up to date; where the transaction
    comes to nothing, it has to be forgotten."""
    execute = connection.execute
    _bring_up_to_date(connection, known)
    posting = Posting(known.budgets, known.closed_ms)
    by_id = {ending.id: ending for ending in endings}
    for some in _pieces(endings):
        for row in execute(_update(len(some)), _values(some)).fetchall():
            posting.ended(row, by_id[row[0]])
    for place in posting.places(wishes):
        if (count := known.counts.get(place)) is not None:
            posting.found(place, count)
        elif (kept := execute(_COUNT, place).fetchone()) is not None:
            posting.found(place, Count(*kept))
        else:
            sql, asked = from_rows(known.budgets.all[place[0]], place, "?")
            posting.found(place, Count(*execute(sql, asked).fetchone()), fresh=True)
    verdicts = posting.decide_all(wishes)
    given = [verdict for verdict in verdicts if isinstance(verdict, Hold)]
    for some in _pieces(given):
        execute(_insert(len(some), holder), _values(some))
    _write(connection, posting)
    if len(known.counts) > _COUNTS_KEPT:
        known.counts.clear()
    known.counts.update(posting.counts)
    return verdicts


def _bring_up_to_date(connection: sqlite3.Connection, known: Known) -> None:
    execute = connection.execute
    data_version = execute("PRAGMA data_version").fetchone()[0]
    if data_version != known.data_version:
        known.data_version = data_version
        known.counts.clear()
        version, known.closed_ms = execute(STATE).fetchone()
        if version != known.budgets.version:
            known.budgets = Budgets(map(budget_of, execute(SELECT)), version)
    today = today_ms(time.time_ns() // 1_000_000)
    if today > known.closed_ms:
        execute(close_days("?"), (known.closed_ms, today))
        execute("UPDATE budget_state SET closed_ms = ?", (today,))
        known.closed_ms = today


def _write(connection: sqlite3.Connection, posting: Posting) -> None:
    if posting.changed:
        connection.executemany(_SET_COUNT, posting.rows_of_counters())
    if posting.hours:
        connection.executemany(_roll_up("usage_hours"), [(*key, *sums) for key, sums in posting.hours.items()])
        if days := posting.days():
            connection.executemany(_roll_up("usage_days"), [(*key, *sums) for key, sums in days.items()])
    if posting.alerts:
        connection.executemany(_ALERT, [structs.astuple(alert) for alert in posting.alerts.values()])


def _pieces(rows: Sequence[Struct]) -> Iterator[Sequence[Struct]]:
    return (rows[start : start + _ROWS_A_STATEMENT] for start in range(0, len(rows), _ROWS_A_STATEMENT))


def _values(rows: Sequence[Struct]) -> list[object]:
    return list(chain.from_iterable(map(structs.astuple, rows)))


@lru_cache(_ROWS_A_STATEMENT)
def _insert(rows: int, holder: str) -> str:
    row = f"({', '.join('?' * len(COLUMNS_OF_A_HOLD))}, '{holder}', 'held', 0)"
    columns = ", ".join(COLUMNS_OF_A_HOLD)
    return f"INSERT INTO book ({columns}, holder, state, cost_nano) VALUES {', '.join([row] * rows)}"  # noqa: S608


@lru_cache(_ROWS_A_STATEMENT)
def _update(rows: int) -> str:
    row = f"({', '.join('?' * (1 + len(COLUMNS_OF_AN_ENDING)))})"
    changes = ", ".join(f"{name} = ending.column{place}" for place, name in enumerate(COLUMNS_OF_AN_ENDING, 2))
    endings = f"(VALUES {', '.join([row] * rows)}) AS ending"
    return f"UPDATE book SET {changes} FROM {endings} WHERE id = ending.column1 AND state = 'held' {_RETURNING}"  # noqa: S608


_COUNT = "SELECT spent, pending FROM counters WHERE budget = ? AND start_ms = ? AND who = ?"
_SET_COUNT = (
    "INSERT INTO counters (budget, start_ms, who, spent, pending) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET spent = excluded.spent, pending = excluded.pending"
)
_ALERT = (
    "INSERT INTO alerts (id, kind, owner, budget_id, message, facts, at_ms, tries) VALUES (?, ?, ?, ?, ?, ?, ?, 0)"
    " ON CONFLICT DO NOTHING"
)


@cache
def _roll_up(table: str) -> str:
    columns = (*COLUMNS_OF_A_ROLLUP, *SUMMED)
    sums = ", ".join(f"{name} = {name} + excluded.{name}" for name in SUMMED)
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608
        f" ON CONFLICT DO UPDATE SET {sums}"
    )
