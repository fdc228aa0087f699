"""What a month will come to: checked on past months, of which the end is known."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ownkey.spending.forecast import backtest, project, run_out, unusual

CENT = 10_000_000
FIRST = date(2027, 1, 4)


def series(kind: str, seed: int, days: int = 300) -> dict[date, int]:
    chance = random.Random(seed)
    made: dict[date, int] = {}
    for number in range(days):
        day = FIRST + timedelta(days=number)
        if kind == "weekdays":
            amount = chance.gauss(200, 40) if day.weekday() < 5 else chance.gauss(10, 5)
        elif kind == "growing":
            amount = chance.gauss(50 * 1.006**number, 15)
        elif kind == "bursts":
            amount = chance.expovariate(1 / 40) + (800 if chance.random() < 0.03 else 0)
        else:
            amount = 100
        made[day] = max(0, int(amount * CENT))
    return made


@pytest.mark.row("B13")
@pytest.mark.row("C14")
@pytest.mark.parametrize(
    ("kind", "least_within", "most_error"),
    [("even", 1.0, 0.001), ("weekdays", 0.8, 0.06), ("growing", 0.7, 0.08), ("bursts", 0.6, 0.30)],
)
def test_the_projection_holds_on_past_months(kind: str, least_within: float, most_error: float) -> None:
    for seed in range(5):
        found = backtest(series(kind, seed))
        assert found is not None
        print(kind, seed, found)
        assert found.projections >= 30
        assert found.within >= least_within
        assert found.median_error <= most_error


@pytest.mark.row("B13")
@pytest.mark.parametrize("kind", ["weekdays", "growing", "bursts"])
def test_the_interval_holds_in_8_of_10_past_months(kind: str) -> None:
    """Over many series, since the projections of one month are much alike."""
    found = [told for seed in range(20) if (told := backtest(series(kind, 100 + seed)))]
    number = sum(one.projections for one in found)
    held = sum(one.within * one.projections for one in found) / number
    assert number >= 600
    assert held >= 0.8


@pytest.mark.parametrize("back", range(1, 29, 3))
def test_one_day_far_off_changes_the_days_to_come_little(back: int) -> None:
    today = date(2027, 3, 1)
    days = {today - timedelta(days=number): 100 * CENT for number in range(1, 43)}
    plain = project(days, today, 0.0)
    shot = project(days | {today - timedelta(days=back): 10_000 * CENT}, today, 0.0)
    assert plain is not None
    assert shot is not None
    assert shot.expected - shot.spent < 1.5 * (plain.expected - plain.spent)


@given(
    st.dictionaries(st.integers(0, 60), st.integers(0, 10**11), max_size=60),
    st.integers(0, 10**13),
    st.integers(0, 10**13),
)
def test_a_larger_budget_never_runs_out_sooner(amounts: dict[int, int], limit: int, more: int) -> None:
    today = FIRST + timedelta(days=61)
    days = {FIRST + timedelta(days=number): amount for number, amount in amounts.items()}
    until = today + timedelta(days=40)
    small, large = (run_out(most, 10**9, days, today, until) for most in (limit, limit + more))
    assert small is None or today <= small < until
    assert large is None or (small is not None and small <= large)


def test_the_weekend_is_known_to_be_quiet() -> None:
    days = series("weekdays", 7)
    friday = date(2027, 9, 24)
    assert friday.weekday() == 4
    so_far = {day: amount for day, amount in days.items() if day <= friday}
    told = project(so_far, friday, 1.0)
    assert told is not None
    # Six days are left: a weekend and four working days.
    assert told.expected - told.spent == pytest.approx(4 * 200 * CENT + 2 * 10 * CENT, rel=0.2)


def test_nothing_is_told_before_anything_is_known() -> None:
    today = date(2027, 5, 10)
    assert project({}, today, 0.5) is None
    assert project({today: 5 * CENT}, today, 0.5) is None
    told = project({today - timedelta(days=1): 5 * CENT}, today, 0.5)
    assert told is not None
    assert told.days == 1


def test_it_is_said_in_a_sentence() -> None:
    days = {date(2027, 6, number): 100 * CENT for number in range(1, 11)}
    told = project(days, date(2027, 6, 11), 0.0)
    assert str(told).startswith("You're on track for $30.00 this month")


@given(
    st.dictionaries(st.integers(0, 120), st.integers(0, 10**12), max_size=60),
    st.integers(0, 130),
    st.floats(0, 1),
)
def test_figures_stand_in_order_and_never_below_what_is_spent(amounts: dict[int, int], now: int, passed: float) -> None:
    days = {FIRST + timedelta(days=number): amount for number, amount in amounts.items() if number <= now}
    today = FIRST + timedelta(days=now)
    told = project(days, today, passed)
    if told is not None:
        assert 0 <= told.spent <= told.low <= told.expected <= told.high
        of_the_month = [amount for day, amount in days.items() if (day.year, day.month) == (today.year, today.month)]
        assert told.spent == sum(of_the_month)


def test_the_day_on_which_a_budget_runs_out() -> None:
    days = {date(2027, 6, number): 100 * CENT for number in range(1, 11)}
    today, end = date(2027, 6, 11), date(2027, 7, 1)
    assert run_out(1_550 * CENT, 1_000 * CENT, days, today, end) == date(2027, 6, 16)
    assert run_out(5_000 * CENT, 1_000 * CENT, days, today, end) is None
    assert run_out(1_000 * CENT, 1_000 * CENT, days, today, end) == today
    assert run_out(1_000 * CENT, 0, {}, today, end) is None


def test_only_what_is_far_off_the_pattern_is_unusual() -> None:
    days = series("weekdays", 3, 60)
    today = FIRST + timedelta(days=60)
    assert unusual(days | {today: 300 * CENT}, today, 0.5) is None
    found = unusual(days | {today: 2_000 * CENT}, today, 0.5)
    assert found is not None
    assert found.spent == 2_000 * CENT
    assert unusual({today: 2_000 * CENT}, today, 0.5) is None
    tiny = {day: amount // 10_000 for day, amount in days.items()}
    assert unusual(tiny | {today: 9 * CENT}, today, 0.5) is None
    wild = series("bursts", 3, 60)
    alarms = [day for day in list(wild)[20:] if unusual({d: a for d, a in wild.items() if d <= day}, day, 1.0)]
    assert len(alarms) <= 2
