"""What one transaction of the book changes: which holds are given, what the counters and the rollups become. Pure.

The pens bring the rows, and write what stands here when it is done.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec
from msgspec import Struct, structs

from ownkey.spending.budget import (
    NOWHERE,
    SCOPES,
    Budget,
    Budgets,
    Count,
    Falls,
    Place,
    Refused,
    Room,
    Scope,
    room_in,
)
from ownkey.spending.latency import BUCKETS, bucket
from ownkey.spending.window import span
from ownkey.store.entry import Ending, Hold
from ownkey.store.tables import SUMMED

HOUR_MS = 3_600_000
DAY_MS = 86_400_000


class Wish(Struct, frozen=True):
    """A hold that is asked for. Where it is more than there is room for, as little as `least_*` will do.

    `waits`: rather than be refused, or be given less, it comes again when what is pending has ended. `accepted`:
    a person said yes to passing a budget that asks; `limits`: to that one, as `over_budget:ID`.
    """

    hold: Hold
    least_nano: int | None = None
    least_tokens: int | None = None
    waits: bool = False
    accepted: bool = False
    limits: frozenset[str] = frozenset()


Verdict = Hold | Refused

Ended = tuple[str, str, str, str, str | None, str | None, str | None, int, int, int, int, int]
"""A row that has ended, by `COLUMNS_OF_ENDED`."""

COLUMNS_OF_ENDED = (
    *("id", "owner", "provider", "model", "key_id", "token_id", "automation"),
    *("started_at_ms", "held_nano", "held_tokens", "priced", "attempt"),
)


class Alert(Struct, frozen=True):
    """What a person should know of. Its id says what it is about: nothing is told twice."""

    id: str
    kind: str
    owner: str | None
    budget_id: str | None
    message: str
    facts: str
    at_ms: int


COLUMNS_OF_A_ROLLUP = ("start_ms", "owner", "provider", "model", "key_id", "token_id", "automation")

Rollup = tuple[int, str, str, str, str, str, str]
"""Which it is, by these."""

USD, TOKENS, REQUESTS = 0, 1, 2
UNITS = {"usd": USD, "tokens": TOKENS, "requests": REQUESTS}

_FIRST_COUNT = 13
_WIDTH = _FIRST_COUNT + 2 * BUCKETS


class Posting:
    """One transaction. First `ended`, for each row that ended; then `places`, each locked and told by `found`;
    `settle`; then `decide`, for each hold in its turn."""

    def __init__(self, budgets: Budgets, closed_ms: int) -> None:
        self.budgets = budgets
        self.closed_ms = closed_ms
        self.counts: dict[Place, Count] = {}
        self.changed: set[Place] = set()
        self.hours: dict[Rollup, list[int]] = {}
        self.alerts: dict[str, Alert] = {}
        self._ended: dict[int, tuple[Falls, list[int]]] = {}
        self._fresh: set[Place] = set()
        self._under = NOWHERE
        self._left = [0, 0, 0]
        self._given = [0, 0, 0]
        self._at_ms = 0

    def ended(self, row: Ended, ending: Ending) -> None:
        """That row was held until now, and ended so."""
        self._at_ms = max(self._at_ms, ending.ended_at_ms)
        scope = row[1:7]
        owner, provider, model, key_id, token_id, automation = scope
        started_at_ms, held_nano, held_tokens, priced, attempt = row[7:]
        hour_ms = started_at_ms - started_at_ms % HOUR_MS
        key = (hour_ms, owner, provider, model, key_id or "", token_id or "", automation or "")
        sums = self.hours.get(key)
        if sums is None:
            sums = self.hours[key] = [0] * _WIDTH
        _add(sums, ending, bool(priced), attempt)
        falls = self.budgets.of(scope, started_at_ms)
        if falls.places:
            known = self._ended.get(id(falls))
            if known is None:
                known = self._ended[id(falls)] = (falls, [0] * 6)
            sums = known[1]
            sums[USD] += ending.cost_nano
            sums[TOKENS] += _tokens(ending, held_tokens)
            sums[REQUESTS] += ending.state != "released"
            sums[3 + USD] += held_nano
            sums[3 + TOKENS] += held_tokens
            sums[3 + REQUESTS] += 1

    def places(self, wishes: Iterable[Wish]) -> list[Place]:
        """Every counter that is needed, in the one order in which all transactions lock them."""
        under = {id(falls): falls for falls, _ in self._ended.values()}
        if self.budgets:
            for wish in wishes:
                falls = self.budgets.of(scope_of(wish.hold), wish.hold.started_at_ms)
                under[id(falls)] = falls
        return sorted({place for falls in under.values() for _, place in falls.places})

    def found(self, place: Place, count: Count, *, fresh: bool = False) -> None:
        """How that counter stands. `fresh`: it was counted from the rows just now, what this transaction ended among
        them."""
        self.counts[place] = count
        if fresh:
            self._fresh.add(place)
            self.changed.add(place)

    def decide_all(self, wishes: Iterable[Wish]) -> list[Verdict]:
        """Of each wish in its turn, after what ended has gone into the counters."""
        self._settle()
        verdicts = [self._decide(wish) for wish in wishes]
        self._put_down()
        return verdicts

    def days(self) -> dict[Rollup, list[int]]:
        """What belongs to days that are summed up already: of the others the hours are summed when the day is over."""
        days: dict[Rollup, list[int]] = {}
        for (hour_ms, *dimensions), sums in self.hours.items():
            if hour_ms >= self.closed_ms:
                continue
            key: Any = (hour_ms - hour_ms % DAY_MS, *dimensions)
            before = days.get(key)
            days[key] = sums if before is None else [a + b for a, b in zip(before, sums, strict=True)]
        return days

    def rows_of_counters(self) -> list[tuple[str, int, str, int, int]]:
        """Those that changed, in the order in which they were locked."""
        return [(*place, self.counts[place].spent, self.counts[place].pending) for place in sorted(self.changed)]

    def _settle(self) -> None:
        before: dict[Place, int] = {}
        for falls, sums in self._ended.values():
            for budget, place in falls.places:
                count = self.counts[place]
                unit = UNITS[budget.unit]
                if place in self._fresh:
                    before[place] = before.get(place, count.spent) - sums[unit]
                    continue
                before.setdefault(place, count.spent)
                count.spent += sums[unit]
                count.pending -= sums[3 + unit]
                self.changed.add(place)
        for place, spent in before.items():
            if not place[2]:
                self._tell(self.budgets.all[place[0]], place, spent, self.counts[place])

    def _decide(self, wish: Wish) -> Verdict:
        hold = wish.hold
        falls = self.budgets.of(scope_of(hold), hold.started_at_ms)
        if not falls.budgets:
            return hold
        if falls is not self._under:
            self._put_down()
            self._under, self._left = falls, self._room_under(falls)
        left, nano, tokens = self._left, hold.held_nano, hold.held_tokens
        if hold.priced and nano <= left[USD] and tokens <= left[TOKENS] and left[REQUESTS] > 0:
            given = self._given
            for unit, amount in ((USD, nano), (TOKENS, tokens), (REQUESTS, 1)):
                left[unit] -= amount
                given[unit] += amount
            return hold
        self._put_down()
        verdict = self._verdict(wish, falls)
        if isinstance(verdict, Refused) and verdict.why == "limit" and not verdict.later:
            self._alert(verdict.room, "budget_exhausted", "refused", hold.started_at_ms)
        return verdict

    def _room_under(self, falls: Falls) -> list[int]:
        """Of each unit, the most that may be given without a look at any one budget."""
        if any(each.run_hard_nano is not None or each.run_hard_tokens is not None for each in falls.budgets):
            return [-1, -1, 0]
        left = [NOWHERE.until_ms] * 3
        for budget, place in falls.places:
            unit = UNITS[budget.unit]
            left[unit] = min(left[unit], max(0, room_in(budget, place, self.counts[place])))
        return left

    def _put_down(self) -> None:
        """What was given under the same budgets, one hold after another, goes into their counters."""
        given = self._given
        if given[REQUESTS]:
            for budget, place in self._under.places:
                self.counts[place].pending += given[UNITS[budget.unit]]
                self.changed.add(place)
            self._given = [0, 0, 0]
        self._under = NOWHERE

    def _verdict(self, wish: Wish, falls: Falls) -> Verdict:
        """The hold as it is given, or why it is not."""
        hold = wish.hold
        nano, tokens = hold.held_nano, hold.held_tokens
        least_nano = nano if wish.least_nano is None else wish.least_nano
        least_tokens = tokens if wish.least_tokens is None else wish.least_tokens
        for budget in falls.budgets:
            if budget.run_hard_nano is not None or budget.run_hard_tokens is not None:
                nano = nano if budget.run_hard_nano is None else min(nano, budget.run_hard_nano)
                tokens = tokens if budget.run_hard_tokens is None else min(tokens, budget.run_hard_tokens)
                if nano < least_nano or tokens < least_tokens:
                    needs = least_nano if nano < least_nano else least_tokens
                    return Refused(self._room(budget, hold.started_at_ms), needs, "run")
        later: Refused | None = None
        for budget, place in falls.places:
            if budget.exhausted == "ask" and (wish.accepted or f"over_budget:{budget.id}" in wish.limits):
                continue
            count = self.counts[place]
            best = room_in(budget, place, count) + count.pending
            # What takes nothing fits even where a limit is passed.
            room = max(0, best - count.pending)
            if budget.unit == "usd":
                if not hold.priced:
                    return Refused(self._room(budget, hold.started_at_ms), 0, "price")
                wants, least = nano, least_nano
                nano = min(nano, room)
            elif budget.unit == "tokens":
                wants, least = tokens, least_tokens
                tokens = min(tokens, room)
            else:
                wants = least = 1
            if wants <= room:
                continue
            waits = wish.waits and count.pending > 0
            why: Literal["limit", "share"] = "share" if place[2] else "limit"
            refused = Refused(self._room(budget, hold.started_at_ms), least, why, waits and least <= best)
            if waits and (wants <= best or room < least <= best):
                later = later or refused
            elif least > room:
                return refused
        if later is not None:
            return later
        for budget, place in falls.places:
            amount = nano if budget.unit == "usd" else tokens if budget.unit == "tokens" else 1
            self.counts[place].pending += amount
            self.changed.add(place)
        return hold if (nano, tokens) == (hold.held_nano, hold.held_tokens) else _given(hold, nano, tokens)

    def _room(self, budget: Budget, at_ms: int) -> Room:
        start_ms, end_ms = span(budget.window, at_ms)
        count = self.counts.get((budget.id, start_ms, ""), Count())
        return Room(budget=budget, start_ms=start_ms, end_ms=end_ms, spent=count.spent, pending=count.pending)

    def _tell(self, budget: Budget, place: Place, before: int, count: Count) -> None:
        if budget.limit is None or budget.alert_percent is None:
            return
        for percent in {budget.alert_percent, 100}:
            if before * 100 < budget.limit * percent <= count.spent * 100:
                _, end_ms = span(budget.window, place[1])
                room = Room(budget=budget, start_ms=place[1], end_ms=end_ms, spent=count.spent, pending=count.pending)
                self._alert(room, "budget_threshold", str(percent), self._at_ms)

    def _alert(self, room: Room, kind: str, about: str, at_ms: int) -> None:
        """Once in each window: the id says which."""
        budget = room.budget
        id = f"budget:{budget.id}:{room.start_ms}:{about}"
        if id not in self.alerts:
            facts = {"limit": budget.limit, "spent": room.spent, "pending": room.pending, "unit": budget.unit}
            facts |= {"start_ms": room.start_ms, "end_ms": room.end_ms, "about": about, "name": budget.name}
            text = msgspec.json.encode(facts).decode()
            self.alerts[id] = Alert(id, kind, budget.owner, budget.id, told(room, about), text, at_ms)


def told(room: Room, about: str) -> str:
    """A budget's alert in words: `about` is the per cent that were spent, or that an attempt was refused."""
    name = room.budget.name or room.budget.id
    if about == "refused":
        return f"The budget {name} is used up: a run was refused."
    return f"The budget {name} has {about} % of its limit spent."


