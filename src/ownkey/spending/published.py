"""The price catalogue as genai-prices publishes it, in JSON, checked and read into the records of `listed`. Pure.

The form is that of genai-prices, prices/new_data/v2/data.schema.json, and of the types of the package itself.
Where a price depends on it, a field that is not known here is refused: it could change what the others mean.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Annotated, Any, get_args

import msgspec
from msgspec import Meta, Struct

from ownkey.spending.listed import FORMAT, Amount, Clause, Dated, File, Listed, Op, Seller
from ownkey.talk.errors import InvalidRequest
from ownkey.talk.money import NANO_PER_USD

MOST_BYTES = 16 << 20
MOST_USD = 10_000
"""For a million tokens or a thousand calls: sixteen times the dearest price there was in 2026, $600."""

MOST_SELLERS = 1_000
MOST_MODELS = 50_000
DEEPEST = 8
MOST_CLAUSES = 200

_OPS = get_args(Op)

# So that no name, which a client chooses, takes long to be compared: two repetitions at most, and none of a group.
_LONGEST_TEXT = 200
_REPEATED_GROUP = re.compile(r"\)[*+{]|\{\d*,|\{\d{3}|\\\d|\(\?P")
_BRANCHES = re.compile(r"[*+?|(]")
_REPETITIONS = re.compile(r"[*+]")

_Id = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[!-~]+$")]
_Name = Annotated[str, Meta(max_length=64, pattern=r"^[a-z0-9_]+$")]
_Text = Annotated[str, Meta(max_length=200)]


class _Tier(Struct, forbid_unknown_fields=True):
    start: Annotated[int, Meta(ge=0, le=1 << 53)]
    price: Any


class _Tiered(Struct, forbid_unknown_fields=True):
    base: Any
    tiers: Annotated[list[_Tier], Meta(max_length=32)]


_Prices = dict[_Name, Any]


class _Constraint(Struct, forbid_unknown_fields=True):
    start_date: str | None = None
    start_time: str | None = None
    end_time: str | None = None


class _Conditional(Struct, forbid_unknown_fields=True):
    prices: _Prices
    constraint: _Constraint | None = None


class _Variant(Struct, forbid_unknown_fields=True):
    when: Annotated[dict[_Text, _Text], Meta(min_length=1, max_length=8)]
    prices: _Prices
    constraint: _Constraint | None = None


class _Model(Struct, forbid_unknown_fields=True):
    id: _Id
    match: dict[str, Any]
    prices: _Prices | Annotated[list[_Conditional], Meta(min_length=1, max_length=200)]
    price_variants: Annotated[list[_Variant], Meta(max_length=200)] | None = None
    context_window: Annotated[int, Meta(ge=0, le=1 << 53)] | None = None
    name: Any = None
    description: Any = None
    price_comments: Any = None
    deprecated: Any = None


class _Seller(Struct):
    """What else a provider says is how its answers are read, which is not asked here."""

    id: _Id
    models: list[_Model]
    fallback_model_providers: Annotated[list[_Id], Meta(max_length=32)] | None = None


def read(data: bytes) -> File:
    """The catalogue in `data`. Raises InvalidRequest, saying which model is wrong and why: nothing of it is taken."""
    if len(data) > MOST_BYTES:
        raise _refused(f"it is larger than {MOST_BYTES >> 20} MiB")
    try:
        told = json.loads(
            data.decode("utf-8"), parse_float=_decimal, parse_constant=_no_number, object_pairs_hook=_once
        )
        found = msgspec.convert(told, Annotated[list[_Seller], Meta(min_length=1, max_length=MOST_SELLERS)])
    except RecursionError:
        raise _refused("it is nested too deeply") from None
    except (msgspec.ValidationError, ValueError) as error:
        raise _refused(str(error).partition("\n")[0][:200]) from None
    if len({seller.id for seller in found}) < len(found):
        raise _refused("a provider stands in it twice")
    if sum(len(seller.models) for seller in found) > MOST_MODELS:
        raise _refused(f"it has more than {MOST_MODELS:,} models")
    encode = msgspec.msgpack.Encoder().encode
    return File(FORMAT, "", {seller.id: msgspec.Raw(encode(_seller(seller))) for seller in found})


def nano(usd: Any) -> int:
    """A price in whole nano-USD, up to the next: a few are quotients such as 0.0833333333333333.

    Raises ValueError where it is no number, negative, or out of all proportion.
    """
    if type(usd) not in (int, Decimal) or not Decimal(usd).is_finite() or not 0 <= usd <= MOST_USD:
        raise ValueError(f"{str(usd)[:40]} is not a price: it must be a number of dollars from 0 to {MOST_USD:,}")
    return math.ceil(usd * NANO_PER_USD)


def second_of_day(at: time) -> int:
    if at.tzinfo is not None:
        at = datetime.combine(date(1970, 1, 1), at).astimezone(UTC).time()
    return at.hour * 3600 + at.minute * 60 + at.second


def free_by_name(id: str, dated: tuple[Dated, ...]) -> tuple[Dated, ...]:
    """A model that costs nothing has no price there; only the ending `:free` says that it is meant so."""
    if id.endswith(":free") and not any(entry.prices for entry in dated):
        return (Dated({"input_mtok": (0,), "output_mtok": (0,)}),)
    return dated


def _seller(seller: _Seller) -> Seller:
    models: list[Listed] = []
    for model in seller.models:
        try:
            models.append(_listed(model))
        except (ValueError, msgspec.ValidationError) as error:
            raise _refused(f"{seller.id}/{model.id}: {error}") from None
    if len({model.id for model in models}) < len(models):
        raise _refused(f"{seller.id} has a model twice")
    return Seller(tuple(models), tuple(seller.fallback_model_providers or ()))


def _listed(model: _Model) -> Listed:
    if isinstance(model.prices, list):
        dated = tuple(_dated(entry.prices, entry.constraint) for entry in model.prices)
    else:
        dated = (Dated(_prices(model.prices)),)
    variants = tuple(_dated(entry.prices, entry.constraint, entry.when) for entry in model.price_variants or ())
    return Listed(model.id, _clause(model.match, [], 1), model.context_window, free_by_name(model.id, dated), variants)


def _dated(prices: Mapping[str, Any], constraint: _Constraint | None, when: Mapping[str, str] | None = None) -> Dated:
    start = from_s = until_s = None
    if constraint is not None:
        times = (constraint.start_time, constraint.end_time)
        if (constraint.start_date is None) == (None in times) or (constraint.start_date and times != (None, None)):
            raise ValueError("a price holds from a date, or from one time of the day to another")
        if constraint.start_date is not None:
            start = date.fromisoformat(constraint.start_date).isoformat()
        else:
            from_s, until_s = (second_of_day(time.fromisoformat(at or "")) for at in times)
    return Dated(_prices(prices), start, from_s, until_s, dict(when or {}))


def _prices(prices: Mapping[str, Any]) -> dict[str, Amount]:
    return {name: _amount(value) for name, value in prices.items() if value is not None}


def _amount(value: Any) -> Amount:
    if not isinstance(value, dict):
        return (nano(value),)
    tiered = msgspec.convert(value, _Tiered)
    tiers = sorted(tiered.tiers, key=lambda tier: tier.start)
    if len({tier.start for tier in tiers}) < len(tiers):
        raise ValueError("two tiers begin at the same number of tokens")
    return (nano(tiered.base), *(number for tier in tiers for number in (tier.start, nano(tier.price))))


def _clause(match: dict[str, Any], seen: list[str], depth: int) -> Clause:
    if len(match) != 1 or (op := next(iter(match))) not in _OPS:
        raise ValueError("its match is not one rule of those that are known")
    seen.append(op)
    if depth > DEEPEST or len(seen) > MOST_CLAUSES:
        raise ValueError("its match is made of too many rules")
    known = msgspec.convert(op, Op)
    if known == "or" or known == "and":
        parts = msgspec.convert(match[op], list[dict[str, Any]])
        return Clause(known, of=tuple(_clause(part, seen, depth + 1) for part in parts))
    text = msgspec.convert(match[op], str)
    if not 0 < len(text) <= _LONGEST_TEXT or not text.isprintable():
        raise ValueError("its match is not a short text")
    if known == "regex":
        _check_regex(text)
        return Clause(known, text)
    return Clause(known, text.lower())


def _check_regex(text: str) -> None:
    repeated = len(_REPETITIONS.findall(text)) > 2 or len(_BRANCHES.findall(text)) > 8
    if repeated or _REPEATED_GROUP.search(text):
        raise ValueError("its match is an expression that could take too long")
    try:
        re.compile(text)
    except re.error:
        raise ValueError("its match is an expression that cannot be read") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a name that stands twice, two readers could take two prices."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object names something twice")
    return found


def _decimal(text: str) -> Decimal:
    if len(text) > 40:
        raise ValueError("a number has more than 40 digits")
    number = Decimal(text)
    if number and not -20 <= number.adjusted() <= 20:
        raise ValueError(f"{text} is out of all proportion")
    return number


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _refused(why: str) -> InvalidRequest:
    return InvalidRequest(
        f"These prices cannot be taken: {why.removesuffix('.')}.",
        "Nothing was changed. If they are those of genai-prices, a newer Ownkey may know their form.",
        param="prices",
    )
