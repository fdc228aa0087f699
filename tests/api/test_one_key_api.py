"""Several keys of one provider in the management API: each with its terms, tried, put in order, paused, removed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from browsing import Browser, signed_in
from canaries import canary
from house import BAD, KEYS, Simulator, gateway, library

KEY = "/api/byok/key"
SECOND = canary("second", "sk-proj-")


@pytest.fixture(scope="module")
def browser(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    home = tmp_path_factory.mktemp("one-key") / "home"
    with library(home) as ownkey:
        ownkey.providers.set("openai", endpoint=f"{simulator.url}/fault/name=one-key/v1")
    with gateway(home, simulator) as running:
        yield signed_in(running)


@pytest.fixture
def two(browser: Browser) -> Iterator[dict[str, Any]]:
    """Their ids by their labels."""
    for label, key in (("first", KEYS["openai"]), ("second", SECOND)):
        stored = browser.ask("PUT", "/api/byok/keys/openai", {"key": key, "label": label})
        assert stored.status == 200, stored.body
    yield {one["label"]: one["id"] for one in browser.get("/api/byok/keys").json["keys"]}
    assert browser.ask("DELETE", "/api/byok/keys/openai").status == 200


def keys(browser: Browser) -> dict[str, Any]:
    return {one["label"]: one for one in browser.get("/api/byok/keys").json["keys"]}


@pytest.mark.row("C8")
def test_what_a_test_asked_and_how_long_it_took_is_told(browser: Browser, two: dict[str, Any]) -> None:
    asked = f"127.0.0.1:{browser.gateway.simulator.port}/fault/name=one-key/v1/models"
    stored = browser.ask("PUT", "/api/byok/keys/openai", {"key": KEYS["openai"], "label": "first"}).json
    assert (stored["asked"], stored["models"] > 0, stored["took_ms"] >= 0) == (asked, True, True)
    for path in ("/api/byok/keys/openai/test", f"{KEY}/{two['second']}/test"):
        tested = browser.post(path).json
        assert (tested["valid"], tested["asked"], tested["models"] > 0) == (True, asked, True)
        assert 0 <= tested["took_ms"] < 30_000
    unsent = browser.post("/api/byok/validate", {"provider": "openai", "key": "two words"}).json
    assert (unsent["valid"], unsent["asked"], unsent["took_ms"]) == (False, None, None)
    unchecked = browser.ask("PUT", "/api/byok/keys/openai", {"key": SECOND, "label": "second", "check": False}).json
    assert (unchecked["asked"], unchecked["took_ms"], unchecked["models"]) == (None, None, None)


def test_a_refused_key_says_where_it_was_asked(browser: Browser) -> None:
    stored = browser.ask("PUT", "/api/byok/keys/openai", {"key": BAD, "force": True, "check": False}).json["key"]
    refused = browser.post(f"{KEY}/{stored['id']}/test").json
    assert (refused["valid"], refused["code"]) == (False, "upstream_auth")
    assert refused["asked"].endswith("/v1/models")
    assert refused["took_ms"] >= 0
    assert browser.ask("DELETE", f"{KEY}/{stored['id']}").json == {"removed": 1}


def test_each_key_has_terms_of_its_own(browser: Browser, two: dict[str, Any]) -> None:
    given = {"label": "work", "expires": "2099-12-31", "models": ["gpt-4o*"], "monthly_limit": "3.50", "weight": 2}
    changed = browser.ask("PATCH", f"{KEY}/{two['first']}", given)
    assert changed.status == 200, changed.body
    assert (changed.json["label"], changed.json["models"], changed.json["weight"]) == ("work", ["gpt-4o*"], 2)
    assert changed.json["limit_nano"] == 3_500_000_000
    assert changed.json["expires_at_ms"] > 4_000_000_000_000
    assert browser.ask("PATCH", f"{KEY}/{two['first']}", {"label": "first"}).json["limit_nano"] == 3_500_000_000
    bare = dict.fromkeys(("expires", "models", "monthly_limit", "weight"))
    taken = browser.ask("PATCH", f"{KEY}/{two['first']}", bare).json
    assert (taken["limit_nano"], taken["models"], taken["expires_at_ms"], taken["weight"]) == (None, [], None, None)
    assert keys(browser)["second"]["models"] == []


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"expires": "yesterday"}, "expires"),
        ({"expires": "2001-01-01"}, "expires"),
        ({"monthly_limit": "much"}, None),
        ({"weight": 1_001}, "weight"),
        ({"label": "a/b"}, "label"),
        ({"label": "second"}, "rename"),
        ({"models": ["\u0000"]}, None),
    ],
)
def test_a_term_that_cannot_be_says_which(browser: Browser, two: dict[str, Any], given: Any, param: str | None) -> None:
    before = keys(browser)
    refused = browser.ask("PATCH", f"{KEY}/{two['first']}", given)
    assert refused.status == 422
    assert param in (None, refused.error["param"])
    assert keys(browser) == before


def test_keys_are_stored_with_their_terms(browser: Browser) -> None:
    body = {"key": SECOND, "label": "terms", "monthly_limit": "2", "models": ["gpt-4o"], "weight": 7}
    stored = browser.ask("PUT", "/api/byok/keys/openai", body).json["key"]
    assert (stored["limit_nano"], stored["models"], stored["weight"]) == (2_000_000_000, ["gpt-4o"], 7)
    replaced = browser.ask("PUT", "/api/byok/keys/openai", {"key": KEYS["openai"], "label": "terms"}).json["key"]
    assert (replaced["limit_nano"], replaced["models"], replaced["weight"]) == (2_000_000_000, ["gpt-4o"], 7)
    assert browser.ask("DELETE", f"{KEY}/{stored['id']}").json == {"removed": 1}
    assert browser.get("/api/byok/budgets").json["budgets"] == []


def test_a_key_that_is_switched_off_is_not_used_until_it_is_on_again(browser: Browser, two: dict[str, Any]) -> None:
    for id in two.values():
        assert browser.ask("PATCH", f"{KEY}/{id}", {"enabled": False}).json["state"] == "paused"
    assert browser.gateway.ask("openai/gpt-4o").error["code"] == "key_missing"
    assert browser.ask("PATCH", f"{KEY}/{two['second']}", {"enabled": True}).json["state"] == "ready"
    assert browser.gateway.ask("openai/gpt-4o").status == 200


def test_keys_are_tried_in_the_order_that_they_are_put_into(browser: Browser, two: dict[str, Any]) -> None:
    ordered = browser.ask("PUT", "/api/byok/key-order/openai", {"labels": ["second"]}).json["keys"]
    assert [(one["label"], one["position"]) for one in ordered] == [("second", 1), ("first", 2)]
    assert browser.gateway.ask("openai/gpt-4o").status == 200
    assert browser.gateway.rows("openai")[-1].key_id == two["second"]
    assert browser.ask("PUT", "/api/byok/key-order/openai", {"labels": ["third"]}).status == 422
    assert browser.ask("PUT", "/api/byok/key-order/gemini", {"labels": []}).status == 404


def test_one_of_two_keys_is_removed_and_the_other_stays(browser: Browser, two: dict[str, Any]) -> None:
    assert browser.ask("DELETE", f"{KEY}/{two['first']}").json == {"removed": 1}
    assert list(keys(browser)) == ["second"]
    for method, path in (("DELETE", ""), ("PATCH", ""), ("POST", "/test")):
        body = {"enabled": True} if method == "PATCH" else None
        assert browser.ask(method, f"{KEY}/{two['first']}{path}", body).status == 404
