"""What two readers could read in two ways, and what a database has no place for: refused the same on every database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from browsing import SIGN_IN, Browser, signed_in
from house import Simulator, gateway, make_home

BUDGET = "/api/byok/budgets/mine"
QUOTE = "/api/byok/quote"
REQUEST = {"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def browser(request: Any, simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    home = tmp_path_factory.mktemp("plain") / "home"
    make_home(home)
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_server").fresh()
        (home / "config.toml").write_text(f"database_url = {json.dumps(url)}\n")
        (home / "config.toml").chmod(0o600)
    with gateway(home, simulator) as running:
        yield signed_in(running)
        assert "Ownkey failed" not in running.log.read_text()


@pytest.mark.parametrize(
    "body",
    [
        b'{"limit": "5", "limit": "6"}',
        b'{"limit": "5", "lim\\u0069t": "6"}',
        b'{"limit": "5", "unit": {"a": 1, "a": 2}}',
        b'{"limit": "5", "zone": "\\ud800"}',
        b'{"limit": "5", "owner": "\\udfff"}',
        b'{"limit": "5", "automation": "a\\u0000"}',
        b'{"limit": "5", "auto\\u0000mation": "a"}',
        b'{"limit": NaN}',
        b'{"alert_percent": 1e999}',
        b'{"limit": ' + b"9" * 5_000 + b"}",
        b'\xef\xbb\xbf{"limit": "5"}',
        '{"limit": "5"}'.encode("utf-16"),
        '{"limit": "5"}'.encode("utf-32-le"),
        b'{"limit": "\xff"}',
        b'{"limit": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":' * 40_000 + b"1" + b"}" * 40_000,
        b'{"limit": "5"} {"limit": "6"}',
    ],
    ids=range(17),
)
def test_G03_json_that_is_not_plain_is_refused_and_changes_nothing(browser: Browser, body: bytes) -> None:
    refused = browser.ask("PUT", BUDGET, body)
    assert (refused.status, refused.error["code"]) == (422, "invalid_request")
    assert len(refused.body) < 400
    assert browser.get("/api/byok/budgets").json == {"budgets": []}


def test_G03_many_names_given_twice_take_no_time(browser: Browser) -> None:
    members = ",".join(f'"{n:x}":0' for n in range(20_000))
    refused = browser.ask("PUT", BUDGET, f'{{{members},"a":1}}'.encode())
    assert (refused.status, refused.error["param"]) == (422, "a")


PATHS = (
    "/api/byok/usage?provider=a%00",
    "/api/byok/usage?model=%00",
    "/api/byok/usage?model=%ff",
    "/api/byok/usage?automation=%00",
    "/api/byok/usage/runs?provider=%00",
    "/api/byok/usage/summary?zone=%00",
    "/api/byok/usage/days?zone=Nowhere/Nowhere",
    "/api/byok/usage/summary?zone=" + "A" * 64,
    "/api/byok/usage/runs?since_ms=9223372036854775808",
    "/api/byok/usage?since_ms=9223372036854775808",
    "/api/byok/usage?until_ms=99999999999999999999999999",
)


@pytest.mark.parametrize("path", PATHS)
def test_G19_what_cannot_be_looked_for_is_422_on_every_database(browser: Browser, path: str) -> None:
    refused = browser.get(path)
    assert (refused.status, refused.error["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("path", ["tokens/a%00", "sessions/%00", "budgets/%00b", "users/us%00r", "keys/openai%00"])
def test_G12_a_path_with_a_nul_names_nothing(browser: Browser, path: str) -> None:
    assert browser.ask("DELETE", f"/api/byok/{path}").status == 404


NAMES = ("a\r\nSet-Cookie: x=1", "\u202eabc", "a\u200bb", "a\0", "\ud800", "\ufeffa", "a\u2028b", "", " ", "a" * 10_000)


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_G12_a_name_that_is_not_what_it_looks_like_is_refused_everywhere(browser: Browser, name: str) -> None:
    key = "sk-canary-openai-0fVq8ZtYw3LmXe71vX2Q"
    asked: list[tuple[str, str, Any]] = [
        ("POST", "/api/byok/users", {"name": name, "email": "a@example.com"}),
        ("POST", "/api/byok/tokens", {"name": name}),
        ("PUT", "/api/byok/keys/openai", {"key": key, "label": name, "check": False}),
        ("PUT", f"/api/byok/budgets/{quote(name.encode('utf-8', 'surrogatepass'))}", {"limit": "5"}),
    ]
    for method, path, body in asked:
        refused = browser.ask(method, path, json.dumps(body).encode())
        assert refused.status in (404, 422), path
        assert "x=1" not in refused.headers.get("set-cookie", "")


@pytest.mark.parametrize(
    "email", ["a\0@example.com", "a@" + "b." * 200 + "com", "a\u200b@example.com", "a@b\r\nc", "\ud800@b"]
)
def test_A14_an_address_that_nobody_can_have_is_refused_or_nobodys(browser: Browser, email: str) -> None:
    body = {"name": "Ann", "email": email}
    assert browser.post("/api/byok/users", json.dumps(body).encode()).status == 422
    told = Browser(browser.gateway).post(f"{SIGN_IN}/password", json.dumps({"email": email, "password": "no"}).encode())
    assert told.status in (401, 422)


@pytest.mark.parametrize("automation", ["\0", "a\nb", "\u202e", "a" * 129])
def test_G12_a_quote_is_for_an_automation_with_a_proper_name(browser: Browser, automation: str) -> None:
    refused = browser.post(QUOTE, {"request": REQUEST, "automation": automation})
    assert (refused.status, refused.error["code"]) == (422, "invalid_request")
    assert browser.post(QUOTE, {"request": REQUEST, "automation": "nightly"}).status == 200
