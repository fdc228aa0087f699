"""A provider's own batch endpoint, asked through the one way out: with a key for its origin, and for nothing else."""

from __future__ import annotations

from secrets import token_hex

from msgspec import structs

from ownkey.catalog.manifest import Provider
from ownkey.engine.sender import Opened
from ownkey.engine.target import headers, hide_key, key_header, locate, without_key
from ownkey.engine.uses import KeyUses
from ownkey.store.audit import Actor
from ownkey.store.db import Store
from ownkey.talk.errors import BadConfiguration, KeyMissing, KeyUnreadable, OwnkeyError, ProviderError
from ownkey.talk.origin import Origin
from ownkey.talk.secret import Secret
from ownkey.transport import Deadlines, Outgoing, Transport
from ownkey.vault.choice import Version
from ownkey.vault.vault import Vault
from ownkey.wires.batches import BatchWire, Question, batch_wire
from ownkey.wires.wire import spoken

MAX_BYTES = 256 << 20
MAX_KEYS = 32

DEADLINES = Deadlines(connect_s=10.0, headers_s=120.0, idle_s=60.0, total_s=900.0)


class Remote:
    """Asks batch endpoints. Nothing of it is paid for: what the lines of a batch cost is held before."""

    def __init__(self, *, store: Store, vault: Vault, transport: Transport, uses: KeyUses) -> None:
        self._store = store
        self._vault = vault
        self._transport = transport
        self._uses = uses

    def origin(self, provider: Provider) -> Origin:
        """Where its batch endpoint is: at its own base URL. Raises BadConfiguration."""
        origin, _ = locate(provider, "models", self._store.choices.get(provider.id))
        return origin

    async def key(self, owner: str, provider: Provider, model: str, key_id: str | None = None) -> Opened:
        """The one of that id; the first that fits where that one is gone, or none is said.

        Raises KeyMissing, KeyUnreadable or VaultSealed.
        """
        if provider.kind != "cloud" and not self._vault.has(owner, provider.id):
            return Opened()
        first: Opened | None = None
        passed: tuple[Version, ...] = ()
        for _ in range(MAX_KEYS):
            try:
                row, secret = await self._vault.opened(owner, provider.id, self.origin(provider), model, passed)
            except (KeyMissing, KeyUnreadable):
                if first is None:
                    raise
                break
            opened = Opened(row.id, secret, row)
            if key_id is None or row.id == key_id:
                return opened
            first = first or opened
            passed = (*passed, (row.id, row.version))
        assert first is not None
        return first

    async def ask(self, owner: str, provider: Provider, origin: str, key: Opened, question: Question) -> bytes:
        """What it answers. `origin`: where the batch was made, or is to be: nowhere else is anything sent.

        Raises what the provider answers, and BadConfiguration where its address is another one now.
        """
        wire = self.wire(provider)
        choice = self._store.choices.get(provider.id)
        placed = structs.replace(provider, paths={**provider.paths, "batch": question.path})
        there, target = locate(placed, "batch", choice, query=question.query)
        if str(there) != origin:
            raise BadConfiguration(
                f"The address of {provider.name} is another one now than where this batch was made.",
                "Set it back until the batch is over.",
            )
        if key.row is not None and self._uses.due(key.row.id):
            await self._uses.note(key.row.id, Actor("owner", owner), provider.id, there)
        named = dict(headers(provider, spoken(provider.wire), choice))
        named[b"content-type"] = question.content_type.encode()
        shown = None if key.secret is None else key_header(provider.auth, key.secret)
        # What changes something goes over a connection of its own: none that was used before is tried first, and what
        # was sent over it sent again.
        pool = f"{key.id or ''} {token_hex(8)}" if question.method == "POST" else key.id or ""
        outgoing = Outgoing(question.method.encode(), there, target, tuple(named.items()), question.body, pool, shown)
        return await self._sent(provider, wire, outgoing, key.secret)

    def wire(self, provider: Provider) -> BatchWire:
        """Raises BadConfiguration where it has no batch endpoint."""
        if provider.batch is None:
            raise BadConfiguration(f"{provider.name} has no batch endpoint.", "Its file named one before.")
        return batch_wire(provider.batch.wire)

    async def _sent(self, provider: Provider, wire: BatchWire, outgoing: Outgoing, key: Secret | None) -> bytes:
        try:
            incoming = await self._transport.send(outgoing, DEADLINES)
            body = without_key(await incoming.read(MAX_BYTES), key)
            if incoming.status >= 300:
                raise wire.read_error(incoming.status, incoming.headers, body)
        except OwnkeyError as error:
            hide_key(error, key)
            if isinstance(error, ProviderError):
                error.provider, error.provider_name = provider.id, provider.name
            raise
        return body
