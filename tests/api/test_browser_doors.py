"""What other sites, other names of this machine, and other spellings of a path may do to the API: nothing."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browsing import SIGN_IN, Browser, signed_in
from canaries import canary
from house import COMMAND, Gateway, Simulator, environment, gateway, library
from ownkey.app.signing import SignIn
from ownkey.server.api.service import PARTS

SESSION = "/api/byok/sessions/current"
BUDGET = "/api/byok/budgets/one"
PUBLIC = "https://ownkey.example.com"


@pytest.fixture(scope="module")
def place(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("doors") / "home", simulator) as running:
        yield running


@pytest.fixture(scope="module")
def browser(place: Gateway) -> Browser:
    return signed_in(place)


def paths() -> list[str]:
    found = {route.path for part in PARTS for route in part.routes if hasattr(route, "path")}
    return sorted({*found, "/api/openapi.json", "/api/byok/quote", "/api/nothing"})


@pytest.mark.parametrize("path", paths())
def test_W01_a_name_that_was_bound_to_this_machine_anew_is_not_answered(browser: Browser, path: str) -> None:
    for host in ("evil.test", f"evil.test:{browser.gateway.port}", "127.0.0.1.evil.test", "localhost.evil.test"):
        for method in ("GET", "POST", "DELETE"):
            refused = browser.ask(method, path, host=host, origin=f"http://{host}")
            assert (refused.status, "set-cookie" in refused.headers) == (421, False)


ELSEWHERE: dict[str, dict[str, str | None]] = {
    "another site": {"origin": "https://evil.test", "sec_fetch_site": "cross-site"},
    "another site, an old browser": {"origin": "https://evil.test", "sec_fetch_site": None},
    "another port of this machine": {"origin": "http://127.0.0.1:9999", "sec_fetch_site": "same-site"},
    "another port, an old browser": {"origin": "http://127.0.0.1:9999", "sec_fetch_site": None},
    "another name of this machine": {"origin": "http://localhost:{port}", "sec_fetch_site": None},
    "a page without an origin": {"origin": "null", "sec_fetch_site": "cross-site"},
    "a sandboxed page": {"origin": "null", "sec_fetch_site": None},
    "a look-alike": {"origin": "http://127.0.0.1:{port}.evil.test", "sec_fetch_site": None},
    "a prefix": {"origin": "http://127.0.0.1", "sec_fetch_site": None},
    "over TLS": {"origin": "https://127.0.0.1:{port}", "sec_fetch_site": None},
    "nobody says": {"origin": None, "sec_fetch_site": None},
    "a sister site": {"origin": None, "sec_fetch_site": "same-site"},
    "no proof of reading": {"x_ownkey_csrf": None},
    "a wrong proof": {"x_ownkey_csrf": "e_plog2VYE6NI7OOD0IkDNBjdg_rRaIRiXXr89W5NuI"},
    "a proof that is no ASCII": {"x_ownkey_csrf": "é"},
}


@pytest.mark.parametrize("how", ELSEWHERE)
def test_W02_another_site_changes_nothing_with_the_cookie(browser: Browser, how: str) -> None:
    port = str(browser.gateway.port)
    changed = {name: value and value.replace("{port}", port) for name, value in ELSEWHERE[how].items()}
    for method, path, body in (
        ("PUT", BUDGET, {"limit": "5"}),
        ("POST", "/api/byok/tokens", {"name": "stolen"}),
        ("POST", "/api/byok/quote", {"request": {"model": "demo"}}),
        ("DELETE", SESSION, None),
    ):
        refused = browser.ask(method, path, body, **changed)
        assert (refused.status, refused.error["code"]) == (403, "permission_denied"), path
    assert browser.get(SESSION).status == 200
    assert browser.get("/api/byok/budgets").json == {"budgets": []}


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None])
def test_W02_what_a_form_can_send_is_not_read_as_json(browser: Browser, kind: str | None) -> None:
    refused = browser.ask("PUT", BUDGET, {"limit": "5"}, content_type=kind)
    assert refused.status == 422
    assert browser.get("/api/byok/budgets").json == {"budgets": []}


def test_W02_nobody_is_signed_in_by_another_site(place: Gateway) -> None:
    with library(place.home) as ownkey:
        link = SignIn(ownkey.house).link().reveal().decode()
    victim = Browser(place)
    for changed in ({"origin": "https://evil.test"}, {"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"}):
        refused = victim.post(f"{SIGN_IN}/link", {"link": link}, **changed)
        assert (refused.status, victim.cookie) == (403, None)
    assert victim.post(f"{SIGN_IN}/link", {"link": link}).status == 200


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "PUT"])
def test_W03_no_other_origin_is_ever_told_that_it_may_read(browser: Browser, method: str) -> None:
    for origin in ("null", "https://evil.test", "http://127.0.0.1.evil.test", "http://evil-127.0.0.1", browser.origin):
        for path in (SESSION, BUDGET, "/api/byok/providers", "/v1/models", "/health", f"{SIGN_IN}/link"):
            answer = browser.ask(
                method,
                path,
                {} if method != "GET" else None,
                origin=origin,
                access_control_request_method="PUT",
                access_control_request_headers="x-ownkey-csrf",
                access_control_request_private_network="true",
            )
            assert [name for name in answer.headers if name.startswith("access-control-")] == []
            assert method != "OPTIONS" or answer.status in (404, 405)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_W04_other_machines_are_not_listened_to_where_nothing_ends_tls(tmp_path: Path, host: str) -> None:
    env = environment(tmp_path / "home")
    done = subprocess.run(
        [*COMMAND, "serve", "--host", host, "--port", "0"], env=env, capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stdout) == (6, "")
    assert "OWNKEY_PUBLIC_URL" in done.stderr


@pytest.mark.parametrize(
    "url", ["http://ownkey.example.com", "https://ownkey.example.com/path", "ftp://x", "ownkey", ""]
)
def test_W04_an_address_without_tls_is_no_public_address(tmp_path: Path, url: str) -> None:
    env = environment(tmp_path / "home", OWNKEY_PUBLIC_URL=url)
    done = subprocess.run(
        [*COMMAND, "serve", "--host", "0.0.0.0", "--port", "0"], env=env, capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stdout) == (6, "")
    assert "OWNKEY_PUBLIC_URL" in done.stderr


def test_behind_tls_the_cookie_is_bound_to_the_host_and_the_origin_is_the_public_one(
    simulator: Simulator, tmp_path: Path
) -> None:
    with gateway(tmp_path / "home", simulator, OWNKEY_PUBLIC_URL=PUBLIC) as running:
        with library(running.home) as ownkey:
            links = [SignIn(ownkey.house).link().reveal().decode() for _ in range(3)]
        browser = Browser(running, more={"Host": "ownkey.example.com", "Origin": PUBLIC})
        path = f"{SIGN_IN}/link"
        for origin in (f"http://{PUBLIC[8:]}", f"{PUBLIC}:8443", f"http://127.0.0.1:{running.port}"):
            assert browser.post(path, {"link": links[0]}, origin=origin).status == 403
        entered = browser.post(path, {"link": links[0]})
        assert entered.status == 200, entered.body
        cookie = entered.headers["set-cookie"]
        assert cookie.startswith("__Host-ownkey=os-")
        assert cookie.endswith("; Path=/; HttpOnly; SameSite=Strict; Secure")
        browser.more["Cookie"] = f"__Host-ownkey={browser.cookie}"
        assert browser.get(SESSION).status == 200
        assert browser.ask("PUT", BUDGET, {"limit": "5"}).status == 200
        browser.more["Cookie"] = f"ownkey={browser.cookie}"
        assert browser.get(SESSION).status == 401
        assert browser.get(SESSION, host="elsewhere.example.com").status == 421


def test_W08_no_answer_may_be_framed_taken_for_a_page_or_read_by_another_site(browser: Browser) -> None:
    answers = [
        browser.get(SESSION),
        browser.get(SESSION, cookie=None),
        browser.get("/api/nowhere"),
        browser.post(f"{SIGN_IN}/link", {"link": "ol-nothing"}),
        browser.get("/api/openapi.json"),
    ]
    assert [answer.status for answer in answers] == [200, 401, 404, 404, 200]
    for answer in answers:
        parts = answer.headers["content-security-policy"].split("; ")
        assert {"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} == set(parts)
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", ["key", "token", "access_token", "api_key"])
def test_A04_W15_a_token_in_an_address_opens_nothing_and_stands_in_no_log(place: Gateway, name: str) -> None:
    for path in ("/api/byok/providers", "/v1/models/gpt-4o", "/api/byok/usage", "/v1beta/models"):
        for before in ("", "alt=sse&"):
            answer = place.send("GET", f"{path}?{before}{name}={place.token}", None, {})
            assert answer.status == 422
        assert place.token not in answer.body.decode()
    assert place.token not in place.log.read_text()


def test_W19_the_document_is_for_who_has_signed_in_and_there_are_no_other_pages_about_the_api(browser: Browser) -> None:
    assert browser.get("/api/openapi.json").json["openapi"].startswith("3.")
    assert browser.get("/api/openapi.json", cookie=None).status == 401
    for path in (
        "/docs",
        "/redoc",
        "/openapi.json",
        "/api/docs",
        "/api/redoc",
        "/api/byok/docs",
        "/docs/oauth2-redirect",
    ):
        assert browser.get(path).status == 404


def test_A04_a_token_is_the_same_whatever_carries_it_and_a_cookie_is_none(place: Gateway) -> None:
    carriers = (
        {"Authorization": f"Bearer {place.token}"},
        {"x-api-key": place.token},
        {"x-goog-api-key": place.token},
        {"Cookie": f"ownkey={place.token}"},
    )
    told = [place.send("GET", "/api/byok/tokens", None, headers) for headers in carriers]
    assert [answer.status for answer in told] == [200, 200, 200, 401]
    assert told[0].body == told[1].body == told[2].body


@pytest.mark.parametrize(
    "cookie",
    [
        *("", "ownkey=", "ownkey=é", "ownkey=os-' OR 1=1", "ownkey=os-{0}; ownkey=os-{0}"),
        *("__Host-ownkey={1}", "OWNKEY={1}", "other={1}", "ownkey={1}; ownkey={1}"),
    ],
)
def test_A02_a_cookie_that_is_none_of_ours_is_nobodys(browser: Browser, cookie: str) -> None:
    sent = cookie.format("a" * 43, browser.cookie).encode().decode("latin-1")
    assert browser.get(SESSION, cookie=sent).status == 401


@pytest.mark.parametrize("field", ["role", "is_admin", "owner_id", "user_id", "id", "password", "totp_step", "spent"])
def test_A07_a_field_that_is_not_known_is_refused_and_nothing_is_changed(browser: Browser, field: str) -> None:
    secret = canary("doors", "sk-proj-")
    bodies: list[tuple[str, str, dict[str, Any]]] = [
        ("PUT", BUDGET, {"limit": "5"}),
        ("PUT", "/api/byok/keys/openai", {"key": secret}),
        ("POST", "/api/byok/tokens", {"name": "with more"}),
        ("PATCH", "/api/byok/users/owner", {"name": "Somebody"}),
        ("POST", f"{SIGN_IN}/link", {"link": "ol-nothing"}),
    ]
    for method, path, body in bodies:
        if field in ("role",) and "users" in path:
            continue
        refused = browser.ask(method, path, body | {field: secret})
        assert (refused.status, refused.error["param"]) == (422, field), path
        assert secret not in refused.body.decode()
    lists = ("/api/byok/budgets", "/api/byok/keys", "/api/byok/users")
    told = b"".join(browser.get(path).body for path in lists).decode()
    assert "Somebody" not in told
    assert '"budgets":[]' in told
    assert '"keys":[]' in told


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"5", b'"sk-canary-x"', b'{"key": 5}', b'{"key": null}', b'{"key": ["sk-canary-x"]}',
     b'{"key": {"sk-canary-x": 1}}', b"\xff\xfe", b'{"key": "' + b"x" * 100_000 + b'"}', b"[" * 50_000,
     b'{"CANARY": 1, "key": "a"}', b'{"key": "a b"}', b'{"key": "\\u00e9"}'],
)  # fmt: skip
def test_O03_a_body_that_is_wrong_is_one_clear_error_and_is_not_told_again(browser: Browser, body: bytes) -> None:
    quoted = body.replace(b"CANARY", canary("told in a body").encode())
    refused = browser.ask("PUT", "/api/byok/keys/openai", quoted)
    assert refused.status == 422
    assert set(refused.error) == {"message", "type", "code", "param", "kind"}
    assert b"canary" not in refused.body
    assert len(refused.body) < 1_000


def test_G01_a_body_that_is_longer_than_anything_here_is_refused_whoever_sends_it(browser: Browser) -> None:
    body = json.dumps({"key": "x" * 300_000}).encode()
    for one in (browser, Browser(browser.gateway)):
        refused = one.ask("PUT", "/api/byok/keys/openai", body)
        assert (refused.status, refused.error["code"]) == (413, "request_too_large")
        assert refused.headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    "path",
    ["//api/byok/users", "/api//byok/users", "/api/byok/users/", "/api/byok/../byok/users",
     "/api/byok/%2e%2e/byok/users",
     "/api/byok/users;a=1", "/API/byok/users", "/api/byok/USERS", "/api/byok/users%00", "/api/byok/users%2f",
     "/api/byok/sign-in/../users", "/api/byok/sign-in/%2e%2e%2fusers", "/api/user/api-keys/owner%2fann/keys"],
)  # fmt: skip
def test_A22_a_path_that_is_written_otherwise_opens_nothing_more(browser: Browser, path: str) -> None:
    with library(browser.gateway.home) as ownkey:
        member = ownkey.people.add("Member").id
    for one in (Browser(browser.gateway), signed_in(browser.gateway, member)):
        for method in ("GET", "HEAD", "OPTIONS", "TRACE", "POST"):
            assert one.ask(method, path, x_http_method_override="DELETE").status in (401, 403, 404, 405)


@pytest.mark.parametrize(
    "host", ["x/health?", "x#", "a@127.0.0.1", "127.0.0.1, 127.0.0.1", "127.0.0.1\r\nHost: 127.0.0.1"]
)
def test_A21_a_host_that_reads_two_ways_is_refused(browser: Browser, host: str) -> None:
    raw = f"GET {SESSION} HTTP/1.1\r\nHost: {host}\r\nCookie: ownkey={browser.cookie}\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", browser.gateway.port), 10) as connection:
        connection.sendall(raw.encode())
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.split()[1] in (b"400", b"421")


def test_A21_a_whole_address_in_place_of_a_path_opens_nothing(browser: Browser) -> None:
    for target in ("http://127.0.0.1/api/byok/users", "http://evil.test/api/byok/users"):
        raw = (
            f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: ownkey={browser.cookie}\r\nConnection: close\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", browser.gateway.port), 10) as connection:
            connection.sendall(raw.encode())
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        assert answer.split()[1] in (b"400", b"404", b"421")


@pytest.mark.parametrize("name", ["X-Forwarded-User", "X-Forwarded-Host", "X-Real-IP", "Forwarded", "X-Remote-User"])
def test_A23_what_a_proxy_would_say_lets_nobody_in(place: Gateway, name: str) -> None:
    assert place.send("GET", SESSION, None, {name: "owner"}).status == 401
    assert place.send("GET", "/api/byok/users", None, {name: "127.0.0.1"}).status == 401


def test_A06_who_is_asked_for_is_who_asks_whatever_else_is_said(place: Gateway) -> None:
    with library(place.home) as ownkey:
        member = ownkey.people.add("Somebody else").id
    theirs = signed_in(place, member)
    assert theirs.ask("PUT", "/api/byok/budgets/other", {"limit": "5", "owner": "owner"}).status == 404
    made = theirs.ask("PUT", "/api/byok/budgets/mine", {"limit": "5"}).json["budget"]
    assert made["owner"] == member
    for path in ("/api/byok/tokens?owner=owner", "/api/byok/tokens?user_id=owner"):
        assert theirs.get(path, x_user_id="owner").json == {"tokens": []}
    assert theirs.get("/api/byok/tokens?everybody=true").status == 403


def test_a_budget_that_was_set_for_somebody_is_not_theirs_to_change(place: Gateway) -> None:
    with library(place.home) as ownkey:
        member = ownkey.people.add("Limited").id
        limit = ownkey.budgets.set("of limited", limit="1", owner=member).room.budget
    theirs = signed_in(place, member)
    assert [one["id"] for one in theirs.get("/api/byok/budgets").json["budgets"]] == [limit.id]
    assert theirs.ask("PUT", "/api/byok/budgets/of%20limited", {"limit": "1000"}).status == 403
    assert theirs.ask("DELETE", f"/api/byok/budgets/{limit.id}").status == 403
    with library(place.home) as ownkey:
        assert ownkey.budgets.get("of limited").limit == 10**9
        ownkey.budgets.remove("of limited")


def test_a_new_budget_or_route_never_takes_the_place_of_one_that_is_there(place: Gateway) -> None:
    keeper = signed_in(place)
    for kind, given in (("budgets", {"limit": "5"}), ("routes", {"targets": ["openai/gpt-4o"]})):
        path = f"/api/byok/{kind}"
        assert keeper.ask("POST", path, {"name": "once", **given}).status == 201
        before = keeper.get(path).json
        again = keeper.ask("POST", path, {"name": "once", **given})
        assert (again.status, again.json["error"]["code"], again.json["error"]["param"]) == (409, "conflict", "name")
        assert keeper.get(path).json == before
        made = before[kind][-1] if kind == "budgets" else {"id": "once"}
        assert keeper.ask("DELETE", f"{path}/{made['id']}").status == 200


def test_a_budget_is_changed_by_its_id_and_by_its_name_only_by_whose_it_is(place: Gateway) -> None:
    with library(place.home) as ownkey:
        member = ownkey.people.add("Of the same name").id
    keeper, theirs = signed_in(place), signed_in(place, member)
    made = [who.ask("PUT", "/api/byok/budgets/mine", {"limit": "5"}).json["budget"] for who in (theirs, keeper)]
    assert made[0]["id"] != made[1]["id"]
    changed = keeper.ask("PUT", f"/api/byok/budgets/{made[0]['id']}", {"limit": "7"}).json["budget"]
    assert (changed["id"], changed["name"], changed["owner"]) == (made[0]["id"], "mine", member)
    assert keeper.ask("PUT", "/api/byok/budgets/mine", {"limit": "6"}).json["budget"]["id"] == made[1]["id"]
    assert theirs.get("/api/byok/budgets").json["budgets"][0]["limit"] == 7 * 10**9
    for id in (made[1]["id"], f"b_{0:012x}"):
        assert theirs.ask("PUT", f"/api/byok/budgets/{id}", {"limit": "1"}).status == 404
    for one in made:
        assert keeper.ask("DELETE", f"/api/byok/budgets/{one['id']}").status == 200


def test_A08_a_token_makes_no_token(place: Gateway) -> None:
    headers = place.own
    refused = place.send("POST", "/api/byok/tokens", json.dumps({"name": "wider"}).encode(), headers)
    assert (refused.status, refused.error["code"]) == (403, "permission_denied")


def test_A08_a_member_makes_no_token_for_an_application(place: Gateway) -> None:
    with library(place.home) as ownkey:
        member = ownkey.people.add("Maker").id
    theirs = signed_in(place, member)
    assert theirs.post("/api/byok/tokens", {"name": "app", "kind": "service"}).status == 403
    assert theirs.post("/api/byok/tokens", {"name": "mine"}).status == 201
