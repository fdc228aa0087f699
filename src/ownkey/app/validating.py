"""Whether a provider takes a key, before it is stored."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from ownkey.app.keys import KeyRing, Tested
from ownkey.talk.errors import InvalidRequest
from ownkey.talk.secret import Secret

if TYPE_CHECKING:
    from ownkey.app.house import House


async def validate_key(house: House, owner: str, provider: str, key: str | None) -> Tested:
    """Ask the provider for its models with this key, or with the stored one. Raises what came of it.

    A provider that shows its models to anybody says nothing of the key by that: InvalidRequest.
    """
    if key is None:
        return await KeyRing(house, owner).test(provider)
    started_s = time.monotonic()
    manifest = await asyncio.to_thread(house.catalogue.get, provider)
    if manifest.kind == "demo":
        raise InvalidRequest(f"{manifest.name} takes no key.", param="provider")
    if manifest.check == "chat":
        raise InvalidRequest(
            f"{manifest.name} shows its models to anybody: only an answer tells whether it takes a key.",
            "Store the key, and test it then.",
            param="provider",
        )
    try:
        secret = Secret(key.strip())
    except ValueError as error:
        raise InvalidRequest(f"This is not a key: {error}.", "Copy the whole key and try again.") from None
    models = await house.discovery.refresh(owner, manifest, secret)
    return Tested(len(models), int((time.monotonic() - started_s) * 1000))
