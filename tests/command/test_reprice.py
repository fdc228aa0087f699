"""A past month priced anew, by what the book keeps with each try."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from attempts import exact, hold
from house import Gateway, environment, library, make_home, run
from ownkey.spending.price import Rates, cost
from ownkey.spending.reprice import charged_tier
from ownkey.store.book import Ending
from ownkey.talk.reply import Usage
from store_asked import ask, settle

Env = dict[str, str]
AT_MS = int(datetime(2026, 10, 5, tzinfo=UTC).timestamp() * 1000)
USAGE = Usage(1_000, 500)
TOKENS: dict[str, Any] = {"input_tokens": 1_000, "output_tokens": 500}


def kept(value: object) -> str:
    return msgspec.json.encode(value).decode()


@pytest.fixture
def env(tmp_path: Path) -> Env:
    make_home(tmp_path / "home")
    return environment(tmp_path / "home")


def told(env: Env, *arguments: str) -> dict[str, Any]:
    done = run(env, "usage", "reprice", "--month", "2026-10", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return {one["was"]: one for one in json.loads(done.stdout)}


def test_B15_every_exact_charge_of_a_gateway_comes_out_of_its_row_again(served: Gateway) -> None:
    name = served.provider()
    for number in range(5):
        assert served.ask(f"{name}/gpt-4o", max_tokens=10 + number).status == 200
    rows = [row for row in served.rows(name) if row.state == "exact"]
    assert len(rows) == 5
    for row in rows:
        usage = Usage(
            row.input_tokens,
            row.output_tokens,
            cached_tokens=row.cached_tokens,
            cache_write_tokens=row.cache_write_tokens,
            reasoning_tokens=row.reasoning_tokens,
            input_audio_tokens=row.input_audio_tokens,
            output_audio_tokens=row.output_audio_tokens,
            cached_audio_tokens=row.cached_audio_tokens,
            cache_write_1h_tokens=row.cache_write_1h_tokens,
        )
        assert row.cost_nano > 0
        assert charged_tier(row.price, usage, row.cost_nano) == "default"


@pytest.mark.row("D10")
def test_B15_the_prices_of_then_are_those_that_each_try_was_charged_at(env: Env) -> None:
    """A price of one's own that is set later changes what a month would cost today, and not what it did cost."""
    old = Rates(input=10**9, output=10**10, source="owner")
    charged = cost(old, USAGE)
    one, assumed = (hold(started_at_ms=AT_MS, price=kept(old), held_nano=10**9) for _ in range(2))
    with library(Path(env["OWNKEY_HOME"])) as ownkey:
        store = ownkey.house.store
        ask(store, one, assumed)
        settle(store, exact(one.id, charged, **TOKENS), Ending(assumed.id, "assumed", 10**9, ended_at_ms=1))
    assert run(env, "prices", "set", "openai/gpt-4o", "--input", "100", "--output", "1000").returncode == 0
    then = told(env, "--prices", "then")["openai/gpt-4o"]
    assert (then["calls"], then["unknown"], then["actual"], then["difference"]) == (2, 0, charged + 10**9, 0)
    today = told(env)["openai/gpt-4o"]
    assert (today["unknown"], today["actual"], today["instead"]) == (1, charged, 100 * charged)


def test_a_try_in_a_dearer_tier_is_priced_anew_in_that_tier(env: Env) -> None:
    with library(Path(env["OWNKEY_HOME"])) as ownkey:
        store, openai, now = ownkey.house.store, ownkey.house.catalogue.get("openai"), datetime.now(UTC)
        plain = ownkey.house.prices.rates(openai, "gpt-5", now)
        dear = ownkey.house.prices.rates(openai, "gpt-5", now, {"service_tier": "priority"})
        assert plain is not None
        assert dear is not None
        assert cost(dear, USAGE) > cost(plain, USAGE)
        tried = [
            hold(started_at_ms=AT_MS, model="gpt-5", price=kept({"default": plain, "priority": dear})) for _ in "ab"
        ]
        ask(store, *tried)
        settle(store, exact(tried[0].id, cost(plain, USAGE), **TOKENS), exact(tried[1].id, cost(dear, USAGE), **TOKENS))
    found = told(env)["openai/gpt-5"]
    assert (found["calls"], found["unknown"], found["difference"]) == (2, 0, 0)


def test_sound_what_is_cached_for_an_hour_and_a_tier_that_nobody_asked_for_are_priced_anew(env: Env) -> None:
    rates = Rates(input=10**9, output=10**10, cache_write_1h=2 * 10**9, input_audio=4 * 10**9, source="test")
    more = Usage(1_000, 500, cache_write_tokens=400, cache_write_1h_tokens=400, input_audio_tokens=100)
    kinds = {"cache_write_tokens": 400, "cache_write_1h_tokens": 400, "input_audio_tokens": 100}
    one, flex = (hold(started_at_ms=AT_MS, price=kept(rates), held_nano=10**9) for _ in range(2))
    with library(Path(env["OWNKEY_HOME"])) as ownkey:
        store, openai = ownkey.house.store, ownkey.house.catalogue.get("openai")
        ask(store, one, flex)
        settle(store, exact(one.id, cost(rates, more), **kinds, **TOKENS), exact(flex.id, 7, tier="flex", **TOKENS))
        mini = ownkey.house.prices.rates(openai, "gpt-4o-mini", datetime.now(UTC))
        (total,) = store.usage.totals((), since_ms=AT_MS)
    assert mini is not None
    assert total.input_audio_tokens == 100
    found = told(env, "--model", "openai/gpt-4o-mini")["openai/gpt-4o"]
    assert (found["unknown"], found["instead"]) == (0, cost(mini, more) + cost(mini, Usage(1_000, 500)))


def test_what_was_charged_for_more_than_the_book_keeps_is_counted_apart(env: Env) -> None:
    rates = Rates(input=10**9, output=10**10, cache_write_1h=2 * 10**9, source="test")
    longer = Usage(1_000, 500, cache_write_tokens=400, cache_write_1h_tokens=400)
    one = hold(started_at_ms=AT_MS, price=kept(rates), held_nano=10**9)
    with library(Path(env["OWNKEY_HOME"])) as ownkey:
        ask(ownkey.house.store, one)
        settle(ownkey.house.store, exact(one.id, cost(rates, longer), cache_write_tokens=400, **TOKENS))
    found = told(env, "--model", "openai/gpt-4o-mini")["openai/gpt-4o"]
    assert (found["calls"], found["unknown"], found["actual"], found["instead"]) == (1, 1, 0, 0)
