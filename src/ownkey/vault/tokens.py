"""Gateway tokens: who may call. Only their digests are stored."""

from __future__ import annotations

import re
import secrets
import time
from contextlib import AbstractContextManager, nullcontext
from hashlib import sha256

from msgspec import Struct

from ownkey.store.audit import Audit
from ownkey.store.db import Store
from ownkey.store.tokens import TokenRow
from ownkey.talk.errors import InvalidRequest
from ownkey.talk.secret import REDACTED, Secret

# A revoked token is refused within a second by every process; the margin is for the look-up itself.
CACHE_S = 0.9
_CACHED = 4096

# 256 random bits carry their own protection: a digest of them needs neither salt nor stretching.
_TOKEN = re.compile(rb"ok-[A-Za-z0-9_-]{43}")


class Caller(Struct, frozen=True):
    """Who asks. `token_id` is None for a caller inside this process."""

    owner: str
    token_id: str | None


class Tokens:
    """Makes, checks and revokes tokens. Safe to use from many threads."""

    def __init__(self, store: Store, audit: Audit | None = None) -> None:
        self._store = store
        self._audit = audit
        self._seen: dict[bytes, tuple[float, Caller]] = {}

    def create(self, owner: str, name: str) -> tuple[TokenRow, Secret]:
        """A new token, which is shown now and never again. Raises InvalidRequest where the name is none or taken."""
        if not name.strip() or len(name) > 100 or not name.isprintable() or name.startswith("tok_"):
            raise InvalidRequest("A token's name is 1 to 100 printable characters.", param="name")
        if any(row.name == name and row.revoked_at_ms is None for row in self._store.tokens.all()):
            raise InvalidRequest("There is a token of that name.", "Revoke it, or take another name.", param="name")
        token = Secret("ok-" + secrets.token_urlsafe(32))
        row = TokenRow(
            id="tok_" + secrets.token_hex(8),
            owner=owner,
            name=name,
            digest=sha256(token.reveal()).digest(),
            shown=token.masked(),
            created_at_ms=time.time_ns() // 1_000_000,
            revoked_at_ms=None,
        )
        with self._recorded("token.created", row):
            self._store.tokens.add(row)
        return row, token

    def caller(self, presented: bytes) -> Caller | None:
        """Whose token this is; None for whatever is not a good one, of any length and any bytes."""
        if not _TOKEN.fullmatch(presented):
            return None
        digest = sha256(presented).digest()
        now = time.monotonic()
        known = self._seen.get(digest)
        if known is not None and now < known[0]:
            return known[1]
        row = self._store.tokens.by_digest(digest)
        self._seen.pop(digest, None)
        if row is None or row.revoked_at_ms is not None:
            return None
        caller = Caller(row.owner, row.id)
        while len(self._seen) >= _CACHED:
            self._seen.pop(next(iter(self._seen), b""), None)
        self._seen[digest] = (now + CACHE_S, caller)
        return caller

    def revoke(self, id_or_name: str) -> bool:
        """Whether there was such a token. Here it is refused at once, by other processes within a second."""
        row = next((row for row in self.listed() if id_or_name in (row.id, row.name) and not row.revoked_at_ms), None)
        if row is None:
            return False
        with self._recorded("token.revoked", row):
            revoked = self._store.tokens.revoke(id_or_name)
        self._seen.clear()
        return revoked

    def listed(self) -> list[TokenRow]:
        return self._store.tokens.all()

    def _recorded(self, action: str, row: TokenRow) -> AbstractContextManager[None]:
        if self._audit is None:
            return nullcontext()
        return self._audit.within(action, row.id, owner=row.owner, detail={"name": row.name, "token": REDACTED})
