"""The pen for PostgreSQL. Its session holds the lock that tells other processes that this one lives."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import LiteralString, cast

import msgspec
import psycopg
from msgspec import Struct, structs
from psycopg.conninfo import make_conninfo
from sqlalchemy.engine import URL

from ownkey.store.connect import postgres_settings, unavailable
from ownkey.store.holder import lock_number
from ownkey.store.pen import COLUMNS_OF_A_HOLD, COLUMNS_OF_AN_ENDING, Ending, Hold
from ownkey.store.tables import book

_BAD_ROW = (psycopg.DataError, psycopg.IntegrityError)


class PostgresPen:
    here = False

    def __init__(self, url: URL, holder: str) -> None:
        self._holder = holder
        try:
            asked = url.set(drivername="postgresql").difference_update_query(["options"])
            asked = make_conninfo(asked.render_as_string(hide_password=False), **postgres_settings(url))
            self._connection = psycopg.connect(asked, autocommit=True)
            # A server may be set to answer before a commit is on disk; a hold has to be there.
            self._connection.execute(
                "SELECT set_config('synchronous_commit', 'on', false)"
                " WHERE current_setting('synchronous_commit') = 'off'"
            )
            self._connection.execute("SELECT pg_advisory_lock(%s)", (lock_number(holder),))
        except psycopg.Error as error:
            raise unavailable(error) from None

    def write(self, holds: Sequence[Hold], endings: Sequence[Ending]) -> None:
        connection = self._connection
        held, ended = _json(holds), _json(endings)
        try:
            with connection.pipeline(), connection.transaction():
                if holds:
                    connection.execute(_INSERT, (self._holder, held), prepare=True)
                if endings:
                    connection.execute(_UPDATE, (ended,), prepare=True)
        except _BAD_ROW:
            raise
        except psycopg.Error as error:
            raise unavailable(error) from None

    def wait_for_others(self, patient: bool) -> None:
        """It waits as long as the server lets it."""

    @property
    def untidy(self) -> bool:
        return False

    def tidy(self) -> None:
        """The server sees to itself."""

    def assume(self, id: str, at_ms: int) -> None:
        try:
            self._connection.execute(_ASSUME, (at_ms, id))
        except _BAD_ROW:
            raise
        except psycopg.Error as error:
            raise unavailable(error) from None

    def close(self) -> None:
        with suppress(psycopg.Error):
            self._connection.close()

    def leave(self) -> None:
        """The server ends a session, and its lock, when the last copy of its socket is closed."""
        os.close(self._connection.fileno())


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
    + " FROM jsonb_array_elements(%s::jsonb) AS row WHERE id = row ->> 0 AND state = 'held'",
)
_ASSUME = "UPDATE book SET state = 'assumed', cost_nano = held_nano, ended_at_ms = %s WHERE id = %s AND state = 'held'"
