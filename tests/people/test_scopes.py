"""What a token is limited to holds for whatever is asked with it, and wherever the answer would come from."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from house import KEYS, Answer, Gateway, Simulator, gateway, library, until
from ownkey import Ownkey
from ownkey.app.keys import KeyRing
from ownkey.app.tokens import MadeToken, TokenBook, ends_at_ms
from ownkey.routing.scope import Scope, scope_of
from ownkey.talk.errors import InvalidRequest

EMBED = "/v1/embeddings"
GEMINI = "/v1beta/models/{}:generateContent"


@pytest.fixture(scope="module")
def scoped(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that falls back to Anthropic."""
    home = tmp_path_factory.mktemp("scoped") / "home"
    with library(home) as ownkey:
        for name, key in KEYS.items():
            version = "v1beta" if name == "gemini" else "v1"
            ownkey.providers.set(name, endpoint=f"{simulator.url}/fault/name=scoped-{name}/{version}")
            ownkey.keys.set(name, key)
    with gateway(home, simulator, OWNKEY_FALLBACK="anthropic/claude-sonnet-4-5", OWNKEY_RETRIES="0") as running:
        yield running


def token(gateway: Gateway, **limits: Any) -> dict[str, str]:
    with library(gateway.home) as ownkey:
        made = ownkey.tokens.create(f"scoped {time.monotonic_ns()}", **limits)
        return {"Authorization": f"Bearer {made.secret.reveal().decode()}", "Content-Type": "application/json"}


def chat(gateway: Gateway, headers: dict[str, str], model: str) -> Answer:
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
    return gateway.send("POST", "/v1/chat/completions", json.dumps(body).encode(), headers)


@pytest.mark.parametrize(
    ("wanted", "provider", "model", "within"),
    [
        ("openai/gpt-4o", "openai", "gpt-4o", True),
        ("gpt-4o", "openai", "gpt-4o", True),
        ("gpt-4o", "azure", "gpt-4o", True),
        ("gpt-4o", "openai", "gpt-4o-mini", False),
        ("GPT-4o", "openai", "gpt-4o", False),
        ("gpt-4o*", "openai", "gpt-4o-mini", True),
        ("openai/*", "openai", "gpt-4o-mini", True),
        ("openai/*", "openrouter", "openai/gpt-4o", False),
        ("openai/gpt-4o", "openrouter", "openai/gpt-4o", False),
        ("openrouter/openai/*", "openrouter", "openai/gpt-4o", True),
        ("*", "any", "thing", True),
        ("gpt", "openai", "gpt-4o", False),
        ("gpt-4o?", "openai", "gpt-4o1", False),
        ("gpt-4[o]", "openai", "gpt-4o", False),
    ],
)
def test_a_model_is_named_whole_or_by_its_beginning(wanted: str, provider: str, model: str, within: bool) -> None:
    assert Scope(models=(wanted,)).has(provider, model) is within


@pytest.mark.parametrize(
    ("networks", "client", "admitted"),
    [
        (["192.0.2.7"], "192.0.2.7", True),
        (["192.0.2.7"], "192.0.2.70", False),
        (["192.0.2.0/24"], "192.0.2.255", True),
        (["192.0.2.0/24"], "::ffff:192.0.2.9", True),
        (["192.0.2.0/24"], "2001:db8::1", False),
        (["2001:db8::/32"], "2001:db8::1", True),
        (["fe80::/10"], "fe80::1%eth0", True),
        (["192.0.2.0/24"], "", False),
        (["192.0.2.0/24"], "localhost", False),
    ],
)
def test_a_client_is_told_by_the_address_it_comes_from(networks: list[str], client: str, admitted: bool) -> None:
    scope = scope_of(addresses=networks)
    assert scope is not None
    assert scope.admits(client) is admitted


@pytest.mark.parametrize(
    "given",
    [{"addresses": ["example.com"]}, {"addresses": ["192.0.2.7/24"]}, {"models": [""]}, {"models": ["a b"]},
     {"models": [f"m{n}" for n in range(101)]}],
)  # fmt: skip
def test_a_scope_that_cannot_be_read_is_refused(given: dict[str, list[str]]) -> None:
    with pytest.raises(InvalidRequest):
        scope_of(**given)


