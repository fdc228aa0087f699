"""Which of a route's targets are asked for a request, in which order, and why."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

from msgspec import Struct

from ownkey.catalog.quality import quality
from ownkey.engine.lessons import Lessons
from ownkey.engine.needs import Shape, shape_of
from ownkey.engine.request import Request
from ownkey.engine.target import Target
from ownkey.engine.targets import Found, Option
from ownkey.routing.choose import Known, Placed, lacks, ordered
from ownkey.routing.health import Conditions
from ownkey.routing.plan import Policy
from ownkey.routing.rules import Route
from ownkey.routing.speed import Speeds
from ownkey.spending.price import LARGE_INPUT_TOKENS, bound_input, ceiling
from ownkey.spending.quote import ENOUGH_CALLS, USUAL_OUTPUT_TOKENS, Quote, Usual, quote
from ownkey.talk.errors import Unsupported

UNBOUNDED_OUTPUT_TOKENS = 131_072
HERE = "answers of this model here"


class Course(Struct, frozen=True):
    """Whom to ask, first to last, and by which policy. `why` says it in a line; None where nothing was chosen."""

    targets: tuple[Target, ...]
    policy: Policy
    route: Route | None = None
    why: str | None = None
    bounded: bool = False

    @property
    def asks(self) -> bool:
        """Whether a person is to be asked before another provider is."""
        return self.route is not None and self.route.ask


class Weighed(Struct, frozen=True):
    """An option with what is known of it for one request: why it stands where it does, or `lack`, why it is out."""

    option: Option
    known: Known
    quoted: Quote
    why: str = ""
    lack: str | None = None


class Chooser:
    """Safe to use for many requests at once."""

    def __init__(self, *, speeds: Speeds, lessons: Lessons, conditions: Conditions) -> None:
        self.speeds = speeds
        self.lessons = lessons
        self.conditions = conditions

    def course(self, request: Request, found: Found, usual: Policy) -> Course:
        """Raises Unsupported where no target of the route can carry the request."""
        route = found.route
        if route is None:
            return Course(found.targets, usual)
        shape = shape_of(request, with_kind=route.choose == "learned")
        if route.choose == "listed":
            targets = tuple(one.target for one in found.options if _lack(one, shape) is None)
            if not targets:
                raise _none_can(route, found.options, shape)
            why = f"{route.name}; listed; {targets[0].name}; {len(targets)} of {len(found.options)} can"
        else:
            able, out = self.weighed(request, found, shape)
            if not able:
                raise _none_can(route, found.options, shape)
            targets = tuple(one.option.target for one in able)
            told = f"{route.choose} for {route.task}" if route.task else route.choose
            why = f"{route.name}; {told}; {targets[0].name}: {able[0].why}; {len(able)} of {len(able) + len(out)} can"
            if route.choose == "learned":
                self.lessons.asked(request.id, request.owner, shape.kind)
        if not route.fallback:
            targets = targets[:1]
        return Course(targets, route.policy(usual), route, why, bounded=route.total_s is not None)

    def in_order(self, found: Found, usual: Policy) -> Course:
        """The same for what is no chat: nothing is chosen there, and the targets of a route are asked as they stand."""
        route = found.route
        if route is None:
            return Course(found.targets, usual)
        targets = found.targets if route.fallback else found.targets[:1]
        return Course(targets, route.policy(usual), route)

    def weighed(self, request: Request, found: Found, shape: Shape) -> tuple[list[Weighed], list[Weighed]]:
        """Those that can carry it, in order, and those that cannot."""
        route = found.route
        assert route is not None
        each = [self._weigh(request, one, shape, route.task) for one in found.options]
        able = [one for one in each if one.lack is None]
        known = [one.known for one in able]

        def learned(known: Sequence[Known]) -> list[Placed]:
            return self.lessons.order(request.owner, shape.kind, known)

        placed = ordered(route, known, random.random, learned)
        out = [one for one in each if one.lack is not None]
        return [_with(able[one.place], one.why) for one in placed], out

    def stands(self, owner: str, target: Target) -> str | None:
        """Why it is asked only after others just now, if it is."""
        now_s = time.monotonic()
        limited_s = self.conditions.limited_s(owner, target.name, now_s)
        if limited_s > 0:
            return f"limited: it said to wait {limited_s:.0f} s more"
        if self.conditions.of(target.name).rests(now_s):
            return f"resting after failures ({self.conditions.of(target.name).last_error or 'no answer'})"
        return None

    def _weigh(self, request: Request, option: Option, shape: Shape, task: str | None) -> Weighed:
        target = option.target
        speed = self.speeds.of(target.name)
        quoted = _quoted(request, option, shape, speed.output_tokens if speed.measured >= ENOUGH_CALLS else None)
        known = Known(
            target.name,
            None if quoted.expected is None else quoted.expected.nano_usd,
            speed.first_s,
            speed.tokens_per_s,
            speed.measured,
            quality(target.model, task),
            quoted.output_expected,
            option.spare,
        )
        return Weighed(option, known, quoted, lack=_lack(option, shape))


def _with(one: Weighed, why: str) -> Weighed:
    return Weighed(one.option, one.known, one.quoted, f"{why}; local, asked after others" if one.known.spare else why)


def _lack(option: Option, shape: Shape) -> str | None:
    facts = option.target.facts
    return lacks(shape.needs, facts.does, facts.context)


def _quoted(request: Request, option: Option, shape: Shape, output_tokens: float | None) -> Quote:
    """What this request costs there, as a quote tells it, from its size and without writing it."""
    facts, rates = option.target.facts, option.rates
    cap = request.max_output or facts.max_output or UNBOUNDED_OUTPUT_TOKENS
    held = 0
    if rates is not None:
        bound = bound_input(shape.tokens.high, text_only=shape.text_only, context=facts.context or LARGE_INPUT_TOKENS)
        held = ceiling(rates, input_tokens=bound, output_tokens=cap, choices=request.choices)
    usual = None if output_tokens is None else Usual(max(1, round(output_tokens)), 0.0, HERE)
    return quote(
        option.target.name,
        shape.tokens,
        rates,
        output_cap=cap,
        choices=request.choices,
        ceiling_nano=held,
        context=facts.context,
        usual=usual,
        asked_output=min(request.max_output or USUAL_OUTPUT_TOKENS, USUAL_OUTPUT_TOKENS),
    )


def _none_can(route: Route, options: Sequence[Option], shape: Shape) -> Unsupported:
    told = "; ".join(f"{one.target.name}: {_lack(one, shape)}" for one in options[:5])
    return Unsupported(
        f"No model of {route.name} can carry this request: {told}.",
        f"`ownkey routes explain {route.name}` lists them all; name another model.",
        param="model",
    )
