"""What the same usage would have cost elsewhere."""

from __future__ import annotations

import pytest

from ownkey.spending.price import Rates, Tier
from ownkey.spending.savings import Used, savings

USED = (
    Used("a", "dear", 10, 5_000_000, 100_000, 10_000, cached_tokens=50_000),
    Used("b", "cheap", 90, 1_000_000, 900_000, 90_000),
)


@pytest.mark.row("D10")
def test_savings_are_told_against_each_alternative_in_dollars_and_per_cent() -> None:
    prices = {
        ("a", "dear"): Rates(input=10_000_000, output=100_000_000, cached=1_000_000, source="t"),
        ("b", "cheap"): Rates(input=1_000_000, output=10_000_000, source="t"),
    }
    every = [("a", "dear"), ("b", "cheap"), ("c", "unknown")]
    first, second = savings(USED, every, lambda *name: prices.get(name))
    assert (first.provider, first.instead) == ("a", (950_000 * 10 + 50_000 * 1 + 100_000 * 100))
    assert first.saved == 19_550_000 - 6_000_000
    assert first.percent == pytest.approx(100 * 13_550_000 / 19_550_000)
    assert (second.provider, second.instead, second.saved) == ("b", 2_000_000, -4_000_000)


def test_a_tier_is_reached_by_requests_of_that_size_and_not_by_their_sum() -> None:
    tier = Tier(input=9_000_000, output=0, over=50_000)
    rates = Rates(input=1_000_000, output=0, tiers=(tier,), per_request=7, source="t")
    (one,) = savings(USED, [("x", "y")], lambda *_: rates)
    assert one.instead == 1_000_000 + 100 * 7
    large = (Used("a", "m", 1, 0, 60_000, 0),)
    (one,) = savings(large, [("x", "y")], lambda *_: rates)
    assert one.instead == 9 * 60_000 + 7
