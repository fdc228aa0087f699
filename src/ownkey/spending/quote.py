"""What a request will cost, told before it is sent. Pure."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from ownkey.spending.budget import Unit
from ownkey.spending.price import Line, Rates, cost
from ownkey.spending.tokens import How, Tokens
from ownkey.talk.errors import OwnkeyError
from ownkey.talk.money import NANO_PER_USD, Money, say_usd
from ownkey.talk.reply import Usage

USUAL_OUTPUT_TOKENS = 500
"""What an answer is expected to be where no run like it is known."""

_CENT = NANO_PER_USD // 100

ENOUGH_CALLS = 5
"""Runs like it, of which the average says something."""


class Usual(Struct, frozen=True):
    """What runs like it took: the average answer, whose runs they are, and of one's own the shares of their input that
    were read from a cache and written to one."""

    output_tokens: int
    cached_share: float
    of: str
    written_share: float = 0.0


class Fits(Struct, frozen=True):
    """How one budget takes it, by what would be held: the whole of it, with a `shorter` answer, or not at all.

    `left` is what is left of the limit, in `unit`. `answer_tokens` is the longest answer, of each choice, that it pays
    for. Where it does not fit, `over` says by how much, in `over_unit`; None where the price is not known. `asks`: it
    is not refused then, but asked about.
    """

    budget: str
    left: int | None
    unit: Unit
    how: Literal["whole", "shorter", "no"] = "whole"
    answer_tokens: int | None = None
    over: int | None = None
    over_unit: Unit | None = None
    asks: bool = False

    @property
    def fits(self) -> bool:
        return self.how != "no"


class Quote(Struct, frozen=True):
    """`low` is without any answer, `expected` with a usual one, `ceiling` can never be passed: it is what is held.

    Amounts are None where the price is not known. `output_cap` is the longest answer, `expected_from` says where the
    expected one is from. `line` are the rates for so much input, `tier` the service tier that they are of, None where
    no answer tells its own. `context_left` is what the model's window leaves beside input and expected answer.
    `difference` is to the current model, as it is expected. `asked` is the name that was asked for, and `turn` which
    of its models this is: the first one is asked, the others if it fails.
    """

    model: str
    input_tokens: Tokens
    output_expected: int
    output_cap: int
    expected_from: str
    low: Money | None
    expected: Money | None
    ceiling: Money | None
    rates: Rates | None
    context_left: int | None
    line: Line | None = None
    tier: str | None = None
    difference: Money | None = None
    says: str = ""
    budgets: tuple[Fits, ...] = ()
    asked: str = ""
    turn: int = 1
    error: None = None

    @property
    def how(self) -> How:
        return self.input_tokens.how


class NoQuote(Struct, frozen=True):
    """In the place of a quote: what is in the way of asking this model."""

    model: str
    error: OwnkeyError
    asked: str = ""
    turn: int = 1


def quote(
    model: str,
    tokens: Tokens,
    rates: Rates | None,
    *,
    output_cap: int,
    choices: int,
    ceiling_nano: int,
    context: int | None,
    usual: Usual | None,
    asked_output: int | None,
    tier: str | None = None,
    budgets: tuple[Fits, ...] = (),
) -> Quote:
    """`ceiling_nano` is what is held; no other figure is above it."""
    expected_output, source = _expected_output(usual, output_cap, asked_output)
    low = expected = most = None
    if rates is not None:
        most = ceiling_nano
        expected = min(cost(rates, _expected_usage(tokens.expected, expected_output * choices, usual)), most)
        cached = tokens.low if usual is not None and usual.cached_share > 0 else 0
        low = min(cost(rates, Usage(tokens.low, 0, cached_tokens=cached)), expected)
    return Quote(
        model,
        tokens,
        expected_output,
        output_cap,
        source,
        None if low is None else Money(low),
        None if expected is None else Money(expected),
        None if most is None else Money(most),
        rates,
        # Each choice has the window for itself.
        None if context is None else max(0, context - tokens.expected - expected_output),
        None if rates is None else rates.line(tokens.expected),
        tier,
        budgets=budgets,
    )


def _expected_usage(input_tokens: int, output_tokens: int, usual: Usual | None) -> Usage:
    if usual is None:
        return Usage(input_tokens, output_tokens)
    return Usage(
        input_tokens,
        output_tokens,
        cached_tokens=int(input_tokens * usual.cached_share),
        cache_write_tokens=int(input_tokens * usual.written_share),
    )


def _expected_output(usual: Usual | None, output_cap: int, asked_output: int | None) -> tuple[int, str]:
    if usual is not None:
        return min(usual.output_tokens, output_cap), usual.of
    if asked_output is not None:
        return min(asked_output, output_cap, USUAL_OUTPUT_TOKENS), "a usual answer"
    return min(USUAL_OUTPUT_TOKENS, output_cap), "a usual answer"


def difference(quoted: Quote, current: Quote | NoQuote) -> tuple[Money | None, str]:
    """To the model that is used now, as a person would say it."""
    if current.error is not None:
        return None, f"What it costs beside {current.model} is not known: {current.error.message}"
    if quoted.expected is None or current.expected is None:
        return None, "What it costs beside the current model is not known."
    more = Money(quoted.expected.nano_usd - current.expected.nano_usd)
    if quoted.model == current.model:
        return more, "the current model"
    if more.nano_usd == 0:
        return more, "costs the same per run"
    word = "more" if more.nano_usd > 0 else "less"
    return more, f"about {about(abs(more.nano_usd))} {word} per run"


def about(nano_usd: int) -> str:
    """An amount as people say it: cents where it is dollars, two figures where it is less than a cent."""
    if nano_usd >= _CENT:
        cents = (nano_usd + _CENT // 2) // _CENT
        return f"${cents // 100:,}.{cents % 100:02d}"
    if nano_usd <= 0:
        return "$0.00"
    size = 10 ** max(0, len(str(nano_usd)) - 2)
    return say_usd(round(nano_usd / size) * size)
