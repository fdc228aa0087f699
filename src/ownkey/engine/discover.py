"""What a provider says of itself: its models, which is also the test of a key."""

from __future__ import annotations

import time
from collections.abc import Mapping
from secrets import token_hex

from ownkey.catalog.manifest import Model, Provider
from ownkey.engine.sender import Opened
from ownkey.engine.target import headers, hide_key, key_header, locate, without_key
from ownkey.engine.uses import KeyUses
from ownkey.store.audit import Actor
from ownkey.store.db import Store
from ownkey.talk.errors import FETCH_MODELS_FAILED, OwnkeyError, ProviderError
from ownkey.talk.secret import Secret
from ownkey.transport import Deadlines, Outgoing, Transport
from ownkey.vault.vault import Vault
from ownkey.wires.wire import Listed, Wire, wire

MAX_PAGES = 20
MAX_PAGE_BYTES = 16 << 20

# Of one page.
DEADLINES = Deadlines(connect_s=4.0, headers_s=4.5, idle_s=4.0, total_s=5.0)


class Discovery:
    """Asks providers for their models and keeps the answer."""

    def __init__(self, *, store: Store, vault: Vault, transport: Transport, uses: KeyUses) -> None:
        self._store = store
        self._vault = vault
        self._transport = transport
        self._uses = uses

    async def refresh(self, owner: str, provider: Provider, key: Opened | None = None) -> list[Model]:
        """The provider's models, asked for now, with this key or the first that fits, and kept.

        Raises what the provider answers, KeyMissing, or BadConfiguration.
        """
        key = await self._key(owner, provider) if key is None else key
        await self._note(key, owner, provider)
        try:
            models = await self._ask(provider, key, MAX_PAGES)
        except OwnkeyError as error:
            error.kind = FETCH_MODELS_FAILED
            raise
        self._store.models.replace(provider.id, models, time.time_ns() // 1_000_000)
        return models

    async def probe(self, owner: str, provider: Provider) -> None:
        """Ask for the first page, with the owner's key, and keep nothing. Raises as `refresh` does."""
        key = await self._key(owner, provider)
        await self._note(key, owner, provider)
        await self._ask(provider, key, 1)

    async def look(self, provider: Provider) -> list[Model]:
        """What its first page lists to who shows no key. Keeps nothing, and raises what comes of it."""
        return await self._ask(provider, Opened(), 1)

    async def _note(self, key: Opened, owner: str, provider: Provider) -> None:
        if key.row is not None and self._uses.due(key.row.id):
            await self._uses.note(key.row.id, Actor("owner", owner), provider.id, key.row.origin)

    async def check(self, provider: Provider, key: Secret) -> int:
        """Whether the provider takes a key that is stored nowhere: how many models its first page lists, within five
        seconds. Raises what the provider answers, or what is in the way of asking."""
        # A connection of its own: none is shared between keys.
        return len(await self._ask(provider, Opened(f"check {token_hex(8)}", key), 1))

    async def _ask(self, provider: Provider, key: Opened, pages: int) -> list[Model]:
        spoken = wire(provider.wire)
        choice = self._store.choices.get(provider.id)
        origin, _ = locate(provider, "models", choice)
        sent = headers(provider, spoken, choice)
        shown = None if key.secret is None else key_header(provider.auth, key.secret)
        models: list[Model] = []
        query: Mapping[str, str] | None = None
        for _ in range(pages):
            _, target = locate(provider, "models", choice, query=query)
            try:
                listed = await self._page(
                    Outgoing(b"GET", origin, target, sent, b"", key.id or "", shown), spoken, key.secret
                )
            except OwnkeyError as error:
                hide_key(error, key.secret)
                if isinstance(error, ProviderError):
                    error.provider, error.provider_name = provider.id, provider.name
                    error.is_local = provider.kind != "cloud"
                raise
            models += listed.models
            query = listed.next_query
            if not query:
                break
        return models

    async def _key(self, owner: str, provider: Provider) -> Opened:
        if provider.kind != "cloud" and not self._vault.has(owner, provider.id):
            return Opened()
        origin, _ = locate(provider, "models", self._store.choices.get(provider.id))
        row, secret = await self._vault.opened(owner, provider.id, origin)
        return Opened(row.id, secret, row)

    async def _page(self, outgoing: Outgoing, spoken: Wire, key: Secret | None) -> Listed:
        incoming = await self._transport.send(outgoing, DEADLINES)
        body = without_key(await incoming.read(MAX_PAGE_BYTES), key)
        if incoming.status >= 300:
            raise spoken.read_error(incoming.status, incoming.headers, body)
        return spoken.read_models(body)