def scope_of(hold: Hold) -> Scope:
    return (hold.owner, hold.provider, hold.model, hold.key_id, hold.token_id, hold.automation)


def _add(sums: list[int], ending: Ending, priced: bool, attempt: int) -> None:
    """In the order of `SUMMED`."""
    sums[0] += 1
    sums[1] += ending.error is not None
    sums[2] += not priced and ending.state != "released"
    sums[3] += ending.cost_nano
    sums[4] += ending.input_tokens or 0
    sums[5] += ending.output_tokens or 0
    sums[6] += ending.cached_tokens or 0
    sums[7] += ending.cache_write_tokens or 0
    sums[8] += ending.reasoning_tokens or 0
    sums[9] += ending.input_audio_tokens or 0
    sums[10] += ending.output_audio_tokens or 0
    sums[11] += attempt == 1
    if ending.total_ms is not None:
        sums[12] += ending.total_ms
        sums[_FIRST_COUNT + bucket(ending.total_ms)] += 1
    if ending.first_ms is not None:
        sums[_FIRST_COUNT + BUCKETS + bucket(ending.first_ms)] += 1


def _tokens(ending: Ending, held_tokens: int) -> int:
    if ending.state == "released":
        return 0
    if ending.input_tokens is None and ending.output_tokens is None:
        return held_tokens
    return (ending.input_tokens or 0) + (ending.output_tokens or 0)


