"""Providers in the management API: shown as cards, added, checked, changed, put in order, removed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from browsing import Browser, signed_in
from house import BAD, KEYS, Gateway, Simulator, gateway, library

PROVIDERS = "/api/byok/providers"
FORM = {"id": "acme", "name": "Acme AI", "base_url": "https://api.acme.example/v1"}
TOML = """id = "beta"
name = "Beta"
kind = "cloud"
wire = "openai-chat"
base_url = "https://api.beta.example/v1"
# What people remember it by.

[fields.organization]
required = true
help = "The name of your organization."
header = "x-organization"

[[models]]
id = "beta-1"
price = { input = "1", output = "2" }
"""


@pytest.fixture(scope="module")
def place(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("providers-api") / "home"
    with library(home) as ownkey:
        ownkey.providers.set("openai", endpoint=f"{simulator.url}/fault/name=cards/v1")
    with gateway(home, simulator) as running:
        yield running


@pytest.fixture(scope="module")
def browser(place: Gateway) -> Browser:
    return signed_in(place)


def card(browser: Browser, provider: str) -> Any:
    return browser.get(f"{PROVIDERS}/{provider}").json


@pytest.mark.row("C8")
def test_a_card_says_in_words_how_its_provider_stands(browser: Browser) -> None:
    before = card(browser, "openai")
    assert (before["state"], before["says"], before["own"]) == ("no_key", "No key yet.", False)
    assert (before["wire"], before["begins"], before["prices_known"], before["free"]) == (
        *("openai-chat", "sk-"),
        *(True, False),
    )
    assert browser.ask("PUT", "/api/byok/keys/openai", {"key": KEYS["openai"]}).status == 200
    assert (card(browser, "openai")["state"], card(browser, "openai")["keys"]) == ("connected", 1)
    assert browser.ask("PATCH", f"{PROVIDERS}/openai", {"enabled": False}).json["state"] == "off"
    assert browser.ask("PATCH", f"{PROVIDERS}/openai", {"enabled": True}).json["state"] == "connected"
    assert browser.gateway.ask("openai/gpt-4o").status == 200
    browser.gateway.rows("openai")
    assert card(browser, "openai")["month_nano"] > 0
    assert browser.ask("DELETE", "/api/byok/keys/openai").status == 200


def test_a_card_says_since_when_a_key_is_refused(browser: Browser) -> None:
    body = {"key": BAD, "force": True, "check": False}
    stored = browser.ask("PUT", "/api/byok/keys/openai", body).json["key"]
    assert card(browser, "openai")["state"] == "untested"
    tested = browser.post(f"/api/byok/key/{stored['id']}/test").json
    assert (tested["valid"], tested["models"]) == (False, None)
    found = card(browser, "openai")
    assert (found["state"], found["says"]) == ("refused", "OpenAI refuses the key.")
    assert found["since_ms"] == browser.get("/api/byok/keys").json["keys"][0]["checked_at_ms"]
    assert browser.ask("DELETE", f"/api/byok/key/{stored['id']}").json == {"removed": 1}


def test_a_card_says_which_fields_a_person_has_to_fill_in(browser: Browser) -> None:
    azure = card(browser, "azure")
    wanted = {field["name"]: field for field in azure["fields_wanted"]}
    assert wanted["resource"]["required"] is True
    assert "https://RESOURCE" in wanted["resource"]["help"]
    assert (wanted["api_version"]["required"], wanted["api_version"]["value"]) == (False, None)
    assert wanted["api_version"]["example"]


@pytest.mark.row("B18")
def test_a_provider_is_added_by_a_form_and_can_be_removed(browser: Browser) -> None:
    checked = browser.post(f"{PROVIDERS}/check", {"form": FORM})
    assert checked.status == 200, checked.body
    assert (checked.json["provider"]["id"], checked.json["replaces"]) == ("acme", False)
    assert 'base_url = "https://api.acme.example/v1"' in checked.json["toml"]
    assert browser.get(f"{PROVIDERS}/acme").status == 422
    added = browser.post(PROVIDERS, {"form": FORM})
    assert (added.status, added.json["own"], added.json["state"]) == (201, True, "no_key")
    assert browser.get(f"{PROVIDERS}/acme/toml").json["toml"] == checked.json["toml"]
    again = browser.post(PROVIDERS, {"form": FORM})
    assert (again.status, again.error["param"]) == (409, "id")
    assert browser.ask("DELETE", f"{PROVIDERS}/acme").json == {"removed": 1}
    assert browser.ask("DELETE", f"{PROVIDERS}/acme").status in (404, 422)


@pytest.mark.parametrize(
    ("changed", "param"),
    [
        ({"base_url": "ftp://example.com"}, "form.base_url"),
        ({"base_url": "https://user@example.com"}, "form.base_url"),
        ({"id": "No Id"}, "form.id"),
        ({"id": "openai"}, "form.id"),
        ({"id": "auto"}, "form.id"),
        ({"name": ""}, "form.name"),
        ({"wire": "telepathy"}, "form.wire"),
        ({"key_header": "host"}, "form.key_header"),
        ({"key_page": "http://example.com"}, "form.key_page"),
        ({"key_looks_like": "(a+)+"}, "form.key_looks_like"),
        ({"models": ["two words"]}, "form.models"),
        ({"surprise": 1}, "form.surprise"),
    ],
)
def test_what_is_wrong_with_a_form_names_the_field(browser: Browser, changed: Any, param: str) -> None:
    for path in (PROVIDERS, f"{PROVIDERS}/check"):
        refused = browser.post(path, {"form": FORM | changed})
        assert (refused.status, refused.error["param"]) == (422, param)
        assert "line" not in refused.error


@pytest.mark.parametrize(
    ("old", "new", "line", "param"),
    [
        ('name = "Beta"', "name = ", 2, None),
        ('name = "Beta"', "name = 5", 2, "name"),
        ('wire = "openai-chat"', 'wire = "telepathy"', 4, "wire"),
        ("required = true", 'required = "yes"', 8, "fields"),
        ('price = { input = "1"', 'price = { input = "cheap"', 15, "models[0].price.input"),
        ('id = "beta"\n', 'id = "openai"\n', 1, "id"),
    ],
)
def test_what_is_wrong_with_a_file_names_line_and_key(
    browser: Browser, old: str, new: str, line: int | None, param: str | None
) -> None:
    assert old in TOML
    for path in (PROVIDERS, f"{PROVIDERS}/check"):
        refused = browser.post(path, {"toml": TOML.replace(old, new, 1)})
        assert (refused.status, refused.error["param"], refused.error.get("line")) == (422, param, line)


def test_a_file_is_added_read_changed_and_removed(browser: Browser) -> None:
    added = browser.post(PROVIDERS, {"toml": TOML})
    assert (added.status, added.json["prices_known"]) == (201, True)
    assert [field["name"] for field in added.json["fields_wanted"]] == ["organization"]
    assert browser.get(f"{PROVIDERS}/beta/toml").json == {"toml": TOML}
    changed = TOML.replace('"Beta"', '"Beta AI"')
    assert browser.ask("PUT", f"{PROVIDERS}/beta/toml", {"toml": changed}).json["name"] == "Beta AI"
    assert browser.get(f"{PROVIDERS}/beta/toml").json == {"toml": changed}
    wrong = browser.ask("PUT", f"{PROVIDERS}/beta/toml", {"toml": TOML.replace('id = "beta"', 'id = "gamma"')})
    assert (wrong.status, wrong.error["param"]) == (422, "id")
    broken = browser.ask("PUT", f"{PROVIDERS}/beta/toml", {"toml": "name ="})
    assert (broken.status, broken.error["line"]) == (422, 1)
    assert browser.get(f"{PROVIDERS}/beta/toml").json == {"toml": changed}
    assert [one["id"] for one in browser.get("/api/byok/models?provider=beta").json["models"]] == ["beta-1"]
    assert browser.ask("DELETE", f"{PROVIDERS}/beta").json == {"removed": 1}


def test_a_file_of_another_name_is_changed_where_it_is(browser: Browser) -> None:
    folder = browser.gateway.home / "providers"
    folder.mkdir(exist_ok=True)
    (folder / "of-mine.toml").write_text(TOML)
    with library(browser.gateway.home) as ownkey:
        ownkey.providers.get("beta")
    assert browser.get(f"{PROVIDERS}/beta/toml").json == {"toml": TOML}
    changed = TOML.replace('"Beta"', '"Beta AI"')
    assert browser.ask("PUT", f"{PROVIDERS}/beta/toml", {"toml": changed}).status == 200
    assert sorted(path.name for path in folder.glob("*.toml")) == ["of-mine.toml"]
    assert browser.ask("DELETE", f"{PROVIDERS}/beta").json == {"removed": 1}
    assert list(folder.glob("*.toml")) == []


def test_what_comes_with_ownkey_has_no_file_to_read_change_or_remove(browser: Browser) -> None:
    for method, path, body in (("GET", "/toml", None), ("PUT", "/toml", {"toml": TOML}), ("DELETE", "", None)):
        assert browser.ask(method, f"{PROVIDERS}/openai{path}", body).status == 404


def test_the_gallery_is_searched_and_added_from(browser: Browser) -> None:
    found = {one["id"]: one for one in browser.get("/api/byok/gallery").json["providers"]}
    assert {"mistral", "together", "jan", "vllm"} <= set(found)
    assert (found["mistral"]["added"], found["mistral"]["key_page"][:8]) == (False, "https://")
    searched = browser.get("/api/byok/gallery?search=mistral%20cloud").json["providers"]
    assert "mistral" in [one["id"] for one in searched]
    assert len(searched) < len(found)
    assert browser.post(PROVIDERS, {"gallery": "mistral"}).status == 201
    assert {one["id"] for one in browser.get("/api/byok/gallery").json["providers"] if one["added"]} == {"mistral"}
    assert browser.post(PROVIDERS, {"gallery": "mistral"}).status == 409
    assert browser.post(PROVIDERS, {"gallery": "../openai"}).status == 422
    for body in ({}, {"gallery": "jan", "toml": TOML}):
        assert browser.post(PROVIDERS, body).status == 422
    assert browser.ask("DELETE", f"{PROVIDERS}/mistral").status == 200


def test_providers_are_listed_in_the_order_that_they_are_put_into(browser: Browser) -> None:
    usual = [one["id"] for one in browser.get(PROVIDERS).json["providers"]]
    ordered = browser.ask("PUT", "/api/byok/provider-order", {"providers": ["gemini", "xai", "gemini"]}).json
    rest = [id for id in usual if id not in ("gemini", "xai")]
    assert [one["id"] for one in ordered["providers"]] == ["gemini", "xai", *rest]
    assert [one["id"] for one in browser.get(PROVIDERS).json["providers"]] == ["gemini", "xai", *rest]
    assert browser.ask("PUT", "/api/byok/provider-order", {"providers": ["nobody"]}).status == 422
    reset = browser.ask("PUT", "/api/byok/provider-order", {"providers": []}).json
    assert [one["id"] for one in reset["providers"]] == usual


def test_what_would_go_with_a_provider_is_told_before(browser: Browser) -> None:
    nothing = {"keys": [], "others_keys": 0, "routes": [], "automations": [], "budgets": [], "limits": []}
    assert browser.get(f"{PROVIDERS}/openai/uses").json == nothing | {"preferences": []}
    key = {"key": KEYS["openai"], "check": False, "label": "work", "monthly_limit": "3"}
    browser.ask("PUT", "/api/byok/keys/openai", key)
    with library(browser.gateway.home) as ownkey:
        other = ownkey.people.add("Somebody").id
    their = signed_in(browser.gateway, other)
    assert their.ask("PUT", "/api/byok/keys/openai", {"key": KEYS["openai"], "check": False}).status == 200
    browser.ask("PUT", "/api/byok/routes/mine", {"targets": ["openai/gpt-4o", "gemini"]})
    browser.post("/api/automations", {"name": "Weekly", "prompt": "Say it", "model": "openai/gpt-4o"})
    browser.ask("PUT", "/api/byok/budgets/of%20openai", {"limit": "5", "provider": "openai"})
    browser.ask("PUT", "/api/byok/limits", {"kind": "model", "name": "openai/gpt-4o", "parallel": 5})
    browser.ask("PATCH", "/api/byok/preferences", {"provider": "openai", "preferred": ["openai/gpt-4o"]})
    told = browser.get(f"{PROVIDERS}/openai/uses").json
    assert (told["keys"], told["others_keys"], told["routes"], told["automations"]) == (
        ["work"],
        1,
        ["mine"],
        ["Weekly"],
    )
    assert (sorted(told["budgets"]), len(told["limits"])) == (["key openai/work", "of openai"], 1)
    assert told["preferences"] == ["provider", "preferred"]
    assert browser.get(f"{PROVIDERS}/gemini/uses").json["routes"] == ["mine"]


def test_E11_a_server_of_ones_own_is_added_by_the_owner_alone_unless_it_is_the_gallerys(place: Gateway) -> None:
    with library(place.home) as ownkey:
        id = ownkey.people.add("Admin", role="admin").id
    admin = signed_in(place, id)
    form = FORM | {"id": "inside", "base_url": "http://127.0.0.1:9/v1", "needs_key": False}
    refused = admin.post(PROVIDERS, {"form": form})
    assert (refused.status, refused.error["code"]) == (403, "permission_denied")
    assert admin.post(PROVIDERS, {"form": form | {"base_url": "https://api.example.com/v1"}}).status == 403
    assert admin.post(PROVIDERS, {"form": FORM | {"id": "by-admin"}}).status == 201
    changed = admin.get(f"{PROVIDERS}/by-admin/toml").json["toml"]
    changed = changed.replace('"cloud"', '"local"').replace("https://api.acme.example", "http://127.0.0.1:9")
    assert admin.ask("PUT", f"{PROVIDERS}/by-admin/toml", {"toml": changed}).status == 403
    assert admin.post(PROVIDERS, {"gallery": "jan"}).status == 201
    owner = signed_in(place)
    assert owner.post(PROVIDERS, {"form": form}).json["kind"] == "local"
    for provider in ("inside", "by-admin", "jan"):
        assert owner.ask("DELETE", f"{PROVIDERS}/{provider}").status == 200


def test_what_is_done_with_providers_stands_in_the_trail(browser: Browser) -> None:
    browser.post(PROVIDERS, {"form": FORM | {"id": "trailed"}})
    browser.ask("PUT", "/api/byok/provider-order", {"providers": ["trailed"]})
    browser.ask("DELETE", f"{PROVIDERS}/trailed")
    with library(browser.gateway.home) as ownkey:
        told = [row.action for row in ownkey.audit.listed()]
    assert {"provider.added", "provider.ordered", "provider.removed"} <= set(told)
