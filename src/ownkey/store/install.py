"""What is known of this installation: its id, and which root key its secrets are sealed with."""

from __future__ import annotations

import time
from uuid import uuid4

from msgspec import Struct
from sqlalchemy import select, text, update

from ownkey.store import tables
from ownkey.store.connect import Database


class Installed(Struct, frozen=True):
    """`root_source` says where the root key comes from; `root_check` tells a wrong root key from the right one."""

    id: str
    root_source: str | None
    root_check: bytes | None
    created_at_ms: int


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

    def set_root(self, source: str, check: bytes, *, was: bytes | None = None) -> bool:
        """Note the root key, where the check kept so far is `was`. False where it is another: nothing is changed."""
        self.get()
        column = tables.install.c.root_check
        same = column.is_(None) if was is None else column == was
        with self._database.writing() as connection:
            changed = connection.execute(
                update(tables.install).where(same).values(root_source=source, root_check=check)
            )
        return changed.rowcount == 1


_ROW = select(
    tables.install.c.id, tables.install.c.root_source, tables.install.c.root_check, tables.install.c.created_at_ms
)
_FIRST = text("INSERT INTO install (one, id, created_at_ms) VALUES (1, :id, :at) ON CONFLICT DO NOTHING")
