"""Whom an admin lets use a key of the environment, and within which budget."""

from __future__ import annotations

from msgspec import Struct, structs
from sqlalchemy import and_, delete, select, text

from ownkey.store import tables
from ownkey.store.connect import Database
from ownkey.store.keys import granted_id


class Grant(Struct, frozen=True):
    """`budget` is the id of the one that all use of it counts in."""

    user_id: str
    provider: str
    budget: str
    created_at_ms: int

    @property
    def key_id(self) -> str:
        """Under which the book has what was spent by it."""
        return granted_id(self.user_id, self.provider)


class Grants:
    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, grant: Grant) -> None:
        """In place of the one that this person has for this provider."""
        with self._database.writing() as connection:
            connection.execute(_PUT, structs.asdict(grant))

    def all(self, user_id: str | None = None) -> list[Grant]:
        """Everybody's, or one person's; also those whose budget is gone."""
        with self._database.reading() as connection:
            found = connection.execute(_ALL if user_id is None else _ALL.where(_T.user_id == user_id)).all()
        return [Grant(*row) for row in found]

    def get(self, user_id: str, provider: str) -> Grant | None:
        """None where there is none, or nothing limits it: its budget is gone, has no limit, or is for other things."""
        with self._database.reading() as connection:
            limited = _ALL.join(tables.budgets, _LIMITED).where(
                _T.user_id == user_id,
                _T.provider == provider,
                _B.key_id == granted_id(user_id, provider),
            )
            row = connection.execute(limited).one_or_none()
        return None if row is None else Grant(*row)

    def remove(self, user_id: str, provider: str) -> bool:
        with self._database.writing() as connection:
            this = delete(tables.grants).where(_T.user_id == user_id, _T.provider == provider)
            return connection.execute(this).rowcount == 1


_T, _B = tables.grants.c, tables.budgets.c
_LIMITED = and_(
    _B.id == _T.budget,
    _B.most.is_not(None),
    _B.owner == _T.user_id,
    _B.provider.is_(None),
    _B.model.is_(None),
    _B.token_id.is_(None),
    _B.automation.is_(None),
)
_ALL = select(*(_T[name] for name in Grant.__struct_fields__)).order_by(_T.user_id, _T.provider)
_PUT = text(
    "INSERT INTO grants (user_id, provider, budget, created_at_ms)"
    " VALUES (:user_id, :provider, :budget, :created_at_ms)"
    " ON CONFLICT (user_id, provider) DO UPDATE SET budget = excluded.budget"
)
