"""The gateway's tokens, as digests: what is kept here opens nothing."""

from __future__ import annotations

import time

from msgspec import Struct, structs
from sqlalchemy import insert, or_, select, update

from ownkey.store import tables
from ownkey.store.connect import Database


class TokenRow(Struct, frozen=True):
    """`digest`: 32 bytes. `shown`: what may be shown of the token. Revoked where `revoked_at_ms` is given."""

    id: str
    owner: str
    name: str
    digest: bytes
    shown: str
    created_at_ms: int
    revoked_at_ms: int | None = None


class Tokens:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, row: TokenRow) -> None:
        with self._database.writing() as connection:
            connection.execute(insert(tables.tokens).values(structs.asdict(row)))

    def by_digest(self, digest: bytes) -> TokenRow | None:
        """The token of that digest, revoked or not."""
        with self._database.reading() as connection:
            row = connection.execute(_ALL.where(_T.digest == digest)).one_or_none()
        return None if row is None else TokenRow(*row)

    def all(self) -> list[TokenRow]:
        with self._database.reading() as connection:
            return [TokenRow(*row) for row in connection.execute(_ALL).all()]

    def revoke(self, id_or_name: str) -> bool:
        """Every live token of that id or name is revoked from now on. False where there is none."""
        named = or_(_T.id == id_or_name, _T.name == id_or_name)
        now_ms = time.time_ns() // 1_000_000
        with self._database.writing() as connection:
            revoked = connection.execute(
                update(tables.tokens).where(named, _T.revoked_at_ms.is_(None)).values(revoked_at_ms=now_ms)
            )
            return revoked.rowcount > 0

    def any(self) -> bool:
        """Whether a token was ever made here."""
        with self._database.reading() as connection:
            return connection.execute(select(_T.id).limit(1)).first() is not None


_T = tables.tokens.c
_ALL = select(*(_T[name] for name in TokenRow.__struct_fields__)).order_by(_T.created_at_ms, _T.id)
