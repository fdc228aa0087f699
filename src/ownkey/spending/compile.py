"""Compiles the data of genai-prices into the small file that is loaded: `python -m ownkey.spending.compile FILE`.

Run in a process of its own: importing genai-prices takes 300 ms and 60 MB, which a server would keep.
"""

from __future__ import annotations

import os
import sys
import tempfile
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path

import genai_prices.types as genai
import msgspec
from genai_prices.data import providers

from ownkey.spending.listed import FORMAT, Amount, Clause, Dated, File, Listed, Seller
from ownkey.spending.published import free_by_name, nano, second_of_day


def compiled() -> File:
    encoder = msgspec.msgpack.Encoder()
    sellers = {provider.id: msgspec.Raw(encoder.encode(_seller(provider))) for provider in providers}
    return File(FORMAT, version("genai-prices"), sellers)


def main(target: Path) -> None:
    """Writes the file whole or not at all, for its owner only."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, draft = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with open(handle, "wb") as file:
            file.write(msgspec.msgpack.encode(compiled()))
        os.replace(draft, target)
    finally:
        Path(draft).unlink(missing_ok=True)


def _seller(provider: genai.Provider) -> Seller:
    return Seller(tuple(_listed(model) for model in provider.models), tuple(provider.fallback_model_providers or ()))


def _listed(model: genai.ModelInfo) -> Listed:
    prices = model.prices
    if isinstance(prices, genai.ModelPrice):
        dated = (Dated(_prices(prices)),)
    else:
        dated = tuple(_dated(entry.prices, entry.constraint) for entry in prices)
    variants = tuple(_dated(entry.prices, entry.constraint, entry.when) for entry in model.price_variants or ())
    return Listed(model.id, _clause(model.match), model.context_window, free_by_name(model.id, dated), variants)


def _dated(
    prices: genai.ModelPrice,
    constraint: genai.StartDateConstraint | genai.TimeOfDateConstraint | None,
    when: dict[str, str] | None = None,
) -> Dated:
    start = from_s = until_s = None
    if isinstance(constraint, genai.StartDateConstraint):
        start = constraint.start_date.isoformat()
    elif constraint is not None:
        from_s, until_s = second_of_day(constraint.start_time), second_of_day(constraint.end_time)
    return Dated(_prices(prices), start, from_s, until_s, when or {})


def _prices(prices: genai.ModelPrice) -> dict[str, Amount]:
    return {name: _amount(value) for name, value in vars(prices).items() if value is not None}


def _amount(value: Decimal | genai.TieredPrices) -> Amount:
    if isinstance(value, Decimal):
        return (nano(value),)
    tiers = [number for tier in value.tiers for number in (tier.start, nano(tier.price))]
    return (nano(value.base), *tiers)


def _clause(match: genai.MatchLogic) -> Clause:
    if isinstance(match, genai.ClauseEquals):
        return Clause("equals", match.equals.lower())
    if isinstance(match, genai.ClauseStartsWith):
        return Clause("starts_with", match.starts_with.lower())
    if isinstance(match, genai.ClauseEndsWith):
        return Clause("ends_with", match.ends_with.lower())
    if isinstance(match, genai.ClauseContains):
        return Clause("contains", match.contains.lower())
    if isinstance(match, genai.ClauseRegex):
        return Clause("regex", match.regex)
    if isinstance(match, genai.ClauseOr):
        return Clause("or", of=tuple(map(_clause, match.or_)))
    return Clause("and", of=tuple(map(_clause, match.and_)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
