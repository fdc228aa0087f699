"""Answers that are kept to be given again, sealed, and what was saved by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, structs
from sqlalchemy import Connection, delete, func, insert, select, text

from ownkey.store import tables
from ownkey.store.connect import Database
from ownkey.store.remembered import has_key


class CachedRow(Struct, frozen=True):
    """`size` is that of `sealed`, in bytes. It is good until `until_ms`, and no longer."""

    digest: bytes
    owner: str
    key_id: str
    sealed: bytes
    size: int
    made_at_ms: int
    until_ms: int


class Hit(Struct, frozen=True):
    """One answer given again; `id` is that of the request. `saved_nano` is what it cost at first, if that is known."""

    id: str
    owner: str
    token_id: str | None
    automation: str | None
    provider: str
    model: str
    at_ms: int
    priced: bool
    saved_nano: int
    input_tokens: int | None
    output_tokens: int | None


class Saved(Struct, frozen=True):
    """What was given again since a time; `unpriced` of the answers had a cost that is not known."""

    hits: int = 0
    saved_nano: int = 0
    unpriced: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


class Fill(Struct, frozen=True):
    """What somebody's cache holds."""

    answers: int
    bytes: int


class Cached:
    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, owner: str, digest: bytes) -> CachedRow | None:
        with self._database.reading() as connection:
            row = connection.execute(_ALL.where(_C.owner == owner, _C.digest == digest)).one_or_none()
        return None if row is None else CachedRow(*row)

    def put(self, rows: Sequence[CachedRow], now_ms: int, most_bytes: int) -> None:
        """Each in place of the one that was there. What is over goes, then the oldest until all of their owner's fit;
        nothing is kept where the key that it is sealed under is gone."""
        with self._database.writing() as connection:
            for row in rows:
                if not has_key(connection, row.owner, row.key_id):
                    continue
                mine = _C.owner == row.owner
                gone = mine & ((_C.digest == row.digest) | (_C.until_ms <= now_ms))
                connection.execute(delete(tables.cached).where(gone))
                connection.execute(insert(tables.cached).values(structs.asdict(row)))
                self._evict(connection, row.owner, most_bytes)

    def clear(self, owner: str) -> int:
        """How many there were."""
        with self._database.writing() as connection:
            return connection.execute(delete(tables.cached).where(_C.owner == owner)).rowcount

    def expire(self, now_ms: int) -> None:
        """What nobody would be given any more goes."""
        with self._database.writing() as connection:
            connection.execute(delete(tables.cached).where(_C.until_ms <= now_ms))

    def fill(self, owner: str, now_ms: int) -> Fill:
        good = select(func.count(), func.sum(_C.size)).where(_C.owner == owner, _C.until_ms > now_ms)
        with self._database.reading() as connection:
            answers, size = connection.execute(good).one()
        return Fill(answers, int(size or 0))

    def note(self, hits: Sequence[Hit]) -> None:
        with self._database.writing() as connection:
            connection.execute(_NOTE, [structs.asdict(hit) for hit in hits])

    def saved(self, since_ms: int, where: Mapping[str, str]) -> Saved:
        """Since then, by owner, token or automation."""
        sums = [func.sum(_S[name]) for name in ("saved_nano", "input_tokens", "output_tokens")]
        unpriced = func.count().filter(_S.priced.is_(False))
        query = select(func.count(), sums[0], unpriced, *sums[1:]).where(_S.at_ms >= since_ms)
        query = query.where(*(_S[name] == value for name, value in where.items()))
        with self._database.reading() as connection:
            row: Sequence[Any] = connection.execute(query).one()
        return Saved(*(int(value or 0) for value in row))

    def _evict(self, connection: Connection, owner: str, most_bytes: int) -> None:
        held = int(connection.execute(select(func.sum(_C.size)).where(_C.owner == owner)).scalar() or 0)
        while held > most_bytes:
            oldest = select(_C.digest, _C.size).where(_C.owner == owner).order_by(_C.made_at_ms).limit(20)
            for digest, size in connection.execute(oldest).all():
                if held > most_bytes:
                    connection.execute(delete(tables.cached).where(_C.owner == owner, _C.digest == digest))
                    held -= size


_C, _S = tables.cached.c, tables.cache_hits.c
_ALL = select(*(_C[name] for name in CachedRow.__struct_fields__))
# Whoever was not told that it is there writes it again.
_NOTE = text(
    f"INSERT INTO cache_hits ({', '.join(Hit.__struct_fields__)})"  # noqa: S608
    f" VALUES ({', '.join(f':{name}' for name in Hit.__struct_fields__)}) ON CONFLICT DO NOTHING"
)
