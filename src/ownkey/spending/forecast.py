"""What a month will come to, from what its days have: with the pattern of the week, and how far it may be off. Pure.

A day's expectation is a recent level, with its rise or fall, times its weekday's share, which is drawn towards a flat
week while little is known. Single days far above the rest count as less than they were. How far it may be off comes
from how far the known days are off.
"""

from __future__ import annotations

import calendar
import statistics
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from msgspec import Struct

from ownkey.spending.quote import about

RECENT_DAYS = 56
WEEK = 7
PRIOR_DAYS = 3
"""Days of a flat week that each weekday is taken to have had already."""

LEAST_DAYS = 1
NORMAL_80 = 1.2816
"""Standard deviations within which 80 % of normal days lie."""

UNUSUAL_DAYS = 7
UNUSUAL_TIMES = 6.0
UNUSUAL_NANO = 100_000_000
"""Less than ten cents more is no reason to wake anybody."""


class Projection(Struct, frozen=True):
    """Of the month: what is spent so far, what it will come to, and between which two amounts in 8 of 10 months.

    All in nano-USD. `days` is how many past days it is worked out from.
    """

    spent: int
    expected: int
    low: int
    high: int
    days: int

    def __str__(self) -> str:
        said = f"You're on track for {about(self.expected)} this month"
        if self.high > self.low and about(self.low) != about(self.high):
            return f"{said}, between {about(self.low)} and {about(self.high)}."
        return f"{said}."


class Coverage(Struct, frozen=True):
    """How projections of past months fared: how many there were, the share within their interval, and the median error
    as a share of what the month came to."""

    projections: int
    within: float
    median_error: float


class Unusual(Struct, frozen=True):
    """A day far off its pattern: what was spent, and what was expected by then, in nano-USD."""

    spent: int
    expected: int


def project(spent_by_day: Mapping[date, int], today: date, passed: float) -> Projection | None:
    """Of the month that `today` is in; `passed` is the share of today that is over. None: nothing is known yet.

    Days that are missing between the first and today had nothing.
    """
    known = _days(spent_by_day, today)
    month = [day for day in known if (day.year, day.month) == (today.year, today.month)]
    now = spent_by_day.get(today, 0)
    spent = sum(known[day] for day in month) + now
    if len(known) < LEAST_DAYS:
        return None
    expect = _Expecting(known, today)
    rest_of_today = expect.of(today) * (1 - min(1.0, max(0.0, passed)))
    length = calendar.monthrange(today.year, today.month)[1]
    ahead = [date(today.year, today.month, day) for day in range(today.day + 1, length + 1)]
    expected = spent + rest_of_today + sum(map(expect.of, ahead))
    days_left = len(ahead) + 1 - min(1.0, max(0.0, passed))
    off = NORMAL_80 * expect.spread(days_left)
    return Projection(spent, round(expected), max(spent, round(expected - off)), round(expected + off), len(known))


def run_out(limit: int, spent: int, spent_by_day: Mapping[date, int], today: date, until: date) -> date | None:
    """The day on which a budget will be used up, before `until`; None where it lasts, or nothing is known."""
    known = _days(spent_by_day, today)
    if spent >= limit:
        return today
    if len(known) < LEAST_DAYS:
        return None
    expect, left, day = _Expecting(known, today), float(limit - spent), today
    while day < until:
        # Of today a part is over, and in what was spent already.
        left -= expect.of(day) if day > today else max(0.0, expect.of(day) - spent_by_day.get(today, 0))
        if left <= 0:
            return day
        day += timedelta(days=1)
    return None


def unusual(spent_by_day: Mapping[date, int], today: date, passed: float) -> Unusual | None:
    """Whether so much was spent today as is far off the pattern of the days before; never less than ten cents."""
    known = _days(spent_by_day, today)
    if len(known) < UNUSUAL_DAYS:
        return None
    now = spent_by_day.get(today, 0)
    expect = _Expecting(known, today)
    usual = expect.of(today)
    amounts = sorted(known.values())
    middle = statistics.median(amounts)
    away = statistics.median(abs(amount - middle) for amount in amounts) * 1.4826
    most = max(usual, amounts[-1] * 0.5) + UNUSUAL_TIMES * max(away, 0.1 * usual)
    if now > most and now - usual > UNUSUAL_NANO:
        return Unusual(now, round(usual * min(1.0, max(passed, 0.0))))
    return None


def backtest(spent_by_day: Mapping[date, int], at_days: Sequence[int] = (8, 12, 16, 20, 24)) -> Coverage | None:
    """Every past month, projected from within it as it was known then, beside what it came to."""
    if not spent_by_day:
        return None
    first, last = min(spent_by_day), max(spent_by_day)
    errors: list[float] = []
    within = 0
    day = first + timedelta(days=28)
    while day <= last:
        length = calendar.monthrange(day.year, day.month)[1]
        if day.day in at_days and date(day.year, day.month, length) <= last:
            so_far = {one: amount for one, amount in spent_by_day.items() if one < day}
            told = project(so_far, day, 0.0)
            true = sum(spent_by_day.get(date(day.year, day.month, number), 0) for number in range(1, length + 1))
            if told is not None and true:
                errors.append(abs(told.expected - true) / true)
                within += told.low <= true <= told.high
        day += timedelta(days=1)
    return Coverage(len(errors), within / len(errors), statistics.median(errors)) if errors else None


