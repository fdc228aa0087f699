"""How the providers are: what this process knows of each target, and what the book says of the last minutes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import median
from typing import TYPE_CHECKING

from msgspec import Struct

from ownkey.catalog.manifest import Kind
from ownkey.engine.targets import Candidate
from ownkey.routing.health import KINDS, Health, Reached, State
from ownkey.store.tries import LastTry
from ownkey.wires.remaining import Allowance, allowance

if TYPE_CHECKING:
    from ownkey.app.house import House

SINCE_S = 900.0
MOST_TRIES = 2_000
"""How much of the book is looked at: the last quarter of an hour, and no more tries than that."""

_WORST_LAST: tuple[State, ...] = ("well", "probing", "failing", "quiet", "resting")


class TargetHealth(Struct, frozen=True):
    """Of one model at one provider. `success`: the share of its last tries that it answered, from 0 to 1, leaving out
    what was wrong with the request, the key or the account. `first_ms`, `whole_ms`: half of its answers began, ended
    sooner; `tokens_per_s` between the two. None: nothing is known. `allowance`: the asking person's own.

    `live`: this process has asked it, and knows its `state` itself; else that is worked out from the book.
    """

    model: str
    state: State
    live: bool
    since_ms: int | None = None
    success: float | None = None
    first_ms: int | None = None
    whole_ms: int | None = None
    tokens_per_s: float | None = None
    last_error: str | None = None
    allowance: Allowance | None = None


class ProviderHealth(Struct, frozen=True):
    """`state`: of its best target; `failing` where nothing answered the last probe. `reached`: what came of that, if
    there was one; `reached_ms` when."""

    provider: str
    name: str
    kind: Kind
    state: State
    targets: tuple[TargetHealth, ...]
    reached: Reached | None = None
    reached_ms: int | None = None


class ConditionBook:
    """As one person may see it: providers that they can ask and the models these are known to have, with shares and
    times, and nobody's volume."""

    def __init__(self, house: House, owner: str) -> None:
        self._house = house
        self._owner = owner

    def listed(self) -> list[ProviderHealth]:
        now_ms = time.time_ns() // 1_000_000
        tries: dict[tuple[str, str], list[LastTry]] = defaultdict(list)
        for one in self._house.store.last_tries.since(now_ms - int(SINCE_S * 1000), MOST_TRIES):
            tries[one.provider, one.model].append(one)
        candidates = self._house.targets.candidates(self._owner).values()
        return [self._provider(one, tries, now_ms) for one in candidates if one.usable]

    def _provider(self, one: Candidate, tries: dict[tuple[str, str], list[LastTry]], now_ms: int) -> ProviderHealth:
        id = one.provider.id
        asked = {model for provider, model in tries if provider == id}
        asked |= {name.partition("/")[2] for name in self._house.conditions.all() if name.partition("/")[0] == id}
        targets = tuple(
            self._target(id, model, tries.get((id, model), []), now_ms) for model in sorted(asked) if one.has(model)
        )
        reached = self._house.conditions.reached.get(id)
        used = self._house.conditions.used.get(id)
        away = reached is not None and reached.error is not None and (used is None or used.at_s < reached.at_s)
        return ProviderHealth(
            id,
            one.provider.name,
            one.provider.kind,
            "failing" if away else best([target.state for target in targets]),
            targets,
            reached,
            None if reached is None else now_ms - int((time.monotonic() - reached.at_s) * 1000),
        )

    def _target(self, provider: str, model: str, tries: Sequence[LastTry], now_ms: int) -> TargetHealth:
        name, now_s = f"{provider}/{model}", time.monotonic()
        known = self._house.conditions.all().get(name)
        live = known is not None and known.tries > 0
        health = known if known is not None and live else replayed(tries)
        at_s = now_s if live else now_ms / 1000
        since_s = health.since_s
        return TargetHealth(
            model,
            health.state(at_s),
            live,
            None if since_s is None else now_ms - int((at_s - since_s) * 1000),
            success(tries),
            _median(one.first_ms for one in tries if one.stream and one.answered),
            _median(one.total_ms for one in tries if one.answered),
            speed(tries),
            health.last_error,
            self._allowance(name),
        )

    def _allowance(self, target: str) -> Allowance | None:
        heard = self._house.conditions.heard(self._owner, target)
        return None if heard is None else allowance(*heard)


def best(states: Iterable[State]) -> State:
    known = set(states)
    for state in _WORST_LAST:
        if state in known:
            return state
    return "unknown"


def replayed(tries: Iterable[LastTry]) -> Health:
    """The health of a target as whoever asked it has learned it; times are epoch seconds."""
    health = Health()
    for one in sorted(tries, key=lambda one: one.started_at_ms + (one.total_ms or 0)):
        asker, began_s = object(), one.started_at_ms / 1000
        health.asked(asker, began_s, streamed=False)
        ended_s = began_s + (one.total_ms or 0) / 1000
        if one.answered:
            health.answered(asker, ended_s)
        elif one.error in KINDS:
            health.failed(asker, KINDS[one.error](""), ended_s)
        else:
            health.left(asker)
    return health


def success(tries: Iterable[LastTry]) -> float | None:
    told = [one.answered for one in tries if one.answered or one.error in KINDS]
    return sum(told) / len(told) if told else None


def speed(tries: Iterable[LastTry]) -> float | None:
    """Tokens a second between the first word and the last, over all."""
    tokens = spent_ms = 0
    for one in tries:
        if one.answered and one.output_tokens and one.first_ms is not None and one.total_ms is not None:
            tokens += one.output_tokens if one.total_ms > one.first_ms else 0
            spent_ms += one.total_ms - one.first_ms
    return 1000 * tokens / spent_ms if spent_ms else None


def _median(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return round(median(known)) if known else None
