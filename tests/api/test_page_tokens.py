"""Pages of an application's, on another origin: what they may ask for its user, and that nobody else may."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from browsing import signed_in
from house import CHAT, KEYS, Answer, Gateway, Simulator, gateway, library
from ownkey.app.keys import KeyRing
from ownkey.routing.scope import scope_of

APP, OTHER = "https://app.example.com", "https://evil.example.com"
OF_USER = "/api/user/api-keys/ann"
_numbers = itertools.count(1)
QUOTE = {"request": {"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}}


@dataclass
class App:
    """An application with a token of the kind for applications, and a page of its, at `APP`, for its user ann."""

    gateway: Gateway
    service: str
    service_id: str
    page: str

    def ask(self, method: str, path: str, body: Any = None, token: str | None = None, **headers: str) -> Answer:
        """As a browser does for the page."""
        sent = {"Origin": APP, "Sec-Fetch-Site": "cross-site", "Authorization": f"Bearer {token or self.page}"}
        sent |= {"Content-Type": "application/json"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        content = None if body is None else json.dumps(body).encode()
        return self.gateway.send(method, path, content, sent)

    def preflight(self, method: str, path: str, **changed: str) -> Answer:
        sent = {"Origin": APP, "Access-Control-Request-Method": method}
        sent["Access-Control-Request-Headers"] = "authorization,content-type"
        sent |= {name.replace("_", "-"): value for name, value in changed.items()}
        return self.gateway.send("OPTIONS", path, None, sent)


def made(running: Gateway, owner: str = "owner", **terms: Any) -> App:
    with library(running.home) as ownkey:
        row, secret = ownkey.house.tokens.create(owner, f"app {next(_numbers)}", kind="service", **terms)
    token = secret.reveal().decode()
    answer = page_token(running, token)
    assert answer.status == 201, answer.body
    return App(running, token, row.id, answer.json["token"])


def page_token(running: Gateway, token: str, user: str = "ann") -> Answer:
    sent = {"Authorization": f"Bearer {token}", "x-ownkey-user": user, "Content-Type": "application/json"}
    return running.send("POST", f"{OF_USER}/page-token", None, sent)


@pytest.fixture(scope="module")
def served(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("pages") / "home"
    with gateway(home, simulator, OWNKEY_PAGE_ORIGINS=f"{APP}:443,http://localhost:5173") as running:
        yield running


@pytest.fixture(scope="module")
def app(served: Gateway) -> App:
    return made(served)


def cors(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


@pytest.mark.row("D8")
def test_a_page_sets_and_sees_the_keys_of_its_user_and_what_components_need(app: App) -> None:
    stored = app.ask("POST", f"{OF_USER}/keys/openai", {"key": KEYS["openai"], "check": False})
    assert stored.status == 200, stored.body
    (key,) = app.ask("GET", f"{OF_USER}/keys").json["keys"]
    assert key["masked"].endswith(KEYS["openai"][-4:])
    for path in ("providers", "models", "keys", "usage", "usage/summary", "usage/days"):
        assert app.ask("GET", f"/api/byok/{path}").status == 200, path
    assert app.ask("POST", "/api/byok/quote", QUOTE).status == 200
    assert app.ask("GET", f"{OF_USER}/status").json["providers"] == ["openai"]
    with library(app.gateway.home) as ownkey:
        assert [row.provider for row in KeyRing(ownkey.house, "owner/ann").all()] == ["openai"]
        added = next(row for row in ownkey.audit.listed(action="key.added"))
        assert (added.actor_kind, added.actor) == ("token", app.service_id)
    assert app.ask("DELETE", f"{OF_USER}/keys/openai").json == {"removed": 1}


def test_every_answer_may_be_read_by_that_origin_alone_and_never_with_cookies(app: App) -> None:
    for answer in (
        app.ask("GET", "/api/byok/models"),
        app.ask("POST", "/api/byok/quote", QUOTE),
        app.ask("GET", f"{OF_USER}/keys", token="op-" + "x" * 43),
        app.ask("POST", f"{OF_USER}/keys/openai", {"nothing": 1}),
    ):
        assert cors(answer) == {"access-control-allow-origin": APP}
        assert answer.headers["vary"] == "origin"
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        assert answer.headers["cache-control"] == "no-store"


def test_a_browser_may_ask_before_it_asks(app: App) -> None:
    for method, path in (("GET", "/api/byok/models"), ("POST", f"{OF_USER}/keys/openai"), ("POST", "/api/byok/quote")):
        answer = app.preflight(method, path)
        assert answer.status == 200
        assert cors(answer) == {
            "access-control-allow-origin": APP,
            "access-control-allow-methods": method,
            "access-control-allow-headers": "authorization, content-type",
            "access-control-max-age": "600",
        }
        assert answer.headers["vary"] == "origin"
        assert answer.body == b""
    local = app.preflight("GET", "/api/byok/models", Origin="http://localhost:5173")
    assert cors(local)["access-control-allow-origin"] == "http://localhost:5173"


@pytest.mark.parametrize(
    ("method", "path", "changed"),
    [
        ("GET", "/api/byok/models", {"Origin": OTHER}),
        ("GET", "/api/byok/models", {"Origin": f"{APP}.evil.example"}),
        ("GET", "/api/byok/models", {"Origin": "http://app.example.com"}),
        ("GET", "/api/byok/models", {"Origin": f"{APP}:8443"}),
        ("GET", "/api/byok/models", {"Origin": "null"}),
        ("GET", "/api/byok/models", {"Access_Control_Request_Headers": "authorization,x-ownkey-user"}),
        ("GET", "/api/byok/models", {"Access_Control_Request_Headers": "x-ownkey-csrf"}),
        ("POST", "/api/byok/models", {}),
        ("GET", "/api/byok/tokens", {}),
        ("POST", CHAT, {}),
        ("POST", f"{OF_USER}/page-token", {}),
        ("GET", "/api/byok/users", {}),
    ],
)
def test_whatever_else_is_asked_before_is_refused(app: App, method: str, path: str, changed: dict[str, str]) -> None:
    answer = app.preflight(method, path, **changed)
    assert answer.status >= 400
    assert cors(answer) == {}


@pytest.mark.parametrize("origin", [OTHER, "null", f"{APP}:444", "http://app.example.com", f"{APP} {APP}"])
def test_a_page_of_another_origin_is_refused_with_a_good_token(app: App, origin: str) -> None:
    answer = app.ask("GET", "/api/byok/models", Origin=origin)
    assert answer.status == 403
    assert cors(answer) == {}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", CHAT, {"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}),
        ("GET", "/v1/models", None),
        ("GET", "/v1/batches", None),
        ("GET", "/api/events", None),
        ("GET", "/api/byok/tokens", None),
        ("POST", "/api/byok/tokens", {"name": "mine"}),
        ("GET", "/api/byok/users", None),
        ("GET", "/api/byok/budgets", None),
        ("GET", "/api/byok/home", None),
        ("GET", "/api/byok/audit", None),
        ("GET", "/api/byok/history", None),
        ("GET", "/api/byok/usage/runs", None),
        ("GET", "/api/byok/usage/export", None),
        ("GET", "/api/openapi.json", None),
        ("POST", "/api/automations/x/run", {}),
        ("POST", f"{OF_USER}/page-token", None),
    ],
)
def test_a_pages_token_opens_nothing_else(app: App, method: str, path: str, body: Any) -> None:
    for origin in ({}, {"Origin": f"http://127.0.0.1:{app.gateway.port}"}):
        answer = app.ask(method, path, body, **origin)
        assert answer.status == 403, answer.body


def test_it_is_good_for_no_other_user_and_names_none(app: App) -> None:
    assert app.ask("GET", "/api/user/api-keys/ben/keys").status == 404
    assert app.ask("GET", "/api/byok/models", x_ownkey_user="ben").status == 403
    assert page_token(app.gateway, app.service, "ben").status == 404


def test_nobody_but_an_application_gets_one(app: App) -> None:
    with library(app.gateway.home) as ownkey:
        _, plain = ownkey.house.tokens.create("owner", "no application")
    assert page_token(app.gateway, plain.reveal().decode()).status == 403
    assert signed_in(app.gateway).post(f"{OF_USER}/page-token").status == 403
    assert page_token(app.gateway, app.page).status == 403


def test_it_dies_with_the_applications_token(served: Gateway) -> None:
    app = made(served)
    assert app.ask("GET", "/api/byok/models").status == 200
    with library(served.home) as ownkey:
        assert ownkey.house.tokens.revoke(app.service_id)
    refused = app.ask("GET", "/api/byok/models")
    assert (refused.status, cors(refused)) == (401, {"access-control-allow-origin": APP})


def test_it_dies_by_time(served: Gateway) -> None:
    app = made(served)
    with sqlite3.connect(served.home / "ownkey.db") as database:
        (created, until) = database.execute("SELECT max(created_at_ms), max(until_ms) FROM page_tokens").fetchone()
        assert until - created == 15 * 60_000
        database.execute("UPDATE page_tokens SET until_ms = created_at_ms - 1")
    assert app.ask("GET", "/api/byok/models").status == 401
    made(served)
    with sqlite3.connect(served.home / "ownkey.db") as database:
        assert database.execute("SELECT count(*) FROM page_tokens").fetchone() == (1,)


def test_it_dies_with_whose_application_it_is(served: Gateway) -> None:
    with library(served.home) as ownkey:
        eve = ownkey.people.add("Eve", role="admin").id
    app = made(served, eve)
    assert app.ask("GET", "/api/byok/models").status == 200
    with library(served.home) as ownkey:
        ownkey.people.suspend(eve)
    assert app.ask("GET", "/api/byok/models").status == 403
    with library(served.home) as ownkey:
        ownkey.people.activate(eve)
        ownkey.people.remove(eve)
    assert app.ask("GET", "/api/byok/models").status == 401
    with sqlite3.connect(served.home / "ownkey.db") as database:
        kept = database.execute("SELECT count(*) FROM page_tokens WHERE owner LIKE ?", (f"{eve}/%",)).fetchone()
        assert kept == (0,)


def test_it_is_kept_nowhere_in_clear(app: App) -> None:
    for file in app.gateway.home.rglob("*"):
        assert not file.is_file() or app.page.encode() not in file.read_bytes(), file
    assert app.page not in app.gateway.log.read_text()
    assert app.page not in json.dumps(signed_in(app.gateway).get("/api/byok/audit?limit=500").json)


def test_a_session_is_not_asked_with_from_another_origin(app: App) -> None:
    browser = signed_in(app.gateway)
    answer = browser.get("/api/byok/models", origin=APP, sec_fetch_site="cross-site")
    assert answer.status == 403
    assert "access-control-allow-credentials" not in answer.headers


def test_without_the_setting_no_origin_is_answered(
    simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with gateway(tmp_path_factory.mktemp("closed") / "home", simulator) as running:
        app = made(running)
        assert app.preflight("GET", "/api/byok/models").status >= 400
        refused = app.ask("GET", "/api/byok/models")
        assert (refused.status, cors(refused), refused.headers.get("vary")) == (403, {}, None)
        own = app.ask("GET", "/api/byok/models", Origin=f"http://127.0.0.1:{running.port}")
        assert own.status == 200


def test_what_the_applications_token_is_limited_to_holds_for_its_pages(served: Gateway) -> None:

    app = made(served, scope=scope_of(["openai"], (), ["127.0.0.1"]))
    answer = app.ask("POST", "/api/byok/quote", QUOTE)
    assert answer.status == 403 or all("error" in one for one in answer.json["quotes"])
