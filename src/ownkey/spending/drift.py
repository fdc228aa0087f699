"""How far a provider's bill and the book are apart: by day and model, by model, and in all. Pure.

Both name models their own way: `Claude Haiku 4.5` is `claude-haiku-4-5-20251001`, and what was asked as `gpt-4o` is
billed as `gpt-4o-2024-08-06`. So names are compared without case, order and date, and what is one model then is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date

from msgspec import Struct

from ownkey.spending.bill import Bill

_DATED = re.compile(r"-(?:20\d\d-?[01]\d-?[0-3]\d|\d{4}|latest)$", re.ASCII)
_WORDS = re.compile(r"[^\W_]+")


class Booked(Struct, frozen=True):
    """What the book has of a day and a model. `assumed_nano` is the part of `cost_nano` that nobody counted;
    `unpriced` tries are among the `calls` and not in `cost_nano`; what is pending is in neither."""

    day: date
    model: str
    calls: int
    unpriced: int
    cost_nano: int
    assumed_nano: int = 0
    pending_nano: int = 0


class Line(Struct, frozen=True, kw_only=True):
    """Amounts in nano-USD. `billed` is None where the bill has no such row, `booked` where nothing is known of it:
    nothing was asked (`calls` is 0), or at a price that nobody knows (`unpriced`)."""

    day: date | None
    model: str
    billed: int | None
    booked: int | None
    calls: int
    unpriced: int
    assumed: int
    pending: int

    @property
    def drift(self) -> int | None:
        """How much more is billed than booked, below 0 where it is less; None where the book's price is not known."""
        if self.booked is None and self.calls:
            return None
        return (self.billed or 0) - (self.booked or 0)

    @property
    def percent(self) -> float | None:
        """The drift as a share of the bill; None where that is nothing."""
        return None if self.drift is None or not self.billed else 100 * self.drift / self.billed

    @property
    def agrees(self) -> bool:
        """Whether rounding explains the drift: the book rounds each try up to a whole nano-dollar."""
        return self.drift is not None and self.unpriced == 0 and -self.calls <= self.drift <= 0


class Drift(Struct, frozen=True):
    """`lines` are by day and model, `models` of all days; the bill's first day to its last."""

    total: Line
    models: tuple[Line, ...]
    lines: tuple[Line, ...]


def compare(bill: Bill, booked: Iterable[Booked]) -> Drift:
    """The bill beside the book, which is taken from the bill's first day to its last. Where the bill names no model,
    days are compared."""
    whole = not any(model for _, model in bill.charges)
    found: dict[tuple[date, str], _Sums] = {}
    names: dict[str, set[str]] = {}
    for (day, model), nano in bill.charges.items():
        names.setdefault(name_key(model), set()).add(model)
        sums = found.setdefault((day, name_key(model)), _Sums())
        sums.billed = (sums.billed or 0) + nano
    for one in booked:
        if bill.first <= one.day <= bill.last:
            key = "" if whole else name_key(one.model)
            if not whole:
                names.setdefault(key, set()).add(one.model)
            found.setdefault((one.day, key), _Sums()).add(one)
    shown = {key: min(these, key=lambda name: (len(name), name)) for key, these in names.items()}
    by_model: dict[str, _Sums] = {}
    total = _Sums(billed=0)
    for (_, key), sums in found.items():
        by_model.setdefault(key, _Sums()).join(sums)
        total.join(sums)
    lines = (sums.line(day, shown.get(key, "")) for (day, key), sums in found.items())
    models = (sums.line(None, shown.get(key, "")) for key, sums in by_model.items())
    return Drift(
        total.line(None, ""),
        tuple(sorted(models, key=lambda one: (-max(one.billed or 0, one.booked or 0), one.model))),
        tuple(sorted(lines, key=lambda one: (one.day or bill.first, one.model))),
    )


def farthest(lines: Sequence[Line]) -> list[Line]:
    """Those that rounding does not explain, the farthest off first; before them what has no known price."""
    apart = [one for one in lines if not one.agrees]
    return sorted(apart, key=lambda one: (one.drift is not None, -abs(one.drift or 0), str(one.day), one.model))


def name_key(model: str) -> str:
    """What two names of one model have in common."""
    plain = "-".join(_WORDS.findall(model.lower()))
    return " ".join(sorted(_DATED.sub("", plain).split("-")))


class _Sums(Struct):
    billed: int | None = None
    cost: int = 0
    calls: int = 0
    unpriced: int = 0
    assumed: int = 0
    pending: int = 0

    def add(self, one: Booked) -> None:
        self.cost += one.cost_nano
        self.calls += one.calls
        self.unpriced += one.unpriced
        self.assumed += one.assumed_nano
        self.pending += one.pending_nano

    def join(self, other: _Sums) -> None:
        if other.billed is not None:
            self.billed = (self.billed or 0) + other.billed
        self.cost += other.cost
        self.calls += other.calls
        self.unpriced += other.unpriced
        self.assumed += other.assumed
        self.pending += other.pending

    def line(self, day: date | None, model: str) -> Line:
        return Line(
            day=day,
            model=model,
            billed=self.billed,
            booked=self.cost if self.calls > self.unpriced else None,
            calls=self.calls,
            unpriced=self.unpriced,
            assumed=self.assumed,
            pending=self.pending,
        )
