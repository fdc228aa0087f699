"""Short-lived tokens with which a page of an application asks for one of its users. Only their digests are stored."""

from __future__ import annotations

import re
import secrets
import time
from hashlib import sha256

import msgspec
from msgspec import structs

from ownkey.routing.scope import Scope
from ownkey.store.audit import Audit
from ownkey.store.db import Store
from ownkey.store.page_tokens import PageToken
from ownkey.talk.errors import PermissionDenied
from ownkey.talk.secret import REDACTED, Secret
from ownkey.vault.tokens import Caller, suspended

BEGINS = b"op-"
PAGE_MS = 15 * 60_000

_TOKEN = re.compile(rb"op-[A-Za-z0-9_-]{43}")


class PageTokens:
    """Looked up each time: one whose application's token was revoked opens nothing from then on."""

    def __init__(self, store: Store, audit: Audit) -> None:
        self._store = store
        self._audit = audit

    def create(self, owner: str, token_id: str) -> tuple[PageToken, Secret]:
        """For a page of `owner`'s, by the application whose token that is; shown now and never again."""
        now_ms = time.time_ns() // 1_000_000
        secret = Secret("op-" + secrets.token_urlsafe(32))
        row = PageToken(sha256(secret.reveal()).digest(), token_id, owner, now_ms, now_ms + PAGE_MS)
        told = {"user": owner.partition("/")[2], "until_ms": row.until_ms, "token": REDACTED}
        with self._audit.within("page.begun", token_id, owner=owner, detail=told):
            self._store.page_tokens.add(row)
        return row, secret

    def caller(self, presented: bytes) -> Caller | None:
        """Whose it is; None for whatever is not a good one. Raises PermissionDenied where whoever made it may not ask.

        Addresses that the application's token is limited to are its own: its users have others.
        """
        if not _TOKEN.fullmatch(presented):
            return None
        found = self._store.page_tokens.by_digest(sha256(presented).digest(), time.time_ns() // 1_000_000)
        if found is None:
            return None
        if found.status == "suspended":
            raise suspended()
        if found.role == "viewer":
            raise PermissionDenied("A viewer's token asks nothing.", "Ask an admin to make them a member.")
        scope = structs.replace(msgspec.json.decode(found.scope, type=Scope), addresses=()) if found.scope else None
        return Caller(found.token.owner, found.token.token_id, scope or None)