def _given(hold: Hold, nano: int, tokens: int) -> Hold:
    return structs.replace(hold, held_nano=nano, held_tokens=tokens)


_SPENT = {
    "usd": "cost_nano",
    "tokens": "CASE WHEN state IN ('held', 'released') THEN 0 WHEN input_tokens IS NULL AND output_tokens IS NULL"
    " THEN held_tokens ELSE coalesce(input_tokens, 0) + coalesce(output_tokens, 0) END",
    "requests": "CASE WHEN state IN ('held', 'released') THEN 0 ELSE 1 END",
}
_PENDING = {"usd": "held_nano", "tokens": "held_tokens", "requests": "1"}


def from_rows(budget: Budget, place: Place, mark: str) -> tuple[str, list[str | int]]:
    """SQL that counts what is spent and pending at a counter from the rows of the book, and its parameters.

    `mark` is the driver's word for a parameter.
    """
    start_ms, end_ms = span(budget.window, place[1])
    scope = {name: value for name in SCOPES if (value := getattr(budget, name)) is not None}
    if place[2]:
        scope["owner"] = place[2]
    where = "".join(f" AND {name} = {mark}" for name in scope)
    return (
        f"SELECT coalesce(sum({_SPENT[budget.unit]}), 0),"  # noqa: S608
        f" coalesce(sum(CASE WHEN state = 'held' THEN {_PENDING[budget.unit]} ELSE 0 END), 0)"
        f" FROM book WHERE started_at_ms >= {mark} AND started_at_ms < {mark}{where}",
        [start_ms, end_ms, *scope.values()],
    )


def close_days(mark: str) -> str:
    """SQL that sums up the days from one time to another by their hours; its parameters are the two."""
    start = f"start_ms / {DAY_MS} * {DAY_MS}"
    others = ", ".join(COLUMNS_OF_A_ROLLUP[1:])
    sums = ", ".join(f"sum({name})" for name in SUMMED)
    return (
        f"INSERT INTO usage_days (start_ms, {others}, {', '.join(SUMMED)})"  # noqa: S608
        f" SELECT {start}, {others}, {sums} FROM usage_hours WHERE start_ms >= {mark} AND start_ms < {mark}"
        f" GROUP BY {start}, {others}"
    )


def today_ms(now_ms: int) -> int:
    return now_ms - now_ms % DAY_MS