def test_A24_a_token_for_one_provider_asks_no_other_by_any_path_name_or_order(scoped: Gateway) -> None:
    own = token(scoped, providers=["openai"])
    seen = len(scoped.simulator.seen("scoped-anthropic")) + len(scoped.simulator.seen("scoped-gemini"))
    assert chat(scoped, own, "openai/gpt-4o").status == 200
    for model in ("anthropic/claude-sonnet-4-5", "claude-sonnet-4-5", "anthropic", "gemini/gemini-2.5-pro"):
        refused = chat(scoped, own, model)
        assert (refused.status, refused.error["code"]) == (403, "permission_denied"), model
    paths = {
        "/v1/responses": {"model": "anthropic/claude-sonnet-4-5", "input": "Hello"},
        "/v1/messages": {
            "model": "claude-sonnet-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]
        },
        "/v1/messages/count_tokens": {
            "model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "Hello"}]
        },
        EMBED: {"model": "gemini/gemini-embedding-001", "input": "Hello"},
        GEMINI.format("gemini-2.5-pro"): {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]},
    }  # fmt: skip
    for path, body in paths.items():
        assert scoped.send("POST", path, json.dumps(body).encode(), own).status == 403, path
    # Of several, what it may ask answers, also where another would have come first.
    mixed = chat(scoped, own, "anthropic/claude-sonnet-4-5,openai/gpt-4o")
    assert (mixed.status, mixed.headers["x-ownkey-provider"]) == (200, "openai")
    assert len(scoped.simulator.seen("scoped-anthropic")) + len(scoped.simulator.seen("scoped-gemini")) == seen
    listed = scoped.send("GET", "/v1/models", None, own).json["data"]
    assert {one["id"].partition("/")[0] for one in listed} == {"openai"}


def test_A24_what_answers_in_place_of_another_is_within_the_scope_too(scoped: Gateway) -> None:
    name = scoped.provider("status=500")
    everything, narrow = token(scoped), token(scoped, providers=[name])
    assert chat(scoped, everything, f"{name}/gpt-4o").headers["x-ownkey-provider"] == "anthropic"
    refused = chat(scoped, narrow, f"{name}/gpt-4o")
    assert (refused.status, refused.error["code"]) == (502, "upstream_unavailable")


