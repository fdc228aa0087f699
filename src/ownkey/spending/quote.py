"""What a request will cost, told before it is sent. Pure."""

from __future__ import annotations

from msgspec import Struct

from ownkey.spending.price import Rates, cost
from ownkey.spending.tokens import How, Tokens
from ownkey.talk.money import NANO_PER_USD, Money, show_usd
from ownkey.talk.reply import Usage

USUAL_OUTPUT_TOKENS = 500
"""What an answer is expected to be where no run like it is known."""

_CENT = NANO_PER_USD // 100

ENOUGH_CALLS = 5
"""Runs like it, of which the average says something."""


class Usual(Struct, frozen=True):
    """What runs like it took: the average answer, the share of their input that was cached, and whose runs they are."""

    output_tokens: int
    cached_share: float
    of: str


class Fits(Struct, frozen=True):
    """How a budget takes it: what is left of it, in its unit, and whether the ceiling fits."""

    budget: str
    left: int | None
    unit: str
    fits: bool


class Quote(Struct, frozen=True):
    """`low` is without any answer, `expected` with a usual one, `ceiling` can never be passed: it is what is held.

    Amounts are None where the price is not known. `output_cap` is the longest answer, `expected_from` says where the
    expected one is from. `context_left` is what the model's window leaves beside input and expected output.
    `difference` is to the current model, as it is expected.
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
    difference: Money | None = None
    says: str = ""
    budgets: tuple[Fits, ...] = ()

    @property
    def how(self) -> How:
        return self.input_tokens.how


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
    budgets: tuple[Fits, ...] = (),
) -> Quote:
    """`ceiling_nano` is what is held; no other figure is above it."""
    expected_output, source = _expected_output(usual, output_cap, asked_output)
    low = expected = most = None
    if rates is not None:
        cached = int(tokens.expected * usual.cached_share) if usual is not None else 0
        most = ceiling_nano
        expected_usage = Usage(tokens.expected, expected_output * choices, cached_tokens=cached)
        expected = min(cost(rates, expected_usage), most)
        low = min(cost(rates, Usage(tokens.low, 0, cached_tokens=int(tokens.low * (cached > 0)))), expected)
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
        None if context is None else max(0, context - tokens.expected - expected_output * choices),
        budgets=budgets,
    )


def _expected_output(usual: Usual | None, output_cap: int, asked_output: int | None) -> tuple[int, str]:
    if usual is not None:
        return min(usual.output_tokens, output_cap), usual.of
    if asked_output is not None:
        return min(asked_output, output_cap, USUAL_OUTPUT_TOKENS), "a usual answer"
    return min(USUAL_OUTPUT_TOKENS, output_cap), "a usual answer"


def difference(quoted: Quote, current: Quote) -> tuple[Money | None, str]:
    """To the model that is used now, as a person would say it."""
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
        return f"${cents // 100}.{cents % 100:02d}"
    if nano_usd <= 0:
        return "$0.00"
    size = 10 ** max(0, len(str(nano_usd)) - 2)
    return f"${show_usd(round(nano_usd / size) * size)}"
