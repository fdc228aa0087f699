"""What a limit would have done with what was used before, and what it does now, before it is set. Pure.

What was used is known by the hour: a limit that was passed was passed at some time within the hour that is told.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from msgspec import Struct

from ownkey.spending.budget import Budget, Room
from ownkey.spending.refusal import show
from ownkey.spending.window import Window, span
from ownkey.talk.money import say_usd


class Stop(Struct, frozen=True):
    """In one window: what was used of it, in the budget's unit, and the hour in which the limit was passed."""

    start_ms: int
    used: int
    at_ms: int


class Cut(Struct, frozen=True):
    """Of so many runs, how many took more than the caps of a run let them."""

    runs: int
    cut: int


class Preview(Struct, frozen=True):
    """With what was used from `since_ms` to `until_ms`: in how many windows of it the limit would have stopped runs,
    and when first. `room` is how things stand now: where nothing is left, or less than is spent and pending, every run
    would be refused until the window ends. `cut` is None where there are no caps on runs."""

    since_ms: int
    until_ms: int
    used: int
    windows: int
    stops: tuple[Stop, ...]
    cut: Cut | None
    room: Room

    @property
    def refuses(self) -> bool:
        return self.room.left == 0

    @property
    def over(self) -> int:
        """By how much spent and pending are above the limit already."""
        limit = self.room.budget.limit
        return 0 if limit is None else max(0, self.room.spent + self.room.pending - limit)


def last_month(budget: Budget, now_ms: int) -> tuple[int, int]:
    """The month that is over, in the budget's zone; of a billing cycle the cycle. Of weeks those that end in it."""
    window = budget.window
    month = window if window.period in ("month", "cycle") else Window("month", window.zone)
    start_ms, _ = span(month, now_ms)
    since_ms, until_ms = span(month, start_ms - 1)
    if window.period == "week":
        since_ms, until_ms = span(window, since_ms)[0], span(window, until_ms)[0]
    return since_ms, until_ms


def preview(budget: Budget, by_hour: Mapping[int, int], room: Room, now_ms: int, cut: Cut | None = None) -> Preview:
    """`by_hour`: what was used in each hour, by the time at which it began, in the budget's unit; at least of all hours
    of `last_month`."""
    since_ms, until_ms = last_month(budget, now_ms)
    used: dict[int, int] = {}
    stops: dict[int, Stop] = {}
    for hour_ms in sorted(hour for hour in by_hour if since_ms <= hour < until_ms):
        start_ms, _ = span(budget.window, hour_ms)
        used[start_ms] = used.get(start_ms, 0) + by_hour[hour_ms]
        if budget.limit is not None and used[start_ms] > budget.limit:
            at_ms = stops[start_ms].at_ms if start_ms in stops else hour_ms
            stops[start_ms] = Stop(start_ms, used[start_ms], at_ms)
    windows = _windows(budget.window, since_ms, until_ms)
    return Preview(since_ms, until_ms, sum(used.values()), windows, tuple(stops.values()), cut, room)


def sentences(one: Preview) -> list[str]:
    """The same in words, what matters most first."""
    said: list[str] = []
    budget, zone = one.room.budget, ZoneInfo(one.room.budget.window.zone)
    if budget.limit is not None:
        if one.refuses:
            taken = show(one.room.spent + one.room.pending, budget.unit)
            until = "" if budget.window.period == "ever" else f" until {_day(one.room.end_ms, zone)}"
            said.append(f"{taken} are spent or pending already: every run would be refused{until}.")
        said.append(_then(one, zone))
    if one.cut is not None:
        runs = "1 run" if one.cut.cut == 1 else f"{one.cut.cut:,} runs"
        last = f"of last month's {one.cut.runs:,}"
        cut = f"{runs} {last} would have been cut short or refused." if one.cut.cut else f"No run {last} took so much."
        said.append(cut)
    return said


def _then(one: Preview, zone: ZoneInfo) -> str:
    budget = one.room.budget
    begins = "With last month's use this would"
    if not one.stops:
        return f"{begins} not have stopped you: you used {_amount(one.used, budget)}."
    at = datetime.fromtimestamp(one.stops[0].at_ms / 1000, UTC).astimezone(zone)
    on = f"on the {_ordinal(at.day)}"
    match budget.window.period:
        case "day":
            days = "1 day" if len(one.stops) == 1 else f"{len(one.stops)} days"
            return f"{begins} have stopped you on {days} of {one.windows}, first {on}."
        case "week":
            return f"{begins} have stopped you in {len(one.stops)} of {one.windows} weeks, first {on}."
        case _:
            return f"{begins} have stopped you {on}."


def _amount(amount: int, budget: Budget) -> str:
    if budget.unit != "usd":
        return show(amount, budget.unit)
    cents = -(-amount // 10_000_000)
    return say_usd(cents * 10_000_000 if amount >= 10_000_000 else amount)


def _day(at_ms: int, zone: ZoneInfo) -> str:
    at = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone)
    return f"{at.day} {calendar.month_name[at.month]}"


def _ordinal(day: int) -> str:
    ending = "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"


def _windows(window: Window, since_ms: int, until_ms: int) -> int:
    if window.period == "ever":
        return 1
    count, at_ms = 0, since_ms
    while at_ms < until_ms:
        count, at_ms = count + 1, span(window, at_ms)[1]
    return count
