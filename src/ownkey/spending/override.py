"""The owner's own prices: in place of the catalogue's, or so many per cent less. Pure, in integers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct

from ownkey.catalog.check import nano_usd_per_mtok
from ownkey.spending.price import Line, Rates, Tier
from ownkey.talk.errors import InvalidRequest

RATES = ("input", "output", "cached", "cache_write", "cache_write_1h", "input_audio", "output_audio", "reasoning")
PER_REQUEST = "per_request"
"""Beside them: dollars for each call, such as those of a model that searches the web each time."""

MOST_PERCENT = 100
_PERCENT = re.compile(r"-?\d{1,4}(\.\d{1,2})?", re.ASCII)


class Override(Struct, frozen=True):
    """`rates`: USD per million tokens as decimal text, by the names of `RATES`; `input` and `output` at least. With
    `PER_REQUEST`, USD for each call.

    Or `discount`: per cent less than the catalogue says, with two decimals at most; below 0 it is a surcharge.
    """

    rates: Mapping[str, str] | None = None
    discount: str | None = None
    note: str = ""


Overrides = Mapping[tuple[str, str], Override]
"""By provider and model; without a model, for all of the provider."""


def checked(override: Override) -> Override:
    """Raises InvalidRequest, naming the field: no amount that cannot be kept exactly, and never a price of nothing by
    mistake."""
    if (override.rates is None) == (override.discount is None):
        raise InvalidRequest("A price is either rates or a discount.", param="rates")
    if override.discount is not None:
        _basis_points(override.discount)
        return override
    rates = override.rates or {}
    for name, amount in rates.items():
        if name not in (*RATES, PER_REQUEST):
            known = ", ".join((*RATES, PER_REQUEST))
            raise InvalidRequest(f"There is no rate {name[:40]!r}.", f"Rates: {known}.", param=name[:40])
        try:
            nano_usd_per_mtok(amount)
        except (ValueError, TypeError):
            raise InvalidRequest(
                f"{name} is in dollars per {'call' if name == PER_REQUEST else 'million tokens'}, such as 2.50, "
                "with at most 9 decimals.",
                param=name,
            ) from None
    for name in ("input", "output"):
        if name not in rates:
            raise InvalidRequest("Say what input and what output cost.", param=name)
    return override


def applied(override: Override, listed: Rates | None) -> Rates | None:
    """The rates as the owner has them; `listed` is what the catalogue says."""
    if override.rates is not None:
        own: dict[str, Any] = {name: nano_usd_per_mtok(amount) for name, amount in override.rates.items()}
        return Rates(source="owner", **own)
    if listed is None or listed.source == "free":
        return listed
    share = 10_000 - _basis_points(override.discount or "0")
    less = f"less {override.discount} %" if share <= 10_000 else f"more by {str(override.discount).lstrip('-')} %"
    tiers = tuple(Tier(**_scaled(tier, share), over=tier.over) for tier in listed.tiers)
    return Rates(
        **_scaled(listed, share),
        tiers=tiers,
        per_request=_up(listed.per_request * share),
        source=f"{listed.source}, {less}",
        dated=listed.dated,
    )


def _scaled(line: Line, share: int) -> dict[str, Any]:
    rates = {name: getattr(line, name) for name in Line.__struct_fields__}
    return {name: None if rate is None else _up(rate * share) for name, rate in rates.items()}


def _up(basis: int) -> int:
    """Rounded up, so that it is never under the provider's own."""
    return -(-basis // 10_000)


def _basis_points(percent: str) -> int:
    text = percent.strip().removesuffix("%").strip()
    if not _PERCENT.fullmatch(text) or not -1_000 <= Decimal(text) <= MOST_PERCENT:
        raise InvalidRequest("A discount is in per cent, such as 15 or 7.5, from -1000 to 100.", param="discount")
    return int(Decimal(text) * 100)
