"""What a person chose for each provider."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct, field, structs
from sqlalchemy import Row, delete, insert, select, text

from ownkey.store import tables
from ownkey.store.connect import Database


class Choice(Struct, frozen=True):
    """`endpoint` and `default_model` stand in place of the manifest's own; `fields` are the provider's settings."""

    provider: str
    enabled: bool = True
    endpoint: str | None = None
    fields: dict[str, str] = field(default_factory=dict[str, str])
    default_model: str | None = None


class Choices:
    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, provider: str) -> Choice | None:
        return self.all().get(provider)

    def all(self) -> dict[str, Choice]:
        with self._database.reading() as connection:
            found = connection.execute(_ALL).all()
        return {row.provider: _choice(row) for row in found}

    def set(self, choice: Choice) -> None:
        values = structs.asdict(choice) | {"fields": msgspec.json.encode(choice.fields).decode()}
        with self._database.writing() as connection:
            connection.execute(_SET, values)


class Places:
    """In which order providers are shown: those that were put into one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> dict[str, int]:
        with self._database.reading() as connection:
            return {row.provider: row.place for row in connection.execute(_PLACES).all()}

    def set(self, providers: Sequence[str]) -> None:
        rows = [{"provider": provider, "place": place} for place, provider in enumerate(providers)]
        with self._database.writing() as connection:
            connection.execute(delete(tables.provider_places))
            if rows:
                connection.execute(insert(tables.provider_places), rows)


def _choice(row: Row[Any]) -> Choice:
    fields = msgspec.json.decode(row.fields, type=dict[str, str])
    return Choice(row.provider, bool(row.enabled), row.endpoint, fields, row.default_model)


_ALL = select(*(tables.choices.c[name] for name in Choice.__struct_fields__)).order_by(tables.choices.c.provider)
_PLACES = select(tables.provider_places.c.provider, tables.provider_places.c.place)
_SET = text(
    "INSERT INTO choices (provider, enabled, endpoint, fields, default_model)"
    " VALUES (:provider, :enabled, :endpoint, :fields, :default_model)"
    " ON CONFLICT (provider) DO UPDATE SET enabled = excluded.enabled, endpoint = excluded.endpoint,"
    " fields = excluded.fields, default_model = excluded.default_model"
)
