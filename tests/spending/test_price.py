"""What tokens cost: exact, rounded up once, and never over the ceiling."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ownkey.spending.price import (
    LARGE_INPUT_TOKENS,
    OVERHEAD_TOKENS,
    Rates,
    Tier,
    bound_input,
    ceiling,
    cost,
    estimate_cost,
)
from ownkey.talk.reply import Usage

rate = st.integers(0, 10**12)
tokens = st.integers(0, 3_000_000)
KINDS = ("cached", "cache_write", "cache_write_1h", "input_audio", "cached_audio", "output_audio", "reasoning")
lines = st.fixed_dictionaries({"input": rate, "output": rate}, optional=dict.fromkeys(KINDS, rate))
PARTS = (
    *("cached_tokens", "cache_write_tokens", "cache_write_1h_tokens", "input_audio_tokens"),
    *("reasoning_tokens", "output_audio_tokens"),
)
usages = st.builds(
    Usage, input_tokens=tokens, output_tokens=tokens, **{part: st.none() | st.integers(0, 4_000_000) for part in PARTS}
)


@st.composite
def some_rates(draw: st.DrawFn) -> Rates:
    edges = sorted(draw(st.sets(st.integers(0, 2_000_000), max_size=3)))
    tiers = tuple(Tier(**draw(lines), over=edge) for edge in edges)
    return Rates(**draw(lines), tiers=tiers, per_request=draw(st.integers(0, 10**9)), source="test")


FLAT = Rates(input=2_500_000_000, output=10_000_000_000, cached=1_250_000_000, source="test")


@pytest.mark.row("B18")
def test_a_thousand_in_and_five_hundred_out_of_gpt_4o_s_rates_are_exactly_0_0075() -> None:
    money = estimate_cost(FLAT, 1000, 500)
    assert money.usd == Decimal("0.0075")
    assert money == 0.0075
    assert money.nano_usd == 7_500_000


@given(some_rates(), usages, st.integers(0, 1_000_000), st.integers(0, 1_000_000), st.integers(1, 4))
def test_the_ceiling_is_never_under_a_cost_within_its_bounds(
    rates: Rates, usage: Usage, more_in: int, more_out: int, choices: int
) -> None:
    assert usage.input_tokens is not None
    assert usage.output_tokens is not None
    bound = ceiling(
        rates,
        input_tokens=usage.input_tokens + more_in,
        output_tokens=-(-usage.output_tokens // choices) + more_out,
        choices=choices,
    )
    assert 0 <= cost(rates, usage) <= bound


@given(some_rates(), tokens, tokens)
def test_B13_plain_text_costs_its_exact_price_rounded_up_once(rates: Rates, sent: int, written: int) -> None:
    line = rates.line(sent)
    exact = Fraction(sent * line.input + written * line.output, 1_000_000)
    amount = cost(rates, Usage(sent, written)) - rates.per_request
    assert exact <= amount < exact + 1


@given(usages)
def test_the_ceiling_of_one_flat_price_is_no_more_than_that_price(usage: Usage) -> None:
    flat = Rates(input=3_000_000_000, output=3_000_000_000, source="test")
    assert usage.input_tokens is not None
    assert usage.output_tokens is not None
    assert ceiling(flat, input_tokens=usage.input_tokens, output_tokens=usage.output_tokens) == cost(flat, usage)


def test_B13_a_part_of_a_nano_dollar_is_a_whole_one() -> None:
    tiny = Rates(input=1, output=0, source="test")
    assert cost(tiny, Usage(1, 0)) == 1
    assert cost(tiny, Usage(1_000_000, 0)) == 1
    assert cost(tiny, Usage(1_000_001, 0)) == 2
    assert cost(tiny, Usage(0, 0)) == 0


def test_B17_a_tier_is_for_the_whole_request_and_begins_above_its_edge() -> None:
    rates = Rates(
        input=3_000_000_000,
        output=15_000_000_000,
        tiers=(Tier(input=6_000_000_000, output=22_500_000_000, over=200_000),),
        source="test",
    )
    assert cost(rates, Usage(200_000, 1000)) == 600_000_000 + 15_000_000
    assert cost(rates, Usage(200_001, 1000)) == 1_200_006_000 + 22_500_000
    assert ceiling(rates, input_tokens=200_000, output_tokens=1000) == 615_000_000
    assert ceiling(rates, input_tokens=200_001, output_tokens=1000) == 1_222_506_000


@pytest.mark.parametrize(
    ("usage", "nano_usd"),
    [
        (Usage(2_006, 300, cached_tokens=1_920), 5_615_000),
        (Usage(100, 50, reasoning_tokens=40), 750_000),
        (Usage(100, 50, cached_tokens=0), 750_000),
        (Usage(100, 0, cached_tokens=100), 125_000),
        (Usage(0, 0), 0),
    ],
)
def test_U13_cached_and_reasoning_tokens_are_parts_of_their_whole(usage: Usage, nano_usd: int) -> None:
    assert cost(FLAT, usage) == nano_usd


def test_U13_writes_to_a_cache_are_charged_by_how_long_they_last() -> None:
    claude = Rates(
        input=3_000_000_000,
        output=15_000_000_000,
        cached=300_000_000,
        cache_write=3_750_000_000,
        cache_write_1h=6_000_000_000,
        source="test",
    )
    usage = Usage(10_000, 100, cached_tokens=4_000, cache_write_tokens=5_000, cache_write_1h_tokens=2_000)
    parts = 1_000 * 3_000 + 4_000 * 300 + 3_000 * 3_750 + 2_000 * 6_000 + 100 * 15_000
    assert cost(claude, usage) == parts


def test_U13_audio_has_its_own_rates_and_an_unknown_overlap_with_the_cache_is_taken_at_its_dearest() -> None:
    rates = Rates(
        input=300_000_000,
        output=2_500_000_000,
        cached=30_000_000,
        input_audio=1_000_000_000,
        cached_audio=100_000_000,
        source="test",
    )
    assert cost(rates, Usage(1_000, 0, input_audio_tokens=400)) == 600 * 300 + 400 * 1_000
    both = Usage(1_000, 0, input_audio_tokens=400, cached_tokens=500)
    splits = [
        (100 + k) * 300 + (500 - k) * 30 + (400 - k) * 1_000 + k * 100  # k tokens of audio came from the cache
        for k in range(401)
    ]
    assert cost(rates, both) == max(splits)


@pytest.mark.parametrize("kind", ["cached", "cache_write", "cache_write_1h", "input_audio", "cached_audio"])
def test_the_ceiling_takes_all_input_at_its_dearest_rate(kind: str) -> None:
    rates = Rates(**{"input": 2_000_000, "output": 0, kind: 7_000_000}, source="test")
    assert ceiling(rates, input_tokens=10, output_tokens=5) == 70


def test_U12_parts_that_exceed_their_whole_are_cut_to_it() -> None:
    assert cost(FLAT, Usage(100, 10, cached_tokens=10**9, reasoning_tokens=10**9)) == 100 * 1_250 + 10 * 10_000


def test_an_unknown_usage_is_not_a_cost_of_nothing() -> None:
    for usage in (Usage(), Usage(input_tokens=5), Usage(output_tokens=5)):
        with pytest.raises(ValueError, match="both sides"):
            cost(FLAT, usage)


def test_a_fee_for_each_request_is_added_once() -> None:
    rates = Rates(input=1_000_000_000, output=1_000_000_000, per_request=12_000_000, source="test")
    assert cost(rates, Usage(1, 1)) == 12_002_000
    assert ceiling(rates, input_tokens=1, output_tokens=1, choices=3) == 12_004_000


def test_text_is_bounded_by_its_bytes_and_images_by_the_context_window() -> None:
    assert bound_input(1_000, text_only=True, context=8_000) == 1_000 + OVERHEAD_TOKENS
    assert bound_input(1_000, text_only=False, context=128_000) == 128_000
    assert bound_input(1_000, text_only=False, context=None) == LARGE_INPUT_TOKENS


def test_cached_sound_is_charged_as_cached_where_sound_has_no_rate_of_its_own() -> None:
    rates = Rates(input=2_500_000_000, output=0, cached=250_000_000, source="test")
    usage = Usage(input_tokens=1000, output_tokens=0, cached_tokens=800, input_audio_tokens=600)
    assert cost(rates, usage) == 200 * 2500 + 800 * 250


def test_cached_sound_is_charged_exactly_where_the_provider_counted_it() -> None:
    rates = Rates(
        input=300_000_000,
        output=0,
        cached=30_000_000,
        input_audio=1_000_000_000,
        cached_audio=100_000_000,
        source="test",
    )
    usage = Usage(1000, 0, cached_tokens=800, input_audio_tokens=600, cached_audio_tokens=500)
    assert cost(rates, usage) == 100 * 300 + 300 * 30 + 100 * 1000 + 500 * 100
    unknown = Usage(1000, 0, cached_tokens=800, input_audio_tokens=600)
    assert cost(rates, unknown) > cost(rates, usage)
