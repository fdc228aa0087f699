"""Dates as people say them in a meeting, by the day on which it was."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date, timedelta

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "ten": 10}
_MONTH = "|".join(name[:3] + (f"(?:{name[3:]})?" if len(name) > 3 else "") for name in _MONTHS)
_ISO = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_DAY_MONTH = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? ({_MONTH})\b\.?(?:,? (\d{{4}}))?", re.IGNORECASE)
_MONTH_DAY = re.compile(rf"\b({_MONTH})\b\.? (\d{{1,2}})(?:st|nd|rd|th)?\b(?:,? (\d{{4}}))?", re.IGNORECASE)
_IN = re.compile(r"\b(?:in|within) (\d{1,3}|[a-z]+) (day|week|month)s?\b", re.IGNORECASE)
_WEEKDAY = re.compile(rf"\b(?:(next|this) )?({'|'.join(_DAYS)})\b", re.IGNORECASE)
_END = re.compile(r"\bend of (?:the |this )?(day|week|month|quarter|year)\b", re.IGNORECASE)


def due(text: str, meeting: date) -> date | None:
    """The day that is meant, None where none is said. A weekday is the next one after the meeting; `next` before it,
    the one of the week after. A day without a year is not before the meeting."""
    for read in (_written, _counted, _ends, _weekday):
        try:
            if (found := read(text, meeting)) is not None:
                return found
        except (ValueError, OverflowError):
            continue
    return None


def _written(text: str, meeting: date) -> date | None:
    if found := _ISO.search(text):
        return date(int(found[1]), int(found[2]), int(found[3]))
    day, month, year = 0, "", None
    if found := _DAY_MONTH.search(text):
        day, month, year = int(found[1]), found[2], found[3]
    elif found := _MONTH_DAY.search(text):
        day, month, year = int(found[2]), found[1], found[3]
    if not month:
        return None
    number = next(place for place, name in enumerate(_MONTHS, 1) if name.startswith(month.lower()[:3]))
    if year is not None:
        return date(int(year), number, day)
    this = date(meeting.year, number, day)
    return this if this >= meeting else date(meeting.year + 1, number, day)


def _counted(text: str, meeting: date) -> date | None:
    small = text.lower()
    if "day after tomorrow" in small:
        return meeting + timedelta(days=2)
    if "tomorrow" in small:
        return meeting + timedelta(days=1)
    if re.search(r"\b(?:today|tonight)\b", small):
        return meeting
    if found := _IN.search(text):
        count = int(found[1]) if found[1].isdigit() else _NUMBERS.get(found[1].lower(), 0)
        if not count:
            return None
        return (
            _months_on(meeting, count)
            if found[2].lower() == "month"
            else meeting + timedelta(days=count * (7 if found[2].lower() == "week" else 1))
        )
    return None


def _ends(text: str, meeting: date) -> date | None:
    found = _END.search(text)
    span = found[1].lower() if found else ""
    if span == "day":
        return meeting
    if span == "week":
        return meeting + timedelta(days=(4 - meeting.weekday()) % 7)
    if span == "month":
        return meeting.replace(day=monthrange(meeting.year, meeting.month)[1])
    if span == "quarter":
        month = (meeting.month + 2) // 3 * 3
        return date(meeting.year, month, monthrange(meeting.year, month)[1])
    return date(meeting.year, 12, 31) if span == "year" else None


def _weekday(text: str, meeting: date) -> date | None:
    if found := _WEEKDAY.search(text):
        ahead = (_DAYS.index(found[2].lower()) - meeting.weekday()) % 7 or 7
        if (found[1] or "").lower() == "next":
            monday = meeting + timedelta(days=7 - meeting.weekday())
            return monday + timedelta(days=_DAYS.index(found[2].lower()))
        return meeting + timedelta(days=ahead)
    if re.search(r"\bnext week\b", text, re.IGNORECASE):
        return meeting + timedelta(days=11 - meeting.weekday())
    return None


def _months_on(day: date, count: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
