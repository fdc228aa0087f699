"""Every route, asked by everybody: what each is told stands here, and a route that does not stand here fails.

`a` is whose things the paths name. `token` is a's, for programs; `service` an application's, asking for a user of its
own; `suspended` the token of somebody who is.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from fastapi.routing import APIRoute

from everybody import BODIES, Everybody, everybody
from house import KEYS, MASKED, Simulator, gateway, library
from ownkey.app.budgets import BudgetBook
from ownkey.server.api.forms import GUARDS
from ownkey.server.api.service import DOCUMENT, PARTS, build
from ownkey.server.embedded import ROUTES as EMBEDDED
from ownkey.server.operations import MEDIA
from ownkey.server.site import DOORS
from ownkey.store.posting import Alert

WHO = ("nobody", "a", "b", "admin", "viewer", "token", "service", "revoked", "suspended")
"""The callers of the table; `page` is one more, whose cells are made of `PAGE`."""

KNOWN = "401 200 200 200 200 200 200 401 403"
OWNER = "401 200 200 200 403 403 200 401 403"
PERSON = "401 200 200 200 200 403 403 401 403"
KEEPER = "401 403 403 200 403 403 403 401 403"
SEER = "401 403 403 200 200 403 403 401 403"
OF_A = "401 200 404 404 404 200 404 401 403"
ASKS_OF_A = "401 200 404 404 403 200 404 401 403"
OWN_OF_A = "401 200 404 404 403 403 404 401 403"
PUBLIC_404 = "404 404 404 404 404 404 404 404 404"
PUBLIC_401 = "401 401 401 401 401 401 401 401 401"
"""Whoever is told no differently for being known."""

CELLS: dict[str, str] = {
    "GET /api/byok/providers": KNOWN,
    "GET /api/byok/providers/{provider}": KNOWN,
    "PATCH /api/byok/providers/{provider}": KEEPER,
    "POST /api/byok/providers": "401 403 403 201 403 403 403 401 403",
    "POST /api/byok/providers/check": KEEPER,
    "DELETE /api/byok/providers/{provider}": KEEPER,
    "GET /api/byok/providers/{provider}/uses": KEEPER,
    "GET /api/byok/providers/{provider}/toml": KEEPER,
    "PUT /api/byok/providers/{provider}/toml": KEEPER,
    "PUT /api/byok/provider-order": KEEPER,
    "GET /api/byok/gallery": KNOWN,
    "GET /api/byok/models": KNOWN,
    "POST /api/byok/models/refresh": OWNER,
    "GET /api/byok/local": PERSON,
    "GET /api/byok/onboarding": PERSON,
    "PATCH /api/byok/onboarding": PERSON,
    "POST /api/byok/agreement": PERSON,
    "PATCH /api/byok/key/{key}": OWN_OF_A,
    "DELETE /api/byok/key/{key}": OWN_OF_A,
    "POST /api/byok/key/{key}/test": ASKS_OF_A,
    "PUT /api/byok/key-order/{provider}": OWN_OF_A,
    "POST /api/byok/validate": OWNER,
    "GET /api/byok/keys": KNOWN,
    "PUT /api/byok/keys/{provider}": OWNER,
    "DELETE /api/byok/keys/{provider}": "401 200 404 404 403 403 404 401 403",
    "POST /api/byok/keys/{provider}/test": ASKS_OF_A,
    "GET /api/user/api-keys/providers": KNOWN,
    "GET /api/user/api-keys/{user_id}/keys": OF_A,
    "POST /api/user/api-keys/{user_id}/keys/{provider}": "401 200 404 404 403 403 404 401 403",
    "DELETE /api/user/api-keys/{user_id}/keys/{provider}": "401 200 404 404 403 403 404 401 403",
    "POST /api/user/api-keys/{user_id}/keys/{provider}/test": ASKS_OF_A,
    "GET /api/user/api-keys/{user_id}/services": OF_A,
    "GET /api/user/api-keys/{user_id}/status": OF_A,
    "GET /api/byok/tokens": KNOWN,
    "POST /api/byok/tokens": "401 201 201 201 403 403 403 401 403",
    "DELETE /api/byok/tokens/{token}": "401 200 404 200 403 403 403 401 403",
    "GET /api/byok/budgets": KNOWN,
    "POST /api/byok/budgets": "401 201 201 201 403 403 201 401 403",
    "PUT /api/byok/budgets/{budget}": OWNER,
    "DELETE /api/byok/budgets/{budget}": "401 200 404 200 403 403 404 401 403",
    "GET /api/byok/limits": KNOWN,
    "PUT /api/byok/limits": OWNER,
    "DELETE /api/byok/limits/{limit}": "401 200 404 404 403 403 404 401 403",
    "GET /api/byok/usage": KNOWN,
    "GET /api/byok/usage/summary": KNOWN,
    "GET /api/byok/usage/days": KNOWN,
    "GET /api/byok/usage/runs": KNOWN,
    "GET /api/byok/usage/runs/{run}": "401 200 404 200 200 200 404 401 403",
    "GET /api/byok/usage/export": KNOWN,
    "GET /api/byok/usage/savings": KNOWN,
    "GET /api/byok/home": KNOWN,
    "GET /api/byok/status": KNOWN,
    "GET /api/byok/audit": KNOWN,
    "POST /api/byok/audit/verify": SEER,
    "GET /api/byok/audit/export": SEER,
    "GET /api/byok/alerts/rules": KNOWN,
    "GET /api/byok/alerts/channels": SEER,
    "POST /api/byok/alerts/test": KEEPER,
    "POST /api/byok/alerts/send": KEEPER,
    "POST /api/byok/budget-preview": OWNER,
    "POST /api/user/api-keys/{user_id}/page-token": "401 403 403 403 403 403 404 401 403",
    "POST /api/byok/usage/runs/{run}/thumb": "401 200 404 404 403 403 404 401 403",
    "GET /api/byok/routes": KNOWN,
    "POST /api/byok/routes": "401 201 201 201 403 403 201 401 403",
    "PUT /api/byok/routes/{route}": OWNER,
    "DELETE /api/byok/routes/{route}": "401 200 404 404 403 403 404 401 403",
    "POST /api/byok/choosing/explain": KNOWN,
    "POST /api/byok/choosing/try": KNOWN,
    "GET /api/byok/alerts": KNOWN,
    "POST /api/byok/alerts/seen": "401 200 404 404 403 403 403 401 403",
    "GET /api/byok/prices": KNOWN,
    "GET /api/byok/prices/own": KNOWN,
    "PUT /api/byok/prices/own": KEEPER,
    "DELETE /api/byok/prices/own": "401 403 403 404 403 403 403 401 403",
    "GET /api/byok/users": KEEPER,
    "POST /api/byok/users": "401 403 403 201 403 403 403 401 403",
    "PATCH /api/byok/users/{user}": KEEPER,
    "POST /api/byok/users/{user}/invitation": "401 403 403 201 403 403 403 401 403",
    "DELETE /api/byok/users/{user}": KEEPER,
    "GET /api/byok/users/{user}/grants": KEEPER,
    "PUT /api/byok/users/{user}/grants/{provider}": KEEPER,
    "DELETE /api/byok/users/{user}/grants/{provider}": KEEPER,
    "GET /api/byok/sessions/current": PERSON,
    "GET /api/byok/sessions": PERSON,
    "DELETE /api/byok/sessions/current": PERSON,
    "DELETE /api/byok/sessions/{id}": "401 200 404 404 404 403 403 401 403",
    "DELETE /api/byok/sessions": PERSON,
    "POST /api/byok/sessions/current/proof": "401 401 401 401 401 403 403 401 403",
    "PUT /api/byok/sessions/current/password": PERSON,
    "POST /api/byok/sessions/current/authenticator": "401 409 409 409 409 403 403 401 403",
    "PUT /api/byok/sessions/current/authenticator": "401 422 422 422 422 403 403 401 403",
    "DELETE /api/byok/sessions/current/authenticator": PERSON,
    "POST /api/byok/sign-in/link": PUBLIC_404,
    "POST /api/byok/sign-in/password": PUBLIC_401,
    "POST /api/byok/sign-in/code": PUBLIC_404,
    "POST /api/byok/sign-in/invitation": PUBLIC_404,
    "GET /api/byok/sign-in": " ".join(["200"] * 9),
    "GET /api/byok/sign-in/oidc": " ".join(["403"] * 9),
    "GET /api/byok/sign-in/oidc/callback": " ".join(["303"] * 9),
    "POST /api/byok/sign-in/passkey/options": " ".join(["409"] * 9),
    "POST /api/byok/sign-in/passkey": PUBLIC_401,
    "GET /api/byok/sessions/current/passkeys": PERSON,
    "POST /api/byok/sessions/current/passkeys/options": "401 409 409 409 409 403 403 401 403",
    "POST /api/byok/sessions/current/passkeys": "401 401 401 401 401 403 403 401 403",
    "DELETE /api/byok/sessions/current/passkeys/{id}": "401 404 404 404 404 403 403 401 403",
    "GET /api/health/providers": KNOWN,
    "GET /api/byok/history": OWNER,
    "DELETE /api/byok/history": OWNER,
    "GET /api/byok/history-terms": OWNER,
    "PUT /api/byok/history-terms": OWNER,
    "GET /api/byok/history/{entry}": "401 200 404 404 403 403 404 401 403",
    "DELETE /api/byok/history/{entry}": "401 200 404 404 403 403 404 401 403",
    "GET /api/byok/cache": KNOWN,
    "PUT /api/byok/cache": OWNER,
    "DELETE /api/byok/cache": OWNER,
    "POST /api/byok/export": KEEPER,
    "POST /api/byok/import": "401 403 403 422 403 403 403 401 403",
    "GET /api/byok/preferences": KNOWN,
    "PUT /api/byok/preferences": OWNER,
    "PATCH /api/byok/preferences": OWNER,
    "GET /api/byok/consents": KNOWN,
    "DELETE /api/byok/consents/{consent}": "401 200 404 404 403 403 404 401 403",
    "GET /api/byok/waiting": KNOWN,
    "POST /api/byok/waiting/{waiting}/approve": "401 404 404 404 403 403 404 401 403",
    "POST /api/byok/waiting/{waiting}/refuse": "401 404 404 404 403 403 404 401 403",
    "GET /api/automations": KNOWN,
    "POST /api/automations": "401 201 201 201 403 403 201 401 403",
    "GET /api/automations/{automation}": OF_A,
    "PATCH /api/automations/{automation}": OWN_OF_A,
    "DELETE /api/automations/{automation}": OWN_OF_A,
    "GET /api/automations/{automation}/runs": OF_A,
    "GET /api/automations/{automation}/models": OF_A,
    "PATCH /api/automations/{automation}/model": OWN_OF_A,
    "POST /api/automations/{automation}/quote": OF_A,
    "POST /api/automations/{automation}/run": ASKS_OF_A,
    "GET /api/automation-runs": KNOWN,
    "GET /api/automation-runs/{run}": OF_A,
    "DELETE /api/automation-runs/{run}": OWN_OF_A,
    "GET /api/automation-starters": KNOWN,
    "GET /api/automation-default": KNOWN,
    "PUT /api/automation-default": OWNER,
    "GET /api/openapi.json": KNOWN,
    "POST /api/byok/quote": KNOWN,
}


PAGE = {
    **{f"{method} {path}": 200 for method, path in EMBEDDED if "{user_id}" not in path},
    **{f"{method} {path}": 404 for method, path in EMBEDDED if "{user_id}" in path},
    "DELETE /api/byok/keys/{provider}": 404,
    "POST /api/byok/keys/{provider}/test": 404,
}
"""What a page's token is told that an application made for a user of its own: of everything else 403."""


