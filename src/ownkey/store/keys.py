"""Provider keys, sealed. What opens them never comes here."""

from __future__ import annotations

from msgspec import Struct, structs
from sqlalchemy import Row, delete, select, text

from ownkey.store import tables
from ownkey.store.connect import Database


class KeyRow(Struct, frozen=True):
    """`origin`: the scheme, host and port it may be sent to. `masked`: what may be shown of it."""

    id: str
    owner: str
    provider: str
    origin: str
    version: int
    sealed: bytes
    masked: str
    label: str
    created_at_ms: int
    used_at_ms: int | None = None


class Keys:
    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, row: KeyRow) -> bool:
        """Keep this key in place of the one of the same owner, provider and label.

        False, and nothing changed, where that one's version is not lower: somebody else replaced it meanwhile.
        """
        with self._database.writing() as connection:
            return connection.execute(_PUT, structs.asdict(row)).rowcount == 1

    def get(self, id: str) -> KeyRow | None:
        with self._database.reading() as connection:
            row = connection.execute(_ALL.where(_T.id == id)).one_or_none()
        return None if row is None else _key(row)

    def of(self, owner: str, provider: str) -> list[KeyRow]:
        """This owner's keys for this provider, in the order in which they are to be tried: oldest first."""
        with self._database.reading() as connection:
            found = connection.execute(_ALL.where(_T.owner == owner, _T.provider == provider)).all()
        return [_key(row) for row in found]

    def all(self, owner: str) -> list[KeyRow]:
        with self._database.reading() as connection:
            return [_key(row) for row in connection.execute(_ALL.where(_T.owner == owner)).all()]

    def providers(self) -> set[str]:
        """Those that anybody has a key for."""
        with self._database.reading() as connection:
            return set(connection.execute(select(_T.provider).distinct()).scalars())

    def remove(self, id: str) -> int:
        """How many were removed."""
        with self._database.writing() as connection:
            return connection.execute(delete(tables.keys).where(_T.id == id)).rowcount

    def remove_of(self, owner: str, provider: str) -> int:
        """Remove all of this owner's keys for this provider; how many there were."""
        with self._database.writing() as connection:
            return connection.execute(delete(tables.keys).where(_T.owner == owner, _T.provider == provider)).rowcount


_T = tables.keys.c
_NAMES = KeyRow.__struct_fields__
_ALL = select(*(_T[name] for name in _NAMES)).order_by(_T.provider, _T.created_at_ms, _T.id)
_PUT = text(
    f"INSERT INTO keys ({', '.join(_NAMES)}) VALUES ({', '.join(f':{name}' for name in _NAMES)})"  # noqa: S608
    f" ON CONFLICT (owner, provider, label) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _NAMES)}"
    " WHERE excluded.version > keys.version"
)


def _key(row: Row[tuple[object, ...]]) -> KeyRow:
    return KeyRow(*row)
