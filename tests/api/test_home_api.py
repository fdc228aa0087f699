"""Home in one answer, and how this Ownkey is, told while the vault is sealed too."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from attempts import exact, hold
from browsing import Browser, signed_in
from house import KEYS, Gateway, Simulator, gateway, library, run, until
from ownkey import Ownkey
from ownkey.app.home import HomeBook
from ownkey.app.keys import KeyRing
from ownkey.store.posting import Alert
from statements import watched
from store_asked import ask, settle

HOME, STATUS = "/api/byok/home", "/api/byok/status"


@pytest.fixture(scope="module")
def place(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("home") / "home", simulator) as running:
        yield running


def used(ownkey: Ownkey, number: int, owner: str = "owner", cost_nano: int = 1_000_000, **differs: Any) -> str:
    """One run that was answered just now; its id."""
    now_ms = time.time_ns() // 1_000_000 - 1_000
    id = f"run-{owner}-{number}"
    ask(ownkey.house.store, hold(id=f"{id}.1", request_id=id, owner=owner, started_at_ms=now_ms + number, **differs))
    settle(ownkey.house.store, exact(f"{id}.1", cost_nano, ended_at_ms=now_ms + number + 500))
    return id


def test_it_says_what_was_spent_what_is_left_and_who_ran_last(place: Gateway) -> None:
    with library(place.home) as ownkey:
        used(ownkey, -1, priced=False, held_nano=0, cost_nano=0, model="nobody-knows")
        ids = [used(ownkey, number) for number in range(10)]
        ownkey.budgets.set("house", limit="1")
        ownkey.budgets.set("openai", limit="0.5", provider="openai")
    told = signed_in(place).get(HOME).json
    assert told["month_nano"] == 10_000_000
    assert (len(told["days"]), told["days"][-1]) == (
        30,
        {"day": datetime.now(UTC).date().isoformat(), "cost_nano": 10_000_000},
    )
    assert sum(day["cost_nano"] for day in told["days"]) == 10_000_000
    assert told["limit"] == {
        "budget_id": told["limit"]["budget_id"],
        "name": "house",
        "limit_nano": 10**9,
        "left_nano": 990_000_000,
    }
    assert {one["name"]: one["left"] for one in told["budgets"]} == {"house": 990_000_000, "openai": 490_000_000}
    assert [one["id"] for one in told["runs"]] == ids[::-1][:8]
    assert (told["pending_nano"], told["unpriced"]) == (0, 1)
    assert [(one["kind"], one["target"]) for one in told["needs"]] == [("price_unknown", "openai/nobody-knows")]
    assert {"demo", "ollama"} <= {dot["provider"] for dot in told["health"]}


def test_what_needs_a_hand_stands_there(place: Gateway) -> None:
    with library(place.home) as ownkey:
        now_ms = time.time_ns() // 1_000_000
        row = KeyRing(ownkey.house, "owner").set("openai", KEYS["openai"]).row
        soon = datetime.fromtimestamp(now_ms / 1000, UTC) + timedelta(days=3)
        ownkey.keys.change("openai", expires=soon.isoformat())
        alert = Alert("test:home", "test", "owner", None, "Something is the matter.", "{}", now_ms)
        assert ownkey.house.store.alerts.raise_(alert)
    needs = {one["kind"]: one for one in signed_in(place).get(HOME).json["needs"]}
    ending = KEYS["openai"][-4:]
    assert needs["key"]["says"] == f"The key ending {ending} for OpenAI expires in 3 days."
    assert (needs["key"]["id"], needs["key"]["target"]) == (row.id, "openai")
    assert needs["alert"] == {
        "kind": "alert",
        "says": "Something is the matter.",
        "id": "test:home",
        "target": None,
        "until_ms": None,
    }


def test_A05_a_person_sees_their_own_alone(place: Gateway) -> None:
    with library(place.home) as ownkey:
        ann = ownkey.people.add("Ann").id
        mine = used(ownkey, 1, owner=ann, cost_nano=7)
    told = signed_in(place, ann).get(HOME).json
    assert told["month_nano"] == 7
    assert [one["id"] for one in told["runs"]] == [mine]
    assert (told["budgets"], told["limit"], told["needs"]) == ([], None, [])


def test_a_zone_that_is_none_is_refused(place: Gateway) -> None:
    assert signed_in(place).get(f"{HOME}?zone=Mars/Base").error["param"] == "zone"


def test_it_is_read_over_one_connection(tmp_path: Path) -> None:
    with watched() as asked, library(tmp_path / "home") as ownkey:
        used(ownkey, 1)
        before = asked.connections
        assert HomeBook(ownkey.house, "owner", only=None).now(ZoneInfo("Europe/Berlin")).month_nano == 1_000_000
        assert asked.connections - before <= 1


def test_the_status_says_who_asks_and_where_programs_are_pointed_at(place: Gateway) -> None:
    told = signed_in(place).get(STATUS).json
    assert told["base_url"] == f"http://127.0.0.1:{place.port}/v1"
    assert (told["keeper"], told["sees_all"]) == (True, True)
    assert told["vault"] == {"state": "open", "why": None, "hint": None}
    assert told["version"] in run(place.env, "--version").stdout
    ZoneInfo(told["zone"])
    with library(place.home) as ownkey:
        ann = ownkey.people.add("Other").id
    assert signed_in(place, ann).get(STATUS).json["keeper"] is False


def test_demo_is_told_as_long_as_there_is_no_key(simulator: Simulator, tmp_path: Path) -> None:
    with gateway(tmp_path / "home", simulator) as running:
        browser = signed_in(running)
        assert browser.get(STATUS).json["demo"] is True
        with library(running.home) as ownkey:
            ownkey.keys.set("openai", KEYS["openai"])
        until(lambda: browser.get(STATUS).json["demo"] is False)


@pytest.fixture
def sealed(simulator: Simulator, tmp_path: Path) -> Iterator[Browser]:
    with gateway(tmp_path / "home", simulator) as running:
        with library(running.home) as ownkey:
            ownkey.keys.set("openai", KEYS["openai"])
        browser = signed_in(running)
        assert run(running.env, "vault", "seal").returncode == 0
        yield browser


LOADED = (
    *("home", "sessions/current", "providers", "models", "keys", "budgets", "usage/summary", "usage/runs"),
    *("usage/days", "alerts", "audit", "tokens", "routes", "waiting", "consents", "preferences", "users"),
    *("limits", "prices/own"),
)


def test_V06_a_sealed_vault_is_told_and_the_page_goes_on(sealed: Browser) -> None:
    """Another process has sealed it: within a second this one knows."""
    until(lambda: sealed.get(STATUS).json["vault"]["state"] == "sealed")
    assert sealed.get(STATUS).json["vault"] == {
        "state": "sealed",
        "why": "The vault was sealed by its owner.",
        "hint": "Open it again: `ownkey vault unseal`.",
    }
    for path in LOADED:
        assert sealed.get(f"/api/byok/{path}").status == 200, path
    assert sealed.get("/api/health/providers").status == 200
    (need, *_) = sealed.get(HOME).json["needs"]
    assert need["kind"] == "vault_sealed"
    assert "ownkey vault unseal" in need["says"]
    refused = sealed.ask("PUT", "/api/byok/keys/openai", {"key": KEYS["openai"], "check": False})
    assert (refused.status, refused.error["code"]) == (503, "vault_sealed")
    again = signed_in(sealed.gateway)
    assert again.get(STATUS).json["vault"]["state"] == "sealed"
