"""Gateway tokens: who may call. Only their digests are stored."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from hashlib import sha256

import msgspec
from msgspec import Struct

from ownkey.routing.scope import Scope
from ownkey.store.audit import Audit
from ownkey.store.db import Store
from ownkey.store.tokens import TokenKind, TokenRow
from ownkey.talk.errors import InvalidRequest, PermissionDenied
from ownkey.talk.secret import REDACTED, Secret

# A revoked token is refused within a second by every process; the margin is for the look-up itself.
CACHE_S = 0.9
_CACHED = 4096
LONGEST_MS = 3653 * 86_400_000
"""How far ahead the end of a token may be."""

# 256 random bits carry their own protection: a digest of them needs neither salt nor stretching.
_TOKEN = re.compile(rb"ok-[A-Za-z0-9_-]{43}")


class Caller(Struct, frozen=True):
    """Who asks. `token_id` is None for a caller inside this process.

    `scope` is what the token is limited to. `service`: it acts for the users of another application, whom each request
    has to name.
    """

    owner: str
    token_id: str | None
    scope: Scope | None = None
    service: bool = False


class Tokens:
    """Makes, checks and revokes tokens. Safe to use from many threads."""

    def __init__(self, store: Store, audit: Audit | None = None) -> None:
        self._store = store
        self._audit = audit
        self._seen: dict[bytes, tuple[float, Caller]] = {}

    def create(
        self,
        owner: str,
        name: str,
        *,
        kind: TokenKind = "use",
        scope: Scope | None = None,
        expires_at_ms: int | None = None,
    ) -> tuple[TokenRow, Secret]:
        """A new token, which is shown now and never again. Raises InvalidRequest where the name is none or taken."""
        if not name.strip() or len(name) > 100 or not name.isprintable() or name.startswith("tok_"):
            raise InvalidRequest("A token's name is 1 to 100 printable characters.", param="name")
        if any(row.name == name and row.revoked_at_ms is None for row in self._store.tokens.all(owner)):
            raise InvalidRequest("There is a token of that name.", "Revoke it, or take another name.", param="name")
        now_ms = time.time_ns() // 1_000_000
        if expires_at_ms is not None and not now_ms < expires_at_ms <= now_ms + LONGEST_MS:
            raise InvalidRequest("A token expires in the next ten years.", "Or leave it out.", param="expires")
        token = Secret("ok-" + secrets.token_urlsafe(32))
        row = TokenRow(
            id="tok_" + secrets.token_hex(8),
            owner=owner,
            name=name,
            digest=sha256(token.reveal()).digest(),
            shown=token.masked(),
            created_at_ms=now_ms,
            revoked_at_ms=None,
            kind=kind,
            scope=msgspec.json.encode(scope).decode() if scope else None,
            expires_at_ms=expires_at_ms,
        )
        with self._recorded("token.created", row):
            self._store.tokens.add(row)
        return row, token

    def caller(self, presented: bytes) -> Caller | None:
        """Whose token this is; None for whatever is not a good one, of any length and any bytes.

        Raises PermissionDenied for a good one of somebody who may not ask: within a second of its becoming so.
        """
        if not _TOKEN.fullmatch(presented):
            return None
        digest = sha256(presented).digest()
        now = time.monotonic()
        known = self._seen.get(digest)
        if known is not None and now < known[0]:
            return known[1]
        found = self._store.tokens.by_digest(digest)
        self._seen.pop(digest, None)
        if found is None or not is_live(found.token):
            return None
        if found.status == "suspended":
            raise suspended()
        if found.role == "viewer":
            raise PermissionDenied("A viewer's token asks nothing.", "Ask an admin to make them a member.")
        row = found.token
        scope = msgspec.json.decode(row.scope, type=Scope) if row.scope else None
        caller = Caller(row.owner, row.id, scope, row.kind == "service")
        while len(self._seen) >= _CACHED:
            self._seen.pop(next(iter(self._seen), b""), None)
        self._seen[digest] = (now + CACHE_S, caller)
        return caller

    def revoke(self, id_or_name: str, owner: str | None = None) -> bool:
        """Whether there was such a token, of that owner where one is named. Here it is refused at once, by other
        processes within a second."""
        named = (row for row in self.listed(owner) if id_or_name in (row.id, row.name))
        row = next((row for row in named if row.revoked_at_ms is None), None)
        if row is None:
            return False
        with self._recorded("token.revoked", row):
            revoked = self._store.tokens.revoke(id_or_name, owner)
        self.forget()
        return revoked

    def live(self, ids: Iterable[str]) -> set[str]:
        """Those of these that are good now, whatever was known before."""
        return self._store.tokens.live(ids, time.time_ns() // 1_000_000)

    def forget(self) -> None:
        """Look at every token anew: what its owner may do has changed."""
        self._seen.clear()

    def listed(self, owner: str | None = None) -> list[TokenRow]:
        """Of this owner, or of everybody."""
        return self._store.tokens.all(owner)

    def _recorded(self, action: str, row: TokenRow) -> AbstractContextManager[None]:
        if self._audit is None:
            return nullcontext()
        return self._audit.within(action, row.id, owner=row.owner, detail={"name": row.name, "token": REDACTED})


def is_live(row: TokenRow) -> bool:
    """Neither revoked nor expired."""
    expired = row.expires_at_ms is not None and row.expires_at_ms <= time.time_ns() // 1_000_000
    return row.revoked_at_ms is None and not expired


def suspended() -> PermissionDenied:
    return PermissionDenied("This account is suspended.", "Ask an admin of this Ownkey.")
