"""What is known of this installation: its id, which root key its secrets are sealed with, and whether they may be
opened."""

from __future__ import annotations

import time
from uuid import uuid4

from msgspec import Struct
from sqlalchemy import select, text, update

from ownkey.store import tables
from ownkey.store.connect import Database


class Installed(Struct, frozen=True):
    """`root_source` says where the root key comes from; `root_check` tells a wrong root key from the right one.

    `root_probe` is what a server that keeps the root key has wrapped, and can unwrap again. `sealed_at_ms`: since when
    its owner has it sealed. `root_wraps` counts what was sealed under this root key.
    """

    id: str
    root_source: str | None
    root_check: bytes | None
    created_at_ms: int
    root_probe: bytes | None = None
    root_since_ms: int | None = None
    root_wraps: int | None = None
    sealed_at_ms: int | None = None


class Install:
    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self) -> Installed:
        """The one row. It is made when it is first asked for, once, however many ask at the same moment."""
        with self._database.reading() as connection:
            row = connection.execute(_ROW).one_or_none()
        if row is None:
            with self._database.writing() as connection:
                first = {"id": str(uuid4()), "at": time.time_ns() // 1_000_000}
                connection.execute(_FIRST, first)
                row = connection.execute(_ROW).one()
        return Installed(*row)

    def set_root(self, source: str, check: bytes, *, probe: bytes | None = None, was: bytes | None = None) -> bool:
        """Note the root key, where the check kept so far is `was`. False where it is another: nothing is changed."""
        self.get()
        column = tables.install.c.root_check
        same = column.is_(None) if was is None else column == was
        values = {
            "root_source": source,
            "root_check": check,
            "root_probe": probe,
            "root_since_ms": time.time_ns() // 1_000_000,
            "root_wraps": 0,
        }
        with self._database.writing() as connection:
            changed = connection.execute(update(tables.install).where(same).values(values))
        return changed.rowcount == 1

    def set_sealed(self, sealed: bool) -> None:
        """Every process that looks refuses keys from now on, or gives them again."""
        self.get()
        column = tables.install.c.sealed_at_ms
        at_ms = time.time_ns() // 1_000_000 if sealed else None
        with self._database.writing() as connection:
            there = column.is_(None) if sealed else column.is_not(None)
            connection.execute(update(tables.install).where(there).values(sealed_at_ms=at_ms))


_ROW = select(*(tables.install.c[name] for name in Installed.__struct_fields__))
_FIRST = text("INSERT INTO install (one, id, created_at_ms) VALUES (1, :id, :at) ON CONFLICT DO NOTHING")
