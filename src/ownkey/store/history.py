"""The book's past, summed up in the database: what a provider's bill is compared with."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import func, select

from ownkey.store.connect import Database
from ownkey.store.tables import book

QUARTER_MS = 900_000
"""Days begin on quarters of an hour of UTC, in every zone since 1972."""


class Quarter(Struct, frozen=True):
    """Of the attempts that began within a quarter of an hour, at one model, and are in one state."""

    start_ms: int
    model: str
    state: str
    calls: int
    unpriced: int
    cost_nano: int
    held_nano: int


class History:
    def __init__(self, database: Database) -> None:
        self._database = database

    def quarters(self, provider: str, since_ms: int, until_ms: int) -> list[Quarter]:
        """Of the attempts at that provider that began in [since, until) and may have cost something."""
        start = book.c.started_at_ms
        quarter = (start - start % QUARTER_MS).label("start_ms")
        query = (
            select(
                quarter,
                book.c.model,
                book.c.state,
                func.count(),
                func.count().filter(book.c.priced.is_(False)),
                func.sum(book.c.cost_nano),
                func.sum(book.c.held_nano),
            )
            .where(book.c.provider == provider, start >= since_ms, start < until_ms, book.c.state != "released")
            .group_by(quarter, book.c.model, book.c.state)
            .order_by(quarter, book.c.model, book.c.state)
        )
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return [Quarter(int(row[0]), row[1], row[2], *map(int, row[3:])) for row in rows]
