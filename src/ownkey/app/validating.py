"""Whether a provider takes a key, before it is stored."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ownkey.app.keys import KeyRing
from ownkey.app.trying import Tested
from ownkey.talk.errors import InvalidRequest

if TYPE_CHECKING:
    from ownkey.app.house import House


async def validate_key(house: House, ring: KeyRing, provider: str, key: str | None) -> Tested:
    """Ask the provider for its models with this key, or with the stored one. Raises what came of it.

    A provider that shows its models to anybody says nothing of the key by that: InvalidRequest.
    """
    if key is None:
        return await ring.test(provider)
    manifest = await asyncio.to_thread(house.catalogue.get, provider)
    if manifest.check == "chat":
        raise InvalidRequest(
            f"{manifest.name} shows its models to anybody: only an answer tells whether it takes a key.",
            "Store the key, and test it then.",
            param="provider",
        )
    return await ring.check(provider, key.strip())
