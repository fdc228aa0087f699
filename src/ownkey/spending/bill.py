"""A provider's own bill beside the book: read from a CSV file, compared by day and model. Pure.

Columns are found by name. OpenAI's export of costs (API usage dashboard, Cost, Export: one row for each day, line item
and key) has `start_time_iso`, `end_time_iso`, `amount_value`, `amount_currency` and `line_item`, as the objects of its
API do (platform.openai.com, API reference, Costs); days are those of UTC (help.openai.com, Understanding your API
usage). A line item is such as `gpt-4o-2024-08-06, cached input`, `gpt-audio-mini audio, output` or
`priority | gpt-5, output`, and where it is no model's `web search tool calls`. Anthropic's (Claude Console, Cost,
Export) has `usage_date_utc`, `model`, as people read it (`Claude Haiku 4.5`), `token_type` and `cost_usd`. DeepSeek's
has `start_time_iso` in its own zone, `model`, `cost` and `currency`. Neither documents its columns: they are as in
files that people show. Any other file needs a day, an amount and, if it can, a model.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from fractions import Fraction

from msgspec import Struct

from ownkey.talk.errors import InvalidRequest
from ownkey.talk.money import NANO_PER_USD

DAYS = ("usage_date_utc", "start_time_iso", "start_time", "utc_date", "date", "day")
ENDS = ("end_time_iso", "end_time")
MODELS = ("model", "line_item")
AMOUNTS = ("amount_value", "cost_usd", "amount_usd", "cost", "amount")
CURRENCIES = ("amount_currency", "currency")
SEPARATORS = (",", ";", "\t")

MOST_UNREAD = 100
"""Rows that are named; of more only their number is told."""

LONGEST_MODEL = 200

_AMOUNT = re.compile(r"(-?)\$?(\d{1,12}(?:\.\d{1,60})?|\.\d{1,60})(?:[eE]([+-]?\d{1,2}))?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_EPOCH_S = re.compile(r"\d{9,10}", re.ASCII)


class Unread(Struct, frozen=True):
    """A row that says nothing: its line in the file, and why."""

    line: int
    why: str


class Bill(Struct, frozen=True):
    """`charges` in nano-USD by day and model, as the bill names it; '' where it names none. `first` and `last` are the
    days that it is about. `unread_rows` are in none of it; `unread` names the first of them."""

    charges: dict[tuple[date, str], int]
    first: date
    last: date
    unread_rows: int
    unread: tuple[Unread, ...]


def read_bill(lines: Iterable[str], zone: tzinfo = UTC) -> Bill:
    """The bill in the lines of a CSV file; `zone` is the one whose days it has. Amounts are summed exactly and rounded
    once. Raises InvalidRequest where it is no bill, or not one row of it can be read."""
    try:
        return _read(iter(lines), zone)
    except csv.Error as error:
        raise InvalidRequest(f"The bill is no CSV file: {error}.", _HINT) from None


def _read(lines: Iterator[str], zone: tzinfo) -> Bill:
    above, header = 1, next(lines, "")
    while header and not header.strip():
        above, header = above + 1, next(lines, "")
    if not header:
        raise InvalidRequest("The bill is empty.", _HINT)
    separator = max(SEPARATORS, key=header.count)
    columns = _Columns(next(csv.reader([header], delimiter=separator)), zone)
    sums: dict[tuple[date, str], Fraction] = {}
    days: set[date] = set()
    unread: list[Unread] = []
    unread_rows = 0
    rows = csv.reader(lines, delimiter=separator)
    for row in rows:
        if not any(map(str.strip, row)):
            continue
        try:
            day, model, amount = columns.read(row)
        except ValueError as error:
            unread_rows += 1
            if len(unread) < MOST_UNREAD:
                unread.append(Unread(above + rows.line_num, str(error)))
            continue
        days.add(day)
        if amount is not None:
            sums[day, model] = sums.get((day, model), Fraction(0)) + amount
    if not days:
        said = f": line {unread[0].line}, {unread[0].why}" if unread else ""
        raise InvalidRequest(f"The bill has no row that can be read{said}.", _HINT)
    charges = {place: round(amount * NANO_PER_USD) for place, amount in sums.items()}
    return Bill(charges, min(days), max(days), unread_rows, tuple(unread))


_HINT = "It needs a row of names first: a day (date), an amount in dollars (cost) and, if it can, a model."


class _Columns:
    """Where in a row what stands. Raises InvalidRequest where a day or an amount is nowhere."""

    def __init__(self, names: Sequence[str], zone: tzinfo) -> None:
        places: dict[str, int] = {}
        for number, name in enumerate(names):
            places.setdefault(name.strip().strip("\ufeff").lower(), number)

        def place(known: Sequence[str]) -> int | None:
            return next((places[name] for name in known if name in places), None)

        self._day, self._end, self._model = place(DAYS), place(ENDS), place(MODELS)
        self._amount, self._currency = place(AMOUNTS), place(CURRENCIES)
        self._item = "model" not in places
        self._zone = zone
        missing = [name for name, at in (("day", self._day), ("amount", self._amount)) if at is None]
        if missing:
            there = ", ".join(map(repr, _cut(list(places))))
            raise InvalidRequest(f"The bill has no column for the {' and the '.join(missing)}, only {there}.", _HINT)

    def read(self, row: Sequence[str]) -> tuple[date, str, Fraction | None]:
        """A day, a model and an amount in dollars, None where the row says only that nothing was charged.

        Raises ValueError, saying why it cannot be read.
        """
        day = self._day_of(row)
        said = _cell(row, self._amount)
        if not said:
            return day, "", None
        currency = _cell(row, self._currency)
        if currency and currency.lower() != "usd":
            raise ValueError(f"its amount is in {currency[:20]!r}, not in USD")
        amount = _AMOUNT.fullmatch(said)
        if amount is None:
            raise ValueError(f"its amount {said[:40]!r} is not one such as 12.34")
        sign, digits, exponent = amount.groups()
        dollars = Fraction(digits) * Fraction(10) ** int(exponent or 0)
        model = _cell(row, self._model)
        if len(model) > LONGEST_MODEL or not model.isprintable():
            raise ValueError("its model is not a name")
        return day, _model_of(model) if self._item else model, -dollars if sign else dollars

    def _day_of(self, row: Sequence[str]) -> date:
        said = _cell(row, self._day)
        if _DAY.fullmatch(said):
            # A day without a time is one of the zone's already.
            return _at(said).date()
        day = _at(said).astimezone(self._zone).date()
        end = _cell(row, self._end)
        if end and (_at(end) - timedelta(microseconds=1)).astimezone(self._zone).date() != day:
            raise ValueError("it is for more than one day: name the zone whose days the bill has")
        return day


def _at(said: str) -> datetime:
    """A time in ISO 8601, of UTC where it says no zone, or in epoch seconds."""
    if _EPOCH_S.fullmatch(said):
        return datetime.fromtimestamp(int(said), UTC)
    try:
        at = datetime.fromisoformat(said) if _DAY.match(said) else None
    except ValueError:
        at = None
    # In the first and the last year that can be counted not every zone has a day.
    if at is None or not 1970 <= at.year <= 9000:
        raise ValueError(f"its day {said[:40]!r} is not one such as 2026-11-01")
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _model_of(item: str) -> str:
    """The model of a line item, which says the tier before it, and the kind of its tokens after it."""
    head, comma, _ = item.rpartition(" | ")[2].partition(",")
    return head.split()[0] if comma and head.strip() else head.strip()


def _cell(row: Sequence[str], place: int | None) -> str:
    return "" if place is None or place >= len(row) else row[place].strip()


def _cut(names: list[str]) -> list[str]:
    return [name[:40] for name in names[:12]]
