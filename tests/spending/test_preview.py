"""What a limit would have done with last month's use, before it is set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ownkey.spending.budget import Budget, Room
from ownkey.spending.preview import Cut, Preview, last_month, preview, sentences
from ownkey.spending.window import Window, span

USD = 10**9
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def ms(*when: int, zone: str = "UTC") -> int:
    return int(datetime(*when, tzinfo=ZoneInfo(zone)).timestamp() * 1000)  # type: ignore[misc]


def seen(by_hour: dict[int, int], spent: int = 0, pending: int = 0, cut: Cut | None = None, **budget: Any) -> Preview:
    made = Budget(id="b_1", **{"limit": 5 * USD, **budget})
    now_ms = int(NOW.timestamp() * 1000)
    start_ms, end_ms = span(made.window, now_ms)
    room = Room(budget=made, start_ms=start_ms, end_ms=end_ms, spent=spent, pending=pending)
    return preview(made, by_hour, room, now_ms, cut)


def october(nano_a_day: int) -> dict[int, int]:
    first = datetime(2026, 10, 1, 9, tzinfo=UTC)
    return {int((first + timedelta(days=day)).timestamp() * 1000): nano_a_day for day in range(31)}


@pytest.mark.row("C12")
def test_it_says_on_which_day_of_last_month_it_would_have_stopped_you() -> None:
    found = seen(october(220_000_000))
    (stop,) = found.stops
    assert (stop.at_ms, stop.start_ms) == (ms(2026, 10, 23, 9), ms(2026, 10, 1))
    assert (found.used, found.windows, found.refuses, found.over) == (31 * 220_000_000, 1, False, 0)
    assert sentences(found) == ["With last month's use this would have stopped you on the 23rd."]


def test_a_limit_that_is_reached_exactly_stops_nobody() -> None:
    assert seen(october(USD), limit=31 * USD).stops == ()
    assert seen(october(USD), limit=31 * USD - 1).stops != ()
    assert sentences(seen(october(100_000_000))) == [
        "With last month's use this would not have stopped you: you used $3.10."
    ]


def test_what_was_used_in_other_months_does_not_count() -> None:
    before, after = ms(2026, 9, 30, 23), ms(2026, 11, 1)
    assert seen({before: 100 * USD, after: 100 * USD}).used == 0


@pytest.mark.parametrize(
    ("day", "said"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (13, "13th"),
                      (21, "21st"), (22, "22nd"), (31, "31st")],
)  # fmt: skip
def test_days_are_told_as_people_say_them(day: int, said: str) -> None:
    assert sentences(seen({ms(2026, 10, day, 8): 6 * USD})) == [
        f"With last month's use this would have stopped you on the {said}."
    ]


def test_a_month_is_that_of_the_budgets_zone() -> None:
    tokyo = Window("month", "Asia/Tokyo")
    first_hour = {ms(2026, 10, 1, 0, zone="Asia/Tokyo"): 6 * USD}
    assert sentences(seen(first_hour, window=tokyo))[0].endswith("on the 1st.")
    assert seen(first_hour).used == 0


def test_of_days_and_weeks_it_counts_in_how_many() -> None:
    days = {ms(2026, 10, day, 8): 6 * USD for day in (5, 6, 19)}
    assert sentences(seen(days, window=Window("day"))) == [
        "With last month's use this would have stopped you on 3 days of 31, first on the 5th."
    ]
    assert sentences(seen(days, window=Window("week"))) == [
        "With last month's use this would have stopped you in 2 of 4 weeks, first on the 5th."
    ]


def test_a_cycle_is_the_one_that_is_over() -> None:
    cycle = Window("cycle", "UTC", 15)
    found = seen({ms(2026, 10, 15, 0): 3 * USD, ms(2026, 11, 14, 23): 3 * USD}, window=cycle)
    assert (found.since_ms, found.until_ms) == (ms(2026, 10, 15), ms(2026, 11, 15))
    assert sentences(found) == ["With last month's use this would have stopped you on the 14th."]


def test_it_says_that_everything_would_be_refused_from_now_on() -> None:
    found = seen({}, spent=4 * USD, pending=2 * USD)
    assert (found.refuses, found.over) == (True, USD)
    assert sentences(found)[0] == "$6.00 are spent or pending already: every run would be refused until 1 December."
    ever = sentences(seen({}, spent=5 * USD, window=Window("ever")))[0]
    assert ever == "$5.00 are spent or pending already: every run would be refused."


def test_it_says_how_many_runs_a_cap_would_have_cut() -> None:
    cap: dict[str, Any] = {"limit": None, "run_hard_nano": 1}
    assert sentences(seen({}, cut=Cut(1200, 3), **cap)) == [
        "3 runs of last month's 1,200 would have been cut short or refused."
    ]
    assert sentences(seen({}, cut=Cut(1200, 1), **cap))[0].startswith("1 run of")
    assert sentences(seen({}, cut=Cut(1200, 0), **cap)) == ["No run of last month's 1,200 took so much."]


def test_tokens_and_requests_are_told_in_their_own_words() -> None:
    assert "12" in sentences(seen({ms(2026, 10, 2): 12}, unit="requests", limit=20))[0]
    assert "tokens" in sentences(seen({ms(2026, 10, 2): 12}, unit="tokens", limit=20))[0]


WINDOWS = st.builds(
    Window,
    st.sampled_from(["day", "week", "month", "cycle"]),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns"]),
    st.integers(1, 7),
)


@given(
    WINDOWS,
    st.lists(st.tuples(st.integers(-40 * 24, 70 * 24), st.integers(0, 1000)), max_size=40),
    st.integers(1, 5000),
)
def test_each_window_is_stopped_where_its_own_sum_is_above_the_limit(
    window: Window, used: list[tuple[int, int]], limit: int
) -> None:
    begin = ms(2026, 9, 15)
    by_hour: dict[int, int] = {}
    for hour, amount in used:
        by_hour[begin + hour * 3_600_000] = by_hour.get(begin + hour * 3_600_000, 0) + amount
    found = seen(by_hour, unit="requests", limit=limit, window=window)
    within = {hour: amount for hour, amount in by_hour.items() if found.since_ms <= hour < found.until_ms}
    sums: dict[int, int] = {}
    for hour, amount in within.items():
        start_ms, _ = span(window, hour)
        sums[start_ms] = sums.get(start_ms, 0) + amount
    assert {stop.start_ms: stop.used for stop in found.stops} == {at: sum for at, sum in sums.items() if sum > limit}
    for stop in found.stops:
        before = sum(amount for hour, amount in within.items() if stop.start_ms <= hour < stop.at_ms)
        assert before <= limit < before + within[stop.at_ms]
    assert found.since_ms < found.until_ms <= int(NOW.timestamp() * 1000)
    assert last_month(found.room.budget, int(NOW.timestamp() * 1000)) == (found.since_ms, found.until_ms)
