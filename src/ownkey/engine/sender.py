"""One try, up to the head of its answer: the key for the origin, the hold on disk, and then the bytes."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Protocol, TypeVar

from msgspec import Struct, structs

from ownkey.engine.attempt import Attempt, Made
from ownkey.engine.purse import Purse
from ownkey.engine.target import HOPS, Target, key_header, without_key
from ownkey.engine.turns import Turns
from ownkey.engine.uses import KeyUses, Who, actor
from ownkey.routing.health import Conditions
from ownkey.routing.lines import Turn
from ownkey.spending.budget import Falls
from ownkey.spending.count import BYTES_PER_TOKEN
from ownkey.store.book import Book, Hold, Wish
from ownkey.store.budgets import BudgetTable
from ownkey.store.entry import Ending
from ownkey.store.keys import KeyRow
from ownkey.talk.errors import (
    BudgetExceeded,
    LimitReached,
    OverBudget,
    OwnkeyError,
    ProviderError,
    RateLimitExceeded,
)
from ownkey.talk.secret import Secret
from ownkey.transport import Deadlines, Incoming, Outgoing, Transport, unheard
from ownkey.vault.choice import Version
from ownkey.vault.vault import Vault
from ownkey.wires.remaining import rests_s
from ownkey.wires.wire import Spoken

MAX_ERROR_BYTES = 64 << 10

UNSAID_S = 5.0
"""How long a key is left whose provider wants no more requests with it, and does not say until when."""

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
    @property
    def budgets_accepted(self) -> frozenset[str]: ...
    @property
    def purse(self) -> Purse | None: ...


class Sending(Struct, frozen=True):
    """What goes to a target: `body` to its path of `operation`. `booked` is its wire's name in the book.

    `first_s`: how long the answer's beginning is waited for, where others stand ready to give it; where they can give
    the rest too (`carries`), so long is every piece of it. `turn_s`: how long its turn is waited for where a limit is
    reached; None: as long as is settled. `within_s`: how long all of it may take, where a route says so.
    `held` is told that it stands in line, and that it does no longer.
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
    first_s: float | None = None
    carries: bool = False
    turn_s: float | None = None
    held: Callable[[bool], None] | None = None
    headers: tuple[Header, ...] = ()
    hops: int = 0
    within_s: float | None = None


class Least(Struct, frozen=True):
    """How little has to be held, and what is sent where it is less than all: with a shorter answer."""

    nano: int
    tokens: int
    rewritten: Callable[[Hold], bytes]


