"""Passkeys: public keys that people sign in with. What signs with them never comes here."""

from __future__ import annotations

from msgspec import Struct, structs
from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from ownkey.store import tables
from ownkey.store.connect import Database


class Passkey(Struct, frozen=True):
    """`id` in base64url. `signs`: how often it was used, as its authenticator counts; 0 where it does not."""

    id: str
    user_id: str
    public_key: bytes
    signs: int
    name: str
    created_at_ms: int
    used_at_ms: int | None = None


class Passkeys:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, passkey: Passkey) -> bool:
        """False where there is one of that id."""
        try:
            with self._database.writing() as connection:
                connection.execute(insert(tables.passkeys).values(structs.asdict(passkey)))
        except IntegrityError:
            return False
        return True

    def get(self, id: str) -> Passkey | None:
        with self._database.reading() as connection:
            row = connection.execute(_ALL.where(_T.id == id)).one_or_none()
        return None if row is None else Passkey(*row)

    def of(self, user_id: str) -> list[Passkey]:
        """In the order in which they were added."""
        with self._database.reading() as connection:
            found = connection.execute(_ALL.where(_T.user_id == user_id).order_by(_T.created_at_ms, _T.id)).all()
        return [Passkey(*row) for row in found]

    def used(self, id: str, signs: int, now_ms: int) -> bool:
        """False where it was used so often already: two authenticators have the same key."""
        counted = update(tables.passkeys).where(_T.id == id, or_(_T.signs < signs, (_T.signs == 0) & (signs == 0)))
        with self._database.writing() as connection:
            return connection.execute(counted.values(signs=signs, used_at_ms=now_ms)).rowcount == 1

    def remove(self, user_id: str, id: str) -> bool:
        with self._database.writing() as connection:
            mine = delete(tables.passkeys).where(_T.id == id, _T.user_id == user_id)
            return connection.execute(mine).rowcount == 1


_T = tables.passkeys.c
_ALL = select(*(_T[name] for name in Passkey.__struct_fields__))
