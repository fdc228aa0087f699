"""The pen for a SQLite file. Each driver call gives the interpreter away and has to win it back, so a batch is four."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import chain
from pathlib import Path

from msgspec import Struct, structs

from ownkey.store.connect import BUSY_S, sqlite_connection, unavailable
from ownkey.store.pen import COLUMNS_OF_A_HOLD, COLUMNS_OF_AN_ENDING, Ending, Hold

_ROWS_A_STATEMENT = 64
_COMMITS_A_CHECKPOINT = 250

# These say that a row cannot be kept; every other error of the driver's, that the database cannot keep any.
_BAD_ROW = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError, sqlite3.ProgrammingError)


class SqlitePen:
    here = True

    def __init__(self, file: Path, holder: str) -> None:
        self._file = file
        self._holder = holder
        self._commits = 0
        self._patient = True
        try:
            self._connection = sqlite_connection(file)
        except sqlite3.Error as error:
            raise unavailable(error) from None

    def write(self, holds: Sequence[Hold], endings: Sequence[Ending]) -> None:
        execute = self._connection.execute
        try:
            execute("BEGIN IMMEDIATE")
            for rows in _pieces(holds):
                execute(_insert(len(rows), self._holder), _values(rows))
            for rows in _pieces(endings):
                execute(_update(len(rows)), _values(rows))
            execute("COMMIT")
        except BaseException as error:
            self._roll_back()
            if isinstance(error, sqlite3.Error) and not isinstance(error, _BAD_ROW):
                raise unavailable(error) from None
            raise
        self._commits += 1

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
            self._connection.execute(_ASSUME, (at_ms, id))
        except _BAD_ROW:
            raise
        except sqlite3.Error as error:
            raise unavailable(error) from None

    def close(self) -> None:
        self._connection.close()

    def leave(self) -> None:
        """Nothing to do: SQLite's locks are not inherited. A connection that is closed here would drop the parent's."""

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")


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
    return f"UPDATE book SET {changes} FROM {endings} WHERE id = ending.column1 AND state = 'held'"  # noqa: S608


_ASSUME = "UPDATE book SET state = 'assumed', cost_nano = held_nano, ended_at_ms = ? WHERE id = ? AND state = 'held'"
