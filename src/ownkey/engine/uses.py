"""That a key is used: in the audit trail, before anything is sent with it, and not at every request."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Protocol

from ownkey.store.audit import Actor, Audit
from ownkey.talk.origin import Origin
from ownkey.talk.secret import REDACTED

EVERY_S = 60.0
"""One record for each key and process; the book has every single use."""

_KEPT = 10_000


class Who(Protocol):
    """Who asks, and with which request."""

    @property
    def id(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def token_id(self) -> str | None: ...


def actor(who: Who) -> Actor:
    if who.token_id is not None:
        return Actor("token", who.token_id, who.id)
    return Actor("owner", who.owner, who.id)


class KeyUses:
    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        self._until_s: dict[str, float] = {}
        self._writing: dict[tuple[str, asyncio.AbstractEventLoop], asyncio.Task[None]] = {}

    def due(self, key_id: str) -> bool:
        return time.monotonic() >= self._until_s.get(key_id, 0.0)

    async def note(self, key_id: str, by: Actor, provider: str, origin: Origin | str, model: str | None = None) -> None:
        """On disk when this returns, however many ask at once. Raises AuditUnavailable or VaultSealed."""
        place = key_id, asyncio.get_running_loop()
        task = self._writing.get(place)
        if task is None:
            told = {"provider": provider, "origin": str(origin), "model": model, "key": REDACTED}
            write = partial(self._audit.record, "key.used", key_id, actor=by, detail=told, outcome="begun")
            task = self._writing[place] = asyncio.create_task(self._write(key_id, write))
            task.add_done_callback(lambda _: self._writing.pop(place, None))
        await asyncio.shield(task)

    async def _write(self, key_id: str, write: partial[None]) -> None:
        await asyncio.to_thread(write)
        if len(self._until_s) >= _KEPT:
            self._until_s.clear()
        self._until_s[key_id] = time.monotonic() + EVERY_S
