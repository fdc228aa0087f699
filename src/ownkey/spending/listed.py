"""The records of the compiled price catalogue: everything of genai-prices that a price depends on, and no more."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct

FORMAT = 1
"""Rises with every change of these records; a file of another format is made anew."""

Whole = Annotated[int, Meta(ge=0)]
Amount = tuple[Whole, ...]
"""A rate, or a rate and then `over, rate` for each tier. nano-USD per million tokens, or per thousand requests."""

Op = Literal["equals", "starts_with", "ends_with", "contains", "regex", "or", "and"]


class Clause(Struct, frozen=True, array_like=True):
    """How a model's name is recognised. `text` for the comparisons, `of` for `or` and `and`."""

    op: Op
    text: str = ""
    of: tuple[Clause, ...] = ()


class Dated(Struct, frozen=True, array_like=True):
    """Prices that hold from `start` (ISO date), or each day from `from_s` to `until_s`; else always. All in UTC."""

    prices: dict[str, Amount]
    start: str | None = None
    from_s: Whole | None = None
    until_s: Whole | None = None
    when: dict[str, str] = {}
    """What a request must ask for. Only variants have it."""


class Listed(Struct, frozen=True, array_like=True):
    """A model. The last of `dated` that holds is its price, the first where none does; `variants` go over it."""

    id: str
    match: Clause
    context: int | None
    dated: tuple[Dated, ...]
    variants: tuple[Dated, ...] = ()


class Seller(Struct, frozen=True, array_like=True):
    """A provider: its models, and who is asked next for a model that it does not list."""

    models: tuple[Listed, ...]
    fallback: tuple[str, ...] = ()


class File(Struct, frozen=True):
    """The whole. Each provider stays packed until it is asked for."""

    format: int
    version: str
    sellers: dict[str, Raw]
