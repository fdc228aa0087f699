"""Tokens of pages that an application shows to one of its users, as digests: what is kept here opens nothing."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, structs
from sqlalchemy import delete, func, insert, select

from ownkey.store import tables
from ownkey.store.connect import Database
from ownkey.store.people import Role, Status


class PageToken(Struct, frozen=True):
    """For `owner`, made with the application's token `token_id`. `digest`: 32 bytes."""

    digest: bytes
    token_id: str
    owner: str
    created_at_ms: int
    until_ms: int


class ShownPage(Struct, frozen=True):
    """One as it stands, with what the application's token is limited to, and what its owner may do."""

    token: PageToken
    scope: str | None
    role: Role
    status: Status


class PageTokens:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, token: PageToken) -> None:
        """Those that are over go."""
        with self._database.writing() as connection:
            connection.execute(delete(tables.page_tokens).where(_T.until_ms <= token.created_at_ms))
            connection.execute(insert(tables.page_tokens).values(structs.asdict(token)))

    def by_digest(self, digest: bytes, now_ms: int) -> ShownPage | None:
        """None where it is over, or the application's token is, or is revoked."""
        good = (_T.until_ms > now_ms, _A.revoked_at_ms.is_(None), func.coalesce(_P.expires_at_ms, now_ms + 1) > now_ms)
        with self._database.reading() as connection:
            row = connection.execute(_SHOWN.where(_T.digest == digest, *good)).one_or_none()
        if row is None:
            return None
        values: tuple[Any, ...] = tuple(row)
        return ShownPage(PageToken(*values[:-3]), *values[-3:])


_T, _A, _P, _U = tables.page_tokens.c, tables.tokens.c, tables.token_terms.c, tables.users.c
_JOINED = (
    tables.page_tokens.join(tables.tokens, _T.token_id == _A.id)
    .outerjoin(tables.token_terms, _P.token_id == _A.id)
    .outerjoin(tables.users, _U.id == _A.owner)
)
_SHOWN = select(
    *(_T[name] for name in PageToken.__struct_fields__),
    _P.scope,
    func.coalesce(_U.role, "member").label("role"),
    func.coalesce(_U.status, "active").label("status"),
).select_from(_JOINED)
