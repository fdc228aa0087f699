"""Numbers as people write them, read exactly; and whether a number in a text is one of those that are known."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

Style = Literal[".", ","]
"""What stands before the decimals."""

MOST_DIGITS = 30

_DECORATION = re.compile(r"[\s\u00a0\u202f']|[$€£¥₹]|\b(?:USD|EUR|GBP|CHF|JPY|INR|CAD|AUD)\b")
_SHAPES: dict[str, re.Pattern[str]] = {
    ".": re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?", re.ASCII),
    ",": re.compile(r"[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+)?(?:,\d+)?", re.ASCII),
}
_IN_TEXT = re.compile(r"(?<![\w.])[-+−]?\d[\d,.\u00a0\u202f']*", re.ASCII)
_SCALES = (
    (re.compile(r"\s*(?:k|thousand)\b", re.IGNORECASE), Decimal(1_000)),
    (re.compile(r"\s*(?:m|mn|million)\b", re.IGNORECASE), Decimal(1_000_000)),
    (re.compile(r"\s*(?:bn|billion)\b", re.IGNORECASE), Decimal(1_000_000_000)),
)


def number(text: str, style: Style = ".") -> Decimal | None:
    """The number that a cell holds, but for currency and per cent; in brackets it is negative. None: it holds none."""
    plain = _DECORATION.sub("", text.replace("−", "-")).removesuffix("%")
    negative = plain.startswith("(") and plain.endswith(")")
    plain = plain[1:-1] if negative else plain
    if not any(sign.isdigit() for sign in plain) or len(plain) > MOST_DIGITS or not _SHAPES[style].fullmatch(plain):
        return None
    other = "," if style == "." else "."
    value = Decimal(plain.replace(other, "").replace(style, "."))
    return -value if negative else value


def style_of(cells: Iterable[str]) -> Style:
    """Which of the two ways more of these can be read in; the point where both do."""
    points = commas = 0
    for cell in cells:
        points += number(cell, ".") is not None
        commas += number(cell, ",") is not None
    return "," if commas > points else "."


def show(value: Decimal) -> str:
    """With commas between thousands, and no zeros behind."""
    plain = f"{value:,f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def strangers(text: str, known: Iterable[Decimal], *, counts_to: int) -> list[str]:
    """The numbers in a text that are none of the known, rounded as they stand there. Signs make no difference. Whole
    numbers up to `counts_to` may count something."""
    values = {abs(value) for value in known}
    found: list[str] = []
    for one in _IN_TEXT.finditer(text):
        written = one[0].rstrip(".,'\u00a0\u202f")
        rest = text[one.start() + len(written) :]
        readings = {value for style in (".", ",") if (value := number(written, style)) is not None}
        percent = rest.lstrip().startswith("%")
        if not any(_is_known(abs(value), rest, values, 0 if percent else counts_to) for value in readings):
            found.append(written + ("%" if percent else ""))
    return list(dict.fromkeys(found))


def _is_known(value: Decimal, rest: str, values: set[Decimal], counts_to: int) -> bool:
    if value == value.to_integral_value() and value <= counts_to:
        return True
    scale = next((scale for pattern, scale in _SCALES if pattern.match(rest)), Decimal(1))
    unit = Decimal(1).scaleb(int(value.as_tuple().exponent)) * scale  # pyright: ignore[reportArgumentType]
    return any(abs(one - value * scale) * 2 <= unit for one in values)
