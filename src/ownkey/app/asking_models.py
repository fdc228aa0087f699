"""Providers asked again for their models, a few at once; one that was asked just now is not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from ownkey.app.providers import Providers
from ownkey.catalog.manifest import Provider
from ownkey.talk.errors import OwnkeyError, ProviderTimeout

if TYPE_CHECKING:
    from ownkey.app.house import House

AGAIN_S = 30.0
"""Nobody asks one provider more often."""

AT_ONCE = 4
LONGEST_S = 20.0
_KEPT_AT_MOST = 10_000


class Refreshed(Struct, frozen=True):
    """`models`: how many are known now. `asked`: whether the provider was asked, and not just before; `error` is what
    came of that, None where it answered."""

    provider: str
    models: int
    asked: bool
    took_ms: int = 0
    error: OwnkeyError | None = None


async def ask_for_models(house: House, owner: str, provider: str | None = None) -> list[Refreshed]:
    """One provider, or every one that can be asked. What goes wrong at one is told of that one.

    Raises InvalidRequest where there is no such provider.
    """
    asked = await asyncio.to_thread(_to_ask, house, owner, provider)
    turn = asyncio.Semaphore(AT_ONCE)
    return await asyncio.gather(*(_ask(house, owner, one, turn) for one in asked))


def _to_ask(house: House, owner: str, provider: str | None) -> Sequence[Provider]:
    if provider is not None:
        return [house.catalogue.get(provider)]
    views = Providers(house, owner).listed()
    return [view.provider for view in views if view.lack is None and view.provider.kind != "demo"]


async def _ask(house: House, owner: str, provider: Provider, turn: asyncio.Semaphore) -> Refreshed:
    async with turn:
        started_s, error = time.monotonic(), None
        last_s = house.models_asked.get((owner, provider.id))
        if last_s is not None and started_s - last_s < AGAIN_S:
            return Refreshed(provider.id, await asyncio.to_thread(_count, house, provider), asked=False)
        if len(house.models_asked) >= _KEPT_AT_MOST:
            house.models_asked.clear()
        house.models_asked[owner, provider.id] = started_s
        try:
            async with asyncio.timeout(LONGEST_S):
                await house.discovery.refresh(owner, provider)
        except TimeoutError:
            says = f"{provider.name} gave no whole list of models within {LONGEST_S:g} s."
            error = ProviderTimeout(says, "Try again later.", provider=provider.id)
        except OwnkeyError as refused:
            error = refused
        took_ms = int((time.monotonic() - started_s) * 1000)
        return Refreshed(provider.id, await asyncio.to_thread(_count, house, provider), True, took_ms, error)


def _count(house: House, provider: Provider) -> int:
    return len({model.id for model in (*provider.models, *house.store.models.of(provider.id))})
