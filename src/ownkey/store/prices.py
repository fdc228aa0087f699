"""The owner's own prices, as they are kept."""

from __future__ import annotations

import time

import msgspec
from sqlalchemy import select, text

from ownkey.spending.override import Override, Overrides
from ownkey.store import tables
from ownkey.store.connect import Database

_decode = msgspec.json.Decoder(Override).decode


class PriceTable:
    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> Overrides:
        with self._database.reading() as connection:
            found = connection.execute(_ALL).all()
        return {(row.provider, row.model): _decode(row.facts) for row in found}

    def dates(self) -> dict[tuple[str, str], int]:
        """When each was set, in epoch milliseconds."""
        with self._database.reading() as connection:
            found = connection.execute(_ALL).all()
        return {(row.provider, row.model): row.set_at_ms for row in found}

    def set(self, provider: str, model: str, override: Override) -> None:
        """`model` is empty for all of the provider's."""
        facts = msgspec.json.encode(override).decode()
        values = {"provider": provider, "model": model, "facts": facts, "at_ms": time.time_ns() // 1_000_000}
        with self._database.writing() as connection:
            connection.execute(_SET, values)

    def remove(self, provider: str, model: str) -> bool:
        with self._database.writing() as connection:
            return connection.execute(_REMOVE, {"provider": provider, "model": model}).rowcount > 0


_ALL = select(tables.prices).order_by(tables.prices.c.provider, tables.prices.c.model)
_SET = text(
    "INSERT INTO prices (provider, model, facts, set_at_ms) VALUES (:provider, :model, :facts, :at_ms)"
    " ON CONFLICT (provider, model) DO UPDATE SET facts = excluded.facts, set_at_ms = excluded.set_at_ms"
)
_REMOVE = text("DELETE FROM prices WHERE provider = :provider AND model = :model")
