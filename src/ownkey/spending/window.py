"""Spans of time that a budget is for: half-open, of one after the other, none missing. Pure.

A day is a day of its zone: 23 or 25 hours where the clock is changed.
"""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from ownkey.talk.errors import InvalidRequest

Period = Literal["day", "week", "month", "cycle", "ever"]

FOREVER = (0, 2**53)

_QUARTER_MS = 900_000


class Window(Struct, frozen=True):
    """`zone` is an IANA name. `anchor_day`: of the month, on which a billing cycle begins (in shorter months the last
    day), or of the week (1 is Monday). Months are calendar months."""

    period: Period = "month"
    zone: str = "UTC"
    anchor_day: int = 1


def check(window: Window) -> None:
    """Raises InvalidRequest, naming the field."""
    try:
        ZoneInfo(window.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidRequest(
            f"There is no time zone {window.zone[:40]!r}.", "Use an IANA name such as Europe/Berlin.", param="zone"
        ) from None
    most = 7 if window.period == "week" else 31
    if not 1 <= window.anchor_day <= most:
        raise InvalidRequest(f"anchor_day is from 1 to {most}.", param="anchor_day")


def span(window: Window, at_ms: int) -> tuple[int, int]:
    """The span of the window that `at_ms` falls into: its start, and its end, which is the start of the next."""
    if window.period == "ever":
        return FOREVER
    return _span(window, at_ms // _QUARTER_MS)


@lru_cache(maxsize=4096)
def _span(window: Window, quarter: int) -> tuple[int, int]:
    """Every request asks for it, and bounds fall on quarters of an hour of UTC, as all zones' have since 1972."""
    at_ms, zone = quarter * _QUARTER_MS, ZoneInfo(window.zone)
    first, after = _dates(window, datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone).date())
    if at_ms >= _midnight_ms(after, zone):
        # The clock was put back over midnight: what has begun does not begin again.
        first, after = _dates(window, after)
    return _midnight_ms(first, zone), _midnight_ms(after, zone)


def _dates(window: Window, today: date) -> tuple[date, date]:
    """The first day of the span, and the first of the next."""
    match window.period:
        case "day":
            return today, today + timedelta(days=1)
        case "week":
            first = today - timedelta(days=(today.isoweekday() - window.anchor_day) % 7)
            return first, first + timedelta(days=7)
        case "month":
            return _anchored(today.year, today.month, 1), _anchored(*_next(today.year, today.month), 1)
        case _:
            anchor = window.anchor_day
            first = _anchored(today.year, today.month, anchor)
            if today < first:
                return _anchored(*_before(today.year, today.month), anchor), first
            return first, _anchored(*_next(today.year, today.month), anchor)


def _anchored(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, calendar.monthrange(year, month)[1]))


def _next(year: int, month: int) -> tuple[int, int]:
    return (year + 1, 1) if month == 12 else (year, month + 1)


def _before(year: int, month: int) -> tuple[int, int]:
    return (year - 1, 12) if month == 1 else (year, month - 1)


def _midnight_ms(day: date, zone: ZoneInfo) -> int:
    """The first moment of that day: the first after a midnight that is skipped, the earlier of two."""
    there = datetime(day.year, day.month, day.day, tzinfo=zone)
    return int(there.timestamp() * 1000)
