"""Limits as they are kept."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, delete, insert, select

from ownkey.routing.limits import PARTS, Limit, Rule, Rules
from ownkey.store import tables
from ownkey.store.connect import Database


class LimitTable:
    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Rule]:
        with self._database.reading() as connection:
            return [_rule(row) for row in connection.execute(_ALL).all()]

    def rules(self) -> Rules:
        return Rules(self.all())

    def set(self, rule: Rule) -> None:
        """Put it, or put it in place of the one that its owner has for the same."""
        with self._database.writing() as connection:
            connection.execute(delete(tables.limits).where(_T.id == rule.id))
            connection.execute(insert(tables.limits).values(_values(rule)))

    def remove(self, id: str) -> bool:
        with self._database.writing() as connection:
            return connection.execute(delete(tables.limits).where(_T.id == id)).rowcount == 1


_T = tables.limits.c
_NAMES = ("id", "owner", "kind", "name", *PARTS, "created_at_ms")
_ALL = select(*(_T[name] for name in _NAMES)).order_by(_T.kind, _T.name, _T.id)


def _rule(row: Row[Any]) -> Rule:
    limit = Limit(**{part: getattr(row, part) for part in PARTS})
    return Rule(row.id, row.owner, row.kind, row.name, limit, row.created_at_ms)


def _values(rule: Rule) -> dict[str, Any]:
    plain = {name: getattr(rule, name) for name in ("id", "owner", "kind", "name", "created_at_ms")}
    return plain | {part: getattr(rule.limit, part) for part in PARTS}