def page_cell(route: str) -> int:
    if "/sign-in" in route:
        return int(CELLS[route].split()[0])
    return PAGE.get(route, 403)


@pytest.fixture(scope="module")
def matrix(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Everybody]:
    home = tmp_path_factory.mktemp("matrix") / "home"
    with gateway(home, simulator) as running, library(home) as ownkey:
        ownkey.providers.set("openai", endpoint=f"{simulator.url}/fault/name=matrix/v1")
        yield everybody(running, ownkey)


def routes() -> list[tuple[str, APIRoute]]:
    found = [route for part in PARTS for route in part.routes]
    found += [route for route in build().routes if getattr(route, "path", None) == DOCUMENT]
    return [
        (f"{method} {route.path}", route) for route in found if isinstance(route, APIRoute) for method in route.methods
    ]


def test_A03_every_route_of_the_api_stands_in_the_matrix_and_no_other() -> None:
    assert sorted(CELLS) == sorted([*(name for name, _ in routes()), "POST /api/byok/quote"])
    assert all(len(cells.split()) == len(WHO) for cells in CELLS.values())
    documented = {f"{method.upper()} {path}" for path, on in build().openapi()["paths"].items() for method in on}
    assert documented == {name for name, _ in routes()} - {f"GET {DOCUMENT}"}


