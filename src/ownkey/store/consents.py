"""What people have said yes to: what is remembered of it, and which tokens of consent were used."""

from __future__ import annotations

from msgspec import Struct, structs
from sqlalchemy import delete, insert, select, text
from sqlalchemy.exc import IntegrityError

from ownkey.store import tables
from ownkey.store.connect import Database


class Consent(Struct, frozen=True):
    """A yes that is good until `until_ms`. `source` and `target` are what `Reason.kept` says of its `kind`."""

    id: str
    owner: str
    kind: str
    source: str
    target: str
    created_at_ms: int
    until_ms: int


class ConsentTable:
    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, owner: str, now_ms: int) -> list[Consent]:
        """Those that are good now, oldest first."""
        mine = _ALL.where(_T.owner == owner, _T.until_ms > now_ms).order_by(_T.created_at_ms, _T.id)
        with self._database.reading() as connection:
            return [Consent(*row) for row in connection.execute(mine).all()]

    def put(self, consent: Consent) -> None:
        """In place of what was remembered of the same. What is over goes."""
        with self._database.writing() as connection:
            old = delete(tables.consents).where(_T.owner == consent.owner, _T.until_ms <= consent.created_at_ms)
            connection.execute(old)
            connection.execute(_PUT, structs.asdict(consent))

    def remove(self, owner: str, id: str) -> bool:
        with self._database.writing() as connection:
            return connection.execute(delete(tables.consents).where(_T.owner == owner, _T.id == id)).rowcount == 1

    def use(self, owner: str, digest: bytes, until_ms: int, now_ms: int) -> bool:
        """Note that a token was used, in every process; False where it was before. Those that have expired go."""
        try:
            with self._database.writing() as connection:
                connection.execute(delete(tables.consents_used).where(_U.owner == owner, _U.until_ms <= now_ms))
                connection.execute(insert(tables.consents_used).values(owner=owner, digest=digest, until_ms=until_ms))
        except IntegrityError:
            return False
        return True


_T, _U = tables.consents.c, tables.consents_used.c
_ALL = select(*(_T[name] for name in Consent.__struct_fields__))
_PUT = text(
    "INSERT INTO consents (id, owner, kind, source, target, created_at_ms, until_ms)"
    " VALUES (:id, :owner, :kind, :source, :target, :created_at_ms, :until_ms)"
    " ON CONFLICT (owner, kind, source, target) DO UPDATE SET until_ms = excluded.until_ms"
)
