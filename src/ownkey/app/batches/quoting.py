"""What a batch will cost as a whole, before any of it is sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec import Struct

from ownkey.app.batches.asking import Asker, chat_request, embed_call
from ownkey.app.batches.line import EMBEDDINGS, Line
from ownkey.app.batches.offer import offer
from ownkey.app.quoting import quoted
from ownkey.spending.price import cost
from ownkey.spending.quote import Usual
from ownkey.spending.terms import TIERS
from ownkey.spending.tokens import Known, estimate
from ownkey.talk.errors import OwnkeyError
from ownkey.talk.reply import Usage

if TYPE_CHECKING:
    from ownkey.app.house import House

MOST_KNOWN = 10_000
"""Texts whose count is kept for the lines that follow."""


class Sum(Struct):
    """Of all lines for one model, in nano-USD: without any answer, as expected, and at most. `unknown`: lines whose
    price is not known, which are in none of them. `apart`: lines that their provider has a batch endpoint for, of which
    `apart_nano` is expected now, and `later_nano` there."""

    model: str
    lines: int = 0
    low_nano: int = 0
    expected_nano: int = 0
    most_nano: int = 0
    unknown: int = 0
    apart: int = 0
    apart_nano: int = 0
    later_nano: int = 0

    def add(self, low: int | None, expected: int | None, most: int | None) -> None:
        self.lines += 1
        if low is None or expected is None or most is None:
            self.unknown += 1
        else:
            self.low_nano += low
            self.expected_nano += expected
            self.most_nano += most

    def add_apart(self, expected: int, percent: int) -> None:
        self.apart += 1
        self.apart_nano += expected
        self.later_nano += -(-expected * (100 - percent) // 100)


class BatchQuote(Struct):
    """By model, dearest first; `refused` is what is in the way of lines, and of how many."""

    models: list[Sum]
    refused: dict[str, int]

    @property
    def whole(self) -> Sum:
        total = Sum("")
        for one in self.models:
            total.lines += one.lines
            total.low_nano += one.low_nano
            total.expected_nano += one.expected_nano
            total.most_nano += one.most_nano
            total.unknown += one.unknown
            total.apart += one.apart
            total.apart_nano += one.apart_nano
            total.later_nano += one.later_nano
        return total


def quote_all(house: House, asker: Asker, lines: Iterable[Line]) -> BatchQuote:
    """Nothing is held and nothing sent."""
    house.store.budgets.current(anew=True)
    sums: dict[str, Sum] = {}
    refused: dict[str, int] = {}
    kept: dict[tuple[str, str], Usual | None] = {}
    known: Known = {}
    percents: dict[tuple[str, str, bool], int | None] = {}
    for line in lines:
        if len(known) > MOST_KNOWN:
            known.clear()
        try:
            model, *costs = _of(house, asker, line, kept, known)
        except OwnkeyError as error:
            refused[str(error)] = refused.get(str(error), 0) + 1
        else:
            one = sums.setdefault(model, Sum(model))
            one.add(*costs)
            # Of lines that are alike in this one is looked at.
            alike = (model, line.url, any(tier.encode() in line.body for tier in TIERS))
            if alike not in percents:
                found = offer(house, asker, line, "")
                percents[alike] = None if found is None else found.percent
            percent, expected = percents[alike], costs[1]
            if percent is not None and expected is not None:
                one.add_apart(expected, percent)
    return BatchQuote(sorted(sums.values(), key=lambda one: -one.expected_nano), refused)


def _of(
    house: House, asker: Asker, line: Line, kept: dict[tuple[str, str], Usual | None], known: Known
) -> tuple[str, int | None, int | None, int | None]:
    if line.url == EMBEDDINGS:
        target, made = house.engine.sized_call(embed_call(asker, line, ""))
        if made.rates is None:
            return target.name, None, None, None
        tokens = estimate(made.size_bytes)
        low, expected = (min(cost(made.rates, Usage(one, 0)), made.held_nano) for one in (tokens.low, tokens.expected))
        return target.name, low, expected, made.held_nano
    one = quoted(house, chat_request(asker, line, ""), kept, known)
    low, expected, most = (None if each is None else each.nano_usd for each in (one.low, one.expected, one.ceiling))
    return one.model, low, expected, most