def test_A03_every_route_has_a_guard() -> None:
    for name, route in routes():
        guards = [one.call for one in route.dependant.dependencies if one.call in GUARDS]
        assert len(guards) == 1, name


@pytest.mark.parametrize("route", CELLS)
def test_A03_A05_W12_each_is_told_what_the_matrix_says(matrix: Everybody, route: str) -> None:
    if "/key" in route:
        matrix.only_a_has_a_key()
    method = route.partition(" ")[0]
    told: dict[str, int] = {}
    for who in (*WHO, "page"):
        answer = matrix.ask(who, method, matrix.path(route), matrix.body(route))
        told[who] = answer.status
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert KEYS["openai"].encode() not in answer.body
    wanted = dict(zip(WHO, map(int, CELLS[route].split()), strict=True)) | {"page": page_cell(route)}
    if route == "PUT /api/byok/sessions/current/password":
        for who in ("a", "b", "admin", "viewer"):
            matrix.ownkey.house.store.people.change(matrix.ids[who], password=None)
    assert told == wanted


FOREIGN = {
    "DELETE /api/byok/key/{}": "key",
    "PATCH /api/byok/key/{}": "key",
    "POST /api/byok/key/{}/test": "key",
    "GET /api/user/api-keys/{}/keys": "a",
    "GET /api/user/api-keys/{}/services": "a",
    "GET /api/user/api-keys/{}/status": "a",
    "POST /api/user/api-keys/{}/keys/openai": "a",
    "DELETE /api/user/api-keys/{}/keys/openai": "a",
    "POST /api/user/api-keys/{}/keys/openai/test": "a",
    "DELETE /api/byok/tokens/{}": "token",
    "DELETE /api/byok/budgets/{}": "budget",
    "DELETE /api/byok/routes/{}": "route",
    "DELETE /api/byok/sessions/{}": "session",
    "POST /api/byok/alerts/seen": "alert",
    "GET /api/automations/{}": "automation",
    "DELETE /api/automations/{}": "automation",
    "POST /api/automations/{}/run": "automation",
    "GET /api/automation-runs/{}": "run",
}