class Sender:
    """The only place where keys, money and sockets meet. `heard` is told of every answer: whose it
    is, from which target, by its name, and with which headers."""

    def __init__(
        self,
        *,
        vault: Vault,
        book: Book,
        budgets: BudgetTable,
        uses: KeyUses,
        turns: Turns,
        conditions: Conditions,
        transport: Transport,
        deadlines: Deadlines,
        budget_wait_s: float,
        heard: Callable[[str, str, Mapping[bytes, bytes]], None],
        ended: Callable[[Hold, Ending], None] | None = None,
    ) -> None:
        self._ended = ended
        self._turns = turns
        self._conditions = conditions
        self._vault = vault
        self._heard = heard
        self._book = book
        self._budgets = budgets
        self._uses = uses
        self._budget_wait_s = budget_wait_s
        self._transport = transport
        self._deadlines = deadlines

    def settle(self, deadlines: Deadlines, budget_wait_s: float) -> None:
        self._deadlines, self._budget_wait_s = deadlines, budget_wait_s

    @asynccontextmanager
    async def key(
        self, owner: str, target: Target, passed: tuple[Version, ...] = (), *, about: Callable[[], bytes]
    ) -> AsyncGenerator[Opened]:
        """The key that a try is made with, but for those that are `passed`. What comes of the try is noted of it.
        `about`: what is said first of it, by which keys that have weights are told apart.

        Raises KeyMissing, KeyUnreadable or VaultSealed. An error that leaves says whether there is another key.
        """
        if target.provider.kind != "cloud" and not self._vault.has(owner, target.provider.id):
            yield Opened()
            return
        place = (owner, target.provider.id, target.origin, target.model, passed)
        row, secret = await self._vault.opened(*place, self._vault.preferred(place, about))
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
        asked = isinstance(error, ProviderError) and not isinstance(error, LimitReached)
        if asked:
            self._vault.notes.used(row)
        if isinstance(error, RateLimitExceeded) and asked:
            self._limited(owner, target, row, passed, error)
        if not error.of_key:
            return
        if asked:
            # A key that was replaced meanwhile is another version, and is seen from now on.
            self._vault.found(row, error.code)
        used = (row.id, row.version)
        if self._vault.first(owner, target.provider.id, target.origin, target.model, (*passed, used)):
            error.passes = used

    def _limited(
        self, owner: str, target: Target, row: KeyRow, passed: tuple[Version, ...], error: RateLimitExceeded
    ) -> None:
        """That key alone is left, until it may be asked with again: the next is tried at once. Where all of them are to
        be left, the first that may be asked with again says for how long."""
        several = self._vault.has_several(owner, target.provider.id)
        if error.retry_after_s is not None or several:
            self._vault.leave(row, UNSAID_S if error.retry_after_s is None else error.retry_after_s)
        if not several:
            return
        used = (row.id, row.version)
        other = self._vault.first(owner, target.provider.id, target.origin, target.model, (*passed, used))
        if other is not None and not self._vault.notes.resting(other):
            error.passes = used
            return
        soonest = self._vault.first(owner, target.provider.id, target.origin, target.model)
        if soonest is not None and (left_s := self._vault.notes.left_s(soonest)) > 0:
            error.retry_after_s = min(left_s, error.retry_after_s or left_s)

    def budgets(self, asker: Asker, target: Target, key_id: str | None) -> Falls:
        """The budgets that a try falls under now. They may be a second old: the book decides by what they are then."""
        scope = (asker.owner, target.provider.id, target.model, key_id, asker.token_id, asker.automation)
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
        tokens = min(made.input_tokens, len(sending.body) // BYTES_PER_TOKEN)
        turn = await self._turn(asker, sending, key, tokens, made.output_tokens * made.choices, last=wait)
        try:
            wanted = _hold(asker, sending, made, key)
            paid = wanted if asker.purse is None else asker.purse.within(wanted, least.nano if least else None)
            wish = Wish(paid, accepted=asker.over_accepted, limits=asker.budgets_accepted)
            if least is not None:
                wish = structs.replace(wish, least_nano=least.nano, least_tokens=least.tokens)
            hold = await self._book.hold(paid, wish, wait_s=self._budget_wait_s, alone=wait)
        except BaseException:
            self._turns.undo(turn)
            raise
        done = None if turn is None else partial(self._turns.end, turn)
        attempt = Attempt(self._book, hold, made, key.secret, done, self._ended)
        if asker.purse is not None:
            asker.purse.took(attempt)
        try:
            if least is not None and (hold.held_nano < wanted.held_nano or hold.held_tokens < wanted.held_tokens):
                sending = structs.replace(sending, body=least.rewritten(hold))
            return attempt, await self.send(asker, sending, key, attempt.sent)
        except OwnkeyError as error:
            attempt.failed(error)
            raise
        except BaseException:
            attempt.abandoned()
            raise

    @asynccontextmanager
    async def turn(
        self, who: Who, sending: Sending, key: Opened, *, wait: bool
    ) -> AsyncGenerator[Callable[[int], None]]:
        """The turn of what is not paid for and has no tokens out, for as long as it is under way. What it gives ends it
        before, with how many tokens were used. Raises LimitReached."""
        tokens = len(sending.body) // BYTES_PER_TOKEN
        turn = await self._turn(who, sending, key, tokens, 0, last=wait)
        try:
            yield partial(self._turns.end, turn)
        finally:
            self._turns.end(turn)

    async def _turn(
        self, who: Who, sending: Sending, key: Opened, input_tokens: int, cap: int, *, last: bool
    ) -> Turn | None:
        """Raises LimitReached. A key's own is waited for where there is nothing else to be tried."""
        return await self._turns.take(
            who.owner,
            sending.target,
            key.id,
            who.token_id,
            input_tokens,
            cap,
            wait_s=sending.turn_s,
            key_wait_s=None if last else 0.0,
            held=sending.held,
        )

    async def send(self, who: Who, sending: Sending, key: Opened, sent: Callable[[], None] = unheard) -> Incoming:
        """The same where nothing is paid; `sent` is told when it goes out. Raises what the provider answers, and
        AuditUnavailable."""
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
        outgoing = Outgoing(b"POST", target.origin, path, headers, sending.body, key.id or "", shown, sent)
        incoming = await self._transport.send(outgoing, self._deadlines_of(sending))
        self._heard(who.owner, target.name, incoming.headers)
        if incoming.status >= 300:
            body = without_key(await incoming.read(MAX_ERROR_BYTES), key.secret)
            raise sending.wire.read_error(incoming.status, incoming.headers, body)
        left_s = rests_s(incoming.headers, len(sending.body) // BYTES_PER_TOKEN)
        if left_s > 0:
            self._leave(who.owner, target, key, left_s)
        return incoming

    def _leave(self, owner: str, target: Target, key: Opened, for_s: float) -> None:
        """Nothing remains of what the provider allows: as after a 429, before it comes to one."""
        if key.row is not None:
            self._vault.leave(key.row, for_s)
            if self._vault.has_several(owner, target.provider.id):
                return
        self._conditions.limit(owner, target.name, for_s, time.monotonic())

    def _deadlines_of(self, sending: Sending) -> Deadlines:
        known, first_s, within_s = self._deadlines, sending.first_s, sending.within_s
        if within_s is not None:
            known = structs.replace(known, total_s=min(known.total_s, within_s))
        if first_s is None:
            return known
        return structs.replace(
            known,
            connect_s=min(known.connect_s, first_s / 2),
            headers_s=min(known.headers_s, first_s),
            idle_s=min(known.idle_s, first_s) if sending.carries else known.idle_s,
        )


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
