"""One try, up to the head of its answer: the key for the origin, the hold on disk, and then the bytes."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

from msgspec import Struct, structs

from ownkey.engine.attempt import Attempt, Made
from ownkey.engine.target import HOPS, Target, key_header, without_key
from ownkey.engine.uses import KeyUses, Who, actor
from ownkey.spending.budget import Falls
from ownkey.store.book import Book, Hold, Wish
from ownkey.store.budgets import BudgetTable
from ownkey.store.keys import KeyRow
from ownkey.talk.errors import BudgetExceeded, OverBudget, OwnkeyError, ProviderError
from ownkey.talk.secret import Secret
from ownkey.transport import Deadlines, Incoming, Outgoing, Transport
from ownkey.vault.choice import Version
from ownkey.vault.vault import Vault
from ownkey.wires.wire import Spoken

MAX_ERROR_BYTES = 64 << 10

_MOST_TOKENS = 2**53 - 1
"""That the book keeps."""

Header = tuple[bytes, bytes]

Result = TypeVar("Result")


class Opened(Struct, frozen=True):
    """A key for one origin; all are None where none is needed."""

    id: str | None = None
    secret: Secret | None = None
    row: KeyRow | None = None


class Asker(Who, Protocol):
    """Who wants it: any request."""

    @property
    def automation(self) -> str | None: ...
    @property
    def over_accepted(self) -> bool: ...


class Sending(Struct, frozen=True):
    """What goes to a target: `body` to its path of `operation`. `booked` is its wire's name in the book.

    `headers` take the place of the target's own of the same name. `number` counts the tries of the request, `hops`
    the Ownkeys that it came through.
    """

    target: Target
    wire: Spoken
    operation: str
    body: bytes
    number: int
    booked: str
    stream: bool = False
    headers: tuple[Header, ...] = ()
    hops: int = 0


class Least(Struct, frozen=True):
    """How little has to be held, and what is sent where it is less than all: with a shorter answer."""

    nano: int
    tokens: int
    rewritten: Callable[[Hold], bytes]


class Sender:
    """The only place where keys, money and sockets meet."""

    def __init__(
        self,
        *,
        vault: Vault,
        book: Book,
        budgets: BudgetTable,
        uses: KeyUses,
        transport: Transport,
        deadlines: Deadlines,
        budget_wait_s: float,
    ) -> None:
        self._vault = vault
        self._book = book
        self._budgets = budgets
        self._uses = uses
        self._budget_wait_s = budget_wait_s
        self._transport = transport
        self._deadlines = deadlines

    def settle(self, deadlines: Deadlines, budget_wait_s: float) -> None:
        self._deadlines, self._budget_wait_s = deadlines, budget_wait_s

    @asynccontextmanager
    async def key(self, owner: str, target: Target, passed: tuple[Version, ...] = ()) -> AsyncGenerator[Opened]:
        """The key that a try is made with, but for those that are `passed`. What comes of the try is noted of it.

        Raises KeyMissing, KeyUnreadable or VaultSealed. An error that leaves says whether there is another key.
        """
        if target.provider.kind != "cloud" and not self._vault.has(owner, target.provider.id):
            yield Opened()
            return
        row, secret = await self._vault.opened(owner, target.provider.id, target.origin, target.model, passed)
        try:
            yield Opened(row.id, secret, row)
        except OwnkeyError as error:
            self._failed(owner, target, row, passed, error)
            raise
        self._vault.notes.used(row)
        if self._vault.notes.refused(row) is not None:
            self._vault.found(row, None)

    def key_id(self, owner: str, target: Target) -> str | None:
        """Of the key that would be used; None where there is none, or none is needed."""
        row = self._vault.first(owner, target.provider.id, target.origin, target.model)
        return row.id if row else None

    def has_other(self, owner: str, target: Target, key: Opened, passed: tuple[Version, ...]) -> bool:
        """Whether there is one more key for this target, beside this one and those that are passed."""
        if key.row is None or not self._vault.has_several(owner, target.provider.id):
            return False
        passed = (*passed, (key.row.id, key.row.version))
        return self._vault.first(owner, target.provider.id, target.origin, target.model, passed) is not None

    def _failed(self, owner: str, target: Target, row: KeyRow, passed: tuple[Version, ...], error: OwnkeyError) -> None:
        if isinstance(error, ProviderError):
            self._vault.notes.used(row)
        if not error.of_key:
            return
        if isinstance(error, ProviderError):
            # A key that was replaced meanwhile is another version, and is seen from now on.
            self._vault.found(row, error.code)
        used = (row.id, row.version)
        if self._vault.first(owner, target.provider.id, target.origin, target.model, (*passed, used)):
            error.passes = used

    def budgets(self, asker: Asker, target: Target, key_id: str | None) -> Falls:
        """The budgets that a try falls under now. They may be a second old: the book decides by what they are then."""
        scope = (asker.owner, target.provider.id, key_id, asker.token_id, asker.automation)
        return self._budgets.current().of(scope, time.time_ns() // 1_000_000)

    async def as_budgets_are(self, tried: Callable[[], Awaitable[Result]]) -> Result:
        """What `tried` gives. Where a budget is in its way, and there are others now than were known, it is tried once
        more: it was asked for without regard to one that has just come, changed or gone."""
        known = self._budgets.current().version
        try:
            return await tried()
        except (BudgetExceeded, OverBudget):
            if self._budgets.current(anew=True).version == known:
                raise
        return await tried()

    async def begin(
        self,
        asker: Asker,
        sending: Sending,
        made: Made,
        key: Opened,
        *,
        wait: bool,
        least: Least | None = None,
    ) -> tuple[Attempt, Incoming]:
        """The answer's head, when it is a success; the attempt is the caller's to end. Raised or cancelled, it has
        ended.

        `wait`: no other target is left, so that room in a budget is waited for. `least`: with how little it can do.
        """
        wanted = _hold(asker, sending, made, key)
        wish = Wish(wanted, accepted=asker.over_accepted)
        if least is not None:
            wish = structs.replace(wish, least_nano=least.nano, least_tokens=least.tokens)
        hold = await self._book.hold(wanted, wish, wait_s=self._budget_wait_s, alone=wait)
        attempt = Attempt(self._book, hold, made, key.secret)
        try:
            if least is not None and (hold.held_nano < wanted.held_nano or hold.held_tokens < wanted.held_tokens):
                sending = structs.replace(sending, body=least.rewritten(hold))
            return attempt, await self.send(asker, sending, key)
        except OwnkeyError as error:
            attempt.failed(error)
            raise
        except BaseException:
            attempt.abandoned()
            raise

    async def send(self, who: Who, sending: Sending, key: Opened) -> Incoming:
        """The same where nothing is paid. Raises what the provider answers, and AuditUnavailable."""
        target = sending.target
        if key.id is not None and self._uses.due(key.id):
            await self._uses.note(key.id, actor(who), target.provider.id, target.origin, target.model)
        headers = target.headers
        given = sending.headers
        if sending.hops:
            given = (*given, (HOPS.encode("ascii"), b"%d" % (sending.hops + 1)))
        if given:
            own = {name for name, _ in given}
            headers = (*(one for one in headers if one[0] not in own), *given)
        shown = None if key.secret is None else key_header(target.auth, key.secret)
        path = target.paths[sending.operation]
        outgoing = Outgoing(b"POST", target.origin, path, headers, sending.body, key.id or "", shown)
        incoming = await self._transport.send(outgoing, self._deadlines)
        if incoming.status >= 300:
            body = without_key(await incoming.read(MAX_ERROR_BYTES), key.secret)
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
        automation=asker.automation,
        held_tokens=min(made.held_tokens, _MOST_TOKENS),
    )
