"""Runs, a page at a time and one by one; filters together; usage as a file."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from attempts import exact, hold
from browsing import Browser, signed_in
from house import KEYS, Gateway, Simulator, gateway, library, nobody
from ownkey.app.keys import KeyRing
from ownkey.store.book import Ending, Hold
from store_asked import ask, settle

USAGE = "/api/byok/usage"
AT_MS = 1_700_000_000_000
RATES = '{"input":2500000000,"output":10000000000,"source":"a list","dated":"2026-01-01"}'
RUNS = 230
MOMENTS = ("held_ms", "sent_ms", "first_token_ms", "ended_ms")


def rows() -> Iterator[tuple[Hold, Ending]]:
    """Each run a second after the one before; every tenth went on to another provider."""
    for number in range(RUNS):
        id, at_ms = f"r{number:04d}", AT_MS + number * 1000
        common: dict[str, Any] = {"request_id": id, "owner": "owner", "key_id": None, "automation": f"a{number % 3}"}
        moved = number % 10 == 0
        first = hold(id=f"{id}.1", provider="openai", started_at_ms=at_ms, price=RATES, **common)
        error = {"error": "overloaded", "status": 503} if moved else {"status": 200, "finish": "stop"}
        state = "released" if moved else "exact"
        took = {} if moved else {"input_tokens": 10, "output_tokens": 5, "first_ms": 20, "total_ms": 50}
        yield first, exact(first.id, 0 if moved else 1000, state=state, ended_at_ms=at_ms + 60, **error, **took)
        if moved:
            next = hold(id=f"{id}.2", attempt=2, provider="groq", started_at_ms=at_ms + 100, price=RATES, **common)
            yield (
                next,
                exact(next.id, 3000, status=200, ended_at_ms=at_ms + 400, sent_ms=4, first_ms=30, input_tokens=10),
            )


@pytest.fixture(scope="module")
def browser(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with gateway(tmp_path_factory.mktemp("runs") / "home", simulator) as running:
        with library(running.home) as ownkey:
            held, ended = zip(*rows(), strict=True)
            ask(ownkey.house.store, *held)
            settle(ownkey.house.store, *ended)
        yield signed_in(running)


def pages(browser: Browser, query: str = "", limit: int = 50) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    before = ""
    while True:
        page = browser.get(f"{USAGE}/runs?limit={limit}{query}{before}").json
        assert len(page["runs"]) <= limit
        found += page["runs"]
        if page["next"] is None:
            return found
        assert page["runs"]
        before = f"&before={page['next']}"


@pytest.mark.parametrize("limit", [1, 7, 50, 200])
def test_each_run_stands_on_one_page_newest_first(browser: Browser, limit: int) -> None:
    found = pages(browser, limit=limit)
    assert [run["id"] for run in found] == [f"r{number:04d}" for number in reversed(range(RUNS))]
    assert [run["tries"] for run in found] == [2 if number % 10 == 0 else 1 for number in reversed(range(RUNS))]
    assert {run["cost_nano"] for run in found if run["tries"] == 2} == {3000}


def test_filters_are_held_to_together(browser: Browser) -> None:
    moved = pages(browser, "&provider=groq")
    assert [run["id"] for run in moved] == [f"r{number:04d}" for number in reversed(range(0, RUNS, 10))]
    assert [run["id"] for run in pages(browser, "&failed=true", limit=4)] == [run["id"] for run in moved]
    some = pages(browser, f"&provider=groq&automation=a0&since_ms={AT_MS + 50_000}&until_ms={AT_MS + 130_000}", 1)
    assert [run["id"] for run in some] == ["r0120", "r0090", "r0060"]
    assert pages(browser, "&provider=groq&model=another") == []


def test_a_run_opens_to_its_tries_as_the_book_has_them(browser: Browser) -> None:
    told = browser.get(f"{USAGE}/runs/r0010").json
    assert (told["run"]["tries"], told["run"]["cost_nano"], told["run"]["provider"]) == (2, 3000, "groq")
    first, second = told["tries"]
    assert (first["provider"], first["state"], first["error"], first["status"]) == (
        "openai",
        "released",
        "overloaded",
        503,
    )
    assert [first[name] for name in MOMENTS] == [0, None, None, 60]
    assert [second[name] for name in MOMENTS] == [100, 104, 130, 400]
    assert first["after"] is None
    assert (second["after"], second["cost_nano"], second["output_tokens"]) == ("overloaded", 3000, None)
    (rates,) = second["rates"]
    assert (rates["tier"], rates["input"], rates["source"], rates["dated"]) == (
        "default",
        2_500_000_000,
        "a list",
        "2026-01-01",
    )


def test_a_try_says_when_it_was_sent_and_that_it_was_not(simulator: Simulator, tmp_path: Path) -> None:
    with nobody() as there, ExitStack() as stack:
        allowed = ",".join(f"127.0.0.1:{port}" for port in (simulator.port, there))
        running = stack.enter_context(gateway(tmp_path / "home", simulator, OWNKEY_ALLOW_PRIVATE_HOSTS=allowed))
        with library(running.home, allow_private_hosts=allowed.split(",")) as ownkey:
            ownkey.providers.set("openai", endpoint=f"http://127.0.0.1:{there}/v1")
            ownkey.keys.set("openai", KEYS["openai"])
        lost, slow = running.provider("reset"), running.provider("first-token=0.2")
        answer = running.ask(f"openai/gpt-4o,{lost}/gpt-4o,{slow}/gpt-4o", stream=True)
        assert answer.streamed_text
        running.rows(slow)
        browser = signed_in(running)
        (run,) = browser.get(f"{USAGE}/runs").json["runs"]
        tries = browser.get(f"{USAGE}/runs/{run['id']}").json["tries"]
    assert {one["provider"] for one in tries} == {"openai", lost, slow}
    for one in tries:
        held, sent, first, ended = (one[name] for name in MOMENTS)
        if one["provider"] == "openai":
            assert (sent, first) == (None, None)
        elif one["provider"] == lost:
            assert held <= sent <= ended
            assert first is None
        else:
            assert held <= sent < first <= ended
            assert first - held >= 200


def test_a_key_is_shown_masked_and_only_ones_own(browser: Browser) -> None:
    with library(browser.gateway.home) as ownkey:
        ann = ownkey.people.add("Ann").id
        row = KeyRing(ownkey.house, ann).set("openai", KEYS["openai"]).row
        made = hold(id="of-ann.1", request_id="of-ann", owner=ann, key_id=row.id, started_at_ms=AT_MS - 5_000)
        ask(ownkey.house.store, made)
        settle(ownkey.house.store, exact(made.id))
    own, keepers = (one.get(f"{USAGE}/runs/of-ann") for one in (signed_in(browser.gateway, ann), browser))
    assert own.json["tries"][0]["key"] == row.masked
    assert keepers.json["tries"][0]["key"] is None
    assert KEYS["openai"].encode() not in own.body
    for theirs in ("r0010", "nothing"):
        assert signed_in(browser.gateway, ann).get(f"{USAGE}/runs/{theirs}").status == 404


@pytest.mark.parametrize("before", ["nothing", "1.", ".x", "-1.x", "9" * 200])
def test_a_place_that_no_page_told_is_refused(browser: Browser, before: str) -> None:
    assert browser.get(f"{USAGE}/runs?before={before}").status == 422


def test_totals_and_days_take_the_same_filters(browser: Browser) -> None:
    whole = browser.get(f"{USAGE}?whole=true&provider=groq").json["totals"]
    assert [(one["calls"], one["cost_nano"], one["group"]) for one in whole] == [(RUNS // 10, 3000 * RUNS // 10, {})]
    by = browser.get(f"{USAGE}?by=automation&provider=groq&automation=a0").json["totals"]
    assert [one["group"] for one in by] == [{"automation": "a0"}]
    assert browser.get(f"{USAGE}/days?provider=groq&count=1").json == {}
    assert browser.get(f"{USAGE}?by=provider&by=provider").error["param"] == "by"


def test_A05_a_person_filters_nobody_elses(browser: Browser) -> None:
    with library(browser.gateway.home) as ownkey:
        ben = signed_in(browser.gateway, ownkey.people.add("Ben").id)
    for path in ("", "/days", "/runs", "/export"):
        answer = ben.get(f"{USAGE}{path}?owner=owner")
        assert answer.status == 404, path
    assert ben.get(f"{USAGE}/export?form=json").json == []


def test_usage_is_given_as_a_file_with_every_row_and_the_filters(browser: Browser) -> None:
    answer = browser.get(f"{USAGE}/export?form=csv&owner=owner")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="ownkey-usage.csv"'
    assert answer.headers["cache-control"] == "no-store"
    told = list(csv.DictReader(StringIO(answer.body.decode())))
    assert len(told) == RUNS + RUNS // 10
    assert [row["request_id"] for row in told] == sorted(row["request_id"] for row in told)
    assert {row["cost_usd"] for row in told if row["provider"] == "groq"} == {"0.000003"}
    some = browser.get(f"{USAGE}/export?form=json&provider=groq&automation=a1").json
    assert {(row["provider"], row["automation"]) for row in some} == {("groq", "a1")}
    with library(browser.gateway.home) as ownkey:
        kept = [row for row in ownkey.audit.listed(action="usage.exported") if row.outcome == "begun"]
    assert kept[0].actor == "owner"
    assert json.loads(kept[0].detail)["format"] == "json"


def test_a_long_file_comes_in_pieces_and_is_whole(
    simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with gateway(tmp_path_factory.mktemp("long") / "home", simulator) as running:
        with library(running.home) as ownkey:
            made = [hold(owner="owner", started_at_ms=AT_MS + number) for number in range(1500)]
            ask(ownkey.house.store, *made)
        answer = signed_in(running).get(f"{USAGE}/export?form=json")
        assert answer.headers["transfer-encoding"] == "chunked"
        assert [row["id"] for row in answer.json] == [one.id for one in made]


@pytest.mark.row("C12")
def test_savings_are_told_by_each_way(simulator: Simulator, tmp_path: Path) -> None:
    now_ms = time.time_ns() // 1_000_000
    half = '{"input":1,"output":1,"source":"a list, batch -50 %"}'
    with gateway(tmp_path / "home", simulator) as running:
        with library(running.home) as ownkey:
            batched = hold(owner="owner", started_at_ms=now_ms, price=half)
            cached = hold(owner="owner", started_at_ms=now_ms, price=RATES)
            ask(ownkey.house.store, batched, cached)
            ended = {"ended_at_ms": now_ms, "status": 200, "output_tokens": 0}
            settle(
                ownkey.house.store,
                exact(batched.id, 400, input_tokens=10, **ended),
                exact(cached.id, 1_250_000, input_tokens=1000, cached_tokens=1000, **ended),
            )
        told = signed_in(running).get(f"{USAGE}/savings").json
    assert told["batches"] == {"count": 1, "saved_nano": 400}
    # gpt-4o: $2.50 a million tokens, $1.25 where they were kept.
    assert told["cached_prompts"] == {"count": 1000, "saved_nano": 1_250_000}
    assert told["cache"] == {"count": 0, "saved_nano": 0}
    assert all(one["saved_nano"] == one["instead_nano"] - one["actual_nano"] for one in told["choices"])


def test_what_another_process_serves_is_the_same(browser: Browser, simulator: Simulator) -> None:
    """Pages are made from the book alone: any gateway on it goes on where another stopped."""
    first = browser.get(f"{USAGE}/runs?limit=3").json
    gateway_home: Gateway = browser.gateway
    with gateway(gateway_home.home, simulator) as other:
        rest = signed_in(other).get(f"{USAGE}/runs?limit=200&before={first['next']}").json["runs"]
    assert rest[0]["id"] == f"r{RUNS - 4:04d}"