@pytest.mark.parametrize("route", FOREIGN)
def test_A05_what_is_somebody_elses_and_what_is_not_there_are_told_alike(matrix: Everybody, route: str) -> None:
    name = FOREIGN[route]
    theirs = matrix.ids["a"] if name == "a" else matrix.fresh(name)
    missing = theirs[:-3] + "zzz"
    method, path = route.split()
    told: list[tuple[int, bytes]] = []
    for id in (theirs, missing):
        body = BODIES.get("PUT /api/byok/keys/{provider}") if method == "POST" else None
        body = (
            {"ids": [id]}
            if name == "alert"
            else {"enabled": False}
            if method == "PATCH"
            else {}
            if path.endswith("/run")
            else body
        )
        answer = matrix.ask("b", method, path.format(quote(id)), body if not path.endswith("/test") else None)
        told.append((answer.status, answer.body))
    assert told[0] == told[1]
    assert told[0][0] == 404


def test_A05_nothing_of_anothers_stands_in_any_list(matrix: Everybody) -> None:
    a, mark = matrix.ids["a"], "canary-of-a"
    matrix.only_a_has_a_key()
    matrix.ownkey.house.tokens.create(a, mark)
    BudgetBook(matrix.ownkey.house, a, only=a).set(mark, limit="5")
    alert = Alert(mark, "test", a, None, mark, "{}", time.time_ns() // 1_000_000)
    matrix.ownkey.house.store.alerts.raise_(alert)
    chat = json.dumps({"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}).encode()
    asked = {"Authorization": f"Bearer {matrix.tokens['token']}", "Content-Type": "application/json"}
    asked["x-ownkey-automation"] = mark
    assert matrix.gateway.send("POST", "/v1/chat/completions", chat, asked).status == 200
    paths = (
        "keys",
        "tokens",
        "budgets",
        "usage?by=owner&by=automation",
        "usage/runs",
        "usage/export?form=json",
        "home",
        "audit",
        "usage/summary",
        "alerts?seen=true",
    )
    for who, sees in (("b", False), ("service", False), ("a", True)):
        answers = [matrix.ask(who, "GET", f"/api/byok/{path}", None) for path in paths]
        assert {answer.status for answer in answers} == {200}
        told = b"".join(answer.body for answer in answers)
        assert (mark.encode() in told) is sees, who
        assert (a.encode() in told) is sees, who
        assert (MASKED.encode() in told) is sees, who


@pytest.mark.parametrize("path", [*DOORS, *MEDIA, "/v1/embeddings", "/v1/messages/count_tokens",
                                  "/v1beta/models/gpt-4o:generateContent", "/v1beta/models/gpt-4o:countTokens",
                                  "/v1beta/models/gpt-4o:embedContent"])  # fmt: skip
def test_A03_A25_whoever_may_not_ask_is_refused_at_every_path_of_the_gateway(matrix: Everybody, path: str) -> None:
    _, viewers = matrix.ownkey.house.tokens.create(matrix.ids["viewer"], f"viewer {path}")
    wanted = {"nobody": 401, "revoked": 401, "suspended": 403, "viewer's": 403, "page": 403}
    tokens = matrix.tokens | {"viewer's": viewers.reveal().decode()}
    parts = [{"text": "Hello"}]
    body = {
        "model": "openai/gpt-4o",
        "messages": [{"role": "user", "content": "Hello"}],
        "input": "Hello",
        "contents": [{"parts": parts}],
        "content": {"parts": parts},
        "max_tokens": 9,
    }
    wire = "gemini" if path.startswith("/v1beta") else "responses" if path == "/v1/responses" else "openai"
    fields = {"gemini": ("contents", "content"), "responses": ("input",), "openai": ("messages", "input", "max_tokens")}
    wanted_here = fields[wire] if "count_tokens" not in path else ("messages",)
    asked = {name: body[name] for name in ("model", *wanted_here)}
    for who, status in wanted.items():
        headers = {"Content-Type": "application/json"}
        headers |= {"Authorization": f"Bearer {tokens[who]}"} if who in tokens else {}
        assert matrix.gateway.send("POST", path, json.dumps(asked).encode(), headers).status == status, who
