"""Provider keys, sealed. What opens them never comes here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct, structs
from sqlalchemy import Connection, Row, delete, func, select, text, update

from ownkey.store import tables
from ownkey.store.connect import Database

ENVIRONMENT = "env_"
"""How the ids of keys begin that stand in an environment variable, and are stored nowhere."""


BOXES = "ownkey-boxes"
"""The provider of keys that are no provider's: what people keep here is sealed with them. They stay here with it."""

GRANTED = ENVIRONMENT + "granted:"
"""How those of them begin that an admin has granted to somebody."""


def granted_id(user_id: str, provider: str) -> str:
    """One for each person: the book, the trail and the budget tell apart who used it."""
    return f"{GRANTED}{provider}:{user_id}"


class KeyRow(Struct, frozen=True):
    """`origin`: the scheme, host and port it may be sent to. `masked`: what may be shown of it.

    `position`: its place among the owner's keys for the provider. `models`: the patterns of models that it may be used
    for, with blanks between; None for all. `checked_at_ms`: when its provider was last known to take it or, with the
    code of an error in `refused`, not to take it. `rests_until_ms`: until when its provider wanted no more requests
    with it. `weight`: how much of what is asked it gets, beside the others; None: they are tried in order.
    """

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
    position: int | None = None
    expires_at_ms: int | None = None
    paused_at_ms: int | None = None
    models: str | None = None
    checked_at_ms: int | None = None
    refused: str | None = None
    weight: int | None = None
    rests_until_ms: int | None = None

    @property
    def from_environment(self) -> bool:
        return self.id.startswith(ENVIRONMENT)

    @property
    def granted(self) -> bool:
        return self.id.startswith(GRANTED)


class Note(Struct, frozen=True):
    """What came of using one version of a key: when it was used last, `checked_at_ms`, how it was found, and until when
    its provider wants no more requests with it."""

    id: str
    version: int
    used_at_ms: int | None = None
    checked_at_ms: int | None = None
    refused: str | None = None
    rests_until_ms: int | None = None


class Keys:
    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, row: KeyRow, *, under: bytes | None) -> bool:
        """Keep this key in place of the one of the same owner, provider and label, whose place and terms stay.

        `under`: the check value of the root key that it was sealed with. False, and nothing changed, where that one's
        version is not lower, for somebody else replaced it meanwhile, or where that root key is no longer in use.
        """
        with self._database.writing() as connection:
            return counted(connection, under) and connection.execute(_PUT, structs.asdict(row)).rowcount == 1

    def get(self, id: str) -> KeyRow | None:
        with self._database.reading() as connection:
            row = connection.execute(_ALL.where(_T.id == id)).one_or_none()
        return None if row is None else _key(row)

    def of(self, owner: str, provider: str) -> list[KeyRow]:
        """This owner's keys for this provider, in the order in which they are to be tried."""
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

    def count(self, provider: str) -> int:
        """How many everybody has stored for it."""
        with self._database.reading() as connection:
            every = select(func.count()).select_from(tables.keys).where(_T.provider == provider)
            return connection.execute(every).scalar_one()

    def remove(self, id: str) -> int:
        """How many were removed."""
        with self._database.writing() as connection:
            return connection.execute(delete(tables.keys).where(_T.id == id)).rowcount

    def remove_of(self, owner: str, provider: str) -> int:
        """Remove all of this owner's keys for this provider; how many there were."""
        with self._database.writing() as connection:
            return connection.execute(delete(tables.keys).where(_T.owner == owner, _T.provider == provider)).rowcount

    def change(self, id: str, values: dict[str, Any]) -> bool:
        """Change its label, place or terms, by the names of the columns. False where it is gone.

        Raises IntegrityError where the label is taken.
        """
        with self._database.writing() as connection:
            return connection.execute(update(tables.keys).where(_T.id == id).values(values)).rowcount == 1

    def arrange(self, ids: Sequence[str]) -> None:
        """Give them the places 1, 2, …"""
        with self._database.writing() as connection:
            for position, id in enumerate(ids, 1):
                connection.execute(update(tables.keys).where(_T.id == id).values(position=position))

    def note(self, notes: Iterable[Note]) -> None:
        """Write them down; of a version that is no longer there nothing is."""
        with self._database.writing() as connection:
            for note in notes:
                this = update(tables.keys).where(_T.id == note.id, _T.version == note.version)
                if note.used_at_ms is not None:
                    later = func.coalesce(_T.used_at_ms, 0) < note.used_at_ms
                    connection.execute(this.where(later).values(used_at_ms=note.used_at_ms))
                if note.checked_at_ms is not None:
                    later = func.coalesce(_T.checked_at_ms, 0) <= note.checked_at_ms
                    found = {"checked_at_ms": note.checked_at_ms, "refused": note.refused}
                    connection.execute(this.where(later).values(found))
                if note.rests_until_ms is not None:
                    connection.execute(this.values(rests_until_ms=note.rests_until_ms))


_T = tables.keys.c
_NAMES = KeyRow.__struct_fields__
_OF_THE_SECRET = (
    "id",
    "origin",
    "version",
    "sealed",
    "masked",
    "created_at_ms",
    "used_at_ms",
    "checked_at_ms",
    "refused",
    "rests_until_ms",
)
_PLACE = func.coalesce(_T.position, 0)
_ALL = select(*(_T[name] for name in _NAMES)).order_by(_T.provider, _PLACE, _T.created_at_ms, _T.id)
_PUT = text(
    f"INSERT INTO keys ({', '.join(_NAMES)}) VALUES ({', '.join(f':{name}' for name in _NAMES)})"  # noqa: S608
    " ON CONFLICT (owner, provider, label) DO UPDATE SET "
    f"{', '.join(f'{name} = excluded.{name}' for name in _OF_THE_SECRET)} WHERE excluded.version > keys.version"
)


def counted(connection: Connection, under: bytes | None) -> bool:
    """Whether that root key is in use, or the one that takes over from it; what is sealed with either is counted."""
    if under is None:
        return True
    current, coming = tables.install.c, tables.rotation.c
    if connection.execute(
        update(tables.install)
        .where(current.root_check == under)
        .values(root_wraps=func.coalesce(current.root_wraps, 0) + 1)
    ).rowcount:
        return True
    here = (coming.to_check == under) & (coming.step == "wrapping")
    return connection.execute(update(tables.rotation).where(here).values(wraps=coming.wraps + 1)).rowcount == 1


def _key(row: Row[tuple[object, ...]]) -> KeyRow:
    return KeyRow(*row)
