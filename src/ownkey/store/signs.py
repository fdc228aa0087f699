"""Signs of trouble in the book: which models and keys were in use, and what came of it.

Where and when to look, the rollups say; of the book itself only an hour, or the last few rows, are read.
"""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import func, select

from ownkey.store.connect import Database
from ownkey.store.posting import HOUR_MS
from ownkey.store.tables import book, usage_hours


class ModelUse(Struct, frozen=True):
    """`hour_ms`: the beginning of the first hour in which it was used."""

    provider: str
    model: str
    hour_ms: int


class KeyUse(Struct, frozen=True):
    """A key with tries that failed. `worked_ms`: the beginning of the last hour in which it worked, if it did."""

    key_id: str
    owner: str
    provider: str
    worked_ms: int | None


class Tried(Struct, frozen=True):
    error: str | None
    started_at_ms: int


class Signs:
    def __init__(self, database: Database) -> None:
        self._database = database

    def models(self, since_ms: int) -> list[ModelUse]:
        """Those that were used since then."""
        hours = usage_hours.c
        groups = (hours.provider, hours.model)
        query = select(*groups, func.min(hours.start_ms)).where(hours.start_ms > since_ms - HOUR_MS)
        with self._database.reading() as connection:
            return [ModelUse(*row) for row in connection.execute(query.group_by(*groups).order_by(*groups)).all()]

    def price(self, use: ModelUse) -> str | None:
        """The rates in JSON at which that model was charged in that hour first; None where its price was unknown."""
        query = select(book.c.price).where(
            book.c.started_at_ms >= use.hour_ms,
            book.c.started_at_ms < use.hour_ms + HOUR_MS,
            book.c.provider == use.provider,
            book.c.model == use.model,
            book.c.priced == 1 if self._database.file is not None else book.c.priced,
        )
        with self._database.reading() as connection:
            return connection.execute(query.order_by(book.c.started_at_ms).limit(1)).scalar()

    def keys(self, failed_since_ms: int, since_ms: int) -> list[KeyUse]:
        """Those with tries that failed since the one time; the other is how far back to look for what worked."""
        hours = usage_hours.c
        groups = (hours.key_id, hours.owner, hours.provider)
        worked = func.max(hours.start_ms).filter(hours.calls > hours.failed)
        failed = func.max(hours.start_ms).filter(hours.failed > 0)
        query = select(*groups, worked).where(hours.start_ms > since_ms - HOUR_MS, hours.key_id != "").group_by(*groups)
        query = query.having(failed > failed_since_ms - HOUR_MS).order_by(*groups)
        with self._database.reading() as connection:
            return [KeyUse(*row) for row in connection.execute(query).all()]

    def tries(self, key_id: str, errors: tuple[str, ...], since_ms: int, limit: int) -> list[Tried]:
        """The last tries with that key that were answered or ended in one of these errors, newest first."""
        # One that was given up, or whose process died, has neither error nor status: it says nothing of the key.
        answered = book.c.error.is_(None) & book.c.status.is_not(None)
        query = select(book.c.error, book.c.started_at_ms).where(
            book.c.started_at_ms >= since_ms, book.c.key_id == key_id, answered | book.c.error.in_(errors)
        )
        query = query.order_by(book.c.started_at_ms.desc(), book.c.id.desc()).limit(limit)
        with self._database.reading() as connection:
            return [Tried(*row) for row in connection.execute(query).all()]
