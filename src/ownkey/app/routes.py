"""Routes as people keep them, what they would do with a request, and what is said of answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct, structs

from ownkey.app.providers import Providers
from ownkey.catalog.manifest import Ability
from ownkey.engine.choosing import Weighed
from ownkey.engine.needs import shape_of
from ownkey.engine.request import Request, new_id
from ownkey.engine.target import Target
from ownkey.engine.targets import Found, Option
from ownkey.routing.choose import Needs
from ownkey.routing.plan import Plan, Policy, Standing
from ownkey.routing.route import AUTO, EVERY
from ownkey.routing.rules import NAMED, Route, route_of
from ownkey.routing.scope import Scope
from ownkey.spending.price import Rates
from ownkey.store.learned import Thumb
from ownkey.talk.chat import Chat, user
from ownkey.talk.errors import (
    Conflict,
    InvalidCredentials,
    InvalidRequest,
    NotFound,
    OwnkeyError,
    PermissionDenied,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimitExceeded,
)

if TYPE_CHECKING:
    from ownkey.app.house import House

MOST_ROUTES = 200
PROMPT = "Hello"

_FAILURES: dict[str, OwnkeyError] = {
    "unavailable": ProviderUnavailable("It answers with an error of its own (503)."),
    "rate_limited": RateLimitExceeded("It says that too much was asked (429)."),
    "key_refused": InvalidCredentials("It refuses the key (401)."),
    "silent": ProviderTimeout("It says nothing in time.", perhaps_billed=True),
}
FAILURES = tuple(_FAILURES)


class Candidate(Struct, frozen=True):
    """One target, with what is known of it for this request. `place` from 1, None where it is out; `why` says either.

    Amounts in nano-USD, rates of a million tokens; None is not known. `stands`: why it comes after others just now.
    """

    name: str
    place: int | None
    why: str
    expected_nano: int | None = None
    ceiling_nano: int | None = None
    input_rate: int | None = None
    output_rate: int | None = None
    first_s: float | None = None
    tokens_per_s: float | None = None
    measured: int = 0
    quality: float | None = None
    stands: str | None = None


class Explained(Struct, frozen=True):
    """Who would be asked, first to last, and who would not. `kind`: what the request is taken for."""

    asked: str
    route: Route | None
    kind: str
    candidates: tuple[Candidate, ...]

    @property
    def first(self) -> Candidate | None:
        return next((one for one in self.candidates if one.place == 1), None)


class Step(Struct, frozen=True):
    """One try: at whom, the how manieth there, after how long a wait, and when in all, in seconds. `failure` is one of
    `FAILURES`; None: it answers."""

    name: str
    number: int
    wait_s: float
    at_s: float
    failure: str | None = None


class RouteBook:
    """Of one person. `keeps`: who may change what is everybody's."""

    def __init__(self, house: House, owner: str, *, keeps: bool = True) -> None:
        self._house = house
        self._owner = owner
        self._keeps = keeps

    def all(self) -> list[Route]:
        """Own ones, everybody's, and those that are always there."""
        return [*self._house.store.routes.of(self._owner).values(), *NAMED.values()]

    def get(self, name: str) -> Route:
        """Raises NotFound."""
        found = self._house.targets.route(self._owner, name)
        if found is None:
            raise NotFound(f"There is no route {name[:100]!r}.", "`ownkey routes list` shows those that there are.")
        return found

    def add(self, name: str, *, everybody: bool = False, **given: Any) -> Route:
        """As `set`, where there is none of that name yet. Raises Conflict too."""
        if self._house.store.routes.get(self._whose(everybody), name) is not None:
            raise Conflict(
                f"There is a route {name[:64]!r} already.", "Take another name, or change that one.", param="name"
            )
        return self.set(name, everybody=everybody, **given)

    def set(self, name: str, *, everybody: bool = False, **given: Any) -> Route:
        """Make a route, or change what is given of the one that there is; None goes back to what it is without.

        `given` are the members of `Route`. `everybody`: it is for all people here. Raises InvalidRequest, naming the
        field, PermissionDenied, and Conflict for a name that something else has.
        """
        owner = self._whose(everybody)
        before = self._house.store.routes.get(owner, name)
        route = structs.replace(route_of(name, given, before), owner=owner)
        if before is None:
            self._check_free(name)
        for provider in route.exclude:
            self._house.catalogue.get(provider)
        told = {"everybody": everybody, **_told(before, route)}
        with self._house.audit.within("route.set", name, owner=self._owner, detail=told):
            self._house.store.routes.set(route)
        self._house.targets.forget()
        return route

    def remove(self, name: str, *, everybody: bool = False) -> Route:
        """Raises NotFound."""
        owner = self._whose(everybody)
        there = self._house.store.routes.get(owner, name)
        if there is None:
            raise NotFound(f"There is no route {name[:100]!r}.", "`ownkey routes list` shows those that there are.")
        told = {"everybody": everybody, **_told(there, None)}
        with self._house.audit.within("route.removed", name, owner=self._owner, detail=told):
            self._house.store.routes.remove(owner, name)
        self._house.targets.forget()
        return there

    def explain(
        self, model: str, prompt: str = PROMPT, *, needs: Sequence[Ability] = (), scope: Scope | None = None
    ) -> Explained:
        """What would be done with this prompt, and why. `needs`: what the request needs beside a chat: `tools`,
        `vision`, `json`. Nothing is asked. Raises InvalidRequest and UnknownModel."""
        request = Request(new_id(), self._owner, model, False, chat=Chat((user(prompt),)))
        shape = shape_of(request)
        does = shape.needs.does.union(needs)
        wanted = Needs(does, shape.needs.input_tokens, shape.needs.output_tokens)
        shape = structs.replace(shape, needs=wanted)
        found = self._found(model, scope)
        if not self._house.speeds.known:
            self._house.recall(self._owner)
        named = found.route or Route(AUTO)
        if named.choose == "learned":
            self._house.lessons.now(self._owner)
        able, out = self._house.chooser.weighed(request, structs.replace(found, route=named), shape)
        if found.route is None:
            # What was asked for by its name is asked, whatever is known of it.
            by_name = {one.option.target.name: one for one in (*able, *out)}
            able = [by_name[target.name] for target in found.targets]
            able, out = [structs.replace(one, why=one.lack or "asked for by its name") for one in able], []
        rows = [self._row(one, place, one.why) for place, one in enumerate(able, 1)]
        if not named.fallback and found.route is not None:
            rows = rows[:1] + [structs.replace(one, place=None, why="the route has no fallback") for one in rows[1:]]
        rows += [self._row(one, None, one.lack or "") for one in out]
        rows += [Candidate(one.name, None, one.why) for one in found.out]
        rows += self._not_set_up(found.route)
        return Explained(model, found.route, shape.kind, tuple(rows))

    def rehearse(
        self,
        model: str,
        prompt: str = PROMPT,
        *,
        failing: str = "unavailable",
        failures: Mapping[str, str] | None = None,
    ) -> list[Step]:
        """What would be tried where each target failed so: one of `FAILURES`. With `failures`, by the names of targets,
        those alone fail, and the others answer. Nothing is asked, and nobody waits."""
        for field, named in (("failing", [failing]), ("failures", list((failures or {}).values()))):
            if not all(one in _FAILURES for one in named):
                raise InvalidRequest(f"A failure is one of: {', '.join(FAILURES)}.", param=field)
        explained = self.explain(model, prompt)
        names = [one.name for one in explained.candidates if one.place is not None]
        policy = self._house.engine.policy
        policy = policy if explained.route is None else explained.route.policy(policy)
        return _rehearsed(names, policy, dict.fromkeys(names, failing) if failures is None else failures)

    def thumb(self, run: str, *, up: bool) -> str:
        """What its owner says of an answer: it is learned from where the route `learned` is asked. `run` is the id of
        the request, or of one of its tries. Gives who answered. Raises NotFound."""
        request_id = run.partition(".")[0]
        rows = self._house.store.book.rows(request_id=request_id, owner=self._owner)
        answered = [row for row in rows if row.error is None and row.state in ("exact", "counted")]
        if not answered:
            raise NotFound("There is no such answer of yours.", "`ownkey usage` lists what was asked.")
        name = f"{answered[0].provider}/{answered[0].model}"
        self._house.store.learned.say(self._owner, Thumb(request_id, name, up))
        return name

    def forget(self) -> None:
        """Let go of what was learned from this person's answers."""
        with self._house.audit.within("route.forgotten", "", owner=self._owner):
            self._house.lessons.forget(self._owner)

    def _whose(self, everybody: bool) -> str | None:
        if everybody and not self._keeps:
            raise PermissionDenied("Everybody's routes are for who keeps this Ownkey.", "Leave `everybody` out.")
        return None if everybody else self._owner

    def _check_free(self, name: str) -> None:
        candidates = self._house.targets.candidates(self._owner)
        if name in candidates or any(one.has(name) for one in candidates.values()):
            raise Conflict(f"A provider or a model is called {name!r} here.", "Take another name.", param="name")
        if len(self._house.store.routes.of(self._owner)) >= MOST_ROUTES:
            raise Conflict(f"There are {MOST_ROUTES} routes already.", "Remove one first.")

    def _found(self, model: str, scope: Scope | None) -> Found:
        route = self._house.targets.route(self._owner, model.strip() or AUTO)
        if route is None:
            found = self._house.targets.found(self._owner, model, scope=scope)
            return structs.replace(
                found, options=tuple(Option(target, self._rates(target)) for target in found.targets)
            )
        found = self._house.targets.survey(route, self._owner)
        if scope is None:
            return found
        options = tuple(one for one in found.options if scope.has(one.target.provider.id, one.target.model))
        return structs.replace(found, options=options, targets=tuple(one.target for one in options))

    def _rates(self, target: Target) -> Rates | None:
        return self._house.prices.rates(target.provider, target.model, datetime.now(UTC))

    def _row(self, one: Weighed, place: int | None, why: str) -> Candidate:
        rates, quoted = one.option.rates, one.quoted
        return Candidate(
            one.known.name,
            place,
            why,
            None if quoted.expected is None else quoted.expected.nano_usd,
            None if quoted.ceiling is None else quoted.ceiling.nano_usd,
            None if rates is None else rates.input,
            None if rates is None else rates.output,
            one.known.first_s,
            one.known.tokens_per_s,
            one.known.measured,
            one.known.quality,
            self._house.chooser.stands(self._owner, one.option.target),
        )

    def _not_set_up(self, route: Route | None) -> list[Candidate]:
        """Providers that `auto` would ask if they could be asked."""
        if route is None or not {AUTO, EVERY} & set(route.targets):
            return []
        views = Providers(self._house, self._owner).listed()
        lacking = [view for view in views if view.lack is not None and view.provider.kind == "cloud"]
        return [Candidate(view.provider.id, None, view.lack.says) for view in lacking if view.lack is not None]


def _rehearsed(names: Sequence[str], policy: Policy, failures: Mapping[str, str]) -> list[Step]:
    """In a time of its own; each wait is the middle of what chance makes of it. It ends with who answers."""
    now_s = 0.0
    plan = Plan(len(names), policy, now_s, lambda: 0.5, lambda place: Standing())
    steps: list[Step] = []
    step = plan.begin(now_s) if names else None
    while step is not None:
        now_s += step.wait_s
        name = names[step.target]
        number, failure = 1 + sum(one.name == name for one in steps), failures.get(name)
        steps.append(Step(name, number, step.wait_s, now_s, failure))
        step = None if failure is None else plan.failed(_FAILURES[failure], now_s)
    return steps


def _told(old: Route | None, new: Route | None) -> dict[str, Any]:
    """For the audit trail: what is another than before."""
    before: dict[str, Any] = {} if old is None else msgspec.to_builtins(old)
    after: dict[str, Any] = {} if new is None else msgspec.to_builtins(new)
    changed = [name for name in Route.__struct_fields__ if before.get(name) != after.get(name) and name != "owner"]
    old_values = {name: before[name] for name in changed if name in before}
    return {"old": old_values, "new": {name: after[name] for name in changed if name in after}}