def _days(spent_by_day: Mapping[date, int], today: date) -> dict[date, int]:
    """Every day from the first on which something was spent, up to yesterday; the recent ones."""
    begun = [day for day, amount in spent_by_day.items() if day < today and amount]
    if not begun:
        return {}
    first = max(min(begun), today - timedelta(days=RECENT_DAYS))
    number = (today - first).days
    return {day: spent_by_day.get(day, 0) for day in (first + timedelta(days=place) for place in range(number))}


class _Expecting:
    """What is expected of a day, by the days that are known: a level that may rise or fall, and the week's pattern."""

    def __init__(self, known: Mapping[date, int], today: date) -> None:
        tamed = _tamed(known)
        self._today = today
        self._shares = _shares(tamed)
        self._trend = _trend({(day - today).days: amount for day, amount in tamed.items()})
        self._off = [amount - self.of(day) for day, amount in known.items()]

    def of(self, day: date) -> float:
        return max(0.0, self._trend.at((day - self._today).days)) * self._shares[day.weekday()]

    def spread(self, days: float) -> float:
        """The standard deviation of the sum of so many days to come: each is off by itself, the level and its rise as
        a whole."""
        number, level = len(self._off), max(0.0, self._trend.at(0))
        if number < 2:
            return level * days
        # Of few days nobody knows how far they may be off.
        daily = max(statistics.stdev(self._off), level / number)
        middle = days / 2 - self._trend.centre
        as_a_whole = self._trend.level_error**2 + (self._trend.rise_error * middle) ** 2
        return float((days * daily**2 + days**2 * as_a_whole) ** 0.5)


class _Trend(Struct, frozen=True):
    """A line through the days: `centre` is their middle, before today; how far level and rise may be off."""

    centre: float
    level: float
    rise: float
    level_error: float
    rise_error: float

    def at(self, day: int) -> float:
        return self.level + self.rise * (day - self.centre)


def _trend(amounts: Mapping[int, float]) -> _Trend:
    """Recent days count most. The rise is from one week to the next, day by day, so that the week's pattern does not
    matter, and is drawn towards none as far as it may be chance (James and Stein)."""
    weights = {day: 0.5 ** (-day / (2 * WEEK)) for day in amounts}
    total = sum(weights.values())
    centre = sum(weights[day] * day for day in amounts) / total
    level = sum(weights[day] * amount for day, amount in amounts.items()) / total
    number = total**2 / sum(weight**2 for weight in weights.values())
    spread = statistics.stdev(amounts.values()) if len(amounts) > 1 else 0.0
    rises = {day: (amount - amounts[day - WEEK]) / WEEK for day, amount in amounts.items() if day - WEEK in amounts}
    if len(rises) < WEEK:
        return _Trend(centre, level, 0.0, spread / number**0.5, 0.0)
    total = sum(weights[day] for day in rises)
    rise = sum(weights[day] * one for day, one in rises.items()) / total
    rise_error = statistics.stdev(rises.values()) * sum(weights[day] ** 2 for day in rises) ** 0.5 / total
    sure = max(0.0, 1 - (rise_error / rise) ** 2) if rise else 0.0
    return _Trend(centre, level, rise * sure, _spread_in_weeks(amounts) / number**0.5, rise_error)


def _spread_in_weeks(amounts: Mapping[int, float]) -> float:
    """How far a day is off the same day of the week before: without the week's pattern."""
    off = [amount - amounts[day - WEEK] for day, amount in amounts.items() if day - WEEK in amounts]
    return statistics.stdev(off) / 2**0.5


def _tamed(known: Mapping[date, int]) -> dict[date, float]:
    """A day that is far above the rest tells less of the days to come than it was."""
    amounts = sorted(known.values())
    if len(amounts) < WEEK:
        return {day: float(amount) for day, amount in known.items()}
    high = statistics.quantiles(amounts, n=10, method="inclusive")[-1]
    most = high + 2 * max(0.0, high - statistics.median(amounts))
    return {day: min(float(amount), max(most, 1.0)) for day, amount in known.items()}


def _shares(amounts: Mapping[date, float]) -> list[float]:
    """Of each weekday, beside an average day; together they make a week."""
    average = statistics.fmean(amounts.values())
    if average <= 0:
        return [1.0] * WEEK
    shares: list[float] = []
    for weekday in range(WEEK):
        own = [amount / average for day, amount in amounts.items() if day.weekday() == weekday]
        shares.append((sum(own) + PRIOR_DAYS) / (len(own) + PRIOR_DAYS))
    total = sum(shares)
    return [share * WEEK / total for share in shares]
