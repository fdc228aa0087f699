"""A book as simple as can be, which the real one must agree with, and a random life for both.

Nothing of the real one's is used: what counts where is worked out here from every attempt, each time anew.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ownkey.spending.budget import Budget
from ownkey.spending.window import Window
from ownkey.store.entry import Ending, Hold

SCOPES = ("owner", "provider", "model", "key_id", "token_id", "automation")
START_MS = int(datetime(2028, 2, 27, 22, tzinfo=UTC).timestamp() * 1000)


@dataclass
class Attempt:
    hold: Hold
    holder: int
    ending: Ending | None = None


@dataclass
class Model:
    """Every attempt and every budget."""

    budgets: dict[str, Budget] = field(default_factory=dict)
    attempts: dict[str, Attempt] = field(default_factory=dict)

    def fits(self, hold: Hold) -> bool:
        for budget in self.budgets.values():
            if budget.limit is None or not _matches(budget, hold):
                continue
            spent, pending = self.counts(budget, hold.started_at_ms)
            amount = {"usd": hold.held_nano, "tokens": hold.held_tokens, "requests": 1}[budget.unit]
            if amount and spent + pending + amount > budget.limit:
                return False
        return True

    def counts(self, budget: Budget, at_ms: int) -> tuple[int, int]:
        start, end = _days(budget.window, at_ms)
        spent = pending = 0
        for attempt in self.attempts.values():
            if _matches(budget, attempt.hold) and start <= attempt.hold.started_at_ms < end:
                one_spent, one_pending = _counts(budget.unit, attempt)
                spent, pending = spent + one_spent, pending + one_pending
        return spent, pending

    def over(self) -> list[str]:
        """Budgets of which more is spent and pending than was ever allowed at once; none, if all goes well."""
        return [id for id, budget in self.budgets.items() if not self._within(budget)]

    def _within(self, budget: Budget) -> bool:
        starts = {_days(budget.window, attempt.hold.started_at_ms)[0] for attempt in self.attempts.values()}
        return all(sum(self.counts(budget, start)) <= (budget.limit or 0) for start in starts)


def _matches(budget: Budget, hold: Hold) -> bool:
    return all(getattr(budget, name) in (None, getattr(hold, name)) for name in SCOPES)


def _counts(unit: str, attempt: Attempt) -> tuple[int, int]:
    hold, ending = attempt.hold, attempt.ending
    if ending is None:
        return 0, {"usd": hold.held_nano, "tokens": hold.held_tokens, "requests": 1}[unit]
    if unit == "usd":
        return ending.cost_nano, 0
    if ending.state == "released":
        return 0, 0
    if unit == "requests":
        return 1, 0
    told = [tokens for tokens in (ending.input_tokens, ending.output_tokens) if tokens is not None]
    return (sum(told) if told else hold.held_tokens), 0


def _days(window: Window, at_ms: int) -> tuple[int, int]:
    """In UTC, by counting days one by one: slow, and nothing that could be wrong in the same way."""
    if window.period == "ever":
        return 0, 2**60
    day = datetime.fromtimestamp(at_ms / 1000, UTC).replace(hour=0, minute=0, second=0, microsecond=0)

    def begins(one: datetime) -> bool:
        last_of_month = (one + timedelta(days=1)).day == 1
        match window.period:
            case "day":
                return True
            case "week":
                return one.isoweekday() == window.anchor_day
            case "month":
                return one.day == 1
            case _:
                return one.day == window.anchor_day or (last_of_month and one.day < window.anchor_day)

    while not begins(day):
        day -= timedelta(days=1)
    end = day + timedelta(days=1)
    while not begins(end):
        end += timedelta(days=1)
    return int(day.timestamp() * 1000), int(end.timestamp() * 1000)


@dataclass
class Life:
    """What happens, by chance: the same for the same seed."""

    seed: int
    clock_ms: int = START_MS
    _number: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def hold(self, most: int = 1_000) -> Hold:
        chance, self._number = self.random, self._number + 1
        self.clock_ms += chance.randrange(20_000)
        return Hold(
            id=f"{self.seed:08x}.{self._number:08d}",
            request_id=f"{self.seed:08x}.{self._number:08d}",
            attempt=1,
            owner=chance.choice(("ann", "bob")),
            token_id=chance.choice((None, "t1")),
            key_id=chance.choice((None, "k1", "k2")),
            provider=chance.choice(("p1", "p2")),
            model=chance.choice(("m1", "m2")),
            wire="w",
            stream=False,
            held_nano=chance.randrange(most),
            priced=True,
            price="",
            started_at_ms=self.clock_ms,
            automation=chance.choice((None, None, "a1")),
            held_tokens=chance.randrange(most),
        )

    def ending(self, hold: Hold) -> Ending:
        chance = self.random
        state: Any = chance.choice(("exact", "exact", "counted", "released", "assumed"))
        cost = 0 if state == "released" else hold.held_nano if state == "assumed" else chance.randint(0, hold.held_nano)
        told = state in ("exact", "counted")
        half = hold.held_tokens // 2
        return Ending(
            hold.id,
            state,
            cost,
            input_tokens=chance.randint(0, half) if told else None,
            output_tokens=chance.randint(0, half) if told else None,
            ended_at_ms=hold.started_at_ms + 1,
            total_ms=chance.randrange(100_000),
        )

    def jump(self) -> None:
        """The clock is set: an hour back, a day on, a year on and, some time later, back."""
        hour_ms = 3_600_000
        self.clock_ms += self.random.choice((-hour_ms, hour_ms, 24 * hour_ms, -24 * hour_ms))
        self.clock_ms = max(self.clock_ms, START_MS - 400 * 24 * hour_ms)

    def budget(self, number: int | None = None) -> Budget:
        chance = self.random
        which = chance.randrange(7) if number is None else number
        scope: dict[str, Any] = (
            {},
            {"owner": "ann"},
            {"provider": "p1"},
            {"key_id": "k1"},
            {"token_id": "t1", "owner": "bob"},
            {"automation": "a1"},
            {"provider": "p1", "model": "m1"},
        )[which]
        period: Any = chance.choice(("day", "week", "month", "cycle", "ever"))
        anchor = 1 if period not in ("week", "cycle") else chance.choice((1, 3, 7) if period == "week" else (1, 15, 31))
        unit: Any = chance.choice(("usd", "usd", "tokens", "requests"))
        limit = chance.randrange(60) if unit == "requests" else chance.randrange(30_000)
        return Budget(id=f"b{which}", unit=unit, limit=limit, window=Window(period, "UTC", anchor), **scope)

    def limit_changed(self, budget: Budget) -> Budget:
        """Often lowered under what is spent."""
        most = 60 if budget.unit == "requests" else 30_000
        values = {name: getattr(budget, name) for name in budget.__struct_fields__}
        return Budget(**(values | {"limit": self.random.randrange(most)}))

    def some(self, ids: list[str], most: int) -> Iterator[str]:
        chosen = self.random.sample(ids, min(len(ids), self.random.randint(0, most)))
        return iter(chosen)
