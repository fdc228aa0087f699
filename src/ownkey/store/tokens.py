"""The gateway's tokens, as digests: what is kept here opens nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Literal

from msgspec import Struct, structs
from sqlalchemy import func, insert, or_, select, update

from ownkey.store import tables
from ownkey.store.connect import Database
from ownkey.store.people import Role, Status

TokenKind = Literal["use", "service"]


class TokenRow(Struct, frozen=True):
    """`digest`: 32 bytes. `shown`: what may be shown of the token. Revoked where `revoked_at_ms` is given.

    `kind`: `service` acts for the users of another application. `scope`: what it is limited to, as JSON.
    """

    id: str
    owner: str
    name: str
    digest: bytes
    shown: str
    created_at_ms: int
    revoked_at_ms: int | None = None
    kind: TokenKind = "use"
    scope: str | None = None
    expires_at_ms: int | None = None


class Presented(Struct, frozen=True):
    """A token as it stands, with what its owner may do. An owner who has no account is a member."""

    token: TokenRow
    role: Role
    status: Status


class Tokens:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, row: TokenRow) -> None:
        own = structs.asdict(row)
        terms = {name: own.pop(name) for name in _TERMS}
        with self._database.writing() as connection:
            connection.execute(insert(tables.tokens).values(own))
            if terms != _PLAIN:
                connection.execute(insert(tables.token_terms).values(token_id=row.id, **terms))

    def by_digest(self, digest: bytes) -> Presented | None:
        """The token of that digest, revoked or not."""
        with self._database.reading() as connection:
            row = connection.execute(_PRESENTED.where(_T.digest == digest)).one_or_none()
        if row is None:
            return None
        values: tuple[Any, ...] = tuple(row)
        return Presented(TokenRow(*values[:-2]), *values[-2:])

    def all(self, owner: str | None = None) -> list[TokenRow]:
        """Of this owner, or of everybody."""
        query = _ALL if owner is None else _ALL.where(_T.owner == owner)
        with self._database.reading() as connection:
            return [TokenRow(*row) for row in connection.execute(query).all()]

    def revoke(self, id_or_name: str, owner: str | None = None) -> bool:
        """Every live token of that id or name, and of that owner where one is named, is revoked from now on. False
        where there is none."""
        named = or_(_T.id == id_or_name, _T.name == id_or_name)
        if owner is not None:
            named &= _T.owner == owner
        now_ms = time.time_ns() // 1_000_000
        with self._database.writing() as connection:
            revoked = connection.execute(
                update(tables.tokens).where(named, _T.revoked_at_ms.is_(None)).values(revoked_at_ms=now_ms)
            )
            return revoked.rowcount > 0

    def live(self, ids: Iterable[str], now_ms: int) -> set[str]:
        """Those of these that are neither revoked nor expired, and whose owner may ask."""
        with self._database.reading() as connection:
            found = connection.execute(_PRESENTED.where(_T.id.in_(list(ids)), _T.revoked_at_ms.is_(None))).all()
        return {
            row.id
            for row in found
            if (row.expires_at_ms is None or row.expires_at_ms > now_ms)
            and row.status == "active"
            and row.role != "viewer"
        }

    def any(self) -> bool:
        """Whether a token was ever made here."""
        with self._database.reading() as connection:
            return connection.execute(select(_T.id).limit(1)).first() is not None


_T, _P, _U = tables.tokens.c, tables.token_terms.c, tables.users.c
_TERMS = ("kind", "scope", "expires_at_ms")
_PLAIN = {"kind": "use", "scope": None, "expires_at_ms": None}
_COLUMNS = (
    *(_T[name] for name in TokenRow.__struct_fields__ if name not in _TERMS),
    func.coalesce(_P.kind, "use"),
    _P.scope,
    _P.expires_at_ms.label("expires_at_ms"),
)
_JOINED = tables.tokens.outerjoin(tables.token_terms, _P.token_id == _T.id)
_ALL = select(*_COLUMNS).select_from(_JOINED).order_by(_T.created_at_ms, _T.id)
_PRESENTED = select(
    *_COLUMNS, func.coalesce(_U.role, "member").label("role"), func.coalesce(_U.status, "active").label("status")
).select_from(_JOINED.outerjoin(tables.users, _U.id == _T.owner))
