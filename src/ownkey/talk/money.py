"""Money, in integers: one nano-USD is the smallest amount there is, 1e-9 of a dollar."""

from __future__ import annotations

from decimal import Decimal
from functools import total_ordering

NANO_PER_USD = 1_000_000_000


@total_ordering
class Money:
    """An exact amount of US dollars, kept as integer nano-USD.

    Compares with other `Money` and with numbers, which are read as dollars as they are written:
    `Money(7_500_000) == 0.0075 == Decimal("0.0075")`.
    """

    __slots__ = ("nano_usd",)

    def __init__(self, nano_usd: int) -> None:
        self.nano_usd = nano_usd

    @property
    def usd(self) -> Decimal:
        """The amount in dollars, exactly."""
        return Decimal(self.nano_usd) / NANO_PER_USD

    def __add__(self, other: Money) -> Money:
        return Money(self.nano_usd + other.nano_usd)

    def __sub__(self, other: Money) -> Money:
        return Money(self.nano_usd - other.nano_usd)

    def __eq__(self, other: object) -> bool:
        usd = _in_usd(other)
        return NotImplemented if usd is None else self.usd == usd

    def __lt__(self, other: object) -> bool:
        usd = _in_usd(other)
        return NotImplemented if usd is None else self.usd < usd

    def __hash__(self) -> int:
        return hash(self.usd)

    def __float__(self) -> float:
        return float(self.usd)

    def __str__(self) -> str:
        return f"${show_usd(self.nano_usd)}"

    def __repr__(self) -> str:
        return f"Money({show_usd(self.nano_usd)} USD)"


def _in_usd(value: object) -> Decimal | None:
    if isinstance(value, Money):
        return value.usd
    if isinstance(value, bool):
        return None
    if isinstance(value, int | Decimal):
        return Decimal(value)
    if isinstance(value, float):
        return Decimal(repr(value))
    return None


def show_usd(nano_usd: int) -> str:
    """The exact amount in plain digits, at least two after the point: 7_500_000 is `0.0075`."""
    sign = "-" if nano_usd < 0 else ""
    whole, rest = divmod(abs(nano_usd), NANO_PER_USD)
    digits = f"{rest:09d}".rstrip("0")
    return f"{sign}{whole}.{digits:0<2}"


def say_usd(nano_usd: int) -> str:
    """The exact amount as a sentence has it: `$0.0075`, `$12,345,678.90`."""
    whole, _, rest = show_usd(abs(nano_usd)).partition(".")
    return f"{'-' if nano_usd < 0 else ''}${int(whole):,}.{rest}"
