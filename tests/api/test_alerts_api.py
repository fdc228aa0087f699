"""Over the API: when alerts are raised and where they go, tried and sent; and a limit before it is set."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from attempts import exact, hold
from browsing import Browser, signed_in
from house import Simulator, gateway, library
from store_asked import ask, settle

ALERTS, PREVIEW = "/api/byok/alerts", "/api/byok/budget-preview"
HOOK = "whsec_" + b64encode(b"sixteen bytes and more").decode()


@pytest.fixture(scope="module")
def browser(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    hook = f"{simulator.url}/hook/canary-in-a-path?canary=in-a-query"
    settings = {"OWNKEY_ALERT_WEBHOOK_URL": hook, "OWNKEY_ALERT_WEBHOOK_SECRET": HOOK}
    with gateway(tmp_path_factory.mktemp("alerts") / "home", simulator, **settings) as running:
        yield signed_in(running)


def test_channels_are_listed_by_their_origin_and_no_secret(browser: Browser, simulator: Simulator) -> None:
    answer = browser.get(f"{ALERTS}/channels")
    assert answer.json["channels"] == [{"kind": "webhook", "shown": f"webhook to {simulator.url}"}]
    assert "alert_webhook_url" in answer.json["settings"]
    for secret in (b"canary", HOOK.encode()):
        assert secret not in answer.body


def test_a_test_says_what_came_of_it_at_each_channel(browser: Browser, simulator: Simulator) -> None:
    (told,) = browser.post(f"{ALERTS}/test").json["told"]
    assert told["channel"] == f"webhook to {simulator.url}"
    assert told["error"].startswith(f"The webhook at {simulator.url} answered ")
    assert "canary" not in told["error"]


def test_what_was_raised_is_sent_when_that_is_asked_for(browser: Browser) -> None:
    assert browser.post(f"{ALERTS}/send").json == {"raised": 0, "sent": 0}


def test_rules_say_when_alerts_come_and_who_wants_them(browser: Browser) -> None:
    with library(browser.gateway.home) as ownkey:
        ownkey.budgets.set("house", limit="50", alert_percent=90)
    told = browser.get(f"{ALERTS}/rules").json
    assert {rule["kind"] for rule in told["rules"] if rule["wanted"]} >= {"budget_threshold", "key_failing"}
    assert [(one["name"], one["alert_percent"]) for one in told["thresholds"]] == [("house", 90)]
    browser.ask("PATCH", "/api/byok/preferences", {"low_quota": False})
    rules = {rule["kind"]: rule["wanted"] for rule in browser.get(f"{ALERTS}/rules").json["rules"]}
    assert (rules["budget_threshold"], rules["key_failing"]) == (False, True)
    browser.ask("PATCH", "/api/byok/preferences", {"low_quota": True})


@pytest.fixture(scope="module")
def spent(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A dollar on each of the first ten days of last month, and two dollars now."""
    first = (datetime.now(UTC).replace(day=1) - timedelta(days=1)).replace(day=1, hour=9, minute=0)
    days = [first + timedelta(days=day) for day in range(10)]
    with gateway(tmp_path_factory.mktemp("preview") / "home", simulator) as running:
        with library(running.home) as ownkey:
            made = [(hold(owner="owner", started_at_ms=int(day.timestamp() * 1000)), 10**9) for day in days]
            made.append((hold(owner="owner", started_at_ms=time.time_ns() // 1_000_000), 2 * 10**9))
            ask(ownkey.house.store, *(one for one, _ in made))
            settle(ownkey.house.store, *(exact(one.id, nano, ended_at_ms=one.started_at_ms) for one, nano in made))
        yield signed_in(running)


@pytest.mark.row("C12")
def test_a_limit_is_tried_on_last_month_and_nothing_is_set(spent: Browser) -> None:
    told = spent.post(PREVIEW, {"name": "house", "limit": "5"}).json
    assert told["says"] == ["With last month's use this would have stopped you on the 6th."]
    assert (told["used"], told["spent"], told["left"], told["refuses"]) == (10**10, 2 * 10**9, 3 * 10**9, False)
    assert spent.get("/api/byok/budgets").json["budgets"] == []
    assert spent.post(PREVIEW, {"limit": "10"}).json["stops"] == []


def test_it_says_what_would_be_refused_from_now_on(spent: Browser) -> None:
    told = spent.post(PREVIEW, {"limit": "1.50"}).json
    assert (told["refuses"], told["over"]) == (True, 500_000_000)
    assert told["says"][0].startswith("$2.00 are spent or pending already: every run would be refused until 1 ")


def test_caps_on_runs_are_tried_on_each(spent: Browser) -> None:
    told = spent.post(PREVIEW, {"run_hard_usd": "0.50"}).json
    assert (told["cut"], told["limit"]) == ({"runs": 10, "cut": 10}, None)
    assert spent.post(PREVIEW, {"run_hard_usd": "1"}).json["cut"] == {"runs": 10, "cut": 0}


def test_only_what_it_is_for_is_counted(spent: Browser) -> None:
    assert spent.post(PREVIEW, {"limit": "5", "provider": "groq"}).json["used"] == 0
    assert spent.post(PREVIEW, {"limit": "5", "unit": "requests", "per": "day"}).json["used"] == 10


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "limit"),
        ({"limit": "a lot"}, "limit"),
        ({"limit": "5", "zone": "Mars/Base"}, "zone"),
        ({"limit": "5", "anchor_day": 9}, "anchor_day"),
    ],
)
def test_what_could_not_be_set_is_refused_by_name(spent: Browser, body: dict[str, object], field: str) -> None:
    assert spent.post(PREVIEW, body).error["param"] == field


def test_A05_a_person_tries_limits_on_their_own_use(spent: Browser) -> None:
    with library(spent.gateway.home) as ownkey:
        ann = signed_in(spent.gateway, ownkey.people.add("Ann").id)
    assert ann.post(PREVIEW, {"limit": "5"}).json["used"] == 0
    assert ann.post(PREVIEW, {"limit": "5", "owner": "owner"}).status == 404
