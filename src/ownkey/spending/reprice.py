"""What a try was charged at, from what the book keeps with it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import msgspec

from ownkey.spending.price import Rates, cost
from ownkey.talk.reply import Usage

PLAIN = "default"
"""The tier of a try that was charged at a model's plain rates."""

_KEPT = msgspec.json.Decoder(Rates | None)
_KEPT_BY_TIER = msgspec.json.Decoder(dict[str, Rates])


@lru_cache(maxsize=4096)
def kept_rates(price: str) -> Mapping[str, Rates]:
    """The rates that were kept with a charge, by tier; nothing where it has none that can be read."""
    try:
        one = _KEPT.decode(price)
    except msgspec.DecodeError:
        one = None
    if one is not None:
        return {PLAIN: one}
    try:
        return _KEPT_BY_TIER.decode(price)
    except msgspec.DecodeError:
        return {}


def charged_tier(price: str, usage: Usage, charged_nano: int) -> str | None:
    """The tier at whose kept rates that usage costs exactly what was charged.

    None: at none of them, as where the answer had a tier that nobody asked for.
    """
    tiers = kept_rates(price)
    return next((tier for tier, rates in tiers.items() if cost(rates, usage) == charged_nano), None)
