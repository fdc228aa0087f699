"""Windows of budgets: half-open, one after the other, none missing, through leap days and clocks that are changed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ownkey.spending.window import Window, check, span
from ownkey.talk.errors import InvalidRequest

# With clocks put back over midnight, midnights that are skipped, half hours and quarters, and a day that never was.
ZONES = (
    *("UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "America/St_Johns", "America/Havana"),
    *("Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Kiritimati", "Etc/GMT+12", "Asia/Beirut"),
)
FIRST = int(datetime(2007, 1, 1, tzinfo=UTC).timestamp() * 1000)
LAST = int(datetime(2040, 1, 1, tzinfo=UTC).timestamp() * 1000)
HOUR_MS = 3_600_000


@pytest.mark.row("A11")
@given(
    st.sampled_from(("day", "week", "month", "cycle")),
    st.sampled_from(ZONES),
    st.integers(1, 31),
    st.integers(FIRST, LAST),
)
def test_B21_every_moment_is_in_one_window_and_they_follow_each_other(
    period: str, zone: str, anchor: int, at_ms: int
) -> None:
    window = Window(period, zone, 1 + anchor % 7 if period == "week" else anchor)  # type: ignore[arg-type]
    start, end = span(window, at_ms)
    assert start <= at_ms < end
    assert span(window, start) == span(window, end - 1) == (start, end)
    assert span(window, end)[0] == end
    assert span(window, start - 1)[1] == start
    begins = datetime.fromtimestamp(start / 1000, UTC).astimezone(ZoneInfo(zone))
    # Where midnight is skipped the day begins later, never earlier.
    assert begins.hour in (0, 1)
    hours = (end - start) / HOUR_MS
    least, most = {"day": (22, 49), "week": (143, 193), "month": (646, 770), "cycle": (646, 770)}[period]
    assert least <= hours <= most


def at(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def days(window: Window, text: str) -> tuple[str, str]:
    zone = ZoneInfo(window.zone)
    bounds = [datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone) for ms in span(window, at(text, window.zone))]
    return bounds[0].strftime("%Y-%m-%d %H:%M"), bounds[1].strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("window", "moment", "expected"),
    [
        (Window("month"), "2028-02-29T23:59:59.999", ("2028-02-01 00:00", "2028-03-01 00:00")),
        (Window("month"), "2027-12-31T23:59", ("2027-12-01 00:00", "2028-01-01 00:00")),
        (Window("cycle", "UTC", 31), "2028-02-28T12:00", ("2028-01-31 00:00", "2028-02-29 00:00")),
        (Window("cycle", "UTC", 31), "2028-02-29T00:00", ("2028-02-29 00:00", "2028-03-31 00:00")),
        (Window("cycle", "UTC", 31), "2027-03-30T00:00", ("2027-02-28 00:00", "2027-03-31 00:00")),
        (Window("cycle", "UTC", 15), "2028-01-14T23:59", ("2027-12-15 00:00", "2028-01-15 00:00")),
        (Window("week"), "2027-11-21T12:00", ("2027-11-15 00:00", "2027-11-22 00:00")),
        (Window("week", "UTC", 7), "2027-11-21T12:00", ("2027-11-21 00:00", "2027-11-28 00:00")),
        (Window("day", "Pacific/Kiritimati"), "2027-06-01T00:00", ("2027-06-01 00:00", "2027-06-02 00:00")),
        (Window("day", "Etc/GMT+12"), "2027-06-01T23:59", ("2027-06-01 00:00", "2027-06-02 00:00")),
    ],
)
def test_B21_edges_of_days_weeks_months_and_cycles(window: Window, moment: str, expected: tuple[str, str]) -> None:
    assert days(window, moment) == expected


@pytest.mark.parametrize(("day", "hours"), [("2027-03-28", 23), ("2027-10-31", 25), ("2027-10-30", 24)])
def test_B21_a_day_on_which_the_clock_is_changed_is_a_day(day: str, hours: int) -> None:
    start, end = span(Window("day", "Europe/Berlin"), at(f"{day}T12:00", "Europe/Berlin"))
    assert (end - start) / HOUR_MS == hours


def test_B21_a_midnight_that_comes_twice_begins_one_day() -> None:
    """In St. John's the clock was put back at one minute past midnight, until 2011."""
    window = Window("day", "America/St_Johns")
    first = int(datetime(2010, 11, 7, 2, 30, tzinfo=UTC).timestamp() * 1000)
    starts = {span(window, first + minute * 60_000)[0] for minute in range(0, 120, 15)}
    assert starts == {first}


def test_a_window_that_never_ends_has_everything_in_it() -> None:
    assert span(Window("ever"), 0)[0] == 0
    assert span(Window("ever"), LAST)[1] > LAST


@pytest.mark.parametrize(
    "window",
    [
        Window("day", "Mars/Olympus"),
        Window("day", ""),
        Window("day", "../../etc/passwd"),
        Window("week", "UTC", 8),
        Window("cycle", "UTC", 0),
        Window("cycle", "UTC", 32),
    ],
)
def test_a_window_that_cannot_be_is_refused(window: Window) -> None:
    with pytest.raises(InvalidRequest):
        check(window)


def test_all_days_of_a_long_time_are_there_once() -> None:
    window, day = Window("day", "America/Sao_Paulo"), date(2016, 1, 1)
    ms = span(window, at("2016-01-01T12:00", "America/Sao_Paulo"))[0]
    zone = ZoneInfo(window.zone)
    for _ in range(1_200):
        assert datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone).date() == day
        ms, day = span(window, ms)[1], day + timedelta(days=1)
