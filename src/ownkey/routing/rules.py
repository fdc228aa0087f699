"""A route: a name for whom to ask, how one of them is chosen, and what no choice may pass. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

import msgspec
from msgspec import Struct, structs

from ownkey.catalog.check import REGION
from ownkey.routing.plan import Policy
from ownkey.routing.route import AUTO, EVERY
from ownkey.talk.errors import InvalidRequest

Choose = Literal["listed", "cheapest", "fastest", "best", "balanced", "learned"]
Task = Literal["code", "reasoning", "writing", "vision", "long-context", "embeddings"]

MOST_TARGETS, MOST_RETRIES, LONGEST_S = 100, 10, 3600.0

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_WORD = re.compile(r"[!-+\--~]{1,200}")


class Route(Struct, frozen=True, omit_defaults=True):
    """`targets` are names of models as they are asked for, or `auto`. `task`: what `best` is for.

    Hard rules, which no choice and no fallback passes: `local_only`, `exclude` (providers), `regions` (no others) and
    `not_regions`. None of `retries`, `first_token_timeout_s`, `total_s` and `carry_on`: as the settings, or the one
    who asks, say. `ask`: a person is asked before another target is. `fallback`: others are asked where the first
    fails. `owner` None: everybody's.
    """

    name: str
    targets: tuple[str, ...] = (AUTO,)
    choose: Choose = "listed"
    task: Task | None = None
    local_only: bool = False
    exclude: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    not_regions: tuple[str, ...] = ()
    retries: int | None = None
    first_token_timeout_s: float | None = None
    total_s: float | None = None
    carry_on: bool | None = None
    ask: bool = False
    fallback: bool = True
    owner: str | None = None

    def policy(self, usual: Policy) -> Policy:
        """The usual one, with what this route says of its own."""
        own = {"retries": self.retries, "first_s": self.first_token_timeout_s, "total_s": self.total_s}
        own = {name: value for name, value in own.items() if value is not None}
        return structs.replace(usual, **own) if own else usual

    def refuses(self, provider: str, regions: tuple[str, ...] | None, *, is_here: bool) -> str | None:
        """Which hard rule is against this provider, if one is. `regions` None: nobody knows where it answers, so that
        no rule about regions can be kept there. `is_here`: it runs on the owner's own network."""
        if provider in self.exclude:
            return "excluded by the route"
        if is_here:
            return None
        if self.local_only:
            return "not local"
        if not (self.regions or self.not_regions):
            return None
        if not regions:
            return "where it answers is not known"
        if self.regions and (others := [one for one in regions if not _within(one, self.regions)]):
            return f"it answers in {', '.join(others)}"
        if banned := [one for one in regions if _within(one, self.not_regions) or _around(one, self.not_regions)]:
            return f"it answers in {', '.join(banned)}"
        return None


def _within(region: str, wanted: Iterable[str]) -> bool:
    """`us-east` is within `us`, and `de` within `eu`."""
    return any(region == one or region.startswith(f"{one}-") or region in UNIONS.get(one, ()) for one in wanted)


def _around(region: str, banned: Iterable[str]) -> bool:
    """Who answers somewhere in the US may answer in `us-east`, which is banned."""
    return any(one.startswith(f"{region}-") or one in UNIONS.get(region, ()) for one in banned)


UNIONS: Mapping[str, frozenset[str]] = {
    "eu": frozenset(
        (
            *("at", "be", "bg", "cy", "cz", "de", "dk", "ee", "es", "fi", "fr", "gr", "hr", "hu"),
            *("ie", "it", "lt", "lu", "lv", "mt", "nl", "pl", "pt", "ro", "se", "si", "sk"),
        )
    )
}
"""The member states of the European Union, by ISO 3166."""


NAMED: Mapping[str, Route] = {
    route.name: route
    for route in (
        Route(AUTO),
        Route("auto:cheap", (EVERY,), "cheapest"),
        Route("auto:fast", (EVERY,), "fastest"),
        Route("auto:best", (EVERY,), "best"),
        Route("auto:balanced", (EVERY,), "balanced"),
        Route("auto:learned", (EVERY,), "learned"),
        Route("auto:local", local_only=True),
        *(Route(f"auto:{task}", (EVERY,), "best", task) for task in get_args(Task) if task != "embeddings"),
    )
}
"""The routes that are there without being made."""


def is_route_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def route_of(name: str, given: Mapping[str, Any], before: Route | None = None) -> Route:
    """The route of that name with what is given of it, the rest as it was. Raises InvalidRequest, naming the field."""
    if not is_route_name(name) or name == AUTO:
        raise InvalidRequest(
            "A route's name is 1 to 64 small letters, digits and any of . _ - , and not `auto`.", param="name"
        )
    unknown = [field for field in given if field not in FIELDS]
    if unknown:
        raise InvalidRequest(f"A route has no {unknown[0][:40]!r}.", f"It has: {', '.join(FIELDS)}.", param=unknown[0])
    values = {field: getattr(before, field) for field in FIELDS} if before else {}
    for field, value in given.items():
        values[field] = DEFAULTS[field] if value is None else value
    try:
        route = msgspec.convert({"name": name, **values}, Route, from_attributes=True)
    except msgspec.ValidationError as error:
        field = str(error).rpartition("`$.")[2].partition("`")[0].partition("[")[0] or None
        raise InvalidRequest(f"This is no route: {str(error)[:160]}.", param=field) from None
    return _checked(route)


def _checked(route: Route) -> Route:
    _bounded(route)
    for field in ("targets", "exclude", "regions", "not_regions"):
        names: tuple[str, ...] = getattr(route, field)
        pattern = REGION if "regions" in field else _WORD
        if len(names) > MOST_TARGETS or not all(pattern.fullmatch(one) for one in names):
            what = "regions such as us, eu or us-east" if pattern is REGION else "names without blanks or commas"
            raise InvalidRequest(f"{field} are at most {MOST_TARGETS} {what}.", param=field)
    if not route.targets:
        raise InvalidRequest("A route has targets.", "Name models as PROVIDER/MODEL, or `auto`.", param="targets")
    if any(one != AUTO and one.startswith(f"{AUTO}:") and one != EVERY for one in route.targets):
        raise InvalidRequest(
            "A route stands for models and not for other routes.", f"`{EVERY}` is every model.", param="targets"
        )
    if route.task is not None and route.choose not in ("best", "balanced"):
        raise InvalidRequest("Only `best` and `balanced` are for a task.", param="task")
    return structs.replace(route, targets=tuple(dict.fromkeys(route.targets)))


def _bounded(route: Route) -> None:
    if route.retries is not None and not 0 <= route.retries <= MOST_RETRIES:
        raise InvalidRequest(f"retries is from 0 to {MOST_RETRIES}.", param="retries")
    for field in ("first_token_timeout_s", "total_s"):
        seconds: float | None = getattr(route, field)
        if seconds is not None and not 0 < seconds <= LONGEST_S:
            raise InvalidRequest(f"{field} is more than 0 and at most {LONGEST_S:.0f}.", param=field)


FIELDS = tuple(name for name in Route.__struct_fields__ if name not in ("name", "owner"))
DEFAULTS: Mapping[str, Any] = dict(zip(Route.__struct_fields__[1:], Route.__struct_defaults__, strict=True))
