"""The price catalogue as genai-prices publishes it: its own data in JSON, whole, and changed as a test asks for."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import date, time
from decimal import Decimal
from functools import cache
from typing import Any

import genai_prices.types as genai
from genai_prices.data import providers

Sellers = list[dict[str, Any]]


@cache
def _shipped() -> Sellers:
    return _plain(list(providers))


def published(change: Callable[[Sellers], None] | None = None) -> bytes:
    """What the installed package knows, after `change`."""
    sellers = copy.deepcopy(_shipped())
    if change is not None:
        change(sellers)
    return json.dumps(sellers).encode()


def seller(sellers: Sellers, name: str) -> dict[str, Any]:
    return next(one for one in sellers if one["id"] == name)


def model(sellers: Sellers, name: str, id: str) -> dict[str, Any]:
    return next(one for one in seller(sellers, name)["models"] if one["id"] == id)


def priced(name: str, id: str, **prices: Any) -> Callable[[Sellers], None]:
    """That model costs this, and nothing else."""

    def change(sellers: Sellers) -> None:
        model(sellers, name, id)["prices"] = prices

    return change


def _plain(value: Any) -> Any:
    if isinstance(value, genai.ModelPrice):
        return {name: _plain(amount) for name, amount in vars(value).items() if amount is not None}
    if is_dataclass(value):
        named = ((field.name, getattr(value, field.name)) for field in fields(value) if field.name[0] != "_")
        # `or` and `and` are words of Python: its fields have them with an underscore.
        return {name.rstrip("_"): _plain(each) for name, each in named if each is not None}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date | time) else value
