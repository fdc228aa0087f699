"""What the book keeps with a charge is enough to come to it again."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ownkey.spending.price import Rates, Tier, cost
from ownkey.spending.reprice import charged_tier, kept_rates
from ownkey.talk.reply import Usage

rate = st.integers(0, 10**12)
tokens = st.integers(0, 3_000_000)
lines = st.fixed_dictionaries(
    {"input": rate, "output": rate}, optional=dict.fromkeys(("cached", "cache_write", "reasoning"), rate)
)
usages = st.builds(
    Usage,
    tokens,
    tokens,
    cached_tokens=st.none() | tokens,
    cache_write_tokens=st.none() | tokens,
    reasoning_tokens=st.none() | tokens,
)


@st.composite
def some_rates(draw: st.DrawFn) -> Rates:
    edges = sorted(draw(st.sets(st.integers(0, 2_000_000), max_size=3)))
    tiers = tuple(Tier(**draw(lines), over=edge) for edge in edges)
    return Rates(**draw(lines), tiers=tiers, per_request=draw(st.integers(0, 10**9)), source="test", dated="2026-01-01")


def kept(value: object) -> str:
    return msgspec.json.encode(value).decode()


@given(some_rates(), usages)
def test_B15_a_charge_is_what_its_kept_rates_give_again(rates: Rates, usage: Usage) -> None:
    assert kept_rates(kept(rates)) == {"default": rates}
    assert charged_tier(kept(rates), usage, cost(rates, usage)) == "default"
    assert charged_tier(kept(rates), usage, cost(rates, usage) + 1) is None


def test_B15_of_several_tiers_it_is_the_one_that_gives_what_was_charged() -> None:
    plain = Rates(input=10**9, output=10**10, source="test")
    dear = Rates(input=2 * 10**9, output=2 * 10**10, source="test")
    usage = Usage(1_000, 10)
    both = kept({"default": plain, "priority": dear})
    assert charged_tier(both, usage, cost(plain, usage)) == "default"
    assert charged_tier(both, usage, cost(dear, usage)) == "priority"
    assert charged_tier(both, usage, 1) is None


@pytest.mark.parametrize("text", ["", "null", "[]", "{", '{"input":"2.50"}', '{"a":1}', '"x"'])
def test_what_keeps_no_rates_gives_none(text: str) -> None:
    assert not kept_rates(text)
    assert charged_tier(text, Usage(1, 1), 0) is None
