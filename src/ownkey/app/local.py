"""Which servers of one's own listen on this machine: asked at the addresses that their files name, without a key."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from ownkey.catalog.manifest import Provider
from ownkey.engine.discover import Discovery
from ownkey.engine.target import locate
from ownkey.talk.errors import InvalidCredentials, NetworkError, OwnkeyError, ProviderTimeout
from ownkey.talk.origin import Origin
from ownkey.transport import Transport
from ownkey.transport.addresses import parse

if TYPE_CHECKING:
    from ownkey.app.house import House

LOOK_S = 3.0
"""Where nobody listens that is told at once; who does may be busy."""
MOST_MODELS = 200
"""Of one server; there may be more."""

State = Literal["found", "wants_key", "other", "nothing"]


class Local(Struct, frozen=True):
    """`state`: `other` is something that does not answer as this provider does; `wants_key`: it is there, and shows
    its models to who has a key. `added`: it can be asked already; else it stands in the gallery."""

    provider: Provider
    address: str
    state: State
    models: tuple[str, ...]
    added: bool


async def look_for_local(house: House) -> list[Local]:
    """Every local provider of this machine, those that were found first. All at once."""
    known = await asyncio.to_thread(lambda: list(_on_this_machine(house)))
    places = {(origin.host, origin.port) for _, origin, _ in known}
    # Of its own: an address of the gallery is no leave for anything else to go there.
    transport = Transport(allow_private=places)
    discovery = Discovery(store=house.store, vault=house.vault, transport=transport, uses=house.uses)
    try:
        found = await asyncio.gather(*(_look(discovery, *one) for one in known))
    finally:
        await transport.aclose()
    return sorted(found, key=lambda one: ("found", "wants_key", "other", "nothing").index(one.state))


def _on_this_machine(house: House) -> Iterator[tuple[Provider, Origin, bool]]:
    added = {provider.id: provider for provider in house.catalogue.all()}
    others = [provider for provider in house.catalogue.gallery() if provider.id not in added]
    for provider in (*added.values(), *others):
        if provider.kind != "local":
            continue
        try:
            choice = house.store.choices.get(provider.id) if provider.id in added else None
            origin, _ = locate(provider, "models", choice)
        except OwnkeyError:
            continue
        if provider.id in added and house.private_hosts.refuse(origin):
            continue
        address = parse(origin.host)
        if origin.host == "localhost" or (address is not None and address.is_loopback):
            yield provider, origin, provider.id in added


async def _look(discovery: Discovery, provider: Provider, origin: Origin, added: bool) -> Local:
    state: State = "found"
    models: list[str] = []
    try:
        async with asyncio.timeout(LOOK_S):
            models = [model.id for model in await discovery.look(provider)][:MOST_MODELS]
    except InvalidCredentials:
        state = "wants_key"
    except (NetworkError, ProviderTimeout, TimeoutError):
        state = "nothing"
    except OwnkeyError:
        state = "other"
    return Local(provider, str(origin), state, tuple(models), added)
