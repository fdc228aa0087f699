"""One try, up to the head of its answer: the key for the origin, the hold on disk, and then the bytes."""

from __future__ import annotations

import time
from typing import Protocol

from msgspec import Struct

from ownkey.engine.attempt import Attempt, Made
from ownkey.engine.target import Target, key_header
from ownkey.store.book import Book, Hold
from ownkey.talk.errors import OwnkeyError
from ownkey.talk.secret import Secret
from ownkey.transport import Deadlines, Incoming, Outgoing, Transport
from ownkey.vault.vault import Vault
from ownkey.wires.wire import Spoken

MAX_ERROR_BYTES = 64 << 10

Header = tuple[bytes, bytes]


class Opened(Struct, frozen=True):
    """A key for one origin; both are None where none is needed."""

    id: str | None
    secret: Secret | None


class Asker(Protocol):
    """Who wants it: any request."""

    @property
    def id(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def token_id(self) -> str | None: ...


class Sending(Struct, frozen=True):
    """What goes to a target: `body` to its path of `operation`. `booked` is its wire's name in the book.

    `headers` take the place of the target's own of the same name. `number` counts the tries of the request.
    """

    target: Target
    wire: Spoken
    operation: str
    body: bytes
    number: int
    booked: str
    stream: bool = False
    headers: tuple[Header, ...] = ()


class Sender:
    """The only place where keys, money and sockets meet."""

    def __init__(self, *, vault: Vault, book: Book, transport: Transport, deadlines: Deadlines) -> None:
        self._vault = vault
        self._book = book
        self._transport = transport
        self._deadlines = deadlines

    def key(self, owner: str, target: Target) -> Opened:
        """Raises KeyMissing, KeyUnreadable or VaultSealed."""
        if target.provider.kind != "cloud" and not self._vault.has(owner, target.provider.id):
            return Opened(None, None)
        row, secret = self._vault.open(owner, target.provider.id, target.origin)
        return Opened(row.id, secret)

    async def begin(self, asker: Asker, sending: Sending, made: Made, key: Opened) -> tuple[Attempt, Incoming]:
        """The answer's head, when it is a success; the attempt is the caller's to end. Raised or cancelled, it has
        ended."""
        attempt = Attempt(self._book, _hold(asker, sending, made, key), made, key.secret)
        try:
            await self._book.hold(attempt.hold)
            return attempt, await self.send(sending, key)
        except OwnkeyError as error:
            attempt.failed(error)
            raise
        except BaseException:
            attempt.abandoned()
            raise

    async def send(self, sending: Sending, key: Opened) -> Incoming:
        """The same where nothing is paid. Raises what the provider answers."""
        target = sending.target
        headers = target.headers
        if sending.headers:
            own = {name for name, _ in sending.headers}
            headers = (*(one for one in headers if one[0] not in own), *sending.headers)
        shown = None if key.secret is None else key_header(target.auth, key.secret.reveal())
        path = target.paths[sending.operation]
        outgoing = Outgoing(b"POST", target.origin, path, headers, sending.body, key.id or "", shown)
        incoming = await self._transport.send(outgoing, self._deadlines)
        if incoming.status >= 300:
            body = await incoming.read(MAX_ERROR_BYTES)
            raise sending.wire.read_error(incoming.status, incoming.headers, body)
        return incoming


def _hold(asker: Asker, sending: Sending, made: Made, key: Opened) -> Hold:
    return Hold(
        id=f"{asker.id}.{sending.number}",
        request_id=asker.id,
        attempt=sending.number,
        owner=asker.owner,
        token_id=asker.token_id,
        key_id=key.id,
        provider=sending.target.provider.id,
        model=sending.target.model,
        wire=sending.booked,
        stream=sending.stream,
        held_nano=made.held_nano,
        priced=made.rates is not None,
        price=made.price,
        started_at_ms=time.time_ns() // 1_000_000,
    )
