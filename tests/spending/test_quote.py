"""A quote's figures stand in their order, and the ceiling above everything that can come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ownkey.spending.price import Rates, Tier, ceiling, cost
from ownkey.spending.quote import Quote, Usual, about, difference, quote
from ownkey.spending.tokens import Tokens
from ownkey.talk.reply import Usage

amounts = st.integers(0, 10**12)
tokens = st.integers(0, 200_000)


rates = st.builds(
    Rates,
    input=amounts,
    output=amounts,
    cached=st.none() | amounts,
    cache_write=st.none() | amounts,
    reasoning=st.none() | amounts,
    tiers=st.lists(st.builds(Tier, input=amounts, output=amounts, cached=st.none() | amounts, over=tokens), max_size=2)
    .map(lambda tiers: tuple(sorted(tiers, key=lambda tier: tier.over))),
    per_request=amounts,
    source=st.just("test"),
)  # fmt: skip
shares = st.floats(0, 1)


@given(rates, tokens, tokens, tokens, st.integers(1, 4), st.none() | st.integers(1, 200_000), st.data())
def test_low_expected_and_ceiling_stand_in_order_and_no_cost_is_above(
    rated: Rates, low: int, more: int, cap: int, choices: int, asked: int | None, data: st.DataObject
) -> None:
    most = ceiling(rated, input_tokens=low + more, output_tokens=cap, choices=choices)
    usual = data.draw(st.none() | st.builds(Usual, tokens, shares, st.just("runs"), shares))
    counted = Tokens(low, low + more // 2, low + more, "estimated")
    made = quote(
        "p/m", counted, rated, output_cap=cap, choices=choices, ceiling_nano=most, context=128_000,
        usual=usual, asked_output=asked,
    )  # fmt: skip
    assert made.low is not None
    assert made.expected is not None
    assert made.ceiling is not None
    assert 0 <= made.low <= made.expected <= made.ceiling
    assert made.ceiling.nano_usd == most
    assert made.context_left == max(0, 128_000 - counted.expected - made.output_expected)
    given_in, given_out = data.draw(st.integers(0, low + more)), data.draw(st.integers(0, cap * choices))
    cached, written = data.draw(st.integers(0, given_in)), data.draw(st.integers(0, given_in))
    thought = data.draw(st.integers(0, given_out))
    used = Usage(given_in, given_out, cached_tokens=cached, cache_write_tokens=written, reasoning_tokens=thought)
    assert cost(rated, used) <= made.ceiling.nano_usd


def at(model: str, nano: int) -> Quote:
    rates = Rates(input=nano * 1_000_000, output=0, source="test")
    return quote(
        model, Tokens(1, 1, 1), rates, output_cap=1, choices=1, ceiling_nano=10**15, context=None,
        usual=None, asked_output=None,
    )  # fmt: skip


def test_the_difference_is_told_as_people_say_it() -> None:
    current = at("a/now", 10_000_000)
    assert difference(at("b/dear", 60_000_000), current)[1] == "about $0.05 more per run"
    assert difference(at("b/cheap", 9_800_000), current)[1] == "about $0.0002 less per run"
    assert difference(at("b/same", 10_000_000), current)[1] == "costs the same per run"
    assert difference(current, current)[1] == "the current model"
    unknown = quote(
        "c/x", Tokens(1, 1, 1), None, output_cap=1, choices=1, ceiling_nano=0, context=None, usual=None,
        asked_output=None,
    )  # fmt: skip
    assert difference(unknown, current) == (None, "What it costs beside the current model is not known.")


def test_amounts_are_short_and_never_nothing_where_there_is_something() -> None:
    said = {1: "$0.000000001", 123_456: "$0.00012", 9_999_999: "$0.01", 10_000_000: "$0.01", 1_234_000_000: "$1.23"}
    assert {nano: about(nano) for nano in said} == said
    assert about(0) == "$0.00"
