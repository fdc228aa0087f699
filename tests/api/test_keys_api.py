"""Keys over HTTP: validated, stored, tested, removed, by people for themselves, by an application for its users."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from browsing import Browser, signed_in
from house import BAD, CHAT, KEYS, MASKED, Answer, Gateway, Simulator, gateway, library


@pytest.fixture(scope="module")
def place(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("keys-api") / "home"
    with library(home) as ownkey:
        for name in KEYS:
            version = "v1beta" if name == "gemini" else "v1"
            ownkey.providers.set(name, endpoint=f"{simulator.url}/fault/name=keys-{name}/{version}")
    with gateway(home, simulator) as running:
        yield running


@pytest.fixture(scope="module")
def browser(place: Gateway) -> Browser:
    return signed_in(place)


@pytest.mark.row("C8")
def test_the_providers_are_listed_with_what_the_page_shows_of_them(browser: Browser) -> None:
    found = {one["id"]: one for one in browser.get("/api/byok/providers").json["providers"]}
    assert {"openai", "anthropic", "gemini", "deepseek", "ollama", "demo"} <= set(found)
    openai = found["openai"]
    assert (openai["name"], openai["kind"], openai["enabled"], openai["keys"]) == ("OpenAI", "cloud", True, 0)
    assert openai["key_page"].startswith("https://")
    assert openai["lack"]["says"] == "no key"
    assert found["demo"]["lack"] is None


@pytest.mark.row("C8")
@pytest.mark.parametrize("provider", KEYS)
def test_a_key_is_validated_before_it_is_stored_and_nothing_is_kept_of_it(browser: Browser, provider: str) -> None:
    asked = len(browser.gateway.simulator.seen(f"keys-{provider}"))
    good = browser.post("/api/byok/validate", {"provider": provider, "key": KEYS[provider]}).json
    assert (good["valid"], good["error"]) == (True, None)
    assert good["models"] > 0
    refused = browser.post("/api/byok/validate", {"provider": provider, "key": BAD})
    assert (refused.status, refused.json["valid"]) == (200, False)
    assert refused.json["code"] in ("upstream_auth", "invalid_request")
    assert BAD[-4:] not in refused.body.decode()
    assert len(browser.gateway.simulator.seen(f"keys-{provider}")) > asked
    assert browser.get("/api/byok/keys").json == {"keys": []}
    kept = b"".join(path.read_bytes() for path in browser.gateway.home.rglob("*") if path.is_file())
    assert KEYS[provider].encode() not in kept
    assert BAD.encode() not in kept


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"provider": "nobody", "key": KEYS["openai"]}, None),
        ({"provider": "openai", "key": "two words"}, "invalid_request"),
        ({"provider": "demo", "key": KEYS["openai"]}, "invalid_request"),
        ({"provider": "openai"}, "key_missing"),
    ],
)
def test_what_cannot_be_validated_says_why_and_quotes_nothing(browser: Browser, body: Any, code: str | None) -> None:
    answer = browser.post("/api/byok/validate", body)
    assert (answer.status, answer.json["valid"]) == (200, False)
    assert code in (None, answer.json["code"])
    assert "two words" not in answer.body.decode()


@pytest.mark.row("D3")
def test_a_person_keeps_their_keys_by_the_paths_for_users(browser: Browser) -> None:
    own = "/api/user/api-keys/owner"
    assert browser.get("/api/user/api-keys/providers").json == browser.get("/api/byok/providers").json
    stored = browser.post(f"{own}/keys/openai", {"key": KEYS["openai"]}).json
    assert (stored["key"]["masked"], stored["says"]) == (MASKED, None)
    (listed,) = browser.get(f"{own}/keys").json["keys"]
    assert (listed["id"], listed["state"]) == (stored["key"]["id"], "ready")
    tested = browser.post(f"{own}/keys/openai/test").json
    assert (tested["valid"], tested["provider"]) == (True, "openai")
    services = {one["provider"]: one for one in browser.get(f"{own}/services").json["services"]}
    assert (services["openai"]["configured"], services["openai"]["usable"]) == (True, True)
    assert (services["anthropic"]["configured"], services["anthropic"]["usable"]) == (False, False)
    status = browser.get(f"{own}/status").json
    assert (status["user_id"], status["keys"], status["providers"], status["vault"]) == ("owner", 1, ["openai"], "open")
    assert "openai" in status["usable"]
    assert browser.ask("DELETE", f"{own}/keys/openai").json == {"removed": 1}
    assert browser.get(f"{own}/keys").json == {"keys": []}
    assert browser.ask("DELETE", f"{own}/keys/openai").status == 404
    assert browser.post(f"{own}/keys/openai/test").status == 404


@pytest.mark.row("D1")
@pytest.mark.row("D3")
def test_an_application_keeps_keys_for_its_users_each_apart(place: Gateway) -> None:
    with library(place.home) as ownkey:
        made = ownkey.tokens.create("the application", kind="service")
    token = made.secret.reveal().decode()

    def ask(user: str, method: str, path: str, body: Any = None) -> Answer:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "x-ownkey-user": user}
        return place.send(method, path, None if body is None else json.dumps(body).encode(), headers)

    ann = "/api/user/api-keys/ann@example.com"
    assert ask("ann@example.com", "POST", f"{ann}/keys/openai", {"key": KEYS["openai"]}).status == 200
    assert len(ask("ann@example.com", "GET", f"{ann}/keys").json["keys"]) == 1
    for user in ("ben", "Ann@example.com", "owner"):
        assert ask(user, "GET", f"{ann}/keys").status == 404
        assert ask(user, "DELETE", f"{ann}/keys/openai").status == 404
        assert ask(user, "GET", f"/api/user/api-keys/{user}/keys").json == {"keys": []}
    chat = {"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
    assert ask("ann@example.com", "POST", CHAT, chat).status == 200
    assert ask("ben", "POST", CHAT, chat).json["error"]["code"] == "key_missing"
    place.rows("openai")
    answer = ask("ann@example.com", "GET", "/api/byok/usage")
    assert answer.status == 200, answer.body
    (used,) = answer.json["totals"]
    assert (used["group"], used["calls"]) == ({"provider": "openai", "model": "gpt-4o"}, 1)
    assert ask("ben", "GET", "/api/byok/usage").json == {"totals": []}
    assert ask("ann@example.com", "DELETE", f"{ann}/keys/openai").json == {"removed": 1}


def test_a_key_that_is_refused_by_its_provider_is_an_answer_and_no_error(browser: Browser) -> None:
    refused = browser.ask("PUT", "/api/byok/keys/anthropic", {"key": BAD, "force": True})
    assert (refused.status, refused.error["code"]) == (502, "upstream_auth")
    assert browser.get("/api/byok/keys").json == {"keys": []}
    body = {"key": BAD, "force": True, "check": False}
    assert browser.ask("PUT", "/api/byok/keys/anthropic", body).status == 200
    tested = browser.post("/api/byok/keys/anthropic/test")
    assert (tested.status, tested.json["valid"], tested.json["code"]) == (200, False, "upstream_auth")
    assert BAD not in tested.body.decode()
    assert browser.ask("DELETE", "/api/byok/keys/anthropic").status == 200


def test_V20_a_masked_key_that_is_sent_back_is_refused(browser: Browser) -> None:
    browser.ask("PUT", "/api/byok/keys/openai", {"key": KEYS["openai"]})
    for masked in (MASKED, MASKED.replace("...", "***"), "REDACTED-REDACTED", "........", ""):
        refused = browser.ask("PUT", "/api/byok/keys/openai", {"key": masked})
        assert refused.status == 422
    assert browser.get("/api/byok/keys").json["keys"][0]["masked"] == MASKED
    assert browser.ask("DELETE", "/api/byok/keys/openai").status == 200
