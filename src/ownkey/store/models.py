"""The models that a provider listed when it was last asked."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import delete, insert, select

from ownkey.catalog.manifest import Model
from ownkey.store import tables
from ownkey.store.connect import Database


class Models:
    def __init__(self, database: Database) -> None:
        self._database = database

    def replace(self, provider: str, models: Iterable[Model], at_ms: int) -> None:
        """These and no others are the provider's, in this order; of two with one id the first stands."""
        once: dict[str, Model] = {}
        for model in models:
            once.setdefault(model.id, model)
        rows = [
            {"provider": provider, "id": id, "place": place, "facts": _encode(model).decode(), "found_at_ms": at_ms}
            for place, (id, model) in enumerate(once.items())
        ]
        with self._database.writing() as connection:
            connection.execute(delete(tables.models).where(_T.provider == provider))
            if rows:
                connection.execute(insert(tables.models), rows)

    def of(self, provider: str) -> list[Model]:
        with self._database.reading() as connection:
            found = connection.execute(_ALL.where(_T.provider == provider)).all()
        return [model for _, facts in found if (model := _model(facts))]

    def all(self) -> dict[str, list[Model]]:
        """By provider."""
        with self._database.reading() as connection:
            found = connection.execute(_ALL).all()
        every: dict[str, list[Model]] = {}
        for provider, facts in found:
            if model := _model(facts):
                every.setdefault(provider, []).append(model)
        return every


def _model(facts: str) -> Model | None:
    """None for facts that another version of Ownkey noted in another form: the provider can be asked again."""
    try:
        return _decode(facts)
    except msgspec.ValidationError:
        return None


_T = tables.models.c
_ALL = select(_T.provider, _T.facts).order_by(_T.provider, _T.place)
_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(Model).decode
