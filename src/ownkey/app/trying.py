"""What trying a key comes to: in how long, asked where."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from msgspec import Struct

from ownkey.catalog.manifest import Provider
from ownkey.engine.target import locate
from ownkey.talk.errors import OwnkeyError, ProviderTimeout
from ownkey.talk.origin import DEFAULT_PORTS

if TYPE_CHECKING:
    from ownkey.app.house import House

TEST_S = 3.5
"""A person waits for it: with the start of the command it answers within five seconds, whatever the provider does."""


class Tested(Struct, frozen=True):
    """What Test Connection found: so many models after so long; `models` is None where a short answer was asked for.
    `asked`: where, as host and path."""

    models: int | None
    took_ms: int
    asked: str | None = None


def asked_at(house: House, provider: str) -> str | None:
    """Where a test of its keys asks, as host and path; None where its address cannot be made."""
    manifest = house.catalogue.get(provider)
    operation = "chat" if manifest.check == "chat" and manifest.default is not None else "models"
    try:
        origin, target = locate(manifest, operation, house.store.choices.get(manifest.id), manifest.default or "")
    except OwnkeyError:
        return None
    port = "" if origin.port == DEFAULT_PORTS[origin.scheme] else f":{origin.port}"
    return f"{origin.bracketed}{port}{target.decode('ascii').partition('?')[0]}"


@asynccontextmanager
async def in_time(provider: Provider) -> AsyncGenerator[None]:
    """Raises ProviderTimeout after `TEST_S`."""
    try:
        async with asyncio.timeout(TEST_S):
            yield
    except TimeoutError:
        raise ProviderTimeout(
            f"{provider.name} gave no whole answer within {TEST_S:g} s.",
            "Check its address and the network, and try again.",
            provider=provider.id,
        ) from None


def since_ms(started_s: float) -> int:
    return int((time.monotonic() - started_s) * 1000)
