"""In which order targets are asked for one request, and why. Pure: what is known of each is given."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from msgspec import Struct

from ownkey.catalog.manifest import Ability
from ownkey.routing.rules import Route

NANO_PER_USD = 1_000_000_000
LEAST_MEASURED = 3
"""Answers of a target after which its speed is taken for known."""

EXPLORED = 0.1
"""The share of requests for the fastest that go to one that was not measured yet: else only the first ever was."""

QUALITY, THRIFT, SPEED = 0.5, 0.25, 0.25
"""What counts how much in `balanced`."""

_CANNOT = {
    "tools": "cannot call tools",
    "vision": "takes no pictures",
    "json": "cannot be held to a form of JSON",
    "stream": "does not stream",
}


class Needs(Struct, frozen=True):
    """What a request needs of whoever answers. `input_tokens` is what it is about; `output_tokens` what was asked for
    at most, if anything was."""

    does: frozenset[Ability] = frozenset()
    input_tokens: int = 0
    output_tokens: int = 0


class Known(Struct, frozen=True):
    """What is known of one target for one request. None: nobody knows.

    `nano_usd`: what the request is expected to cost; `first_s` and `tokens_per_s` as measured in `measured` answers;
    `quality` for the task, more is better. `spare`: it stands in for others, and comes after them.
    """

    name: str
    nano_usd: int | None = None
    first_s: float | None = None
    tokens_per_s: float | None = None
    measured: int = 0
    quality: float | None = None
    output_tokens: int = 500
    spare: bool = False

    @property
    def takes_s(self) -> float | None:
        """How long the whole answer is expected to take."""
        if self.measured < LEAST_MEASURED or self.first_s is None:
            return None
        return self.first_s + (self.output_tokens / self.tokens_per_s if self.tokens_per_s else 0.0)


class Placed(Struct, frozen=True):
    """A target in its place, by its number among those that were given, and why it stands there."""

    place: int
    why: str


def lacks(needs: Needs, does: Sequence[Ability], context: int | None) -> str | None:
    """Why a model cannot carry the request; None where it can, or nobody knows what it can."""
    if does:
        for ability in needs.does:
            if ability not in does:
                return _CANNOT.get(ability, f"cannot do {ability}")
    if context is not None and needs.input_tokens + needs.output_tokens > context:
        wanted = needs.input_tokens + needs.output_tokens
        return f"context too small: about {wanted:,} tokens are wanted of {context:,}"
    return None


def ordered(
    route: Route,
    known: Sequence[Known],
    chance: Callable[[], float],
    learned: Callable[[Sequence[Known]], list[Placed]] | None = None,
) -> list[Placed]:
    """All of them, first to last. `chance` gives numbers from 0 to 1; `learned` orders by what was learned."""
    if route.choose == "learned" and learned is not None:
        placed = learned(known)
    else:
        placed = _ORDERS.get(route.choose, _listed)(known, chance)
    return sorted(placed, key=lambda one: known[one.place].spare)


def cost_text(nano_usd: int | None) -> str:
    """An amount of one request, short."""
    return "price not known" if nano_usd is None else f"${nano_usd / NANO_PER_USD:.3g} expected"


def speed_text(one: Known) -> str:
    takes_s = one.takes_s
    if takes_s is None:
        return f"measured {one.measured} of {LEAST_MEASURED} times" if one.measured else "not measured yet"
    rate = f", {one.tokens_per_s:.0f} tokens/s" if one.tokens_per_s else ""
    return f"about {takes_s:.2f} s: first token {one.first_s:.2f} s{rate}"


def scores(known: Sequence[Known]) -> list[float]:
    """Of `balanced`, from 0 to 1: quality, thrift and speed, each among these. What is not known counts as the least
    of quality, and as the middle of the others."""
    quality = _shares([one.quality for one in known], unknown=0.0)
    thrift = _shares([None if one.nano_usd is None else -math.log1p(one.nano_usd) for one in known], unknown=0.5)
    speed = _shares([None if one.takes_s is None else -math.log(max(one.takes_s, 0.001)) for one in known], unknown=0.5)
    return [
        QUALITY * good + THRIFT * cheap + SPEED * fast for good, cheap, fast in zip(quality, thrift, speed, strict=True)
    ]


def _listed(known: Sequence[Known], chance: Callable[[], float]) -> list[Placed]:
    return [Placed(place, f"number {place + 1} of the list") for place in range(len(known))]


def _cheapest(known: Sequence[Known], chance: Callable[[], float]) -> list[Placed]:
    places = sorted(range(len(known)), key=lambda place: (_cost(known[place]), place))
    return [Placed(place, cost_text(known[place].nano_usd)) for place in places]


def _fastest(known: Sequence[Known], chance: Callable[[], float]) -> list[Placed]:
    times = [one.takes_s for one in known]
    places = sorted(range(len(known)), key=lambda place: (times[place] is None, times[place] or 0.0, place))
    placed = [Placed(place, speed_text(known[place])) for place in places]
    unknown = [place for place in places if times[place] is None and not known[place].spare]
    if unknown and (len(unknown) == len(known) or chance() < EXPLORED):
        place = min(unknown, key=lambda place: known[place].measured)
        told = Placed(place, f"asked to be measured: {speed_text(known[place])}")
        placed = [told, *(one for one in placed if one.place != place)]
    return placed


def _best(known: Sequence[Known], chance: Callable[[], float]) -> list[Placed]:
    def key(place: int) -> tuple[bool, float, float, int]:
        one = known[place]
        return one.quality is None, -(one.quality or 0.0), _cost(one), place

    def why(one: Known) -> str:
        return f"quality {one.quality:g}" if one.quality is not None else f"no figure; {cost_text(one.nano_usd)}"

    return [Placed(place, why(known[place])) for place in sorted(range(len(known)), key=key)]


def _balanced(known: Sequence[Known], chance: Callable[[], float]) -> list[Placed]:
    found = scores(known)
    places = sorted(range(len(known)), key=lambda place: (-found[place], place))
    return [Placed(place, f"{found[place]:.2f} of 1 by quality, cost and speed") for place in places]


def _cost(one: Known) -> float:
    return math.inf if one.nano_usd is None else one.nano_usd


def _shares(values: Sequence[float | None], unknown: float) -> list[float]:
    """Each from 0 (the least of them) to 1 (the most)."""
    there = [value for value in values if value is not None]
    if not there or max(there) == min(there):
        return [unknown if value is None else 0.5 for value in values]
    least, span = min(there), max(there) - min(there)
    return [unknown if value is None else (value - least) / span for value in values]


_ORDERS: dict[str, Callable[[Sequence[Known], Callable[[], float]], list[Placed]]] = {
    "listed": _listed,
    "cheapest": _cheapest,
    "fastest": _fastest,
    "best": _best,
    "balanced": _balanced,
}
