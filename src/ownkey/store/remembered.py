"""What people want remembered, and the chats that are kept for them, sealed. What opens them never comes here."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, structs
from sqlalchemy import Connection, delete, false, func, or_, select, text

from ownkey.store import tables
from ownkey.store.connect import Database


def memory_of(owner: str) -> str:
    """Under whom the vault has the key that somebody's memory is sealed with: an owner that nobody is."""
    return f"memory:{owner}"


class Terms(Struct, frozen=True):
    """What one person wants remembered. `history_days`: how long; None for as long as they do not delete it.

    `cache_ttl_s`: answers are given again for so long; None where they are not. `cache_models`: those of models whose
    name fits one of these patterns, with blanks between; None for all.
    """

    owner: str
    history: bool = False
    history_days: int | None = None
    cache_ttl_s: int | None = None
    cache_models: str | None = None


class KeptRow(Struct, frozen=True):
    """One chat. `lost` says why there is no content."""

    id: str
    owner: str
    at_ms: int
    key_id: str | None = None
    sealed: bytes | None = None
    lost: str | None = None


Place = tuple[int, str]
"""Where a page ended: the time and the id of its last row."""


class MemoryTerms:
    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, owner: str) -> Terms:
        with self._database.reading() as connection:
            row = connection.execute(_TERMS.where(_M.owner == owner)).one_or_none()
        return Terms(owner) if row is None else _terms(row)

    def limited(self) -> list[Terms]:
        """Of everybody whose chats are kept for so many days."""
        with self._database.reading() as connection:
            return [_terms(row) for row in connection.execute(_TERMS.where(_M.history_days.is_not(None))).all()]

    def put(self, terms: Terms) -> None:
        with self._database.writing() as connection:
            connection.execute(_PUT, structs.asdict(terms))


class Kept:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, rows: Sequence[KeptRow]) -> int:
        """How many of them: none where its owner wants none kept by now, or its key is gone."""
        with self._database.writing() as connection:
            wanted = [row for row in rows if _wanted(connection, row)]
            if wanted:
                connection.execute(_ADD, [structs.asdict(row) for row in wanted])
        return len(wanted)

    def get(self, owner: str, id: str) -> KeptRow | None:
        with self._database.reading() as connection:
            row = connection.execute(_KEPT.where(_H.owner == owner, _H.id == id)).one_or_none()
        return None if row is None else KeptRow(*row)

    def page(self, owner: str, before: Place | None, limit: int, since_ms: int = 0) -> list[KeptRow]:
        """Newest first."""
        query = _KEPT.where(_H.owner == owner, _H.at_ms >= since_ms)
        if before is not None:
            at_ms, id = before
            query = query.where((_H.at_ms < at_ms) | ((_H.at_ms == at_ms) & (_H.id < id)))
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(_H.at_ms.desc(), _H.id.desc()).limit(limit)).all()
        return [KeptRow(*row) for row in rows]

    def count(self, owner: str) -> int:
        with self._database.reading() as connection:
            return connection.execute(select(func.count()).where(_H.owner == owner)).scalar_one()

    def costs(self, owner: str, ids: Sequence[str]) -> dict[str, int | None]:
        """What the book says that each of these requests cost, in nano-USD; None where that is not known."""
        unknown = _B.priced.is_(False) | (_B.state == "held")
        mine = [_B.id.between(f"{id}.", f"{id}.~") for id in ids]
        query = select(_B.request_id, func.sum(_B.cost_nano), func.count().filter(unknown))
        query = query.where(_B.owner == owner, or_(false(), *mine)).group_by(_B.request_id)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return {id: None if open else int(cost) for id, cost, open in rows}

    def remove(self, owner: str, *, id: str | None = None, before_ms: int | None = None) -> int:
        """One, those before a time, or all; how many there were."""
        query = delete(tables.history).where(_H.owner == owner)
        if id is not None:
            query = query.where(_H.id == id)
        if before_ms is not None:
            query = query.where(_H.at_ms < before_ms)
        with self._database.writing() as connection:
            return connection.execute(query).rowcount


def _wanted(connection: Connection, row: KeptRow) -> bool:
    """Whoever switches it off, or removes a person, waits for this or is waited for."""
    keeps = select(_M.history).where(_M.owner == row.owner).with_for_update()
    return bool(connection.execute(keeps).scalar()) and (
        row.key_id is None or has_key(connection, row.owner, row.key_id)
    )


def has_key(connection: Connection, owner: str, key_id: str) -> bool:
    """Whether the key that something is sealed under is still there."""
    there = select(_K.id).where(_K.owner == memory_of(owner), _K.id == key_id).with_for_update()
    return connection.execute(there).scalar() is not None


def _terms(row: Sequence[object]) -> Terms:
    found = Terms(*row)  # pyright: ignore[reportArgumentType]
    return structs.replace(found, history=bool(found.history))


_M, _H, _K, _B = tables.memory_terms.c, tables.history.c, tables.keys.c, tables.book.c
_TERMS = select(*(_M[name] for name in Terms.__struct_fields__))
_KEPT = select(*(_H[name] for name in KeptRow.__struct_fields__))
_NAMES, _COLUMNS = Terms.__struct_fields__, KeptRow.__struct_fields__
# Whoever was not told that it is there writes it again.
_ADD = text(
    f"INSERT INTO history ({', '.join(_COLUMNS)}) VALUES ({', '.join(f':{name}' for name in _COLUMNS)})"  # noqa: S608
    " ON CONFLICT DO NOTHING"
)
_PUT = text(
    f"INSERT INTO memory_terms ({', '.join(_NAMES)}) VALUES ({', '.join(f':{name}' for name in _NAMES)})"  # noqa: S608
    f" ON CONFLICT (owner) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _NAMES[1:])}"
)
