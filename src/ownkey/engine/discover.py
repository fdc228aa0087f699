"""What a provider says of itself: its models, which is also the test of a key."""

from __future__ import annotations

import time
from collections.abc import Mapping
from secrets import token_hex

from ownkey.catalog.manifest import Model, Provider
from ownkey.engine.target import headers, hide_key, key_header, locate
from ownkey.store.db import Store
from ownkey.talk.errors import OwnkeyError, ProviderError
from ownkey.talk.origin import Origin
from ownkey.talk.secret import Secret
from ownkey.transport import Deadlines, Outgoing, Transport
from ownkey.vault.vault import Vault
from ownkey.wires.wire import Listed, Wire, wire

MAX_PAGES = 20
MAX_PAGE_BYTES = 16 << 20

# A person waits for it: one answer within five seconds, whatever the provider does.
DEADLINES = Deadlines(connect_s=4.0, headers_s=4.5, idle_s=4.0, total_s=5.0)


class Discovery:
    """Asks providers for their models and keeps the answer."""

    def __init__(self, *, store: Store, vault: Vault, transport: Transport) -> None:
        self._store = store
        self._vault = vault
        self._transport = transport

    async def refresh(self, owner: str, provider: Provider, key: Secret | None = None) -> list[Model]:
        """The provider's models, asked for now, with this key or else with the stored one.

        Raises what the provider answers, KeyMissing, or BadConfiguration.
        """
        spoken = wire(provider.wire)
        choice = self._store.choices.get(provider.id)
        origin, _ = locate(provider, "models", choice)
        # Of no stored key there is no id: its connections are shared with nobody's.
        key_id, key = self._key(owner, provider, origin) if key is None else (token_hex(8), key)
        sent = headers(provider, spoken, choice)
        shown = None if key is None else key_header(provider.auth, key.reveal())
        models: list[Model] = []
        query: Mapping[str, str] | None = None
        for _ in range(MAX_PAGES):
            _, target = locate(provider, "models", choice, query=query)
            try:
                listed = await self._page(Outgoing(b"GET", origin, target, sent, b"", key_id, shown), spoken)
            except OwnkeyError as error:
                hide_key(error, key)
                if isinstance(error, ProviderError):
                    error.provider = provider.id
                raise
            models += listed.models
            query = listed.next_query
            if not query:
                break
        self._store.models.replace(provider.id, models, time.time_ns() // 1_000_000)
        return models

    def _key(self, owner: str, provider: Provider, origin: Origin) -> tuple[str, Secret | None]:
        if provider.kind != "cloud" and not self._vault.has(owner, provider.id):
            return "", None
        row, key = self._vault.open(owner, provider.id, origin)
        return row.id, key

    async def _page(self, outgoing: Outgoing, spoken: Wire) -> Listed:
        incoming = await self._transport.send(outgoing, DEADLINES)
        body = await incoming.read(MAX_PAGE_BYTES)
        if incoming.status >= 300:
            raise spoken.read_error(incoming.status, incoming.headers, body)
        return spoken.read_models(body)
