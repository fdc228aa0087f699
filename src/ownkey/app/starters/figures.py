"""What a table of figures says, computed exactly: sums, changes, shares, extremes, and what stands out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise

from msgspec import Struct

from ownkey.app.automations.tables import Table
from ownkey.app.starters.numbers import Style, number, show, style_of

MOST_COLUMNS = 12
"""Columns of figures that are told of; the first ones."""

_TOTAL = re.compile(r"\s*(?:grand |sub)?-?(?:totals?|sum|summe|gesamt|total)\b", re.IGNORECASE)
_LABELS = re.compile(r"\b(?:year|month|quarter|week|day|date|id|no|number|code|account|nr)\b", re.IGNORECASE)
_ENOUGH = Decimal("0.8")
_MOST_OUTLIERS = 5


class Fact(Struct, frozen=True):
    """`value` is exact but where `says` has it rounded: means and per cents, to two and one decimals."""

    id: str
    column: str
    says: str
    value: Decimal


class Column(Struct, frozen=True):
    """Figures with the labels of their rows; `percent`: they are shares, of which no sum is taken."""

    name: str
    labels: tuple[str, ...]
    values: tuple[Decimal, ...]
    missing: int
    percent: bool


class Figures(Struct, frozen=True):
    """`known` are all numbers in the table, and all that were computed. `warnings`: what is wrong with the table."""

    rows: int
    columns: tuple[str, ...]
    facts: tuple[Fact, ...]
    known: tuple[Decimal, ...]
    warnings: tuple[str, ...]


def figures(table: Table) -> Figures:
    """A row of totals is left out of what is summed, and compared with it."""
    style = style_of(cell for row in table.rows for cell in row)
    is_figures = [_is_figures(table, place, style) for place in range(len(table.columns))]
    label_at = next((place for place, is_one in enumerate(is_figures) if not is_one), None)
    rows = [row for row in table.rows if label_at is None or not _TOTAL.match(row[label_at])]
    totals = [row for row in table.rows if label_at is not None and _TOTAL.match(row[label_at])]
    facts: list[Fact] = []
    warnings: list[str] = []
    named: list[str] = []
    for place in [place for place, is_one in enumerate(is_figures) if is_one][:MOST_COLUMNS]:
        column = _column(table, rows, place, label_at, style)
        if not column.values:
            continue
        named.append(column.name)
        facts += [
            Fact(f"F{number_of}", column.name, says, value)
            for number_of, (says, value) in enumerate(_said(column), len(facts) + 1)
        ]
        if column.missing:
            warnings.append(f"{column.name}: {column.missing} of {len(rows)} rows have no figure.")
        warnings += [warning for row in totals for warning in _wrong_total(column, row[place], style)]
    inside = [value for row in table.rows for cell in row if (value := number(cell, style)) is not None]
    known = (*inside, *(fact.value for fact in facts))
    return Figures(len(rows), tuple(named), tuple(facts), known, tuple(warnings))


def _is_figures(table: Table, place: int, style: Style) -> bool:
    cells = [row[place] for row in table.rows if row[place]]
    read = [value for cell in cells if (value := number(cell, style)) is not None]
    if not read or Decimal(len(read)) < _ENOUGH * len(cells):
        return False
    years = all(value == int(value) and 1900 <= value <= 2100 for value in read)
    return not (years or (place == 0 and _LABELS.search(table.columns[place])))


def _column(table: Table, rows: Sequence[tuple[str, ...]], place: int, label_at: int | None, style: Style) -> Column:
    labels: list[str] = []
    values: list[Decimal] = []
    for count, row in enumerate(rows, 1):
        value = number(row[place], style)
        if value is not None:
            labels.append(row[label_at] if label_at is not None and row[label_at] else f"row {count}")
            values.append(value)
    percent = all(row[place].endswith("%") for row in rows if row[place])
    name = table.columns[place]
    return Column(name, tuple(labels), tuple(values), len(rows) - len(values), percent)


def _said(column: Column) -> Iterator[tuple[str, Decimal]]:
    values, labels, unit = column.values, column.labels, "%" if column.percent else ""
    whole = sum(values, Decimal(0))
    if not column.percent and len(values) > 1:
        yield f"sum of {len(values)} rows: {show(whole)}", whole
    if len(values) > 1:
        mean = _rounded(whole / len(values), 2)
        yield f"mean: {show(mean)}{unit}", mean
        for what, value in (("largest", max(values)), ("smallest", min(values))):
            yield f"{what}: {show(value)}{unit} ({labels[values.index(value)]})", value
    yield from _changes(column, unit)
    if not column.percent and len(values) > 2 and whole > 0 and min(values) >= 0:
        share = _rounded(max(values) * 100 / whole, 1)
        yield f"share of the largest row ({labels[values.index(max(values))]}) in the sum: {show(share)}%", share
    for place in _outliers(values):
        yield f"unusual: {show(values[place])}{unit} ({labels[place]})", values[place]


def _changes(column: Column, unit: str) -> Iterator[tuple[str, Decimal]]:
    values, labels = column.values, column.labels
    if len(values) < 2:
        return
    first, last = values[0], values[-1]
    whole = last - first
    begins, ends = f"{labels[0]}: {show(first)}{unit}", f"{labels[-1]}: {show(last)}{unit}"
    yield f"from the first row ({begins}) to the last ({ends}): {_signed(whole)}{unit}", whole
    if first > 0 and not column.percent:
        grown = _rounded(whole * 100 / first, 1)
        yield f"the same in per cent: {_signed(grown)}%", grown
    if len(values) > 2:
        steps = [later - one for one, later in pairwise(values)]
        for what, step in (("largest rise", max(steps)), ("largest fall", min(steps))):
            if (step > 0) == (what == "largest rise") and step:
                place = steps.index(step)
                yield f"{what} between two rows: {_signed(step)}{unit} ({labels[place]} to {labels[place + 1]})", step


def _outliers(values: Sequence[Decimal]) -> list[int]:
    """Beyond three times the distance of the quartiles from them (Tukey's outer fences), the furthest first."""
    if len(values) < 8:
        return []
    ordered = sorted(values)
    low, high = ordered[len(ordered) // 4], ordered[(3 * len(ordered)) // 4]
    fence = 3 * (high - low)
    if not fence:
        return []
    beyond = [place for place, value in enumerate(values) if value < low - fence or value > high + fence]
    return sorted(beyond, key=lambda place: -max(low - values[place], values[place] - high))[:_MOST_OUTLIERS]


def _wrong_total(column: Column, cell: str, style: Style) -> Iterator[str]:
    said, whole = number(cell, style), sum(column.values, Decimal(0))
    if said is not None and not column.percent and said != whole:
        yield f"{column.name}: the row of totals says {show(said)}, and the rows add up to {show(whole)}."


def _rounded(value: Decimal, decimals: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN)


def _signed(value: Decimal) -> str:
    return f"{'+' if value > 0 else ''}{show(value)}"
