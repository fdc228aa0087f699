"""From a request to its answer: route, then for each try key, hold, send, decode, settle."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from msgspec import Struct

from ownkey.catalog.manifest import Model
from ownkey.engine.answer import Answer
from ownkey.engine.attempt import Made
from ownkey.engine.call import Call, attempt
from ownkey.engine.counting import Count, Counted, count
from ownkey.engine.funds import LEAST_OUTPUT_TOKENS, affordable, bound, run_cap, soft_caps
from ownkey.engine.price import in_dollars, priced
from ownkey.engine.read import Sent, read
from ownkey.engine.request import Request
from ownkey.engine.sender import Least, Opened, Sender, Sending
from ownkey.engine.target import Target
from ownkey.engine.targets import Targets
from ownkey.engine.uses import KeyUses, Who, actor
from ownkey.engine.walk import walk
from ownkey.routing.plan import Policy
from ownkey.routing.route import AUTO
from ownkey.routing.scope import Scope
from ownkey.spending.budget import Falls
from ownkey.spending.catalogue import Prices
from ownkey.store.audit import Audit
from ownkey.store.book import Book, Hold
from ownkey.store.budgets import BudgetTable
from ownkey.talk.errors import OwnkeyError, RequestError
from ownkey.transport import Deadlines, Transport
from ownkey.vault.choice import Version
from ownkey.vault.vault import Vault
from ownkey.wires.thinking import fitted
from ownkey.wires.wire import Written

Result = TypeVar("Result")

# What is asked for where the wire wants a cap and the caller set none: a long answer, for a model known to give it.
LONG_OUTPUT_TOKENS = 16_384


class Sized(Struct, frozen=True):
    """A request as it would be sent to its first target: what would be held, and with how little it could do."""

    target: Target
    made: Made
    falls: Falls
    least: Least | None


class Engine:
    """Everything that one request needs, built once."""

    def __init__(
        self,
        *,
        targets: Targets,
        vault: Vault,
        book: Book,
        transport: Transport,
        prices: Prices,
        audit: Audit,
        uses: KeyUses,
        budgets: BudgetTable,
        policy: Policy,
        deadlines: Deadlines,
        budget_wait_s: float = 0.0,
    ) -> None:
        self._targets = targets
        self._sender = Sender(
            vault=vault,
            book=book,
            budgets=budgets,
            uses=uses,
            transport=transport,
            deadlines=deadlines,
            budget_wait_s=budget_wait_s,
        )
        self._prices = prices
        self._audit = audit
        self._policy = policy

    def settle(self, policy: Policy, deadlines: Deadlines, budget_wait_s: float) -> None:
        """From the next request on."""
        self._policy = policy
        self._sender.settle(deadlines, budget_wait_s)

    async def run(self, request: Request) -> Answer:
        """The answer of the first target that gives one. Raises one error that says why none did.

        Where `request.stream` is set, the stream has begun when this returns, and is the caller's to close.
        """
        targets = self._find(request)
        last = targets[-1]
        return await walk(
            targets,
            self._policy,
            lambda target, number, passed: self._attempt(request, target, number, passed, last=target is last),
            self._moved(request),
        )

    async def call(self, call: Call[Result]) -> Result:
        """The same for what is no chat."""
        work = call.work
        targets = self._targets.find(call.owner, call.model, work.asked, work.operation, call.scope)
        last = targets[-1]
        return await walk(
            targets,
            self._policy,
            lambda target, number, passed: attempt(
                self._sender, self._prices, call, target, number, passed, last=target is last
            ),
            self._moved(call),
        )

    async def count(self, asked: Count) -> Counted:
        """How many tokens a chat would be, as the provider of its first usable target counts them."""
        targets = self._targets.find(asked.owner, asked.ask.model, asked.door.name, "count", asked.scope)
        return await walk(
            targets,
            self._policy,
            lambda target, number, passed: count(self._sender, asked, target, number, passed),
            self._moved(asked),
        )

    def sized(self, request: Request) -> Sized:
        """Nothing is held and nothing sent. Raises what is in the way of asking."""
        target = self._find(request)[0]
        falls = self._sender.budgets(request, target, self._sender.key_id(request.owner, target))
        made, least, _ = self._made(request, target, falls, passes=_passes(request, target))
        return Sized(target, made, falls, least)

    def is_demo(self, owner: str, model: str) -> bool:
        """Whether the demo was asked for, and nothing but it would answer: no key, no cost, no socket.

        `auto` does not count: the demo in place of a model would look like its answer.
        """
        names = [name for name in map(str.strip, model.split(",")) if name]
        if not names or AUTO in names:
            return False
        try:
            targets = self._targets.find(owner, model)
        except OwnkeyError:
            return False
        return all(target.provider.kind == "demo" for target in targets)

    def listed(self, owner: str, *, demo_only: bool, scope: Scope | None = None) -> list[Model]:
        """The models that this caller can ask for, each with `provider/model` as its id."""
        return self._targets.listed(owner, demo_only=demo_only, scope=scope)

    def _find(self, request: Request) -> tuple[Target, ...]:
        asked = request.door.name if request.door else None
        return self._targets.find(request.owner, request.model, asked, scope=request.scope)

    def _moved(self, who: Who) -> Callable[[Target, Target, OwnkeyError], None]:
        """A fallback goes into the audit trail, without keeping the request waiting."""

        def moved(left: Target, next: Target, error: OwnkeyError) -> None:
            told = {"from": left.name, "to": next.name, "error": error.code}
            self._audit.later("fallback.triggered", left.name, actor=actor(who), detail=told)

        return moved

    async def _attempt(
        self, request: Request, target: Target, number: int, passed: tuple[Version, ...], *, last: bool
    ) -> Answer:
        passed += request.passed
        async with self._sender.key(request.owner, target, passed) as key:
            last = last and not self._sender.has_other(request.owner, target, key, passed)
            return await self._sender.as_budgets_are(lambda: self._try(key, request, target, number, last=last))

    async def _try(self, key: Opened, request: Request, target: Target, number: int, *, last: bool) -> Answer:
        passes = _passes(request, target)
        falls = self._sender.budgets(request, target, key.id)
        made, least, written = in_dollars(falls, lambda: self._made(request, target, falls, passes=passes))
        over = soft_caps(falls, made, asked_output=request.max_output, accepted=request.over_accepted)
        sending = Sending(
            target,
            target.wire,
            "stream" if request.stream else "chat",
            written.body,
            number,
            booked=target.wire.name,
            stream=request.stream,
            headers=request.headers if passes else (),
            hops=request.hops,
        )
        attempt, incoming = await self._sender.begin(request, sending, made, key, wait=last, least=least)
        return await read(Sent(request, target, attempt, incoming, written.warnings + over, number, passes))

    def _made(
        self, request: Request, target: Target, falls: Falls, *, passes: bool
    ) -> tuple[Made, Least | None, Written]:
        written, cap = _write(request, target, passes=passes, usual=run_cap(falls))
        made = priced(self._prices, request, target, size=len(written.body), cap=cap, passes=passes)
        shorter = falls.budgets and request.max_output is None
        return made, _least(request, target, made, passes=passes) if shorter else None, written


def _passes(request: Request, target: Target) -> bool:
    return request.door is target.wire and request.ask is not None


def _write(request: Request, target: Target, *, passes: bool, usual: int | None = None) -> tuple[Written, int | None]:
    """The body that is sent, and the output cap in it. `usual`: the cap where the caller named none."""
    cap, limit = request.max_output, target.facts.max_output
    if cap is None and (usual is not None or target.wire.default_output is not None):
        cap = usual or (LONG_OUTPUT_TOKENS if limit is not None else target.wire.default_output)
        assert cap is not None
        cap += _thought(request, target, passes=passes)
    if cap is not None and limit is not None:
        cap = min(cap, limit)
    return _written(request, target, cap, passes=passes), cap


def _written(request: Request, target: Target, cap: int | None, *, passes: bool) -> Written:
    if passes and request.door is not None and request.ask is not None:
        return Written(request.door.forward(request.ask, target.model, max_output=cap, quirks=target.quirks))
    chat = request.as_chat()
    return target.wire.write_request(chat, target.model, stream=request.stream, max_output=cap, quirks=target.quirks)


def _thought(request: Request, target: Target, *, passes: bool) -> int:
    """How many tokens of the answer were given to thinking."""
    try:
        thinking = fitted(request.as_chat(), target.quirks.thinking, [])
    except RequestError:
        # What passes through need not be known here.
        if not passes:
            raise
        return 0
    return max(0, thinking.budget_tokens or 0) if thinking else 0


def _least(request: Request, target: Target, made: Made, *, passes: bool) -> Least:
    """Where nobody said how long the answer may be, a shorter one is better than none."""
    output = min(made.output_tokens, _thought(request, target, passes=passes) + LEAST_OUTPUT_TOKENS)

    def rewritten(hold: Hold) -> bytes:
        cap = affordable(made, hold.held_nano, hold.held_tokens)
        return _written(request, target, max(1, cap), passes=passes).body

    return Least(bound(made, output), made.input_tokens + output * made.choices, rewritten)
