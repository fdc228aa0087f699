"""Probes: a question that costs nothing, to providers in use that fail or have long not been asked anything."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from ownkey.catalog.manifest import Provider
from ownkey.routing.health import KINDS, Reached, Used
from ownkey.talk.errors import OwnkeyError, ProviderError, RateLimitExceeded, UnknownModel

if TYPE_CHECKING:
    from ownkey.app.house import House

LOOK_EVERY_S = 1.0
IDLE_S = 600.0
"""One that was not asked for so long is probed, and again after as long."""

AT_ONCE = 4


class Prober:
    """Of a gateway; the library probes nobody."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._tried_s: dict[str, float] = {}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            due = self.due(time.monotonic())
            if due:
                await asyncio.gather(*(self._probe(provider, used) for provider, used in due))

    def due(self, now_s: float) -> list[tuple[Provider, Used]]:
        """Who is to be probed, with the one whose key it is: whoever asked the provider last, not long ago."""
        found: list[tuple[Provider, Used]] = []
        every_s = self._house.settings.probe_every_s
        for id, used in list(self._house.conditions.used.items()) if every_s else ():
            if now_s - self._tried_s.get(id, -every_s) < every_s:
                continue
            try:
                provider = self._house.catalogue.get(id)
            except UnknownModel:
                continue
            if provider.probe is not None and self._house.conditions.wants_probe(id, now_s, every_s, IDLE_S):
                self._tried_s[id] = now_s
                found.append((provider, used))
        return found

    async def _probe(self, provider: Provider, used: Used) -> None:
        async with self._turn:
            began_s, told = time.monotonic(), None
            try:
                if not await asyncio.to_thread(self._may, provider, used.owner):
                    return
                await self._house.discovery.probe(used.owner, provider)
            except ProviderError as error:
                # Whatever else it answers, it answers.
                told = error.code if error.code in KINDS or isinstance(error, RateLimitExceeded) else None
            except OwnkeyError:
                # There is no key any more, or it cannot be used now: nothing was sent.
                return
            now_s = time.monotonic()
            self._house.conditions.probed(provider.id, Reached(now_s, now_s - began_s, told))

    def _may(self, provider: Provider, owner: str) -> bool:
        """Whether it is switched on, and whoever it would be done for may ask."""
        choice = self._house.store.choices.get(provider.id)
        user = self._house.store.people.get(owner.partition("/")[0])
        return (choice is None or choice.enabled) and (user is None or user.status == "active")
