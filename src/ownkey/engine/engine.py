"""From a request to its answer: route, then for each try key, hold, send, decode, settle."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Protocol, TypeVar, cast

from msgspec import Struct, structs

from ownkey.catalog.manifest import Model
from ownkey.engine.answer import Answer, AnyStream, EventStream, Stream, Whole, gathered
from ownkey.engine.attempt import Made
from ownkey.engine.call import Call, attempt
from ownkey.engine.carry import Broken, Carried, Rest, blanks, can_be_carried, with_prefill, with_word
from ownkey.engine.choosing import Chooser, Course
from ownkey.engine.consent import Asker, Consents
from ownkey.engine.counting import Count, Counted
from ownkey.engine.counting import count as counted
from ownkey.engine.funds import run_cap, soft_caps
from ownkey.engine.price import in_dollars, priced
from ownkey.engine.read import Sent, read
from ownkey.engine.remember import Memory
from ownkey.engine.request import Request
from ownkey.engine.sender import Least, Opened, Sender, Sending
from ownkey.engine.target import Target
from ownkey.engine.targets import Targets
from ownkey.engine.turns import Turns
from ownkey.engine.uses import KeyUses, Who, actor
from ownkey.engine.walk import Tried, Walker
from ownkey.engine.writing import can_be_told, can_come_in_pieces, least_of, limited, passes_through, write
from ownkey.routing.health import Conditions
from ownkey.routing.plan import Policy
from ownkey.routing.route import AUTO
from ownkey.routing.scope import Scope
from ownkey.spending.budget import Falls
from ownkey.spending.catalogue import Prices
from ownkey.store.audit import Audit
from ownkey.store.book import Book, Hold
from ownkey.store.budgets import BudgetTable
from ownkey.store.consents import ConsentTable
from ownkey.store.entry import Ending
from ownkey.store.preferences import PreferenceTable
from ownkey.talk.errors import OwnkeyError, RequestRefused
from ownkey.transport import Deadlines, Transport
from ownkey.vault.vault import Vault
from ownkey.wires.remaining import tells
from ownkey.wires.wire import Written

Result = TypeVar("Result")
Moved = Callable[[Target, Target, OwnkeyError], None]


class Wanting(Who, Asker, Protocol):
    """Any request."""


class Sized(Struct, frozen=True):
    """A request as it would be sent to its first target: what would be held, and with how little it could do.
    `passes`: the client's wire is the provider's."""

    target: Target
    made: Made
    falls: Falls
    least: Least | None
    body: bytes
    passes: bool


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
        turns: Turns,
        budgets: BudgetTable,
        consents: ConsentTable,
        preferences: PreferenceTable,
        policy: Policy,
        conditions: Conditions,
        deadlines: Deadlines,
        memory: Memory,
        chooser: Chooser,
        budget_wait_s: float = 0.0,
    ) -> None:
        self._targets = targets
        self._memory = memory
        self._chooser = chooser
        self._sender = Sender(
            vault=vault,
            book=book,
            budgets=budgets,
            uses=uses,
            turns=turns,
            conditions=conditions,
            transport=transport,
            deadlines=deadlines,
            budget_wait_s=budget_wait_s,
            heard=_listener(conditions),
            ended=self._ended,
        )
        self._prices = prices
        self._preferences = preferences
        self._consents = Consents(consents, preferences)
        self._audit = audit
        self._walker = Walker(policy, conditions, turns)

    @property
    def policy(self) -> Policy:
        """The one of the settings."""
        return self._walker.policy

    def settle(self, policy: Policy, deadlines: Deadlines, budget_wait_s: float) -> None:
        """From the next request on."""
        self._walker.policy = policy
        self._sender.settle(deadlines, budget_wait_s)

    async def run(self, request: Request) -> Whole | AnyStream:
        """The answer of the first target that gives one. Raises one error that says why none did.

        Where `request.stream` is set, the stream has begun when this returns, and is the caller's to close.
        """
        course = self._course(request)
        request.most = self._preferences.of(request.owner).max_tokens
        wish = self._memory.wish(request)
        if wish is None:
            return await self._answer(request, course)
        return await self._memory.around(wish, request, course.targets, partial(self._answer, request, course))

    async def _answer(self, request: Request, course: Course) -> Answer | Carried:
        end_s = time.monotonic() + course.policy.total_s if course.bounded else None
        moved = self._moved(request, course.targets, ask=course.asks)
        answer = await self._walk(
            request,
            course.targets,
            lambda tried: self._attempt(request, tried),
            moved,
            streamed=request.stream,
            policy=course.policy,
            end_s=end_s,
        )
        if request.carries and isinstance(answer, Stream) and can_be_carried(request.as_chat()):
            go_on = partial(self._go_on, request, course, end_s, moved)
            return Carried(cast("EventStream", answer), go_on, self._walker.broke)
        return answer

    async def _go_on(self, request: Request, course: Course, end_s: float | None, moved: Moved, broken: Broken) -> Rest:
        """The rest of an answer that broke off, from the next target; those that broke it off come last."""
        left = [target for target in course.targets if target not in broken.targets] + list(broken.targets[-1:])
        moved(broken.targets[-1], left[0], broken.error)
        return await self._walk(
            request,
            left,
            partial(self._attempt_rest, request, broken, count(broken.attempts + 1)),
            moved,
            streamed=True,
            tries=broken.attempts,
            policy=course.policy,
            end_s=end_s,
        )

    async def call(self, call: Call[Result]) -> Result:
        """The same for what is no chat."""
        work = call.work
        found = self._targets.found(call.owner, call.model, work.asked, work.operation, call.scope)
        course = self._chooser.in_order(found, self._walker.policy)
        return await self._walk(
            call,
            course.targets,
            lambda tried: attempt(self._sender, self._prices, self._consents, call, tried),
            self._moved(call, course.targets, ask=course.asks),
            policy=course.policy,
        )

    async def count(self, asked: Count) -> Counted:
        """How many tokens a chat would be, as the provider of its first usable target counts them."""
        targets = self._targets.find(asked.owner, asked.ask.model, asked.door.name, "count", asked.scope)
        return await self._walk(
            asked, targets, lambda tried: counted(self._sender, asked, tried), self._moved(asked, targets)
        )

    async def _walk(
        self,
        wanted: Who,
        targets: Sequence[Target],
        attempt: Callable[[Tried], Awaitable[Result]],
        moved: Moved,
        *,
        streamed: bool = False,
        tries: int = 0,
        policy: Policy | None = None,
        end_s: float | None = None,
    ) -> Result:
        try:
            return await self._walker.walk(
                wanted, targets, attempt, moved, streamed=streamed, tries=tries, policy=policy, end_s=end_s
            )
        except OwnkeyError as error:
            with suppress(OwnkeyError):
                self._targets.advise(wanted.owner, error)
            raise

    def sized(self, request: Request) -> Sized:
        """Nothing is held and nothing sent. Raises what is in the way of asking."""
        target = self._course(request).targets[0]
        request.most = self._preferences.of(request.owner).max_tokens
        falls = self._sender.budgets(request, target, self._sender.key_id(request.owner, target))
        passes = passes_through(request, target)
        made, least, written = self._made(request, target, falls, passes=passes)
        return Sized(target, made, falls, least, written.body, passes)

    def sized_call(self, call: Call[Result]) -> tuple[Target, Made]:
        """The same for what is no chat."""
        work = call.work
        target = self._targets.find(call.owner, call.model, work.asked, work.operation, call.scope)[0]
        return target, work.made(self._prices, target, work.put(target), accepted=True)

    def is_demo(self, owner: str, model: str) -> bool:
        """Whether the demo was asked for, and nothing but it would answer: no key, no cost, no socket.

        `auto` does not count: the demo in place of a model would look like its answer.
        """
        names = [name for name in map(str.strip, model.split(",")) if name]
        if not names or any(name == AUTO or name.startswith(f"{AUTO}:") for name in names):
            return False
        try:
            targets = self._targets.find(owner, model)
        except OwnkeyError:
            return False
        return all(target.provider.kind == "demo" for target in targets)

    def listed(self, owner: str, *, demo_only: bool, scope: Scope | None = None) -> list[Model]:
        """The models that this caller can ask for, each with `provider/model` as its id."""
        return self._targets.listed(owner, demo_only=demo_only, scope=scope)

    def _course(self, request: Request) -> Course:
        """Whom to ask. What a route says of going on with a broken answer holds where whoever asks has not said it, and
        as far as it is in the way of nothing that was asked for."""
        asked = request.door.name if request.door else None
        found = self._targets.found(request.owner, request.model, asked, scope=request.scope)
        course = self._chooser.course(request, found, self._walker.policy)
        request.chosen = course.why
        if course.route is not None and course.route.carry_on is not None and not request.carry_said:
            goes_on = course.route.carry_on and request.stream
            request.carries = goes_on and can_be_told(request, course.targets)
        return course

    def _ended(self, hold: Hold, ending: Ending) -> None:
        if hold.stream and ending.error is None and ending.state == "exact" and ending.first_ms is not None:
            name = f"{hold.provider}/{hold.model}"
            self._chooser.speeds.note(name, ending.first_ms, ending.total_ms or 0, ending.output_tokens)
        self._chooser.lessons.ended(hold, ending)

    def _moved(self, who: Wanting, targets: Sequence[Target], *, ask: bool = False) -> Moved:
        """A fallback goes into the audit trail, without keeping the request waiting; to another provider where its
        owner lets it."""
        let = self._consents.moving(who, targets[0], ask=ask)

        def moved(left: Target, next: Target, error: OwnkeyError) -> None:
            let(left, next, error)
            told = {"from": left.name, "to": next.name, "error": error.code}
            self._audit.later("fallback.triggered", left.name, actor=actor(who), detail=told)

        return moved

    async def _attempt_rest(self, request: Request, broken: Broken, numbers: Iterator[int], tried: Tried) -> Rest:
        """One that refuses an answer begun for it is asked by a word."""
        chat, said = request.as_chat(), broken.said
        if tried.target.quirks.prefill:
            begun = structs.replace(request, ask=None, chat=with_prefill(chat, said))
            with suppress(RequestRefused):
                stream = await self._attempt(begun, structs.replace(tried, number=next(numbers)))
                return Rest(cast("EventStream", stream), blanks(said))
        asked = structs.replace(request, ask=None, chat=with_word(chat, said))
        stream = await self._attempt(asked, structs.replace(tried, number=next(numbers)))
        return Rest(cast("EventStream", stream))

    async def _attempt(self, request: Request, tried: Tried) -> Answer:
        """A whole answer for which somebody else stands ready is asked for as a stream: who is silent is then told from
        who is busy with a long one, and an answer that breaks off is known at once."""
        if not request.stream and not tried.last and can_come_in_pieces(request, tried.target):
            in_pieces = structs.replace(request, stream=True, carries=True, ask=None, chat=request.as_chat())
            answer = await self._asked(in_pieces, tried)
            return await gathered(cast("EventStream", answer))
        return await self._asked(request, tried)

    async def _asked(self, request: Request, tried: Tried) -> Answer:
        passed = tried.passed + request.passed
        async with self._sender.key(request.owner, tried.target, passed, about=request.beginning) as key:
            last = tried.last and not self._sender.has_other(request.owner, tried.target, key, passed)
            return await self._consents.ask(
                request,
                tried.target,
                lambda request: self._sender.as_budgets_are(lambda: self._try(key, request, tried, last=last)),
            )

    async def _try(self, key: Opened, request: Request, tried: Tried, *, last: bool) -> Answer:
        target, number = tried.target, tried.number
        passes = passes_through(request, target)
        falls = self._sender.budgets(request, target, key.id)
        made, least, written = in_dollars(falls, lambda: self._made(request, target, falls, passes=passes))
        warned = written.warnings + limited(request)
        over = soft_caps(falls, made, asked_output=request.max_output, asker=request)
        first_s = None
        if request.stream and not tried.last:
            first_s = self._walker.first_s(target, len(written.body), tried.policy)
        sending = Sending(
            target,
            target.wire,
            "stream" if request.stream else "chat",
            written.body,
            number,
            booked=target.wire.name,
            stream=request.stream,
            first_s=first_s,
            carries=request.carries,
            turn_s=tried.turn_s,
            held=tried.held,
            headers=request.headers if passes else (),
            hops=request.hops,
            within_s=tried.within_s,
        )
        attempt, incoming = await self._sender.begin(request, sending, made, key, wait=last, least=least)
        return await read(Sent(request, target, attempt, incoming, warned + over, number, passes, first_s))

    def _made(
        self, request: Request, target: Target, falls: Falls, *, passes: bool
    ) -> tuple[Made, Least | None, Written]:
        written, cap = write(request, target, passes=passes, usual=run_cap(falls))
        made = priced(self._prices, request, target, size=len(written.body), cap=cap, passes=passes)
        shorter = (falls.budgets or request.purse is not None) and request.max_output is None
        return made, least_of(request, target, made, passes=passes) if shorter else None, written


def _listener(conditions: Conditions) -> Callable[[str, str, Mapping[bytes, bytes]], None]:
    """Notes how much is left to ask for. It is read when somebody wants to know."""

    def heard(owner: str, target: str, headers: Mapping[bytes, bytes]) -> None:
        if tells(headers):
            conditions.hear(owner, target, headers, time.monotonic())

    return heard
