"""The last tries of everybody, without whose they were and what they cost: how the providers are."""

from __future__ import annotations

from msgspec import Struct, convert
from sqlalchemy import select

from ownkey.store.connect import Database
from ownkey.store.tables import book


class LastTry(Struct, frozen=True, array_like=True):
    """`answered`: not given up, nor without an ending because its process died. Times in ms."""

    provider: str
    model: str
    stream: bool
    error: str | None
    status: int | None
    output_tokens: int | None
    first_ms: int | None
    total_ms: int | None
    started_at_ms: int

    @property
    def answered(self) -> bool:
        return self.error is None and self.status is not None


class LastTries:
    def __init__(self, database: Database) -> None:
        self._database = database

    def since(self, since_ms: int, limit: int) -> list[LastTry]:
        """Those that began since then and have ended, newest first."""
        query = select(*(book.c[name] for name in LastTry.__struct_fields__))
        query = query.where(book.c.started_at_ms >= since_ms, book.c.state != "held")
        query = query.order_by(book.c.started_at_ms.desc(), book.c.id.desc()).limit(limit)
        with self._database.reading() as connection:
            return [convert(tuple(row), LastTry, strict=False) for row in connection.execute(query).all()]
