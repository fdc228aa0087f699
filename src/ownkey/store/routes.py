"""Routes as they are kept: a person's own, and everybody's."""

from __future__ import annotations

import time

import msgspec
from msgspec import structs
from sqlalchemy import or_, select, text

from ownkey.routing.rules import Route
from ownkey.store import tables
from ownkey.store.connect import Database


class Routes:
    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, owner: str) -> dict[str, Route]:
        """All that this person can ask for, by name: where there is an own one, everybody's of that name is not."""
        with self._database.reading() as connection:
            found = connection.execute(_ALL.where(or_(_T.owner == owner, _T.owner.is_(None)))).all()
        routes: dict[str, Route] = {}
        for route in (structs.replace(_decode(terms), owner=owned) for owned, terms in found):
            if route.owner is not None or route.name not in routes:
                routes[route.name] = route
        return dict(sorted(routes.items()))

    def get(self, owner: str | None, name: str) -> Route | None:
        """That of this owner, or everybody's where it is None."""
        with self._database.reading() as connection:
            whose = _T.owner.is_(None) if owner is None else _T.owner == owner
            row = connection.execute(_ALL.where(whose, _T.name == name)).one_or_none()
        return None if row is None else structs.replace(_decode(row.terms), owner=owner)

    def set(self, route: Route) -> None:
        """Put it, or put it in place of its owner's of that name."""
        terms = msgspec.json.encode(structs.replace(route, owner=None)).decode()
        values = {"id": _id(route.owner, route.name), "owner": route.owner, "name": route.name, "terms": terms}
        with self._database.writing() as connection:
            connection.execute(_SET, values | {"now_ms": time.time_ns() // 1_000_000})

    def remove(self, owner: str | None, name: str) -> bool:
        with self._database.writing() as connection:
            return connection.execute(_REMOVE, {"id": _id(owner, name)}).rowcount > 0


def _id(owner: str | None, name: str) -> str:
    """No slash stands in a route's name."""
    return name if owner is None else f"{owner}/{name}"


_T = tables.routes.c
_ALL = select(_T.owner, _T.terms).order_by(_T.id)
_SET = text(
    "INSERT INTO routes (id, owner, name, terms, changed_at_ms) VALUES (:id, :owner, :name, :terms, :now_ms)"
    " ON CONFLICT (id) DO UPDATE SET terms = excluded.terms, changed_at_ms = excluded.changed_at_ms"
)
_REMOVE = text("DELETE FROM routes WHERE id = :id")
_decode = msgspec.json.Decoder(Route).decode
