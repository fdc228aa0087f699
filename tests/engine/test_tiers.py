"""The tier in which it was answered decides what is charged, also where nobody asked for one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ownkey.engine.attempt import Made
from ownkey.spending.catalogue import Prices
from ownkey.talk.reply import Usage
from shipped import shipped


@pytest.mark.parametrize(
    ("asked", "answered", "charged"),
    [
        ("default", None, "default"),
        ("default", "default", "default"),
        ("default", "priority", "priority"),  # the setting of a project
        ("default", "unheard of", "default"),
        ("priority", "default", "default"),  # too many at once: answered and billed as usual
        ("priority", None, "priority"),
        ("flex", "default", "default"),
        ("auto", "priority", "priority"),
    ],
)
def test_the_answer_s_tier_decides(tmp_path: Path, asked: str, answered: str | None, charged: str) -> None:
    prices, openai, at = Prices.load(tmp_path), shipped().get("openai"), datetime.now(UTC)

    def rates_in(tier: str):
        return prices.rates(openai, "gpt-5", at, {"service_tier": tier})

    made = Made(rates_in(asked), 1, 1, tier=asked, rates_in=rates_in)
    assert made.rates_of(Usage(1, 1, tier=answered)) == rates_in(charged)
