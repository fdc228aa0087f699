"""The pen for PostgreSQL. Its session holds the lock that tells other processes that this one lives."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, LiteralString, cast

import msgspec
import psycopg
from msgspec import Struct, structs
from psycopg.conninfo import make_conninfo
from sqlalchemy.engine import URL

from ownkey.spending.budget import Budgets, Count
from ownkey.store.budget_rows import SELECT, budget_of
from ownkey.store.connect import postgres_settings, unavailable
from ownkey.store.entry import COLUMNS_OF_A_HOLD, COLUMNS_OF_AN_ENDING, Ending, Hold
from ownkey.store.holder import PARKED, lock_number
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
from ownkey.store.tables import SUMMED, book

_BAD_ROW = (psycopg.DataError, psycopg.IntegrityError)


class PostgresPen:
    here = False

    def __init__(self, url: URL, holder: str) -> None:
        self._holder = holder
        self._budgets = Budgets(version=-1)
        self._closed_ms = 0
        try:
            asked = url.set(drivername="postgresql").difference_update_query(["options"])
            asked = make_conninfo(asked.render_as_string(hide_password=False), **postgres_settings(url))
            self._connection = psycopg.connect(asked, autocommit=True)
            # A server may be set to answer before a commit is on disk; a hold has to be there.
            self._connection.execute(
                "SELECT set_config('synchronous_commit', 'on', false)"
                " WHERE current_setting('synchronous_commit') = 'off'"
            )
            if holder != PARKED:
                self._connection.execute("SELECT pg_advisory_lock(%s)", (lock_number(holder),))
        except psycopg.Error as error:
            raise unavailable(error) from None

    def write(self, wishes: Sequence[Wish], endings: Sequence[Ending]) -> list[Verdict]:
        try:
            self._close_days()
            with self._connection.pipeline(), self._connection.transaction():
                self._budgets, verdicts = post(self._connection, self._budgets, self._holder, wishes, endings)
            return verdicts
        except _BAD_ROW:
            raise
        except psycopg.Error as error:
            raise unavailable(error) from None

    def _close_days(self) -> None:
        """Sum up the days that are over, alone: who writes hours keeps the state from being changed until they have."""
        today = today_ms(time.time_ns() // 1_000_000)
        if today <= self._closed_ms:
            return
        with self._connection.transaction():
            self._closed_ms = _one(self._connection.execute("SELECT closed_ms FROM budget_state FOR UPDATE"))[0]
            if today > self._closed_ms:
                self._connection.execute(cast("LiteralString", close_days("%s")), (self._closed_ms, today))
                self._connection.execute("UPDATE budget_state SET closed_ms = %s", (today,))
        self._closed_ms = max(today, self._closed_ms)

    def wait_for_others(self, patient: bool) -> None:
        """It waits as long as the server lets it."""

    @property
    def untidy(self) -> bool:
        return False

    def tidy(self) -> None:
        """The server sees to itself."""

    def assume(self, id: str, at_ms: int) -> None:
        try:
            held = self._connection.execute("SELECT held_nano FROM book WHERE id = %s", (id,)).fetchone()
        except _BAD_ROW:
            raise
        except psycopg.Error as error:
            raise unavailable(error) from None
        if held is not None:
            self.write([], [Ending(id, "assumed", held[0], ended_at_ms=at_ms)])

    def close(self) -> None:
        with suppress(psycopg.Error):
            self._connection.close()

    def leave(self) -> None:
        """The server ends a session, and its lock, when the last copy of its socket is closed."""
        os.close(self._connection.fileno())


def post(
    connection: psycopg.Connection[Any],
    budgets: Budgets,
    holder: str,
    wishes: Sequence[Wish],
    endings: Sequence[Ending],
) -> tuple[Budgets, list[Verdict]]:
    """Inside a transaction. `budgets` are those that were known; gives those there are.

    Who changes a budget waits for everyone who has read its version here; counters, then rollups, are locked in order.
    """
    state = connection.execute(_STATE, prepare=True)
    ended = [connection.execute(_UPDATE, (_json(endings),), prepare=True)] if endings else []
    version, closed_ms = _one(state)
    if version != budgets.version:
        budgets = Budgets(map(budget_of, connection.execute(cast("LiteralString", SELECT)).fetchall()), version)
    posting = Posting(budgets, closed_ms)
    by_id = {ending.id: ending for ending in endings}
    for row in ended[0].fetchall() if ended else ():
        posting.ended(row, by_id[row[0]])
    if places := posting.places(wishes):
        for *place, spent, pending, fresh in connection.execute(_LOCK, (_encoded(places),), prepare=True).fetchall():
            where = (place[0], place[1], place[2])
            count = Count(spent, pending)
            if fresh:
                sql, asked = from_rows(budgets.all[place[0]], where, "%s")
                count = Count(*map(int, _one(connection.execute(cast("LiteralString", sql), asked))))
            posting.found(where, count, fresh=fresh)
    verdicts = posting.decide_all(wishes)
    _write(connection, holder, posting, [verdict for verdict in verdicts if isinstance(verdict, Hold)])
    return budgets, verdicts


def _write(connection: psycopg.Connection[Any], holder: str, posting: Posting, holds: Sequence[Hold]) -> None:
    if holds:
        connection.execute(_INSERT, (holder, _json(holds)), prepare=True)
    if posting.changed:
        connection.execute(_SET_COUNTS, (_encoded(posting.rows_of_counters()),), prepare=True)
    for roll_up, rollups in ((_ROLL_UP_HOURS, posting.hours), (_ROLL_UP_DAYS, posting.days())):
        if rollups:
            rows = [(*key, *rollups[key]) for key in sorted(rollups)]
            connection.execute(cast("LiteralString", roll_up), (_encoded(rows),), prepare=True)
    if posting.alerts:
        told = [posting.alerts[id] for id in sorted(posting.alerts)]
        connection.execute(_ALERT, (_json(told),), prepare=True)


def _one(cursor: psycopg.Cursor[Any]) -> tuple[Any, ...]:
    found = cursor.fetchone()
    if found is None:
        raise psycopg.OperationalError("a row that is always there is missing")
    return found


def _encoded(rows: object) -> str:
    return msgspec.json.encode(rows).decode()


def _json(rows: Sequence[Struct]) -> str:
    return msgspec.json.encode([structs.astuple(row) for row in rows]).decode()


def _fields(names: Sequence[str], first: int) -> list[str]:
    """Each column's value out of the JSON array `row`, in the column's own type."""
    types = {column.name: str(column.type.compile()) for column in book.columns}
    return [f"(row ->> {place})::{types[name]}" for place, name in enumerate(names, first)]


_INSERT = cast(
    "LiteralString",
    f"INSERT INTO book (holder, state, cost_nano, {', '.join(COLUMNS_OF_A_HOLD)})"  # noqa: S608
    f" SELECT %s, 'held', 0, {', '.join(_fields(COLUMNS_OF_A_HOLD, 0))} FROM jsonb_array_elements(%s::jsonb) AS row",
)
_UPDATE = cast(
    "LiteralString",
    "UPDATE book SET "  # noqa: S608
    + ", ".join(
        f"{name} = {value}" for name, value in zip(COLUMNS_OF_AN_ENDING, _fields(COLUMNS_OF_AN_ENDING, 1), strict=True)
    )
    + " FROM jsonb_array_elements(%s::jsonb) AS row WHERE id = row ->> 0 AND state = 'held'"
    + f" RETURNING {', '.join(COLUMNS_OF_ENDED)}",
)
_STATE = "SELECT version, closed_ms FROM budget_state FOR SHARE"
_LOCK = (
    "INSERT INTO counters (budget, start_ms, who, spent, pending)"
    " SELECT row ->> 0, (row ->> 1)::bigint, row ->> 2, 0, 0 FROM jsonb_array_elements(%s::jsonb)"
    " WITH ORDINALITY AS given(row, place) ORDER BY place"
    " ON CONFLICT (budget, start_ms, who) DO UPDATE SET spent = counters.spent"
    " RETURNING budget, start_ms, who, spent, pending, xmax = 0"
)
_SET_COUNTS = (
    "UPDATE counters SET spent = (row ->> 3)::bigint, pending = (row ->> 4)::bigint"
    " FROM jsonb_array_elements(%s::jsonb) AS row"
    " WHERE budget = row ->> 0 AND start_ms = (row ->> 1)::bigint AND who = row ->> 2"
)
_ALERT = (
    "INSERT INTO alerts (id, kind, owner, budget_id, message, facts, at_ms, tries)"
    " SELECT row ->> 0, row ->> 1, row ->> 2, row ->> 3, row ->> 4, row ->> 5, (row ->> 6)::bigint, 0"
    " FROM jsonb_array_elements(%s::jsonb) AS row ON CONFLICT DO NOTHING"
)


def _roll_up(table: str) -> LiteralString:
    texts = COLUMNS_OF_A_ROLLUP[1:]
    given = ["(row ->> 0)::bigint", *(f"row ->> {place}" for place in range(1, 1 + len(texts)))]
    given += [f"(row ->> {place})::bigint" for place in range(len(given), len(given) + len(SUMMED))]
    sums = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in SUMMED)
    return cast(
        "LiteralString",
        f"INSERT INTO {table} ({', '.join((*COLUMNS_OF_A_ROLLUP, *SUMMED))})"  # noqa: S608
        f" SELECT {', '.join(given)} FROM jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS given(row, place)"
        f" ORDER BY place ON CONFLICT ({', '.join(COLUMNS_OF_A_ROLLUP)}) DO UPDATE SET {sums}",
    )


_ROLL_UP_HOURS, _ROLL_UP_DAYS = _roll_up("usage_hours"), _roll_up("usage_days")
