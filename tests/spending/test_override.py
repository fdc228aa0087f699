"""The owner's own prices: exact, never nothing by mistake, and seen by a running gateway."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from house import Gateway, library, run, until
from ownkey.spending.override import Override, applied, checked
from ownkey.spending.price import Rates, Tier, cost
from ownkey.talk.errors import InvalidRequest
from ownkey.talk.reply import Usage

LISTED = Rates(
    input=2_500_000_000,
    output=10_000_000_000,
    cached=1_250_000_001,
    tiers=(Tier(input=5_000_000_001, output=20_000_000_000, over=200_000),),
    per_request=11,
    source="list",
    dated="2026-01-01",
)


@given(st.decimals(-1_000, 100, places=2), st.integers(0, 300_000), st.integers(0, 100_000))
def test_a_discount_is_never_under_the_exact_share_and_less_than_a_nano_dollar_over_it(
    percent: Decimal, into: int, out: int
) -> None:
    rates = applied(checked(Override(discount=str(percent))), LISTED)
    assert rates is not None
    usage = Usage(into, out, cached_tokens=into // 3)
    exact = Fraction(cost(LISTED, usage)) * (100 - Fraction(percent)) / 100
    # Each rate is rounded up once, by less than a nano-dollar for a million tokens, and the sum once more.
    share = abs(100 - Fraction(percent)) / 100
    assert exact - share - 1 <= cost(rates, usage) <= exact + 2 + share


def test_rates_of_ones_own_stand_in_place_of_all_others() -> None:
    rates = applied(checked(Override(rates={"input": "1.25", "output": "0", "cached": "0.000000001"})), LISTED)
    assert rates is not None
    assert (rates.input, rates.output, rates.cached, rates.tiers) == (1_250_000_000, 0, 1, ())
    assert rates.source == "owner"
    assert applied(Override(discount="15"), None) is None
    assert "less 15 %" in applied(Override(discount="15"), LISTED).source  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "amount", ["nan", "inf", "-1", "1e-12", "1e3", "", "true", "0x10", "99999999999", "1.0000000001"]
)
def test_B10_an_amount_that_is_none_is_refused(amount: str) -> None:
    with pytest.raises(InvalidRequest):
        checked(Override(rates={"input": amount, "output": "1"}))


@pytest.mark.parametrize("percent", ["nan", "101", "-1001", "1e1", "", "15 per cent", "7.555"])
def test_B10_a_discount_that_is_none_is_refused(percent: str) -> None:
    with pytest.raises(InvalidRequest):
        checked(Override(discount=percent))


@pytest.mark.parametrize(
    "override", [Override(), Override({"input": "1"}), Override({"input": "1", "output": "1", "x": "1"})]
)
def test_a_price_is_whole_or_refused(override: Override) -> None:
    with pytest.raises(InvalidRequest):
        checked(override)


def test_B15_a_gateway_takes_a_new_price_within_a_second_and_an_open_charge_keeps_its_own(served: Gateway) -> None:
    name = served.provider()
    model = f"{name}/gpt-4o"
    assert served.ask(model, max_tokens=10).status == 200
    before = served.rows(name)[-1]
    assert run(served.env, "prices", "set", model, "--input", "100", "--output", "1000").returncode == 0

    def dearer() -> bool:
        assert served.ask(model, max_tokens=10).status == 200
        row = served.rows(name)[-1]
        return row.cost_nano == row.input_tokens * 100_000 + row.output_tokens * 1_000_000

    assert until(dearer)
    last = served.rows(name)[-1]
    assert json.loads(last.price)["source"] == "owner"
    assert json.loads(before.price)["source"] == "owner"
    assert before.cost_nano == before.input_tokens * 2_500 + before.output_tokens * 10_000
    assert run(served.env, "prices", "discount", name, "50").returncode == 0
    assert run(served.env, "prices", "remove", model).returncode == 0
    listed = json.loads(run(served.env, "prices", "list", "--provider", name, "--json").stdout)
    assert [one["rates"]["input"] for one in listed] == [1_250_000_000]
    assert name in run(served.env, "prices", "own").stdout
    with library(served.home) as ownkey:
        ownkey.prices.remove(name)
        with pytest.raises(InvalidRequest):
            ownkey.prices.remove(name)
