"""Answers that are given again, as the faces see them: switched on and off, counted, cleared."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from ownkey.engine.remember import LONGEST_TTL_S, TTL_S
from ownkey.engine.request import CacheWish
from ownkey.store.cached import Fill, Saved
from ownkey.store.remembered import Terms
from ownkey.talk.errors import InvalidRequest

if TYPE_CHECKING:
    from ownkey.app.house import House

MOST_PATTERNS = 500
"""Characters that all patterns of models may have."""


class CacheStats(Struct, frozen=True):
    """`ttl_s` is None where it is off but for requests that ask for it; `models`: for which it is on."""

    ttl_s: int | None
    models: str | None
    held: Fill
    saved: Saved
    most_bytes: int


class CacheBook:
    """One person's."""

    def __init__(self, house: House, owner: str) -> None:
        self._house = house
        self._owner = owner

    def on(self, ttl_s: int = TTL_S, models: str | None = None) -> Terms:
        """Whoever of them asks the same within so many seconds gets the same answer. `models`: only where the model is
        asked for by a name that fits one of these patterns, such as `openai/*`, with blanks between.

        Raises InvalidRequest.
        """
        if models is not None and not 0 < len(models.split()) <= len(models) <= MOST_PATTERNS:
            raise InvalidRequest(f"Patterns of models have {MOST_PATTERNS} characters at most.", param="models")
        patterns = None if models is None else " ".join(models.split())
        told: dict[str, object] = {"ttl_s": check_ttl(ttl_s), "models": patterns}
        return self._put("cache.on", told, cache_ttl_s=ttl_s, cache_models=patterns)

    def off(self) -> Terms:
        """What is kept stays until its time is over: `clear` deletes it."""
        return self._put("cache.off", {}, cache_ttl_s=None, cache_models=None)

    def clear(self) -> int:
        """How many answers there were."""
        self._house.memory.settle()
        with self._house.audit.within("cache.cleared", self._owner, owner=self._owner):
            return self._house.store.cached.clear(self._owner)

    def stats(self, since_ms: int = 0) -> CacheStats:
        self._house.memory.settle()
        terms, store = self._house.store.memory_terms.get(self._owner), self._house.store.cached
        return CacheStats(
            terms.cache_ttl_s,
            terms.cache_models,
            store.fill(self._owner, time.time_ns() // 1_000_000),
            store.saved(since_ms, {"owner": self._owner}),
            self._house.settings.cache_size_mb << 20,
        )

    def _put(self, action: str, told: dict[str, object], **columns: object) -> Terms:
        terms = structs.replace(self._house.store.memory_terms.get(self._owner), **columns)
        with self._house.audit.within(action, self._owner, owner=self._owner, detail=told):
            self._house.memory.put_terms(terms)
        return terms


def cache_wish(given: bool | int | None) -> tuple[CacheWish, int | None]:
    """Raises InvalidRequest."""
    if given is None:
        return "", None
    if isinstance(given, bool):
        return "on" if given else "off", None
    return "on", check_ttl(given)


def check_ttl(ttl_s: int) -> int:
    if not 1 <= ttl_s <= LONGEST_TTL_S:
        raise InvalidRequest(f"Answers are kept for 1 to {LONGEST_TTL_S} seconds.", param="ttl")
    return ttl_s
