"""An audit trail of an install of its own, and somebody who can write its database but has no root key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from ownkey.settings import load
from ownkey.store.audit import Audit, Sinks
from ownkey.store.audit_file import TrailFile
from ownkey.store.audit_verify import Verdict, verify
from ownkey.store.db import Store
from ownkey.vault.vault import Vault

GUARDS = (("audit", "stays"), ("audit", "keeps"), ("audit_head", "stays"), ("audit_head", "keeps"))
UNGUARDED = {
    "sqlite": tuple(f"DROP TRIGGER IF EXISTS {table}_{name}" for table, name in GUARDS),
    "postgresql": ("DROP FUNCTION IF EXISTS audit_refuses() CASCADE",),
}


class Install:
    """`home` is its data folder, `file` the trail's file beside the database, where it has one."""

    def __init__(self, url: str, folder: Path, *, file: bool = False) -> None:
        self.url = url
        self.home = folder / "home"
        self.home.mkdir(mode=0o700, exist_ok=True)
        self.file = folder / "audit.jsonl" if file else None
        self.store = Store.open(url)
        self.vault = Vault(self.store, load({}, home=self.home, keychain=False))
        self.audit: Audit = self.store.audited(
            self.vault.audit_keys, self.home, Sinks(TrailFile(self.file) if self.file else None)
        )

    def verify(self) -> Verdict:
        return verify(self.audit)

    def first(self) -> tuple[int, str] | None:
        """The first break: the record's number, and the kind."""
        found = self.verify()
        return (found.breaks[0].seq, found.breaks[0].kind) if found.breaks else None

    def kinds(self) -> set[str]:
        return {one.kind for one in self.verify().breaks}

    def tamper(self, *statements: str, **values: Any) -> None:
        """As somebody who may do everything in the database: no trigger keeps them."""
        engine = create_engine(self.url, poolclass=NullPool)
        with engine.begin() as connection:
            unguard(connection)
            for statement in statements:
                connection.execute(text(statement), values)

    def close(self) -> None:
        self.store.close()


def unguard(connection: Connection) -> None:
    for statement in UNGUARDED[connection.dialect.name]:
        connection.execute(text(statement))