def test_A24_a_quote_is_within_the_scope_too(scoped: Gateway) -> None:
    own = token(scoped, models=["gpt-4o"])
    request = {"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
    body = {"request": request, "models": ["openai/gpt-4o"]}
    assert scoped.send("POST", "/api/byok/quote", json.dumps(body).encode(), own).status == 200
    body["models"] = ["openai/gpt-4o-mini"]
    assert scoped.send("POST", "/api/byok/quote", json.dumps(body).encode(), own).status == 403


def test_A23_a_token_is_for_the_address_of_the_connection_whatever_a_header_says(scoped: Gateway) -> None:
    here, elsewhere = token(scoped, addresses=["127.0.0.0/8"]), token(scoped, addresses=["192.0.2.0/24"])
    assert chat(scoped, here, "openai/gpt-4o").status == 200
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Client-IP"):
        assert chat(scoped, elsewhere | {name: "192.0.2.7"}, "openai/gpt-4o").status == 403


def test_A09_an_expired_token_is_refused(scoped: Gateway) -> None:
    own = token(scoped, expires_at_ms=time.time_ns() // 1_000_000 + 1_200)
    assert chat(scoped, own, "openai/gpt-4o").status == 200
    refused = until(lambda: (answer := chat(scoped, own, "openai/gpt-4o")).status == 401 and answer)
    assert refused.error["code"] == "invalid_api_key"


def test_a_token_with_a_budget_spends_no_more_than_that(scoped: Gateway) -> None:
    own = token(scoped, budget="0.00")
    refused = chat(scoped, own, "openai/gpt-4o")
    assert (refused.status, refused.headers["x-should-retry"]) == (402, "false")
    assert chat(scoped, token(scoped, budget="5"), "openai/gpt-4o").status == 200


def chat_checked(gateway: Gateway, fault: str = "") -> str:
    """A provider whose keys are tested by a chat that is paid for."""
    return gateway.provider(fault, quirks='{}\ncheck = "chat"')


def test_a_key_is_tested_within_what_the_token_is_for_and_from_its_budget(scoped: Gateway) -> None:
    name = chat_checked(scoped)
    with library(scoped.home) as ownkey:
        id = ownkey.keys.get(name).id
        paid = ownkey.tokens.create(f"tests {name}", models=[f"{name}/*"], budget="5")
    paths = (f"key/{id}/test", f"keys/{name}/test", "keys/openai/test")
    other, poor = token(scoped, providers=["gemini"]), token(scoped, providers=[name], budget="0.000001")
    for path in (*(f"/api/byok/{path}" for path in paths), f"/api/user/api-keys/owner/keys/{name}/test"):
        # Which keys there are is read once a second.
        until(lambda path=path: scoped.send("POST", path, None, other).error["code"] == "permission_denied", 30)
    # A test that takes longer than a person waits says so instead.
    until(lambda: scoped.send("POST", f"/api/byok/{paths[1]}", None, poor).json["code"] == "budget_exceeded", 30)
    assert scoped.simulator.seen(name) == []
    own = {"Authorization": f"Bearer {paid.secret.reveal().decode()}"}
    for path in paths[:2]:
        until(lambda path=path: scoped.send("POST", f"/api/byok/{path}", None, own).json["valid"], 30)
    rows = scoped.rows(name)
    assert {row.token_id for row in rows} == {paid.row.id}
    assert any(row.cost_nano for row in rows)


def test_where_a_key_is_refused_its_test_says_so_and_pays_nobody_else(scoped: Gateway) -> None:
    name = chat_checked(scoped, "status=401")
    before = len(scoped.simulator.seen("scoped-anthropic"))

    def tested() -> Answer | None:
        """Which keys there are is read once a second; a test that takes longer than a person waits says so instead."""
        told = scoped.send("POST", f"/api/byok/keys/{name}/test", None, scoped.own)
        return told if told.status == 200 and told.json["code"] != "upstream_timeout" else None

    told = until(tested, 30)
    assert (told.json["valid"], told.json["code"]) == (False, "upstream_auth")
    assert len(scoped.simulator.seen("scoped-anthropic")) == before


def test_an_application_tests_its_users_keys_within_what_it_is_for(scoped: Gateway) -> None:
    name, user = chat_checked(scoped), {"x-ownkey-user": "ann"}
    with library(scoped.home) as ownkey:
        KeyRing(ownkey.house, "owner/ann").set(name, KEYS["openai"])
    body = json.dumps({"provider": name}).encode()
    for limits, status in (({"providers": ["openai"]}, 403), ({"providers": [name]}, 200)):
        app = token(scoped, kind="service", **limits) | user
        made = scoped.send("POST", "/api/user/api-keys/ann/page-token", None, app)
        page = {"Authorization": f"Bearer {made.json['token']}", "Content-Type": "application/json"}
        # Which keys there are is read once a second.
        until(lambda app=app: scoped.send("POST", f"/api/byok/keys/{name}/test", None, app).status != 404, 30)
        for own in (app, page):
            for path in (f"/api/byok/keys/{name}/test", f"/api/user/api-keys/ann/keys/{name}/test"):
                assert scoped.send("POST", path, None, own).status == status, path
            assert scoped.send("POST", "/api/byok/validate", body, own).status == status


def test_each_token_has_a_budget_of_its_own_whoever_else_has_one_of_that_name(scoped: Gateway) -> None:
    apps: list[MadeToken] = []
    with library(scoped.home) as ownkey:
        admin = ownkey.people.add("Admin", role="admin").id
        for owner in (ownkey.owner, admin):
            KeyRing(ownkey.house, f"{owner}/ann").set("openai", KEYS["openai"])
            book = TokenBook(ownkey.house, owner)
            apps.append(book.create("app", kind="service", budget="0.000001", per="ever"))
        named = {budget.token_id: budget.name for budget in ownkey.budgets.all()}
        assert [named.get(app.row.id) for app in apps] == ["token app", "token app 2"]
    for app in apps:
        own = {"Authorization": f"Bearer {app.secret.reveal().decode()}", "x-ownkey-user": "ann"}
        own["Content-Type"] = "application/json"
        # Which keys there are is read once a second.
        until(lambda own=own: chat(scoped, own, "openai/gpt-4o").error["code"] == "budget_exceeded", 30)


def test_a_token_whose_budget_is_none_is_not_made(scoped: Gateway) -> None:
    with library(scoped.home) as ownkey:
        with pytest.raises(InvalidRequest):
            ownkey.tokens.create("without a budget", budget="lots")
        assert all(row.revoked_at_ms for row in ownkey.tokens.listed() if row.name == "without a budget")


def test_a_service_token_acts_for_the_user_it_names_who_owns_keys_and_usage(scoped: Gateway) -> None:
    own = token(scoped, kind="service")
    unnamed = chat(scoped, own, "openai/gpt-4o")
    assert (unnamed.status, unnamed.error["param"]) == (422, "user")
    ann = own | {"x-ownkey-user": "ann@example.com"}
    # The house's keys are not his.
    assert chat(scoped, ann, "openai/gpt-4o").error["code"] == "key_missing"
    of_ann = Ownkey(scoped.home, owner="owner/ann@example.com", keychain=False)
    of_ann.keys.set("openai", KEYS["openai"])
    of_ann.close()
    answered = until(lambda: (answer := chat(scoped, ann, "openai/gpt-4o")).status == 200 and answer)
    assert answered.headers["x-ownkey-provider"] == "openai"
    assert chat(scoped, own | {"x-ownkey-user": "ben"}, "openai/gpt-4o").error["code"] == "key_missing"
    assert {row.owner for row in scoped.rows("openai") if "/" in row.owner} == {"owner/ann@example.com"}


@pytest.mark.parametrize("user", ["owner/ann", "../ben", "a b", "", "x" * 129, "é", "a,b"])
def test_A06_a_user_who_is_named_otherwise_is_nobody(scoped: Gateway, user: str) -> None:
    own = token(scoped, kind="service") | {"x-ownkey-user": user.encode().decode("latin-1")}
    assert chat(scoped, own, "openai/gpt-4o").status == 422


def test_A06_a_token_of_another_kind_asks_for_nobody_else(scoped: Gateway) -> None:
    refused = chat(scoped, scoped.own | {"x-ownkey-user": "ann"}, "openai/gpt-4o")
    assert (refused.status, refused.error["code"]) == (403, "permission_denied")


def test_an_end_is_said_in_words_that_are_usual() -> None:
    assert ends_at_ms("12h", 0) == 12 * 3_600_000
    assert ends_at_ms("30d", 0) == 30 * 86_400_000
    assert ends_at_ms("2030-01-31") == 1_896_134_400_000
    for wrong in ("", "0d", "tomorrow", "2030-13-01", "1y", "-3d"):
        with pytest.raises(InvalidRequest):
            ends_at_ms(wrong)


def test_scopes_are_given_and_shown_in_a_shell(tmp_path: Path) -> None:
    from house import environment, run

    env = environment(tmp_path / "home")
    given = ("--providers", "openai", "--models", "gpt-4o*", "--addresses", "192.0.2.0/24", "--expires", "30d")
    made = run(env, "tokens", "create", "ci", *given, "--budget", "5", "--json")
    assert made.returncode == 0, made.stderr
    (one,) = json.loads(run(env, "tokens", "list", "--json").stdout)
    assert one["scope"] == {"providers": ["openai"], "models": ["gpt-4o*"], "addresses": ["192.0.2.0/24"]}
    (budget,) = json.loads(run(env, "budgets", "list", "--json").stdout)
    assert (budget["name"], budget["token_id"], budget["limit"]) == ("token ci", one["id"], 5_000_000_000)
    assert run(env, "tokens", "create", "other", "--providers", "nobody").returncode == 2
    assert run(env, "tokens", "create", "other", "--user", "nobody").returncode == 2
    assert run(env, "tokens", "revoke", "ci").returncode == 0


def test_A23_only_a_proxy_that_is_trusted_says_where_a_client_is(simulator: Simulator, tmp_path: Path) -> None:
    with gateway(tmp_path / "home", simulator, OWNKEY_TRUSTED_PROXIES="127.0.0.1, 10.0.0.0/8") as running:
        own = token(running, addresses=["192.0.2.0/24"])
        told = {
            "192.0.2.7": 200,
            "192.0.2.7, 10.1.2.3": 200,
            "203.0.113.1, 192.0.2.7": 200,
            "192.0.2.7, 203.0.113.1": 403,
            "192.0.2.7, 203.0.113.1, 10.1.2.3": 403,
            "192.0.2.7, somewhere": 403,
            "": 403,
        }
        came = {said: chat(running, own | {"X-Forwarded-For": said}, "demo").status for said in told}
        assert came == told
        assert chat(running, own | {"X-Real-IP": "192.0.2.7"}, "demo").status == 403
