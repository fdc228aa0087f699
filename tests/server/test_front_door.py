"""What a gateway reads of a request's head: each header's edge, and what is told to whom."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from browsing import Browser, signed_in, with_password
from canaries import canary
from house import CHAT, USER, Answer, Gateway, Simulator, gateway, library
from ownkey.app.signing import SignIn
from ownkey.routing.scope import scope_of

BODY = json.dumps({"model": "demo", "messages": list(USER)}).encode()
SESSION = "/api/byok/sessions/current"
BUDGETS = "/api/byok/budgets"
PUBLIC = "https://ownkey.example.com:8443"


@pytest.fixture(scope="module")
def door(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("front") / "home", simulator) as running:
        yield running


@pytest.fixture(scope="module")
def browser(door: Gateway) -> Browser:
    return signed_in(door)


def chat(door: Gateway, **headers: str | None) -> Answer:
    """A chat with the demo; `headers` by their names with underlines, None takes one away."""
    named = {name.replace("_", "-").title(): value for name, value in headers.items()}
    given = {name: value for name, value in (door.own | named).items() if value is not None}
    return door.send("POST", CHAT, BODY, given)


def raw(door: Gateway, *lines: str, path: str = CHAT, body: bytes = BODY) -> int:
    """The status for exactly these lines of a head."""
    head = "\r\n".join([f"POST {path} HTTP/1.1", *lines, f"Content-Length: {len(body)}", "Connection: close"])
    with socket.create_connection(("127.0.0.1", door.port), timeout=30) as connection:
        connection.sendall(head.encode("latin-1") + b"\r\n\r\n" + body)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    return int(answer.split(b" ", 2)[1])


def told(answer: Answer) -> tuple[int, str, str | None]:
    return answer.status, answer.error["code"], answer.error["param"]


def made(door: Gateway, owner: str = "owner", **limits: Any) -> str:
    with library(door.home) as ownkey:
        name = f"front {time.monotonic_ns()}"
        return ownkey.house.tokens.create(owner, name, **limits)[1].reveal().decode()


def test_a_token_comes_in_any_of_three_headers(door: Gateway) -> None:
    for headers in (
        {"authorization": f"Bearer {door.token}"},
        {"authorization": f"bearer   {door.token} "},
        {"authorization": None, "x_api_key": door.token},
        {"authorization": None, "x_goog_api_key": door.token},
        {"x_api_key": door.token, "x_goog_api_key": door.token},
    ):
        assert chat(door, **headers).status == 200, headers


def test_two_tokens_are_never_chosen_between(door: Gateway) -> None:
    other = made(door)
    for name in ("x_api_key", "x_goog_api_key"):
        refused = chat(door, **{name: other})
        assert told(refused) == (401, "invalid_api_key", None)
        assert "Two different tokens" in refused.error["message"]
    assert "bearer token" in chat(door, authorization=f"Basic {door.token}").error["message"]
    assert chat(door, authorization=door.token).status == 401
    assert chat(door, authorization=f"Bearer {door.token} x").status == 401
    assert chat(door, authorization="").status == 401


def test_W01_who_is_asked_is_named_once_and_is_this_machine(door: Gateway) -> None:
    own = [f"Authorization: Bearer {door.token}", "Content-Type: application/json"]
    for host in ("localhost", "LocalHost", "localhost:1", "127.0.0.1", f"127.0.0.1:{door.port}", "[::1]", "[::1]:80"):
        assert raw(door, f"Host: {host}", *own) == 200, host
    for host in ("", "localhost:", "localhost:x", ":80", "::1", "[::1", "localhost.", "127.0.0.1.evil.test", "127.1"):
        assert raw(door, f"Host: {host}", *own) in (400, 421), host
    assert raw(door, "Host: localhost", "Host: localhost", *own) in (400, 421)
    assert raw(door, *own) in (400, 421)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("a", 200),
        ("a" * 128, 200),
        (" nightly report ", 200),
        ("a" * 129, 422),
        ("", 422),
        ("   ", 422),
        ("é", 422),
        ("a\tb", 422),
    ],
)
def test_an_automation_has_a_name_of_1_to_128_printable_characters(door: Gateway, name: str, status: int) -> None:
    answer = chat(door, x_ownkey_automation=name)
    assert answer.status == status
    if status != 200:
        assert told(answer)[1:] == ("invalid_request", "x-ownkey-automation")
    else:
        with library(door.home) as ownkey:
            assert ownkey.house.store.book.rows(limit=1)[0].automation == name.strip()


@pytest.mark.parametrize(
    ("hops", "status"), [("0", 200), ("1", 200), ("001", 200), ("2", 508), ("0001", 508), ("-1", 508), ("x", 508)]
)
def test_a_request_that_came_through_two_ownkeys_goes_round(door: Gateway, hops: str, status: int) -> None:
    answer = chat(door, x_ownkey_hops=hops)
    assert answer.status == status
    assert status == 200 or "other Ownkeys" in answer.error["message"]


def test_hops_are_counted_on(door: Gateway) -> None:
    name = door.provider()
    door.ask(f"{name}/gpt-4o")
    door.ask(f"{name}/gpt-4o", headers={"X-Ownkey-Hops": "1"})
    counted = [dict(one.headers)[b"x-ownkey-hops"] for one in door.simulator.seen(name)]
    assert counted == [b"1", b"2"]


@pytest.mark.parametrize(("yes", "status"), [("yes", 200), ("YES", 200), ("no", 409), ("yesno", 409), ("", 409)])
def test_a_price_that_nobody_knows_is_accepted_by_yes_alone(door: Gateway, yes: str, status: int) -> None:
    name = door.provider()
    headers = {"X-Ownkey-Accept-Unknown-Price": yes}
    assert door.ask(f"{name}/gpt-4o", headers=headers, web_search_options={}).status == status
    assert door.ask(f"{name}/gpt-4o", web_search_options={}).status == 409
    other = {"X-Ownkey-Accept-Over-Budget": "yes"}
    assert door.ask(f"{name}/gpt-4o", headers=other, web_search_options={}).status == 409


def test_a_budget_is_passed_over_by_yes_alone(door: Gateway) -> None:
    name = door.provider()
    with library(door.home) as ownkey:
        ownkey.budgets.set(f"of {name}", limit="0.000001", per="day", provider=name, exhausted="ask")
    asked = {"model": f"{name}/gpt-4o", "max_tokens": 50}
    assert door.ask(**asked).status == 409
    for value, status in (("no", 409), ("yes", 200), ("Yes", 200)):
        assert door.ask(**asked, headers={"X-Ownkey-Accept-Over-Budget": value}).status == status
    assert door.ask(**asked, headers={"X-Ownkey-Accept-Unknown-Price": "yes"}).status == 409


@pytest.mark.parametrize(
    ("value", "passed"), [("a-1", b"a-1"), ("a" * 2048, b"a" * 2048), ("a" * 2049, None), ("é", None)]
)
def test_what_a_body_s_fields_depend_on_goes_on_to_its_own_wire(
    door: Gateway, value: str, passed: bytes | None
) -> None:
    name = door.provider(wire="anthropic-messages")
    body = {"model": f"{name}/gpt-4o", "max_tokens": 9, "messages": list(USER)}
    headers = door.own | {"anthropic-version": "2023-06-01", "anthropic-beta": value}
    assert door.send("POST", "/v1/messages", json.dumps(body).encode(), headers).status == 200
    assert dict(door.simulator.seen(name)[-1].headers).get(b"anthropic-beta") == passed


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 200),
        ("Application/JSON", 200),
        ("application/json; charset=utf-8", 200),
        (" application/json ;x", 200),
        ("application/jsonp", 415),
        ("text/plain", 415),
        ("text/plain;application/json", 415),
        ("", 415),
        (None, 415),
    ],
)
def test_W02_only_what_is_marked_as_json_is_read(door: Gateway, kind: str | None, status: int) -> None:
    answer = chat(door, content_type=kind)
    assert answer.status == status
    assert status == 200 or told(answer)[1:] == ("unsupported_media_type", "content-type")


@pytest.mark.parametrize(("coding", "status"), [("identity", 200), ("IDENTITY", 200), ("gzip", 415), ("", 415)])
def test_a_compressed_body_is_refused_by_name(door: Gateway, coding: str, status: int) -> None:
    answer = chat(door, content_encoding=coding)
    assert answer.status == status
    assert status == 200 or told(answer)[1:] == ("unsupported_media_type", "content-encoding")


def test_a_token_is_good_where_it_was_made_for_only(door: Gateway) -> None:
    here, elsewhere = (
        made(door, scope=scope_of(addresses=["127.0.0.0/8"])),
        made(door, scope=scope_of(addresses=["::1"])),
    )
    assert chat(door, authorization=f"Bearer {here}").status == 200
    refused = chat(door, authorization=f"Bearer {elsewhere}")
    assert told(refused)[:2] == (403, "permission_denied")
    assert "not for your address" in refused.error["message"]


def test_an_application_names_its_user_once_and_nobody_else_does(door: Gateway) -> None:
    service = made(door, kind="service")
    own = f"Bearer {service}"
    for user in ("a", "A-z_0.9@x+y:1", "u" * 128):
        assert chat(door, authorization=own, x_ownkey_user=user).status == 200
    for user in ("", "u" * 129, "a/b", "a b", "é", "a\tb"):
        refused = chat(door, authorization=own, x_ownkey_user=user)
        assert told(refused) == (422, "invalid_request", "x-ownkey-user"), user
    assert told(chat(door, authorization=own)) == (422, "invalid_request", "user")
    assert told(chat(door, x_ownkey_user="a"))[:2] == (403, "permission_denied")
    lines = ["Host: localhost", "Content-Type: application/json", f"Authorization: {own}", "X-Ownkey-User: a"]
    assert raw(door, *lines) == 200
    assert raw(door, *lines, "X-Ownkey-User: a") == 422
    with library(door.home) as ownkey:
        owners = {row.owner for row in ownkey.house.store.book.rows(limit=10)}
    assert {"owner/a", f"owner/{'u' * 128}"} <= owners


def test_an_application_s_paths_name_its_user(door: Gateway) -> None:
    headers = {"Authorization": f"Bearer {made(door, kind='service')}", "X-Ownkey-User": "customer"}
    for name, status in (("customer", 200), ("other", 404), ("owner", 404), ("owner%2Fcustomer", 404)):
        assert door.send("GET", f"/api/user/api-keys/{name}/keys", None, headers).status == status
    assert door.send("GET", f"{SESSION}", None, headers).status == 403


def test_every_answer_of_the_api_says_that_it_is_data_of_nobody_s_page(door: Gateway, browser: Browser) -> None:
    expected = {
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        "x-frame-options": "DENY",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
    }
    answers = [browser.get(SESSION), Browser(door).get(SESSION), browser.get("/api/nothing")]
    for answer in answers:
        assert expected.items() <= answer.headers.items()


def test_the_cookie_is_for_this_host_and_its_pages_cannot_read_it(door: Gateway) -> None:
    own = signed_in(door)
    assert own.csrf is not None
    left = own.ask("DELETE", SESSION)
    assert left.headers["set-cookie"] == "ownkey=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict"
    with library(door.home) as ownkey:
        link = SignIn(ownkey.house).link().reveal().decode()
    entered = Browser(door).post("/api/byok/sign-in/link", {"link": link})
    assert entered.headers["set-cookie"].startswith("ownkey=os-")
    assert entered.headers["set-cookie"].endswith("; Max-Age=604800; Path=/; HttpOnly; SameSite=Strict")


def test_one_cookie_is_read_among_others_and_two_of_its_name_are_none(browser: Browser) -> None:
    mine = f"ownkey={browser.cookie}"
    for cookie in (f"a=1; {mine}", f"{mine};b=2", f" ownkey = {browser.cookie} ", f"ownkey2=x;{mine};"):
        assert browser.get(SESSION, cookie=cookie).status == 200, cookie
    for cookie in (
        f"{mine}; {mine}",
        f"{mine}; ownkey=x",
        "ownkey=",
        f"Ownkey={browser.cookie}",
        f"x{mine}",
        mine + "x",
    ):
        refused = browser.get(SESSION, cookie=cookie)
        assert (refused.status, refused.error["code"]) == (401, "invalid_api_key"), cookie


def test_W02_a_page_of_ours_may_ask_and_another_may_not(browser: Browser) -> None:
    port = browser.gateway.port
    assert browser.get(SESSION, origin=None, sec_fetch_site=None).status == 200
    assert browser.get(SESSION, origin=None, sec_fetch_site="none").status == 200
    assert browser.get(SESSION, sec_fetch_site=None).status == 200
    assert browser.get(SESSION, x_ownkey_csrf=None).status == 200
    for changed in ({"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"}, {"origin": "http://evil.test"}):
        refused = browser.get(SESSION, **changed)
        assert (refused.status, refused.error["code"]) == (403, "permission_denied")
    put = {"limit": "5"}
    assert browser.ask("PUT", f"{BUDGETS}/one", put, origin=None).status == 200
    assert browser.ask("PUT", f"{BUDGETS}/one", put, origin=None, sec_fetch_site="none").status == 200
    assert browser.ask("PUT", f"{BUDGETS}/one", put, sec_fetch_site=None).status == 200
    assert browser.ask("PUT", f"{BUDGETS}/one", put, origin=None, sec_fetch_site=None).status == 403
    there = {"host": f"LOCALHOST:{port}", "origin": f"http://localhost:{port}", "sec_fetch_site": None}
    assert browser.ask("PUT", f"{BUDGETS}/one", put, **there).status == 200
    assert browser.ask("HEAD", SESSION, x_ownkey_csrf=None, origin=None, sec_fetch_site=None).status != 403
    for proof in ("", f"{browser.csrf}=", f"{browser.csrf}"[:-1], f"{browser.csrf}".swapcase()):
        assert browser.ask("PUT", f"{BUDGETS}/one", put, x_ownkey_csrf=proof).status == 403


def test_a_session_is_listed_with_the_browser_it_is_of(door: Gateway) -> None:
    named = Browser(door, more={"User-Agent": "Browser of one's own/1.0"})
    with library(door.home) as ownkey:
        link = SignIn(ownkey.house).link().reveal().decode()
    assert named.post("/api/byok/sign-in/link", {"link": link}).status == 200
    listed = named.get("/api/byok/sessions").json["sessions"]
    assert [one for one in listed if "of one's own" in json.dumps(one) and "127.0.0.1" in json.dumps(one)]


def test_a_public_address_with_a_port_is_where_its_pages_are_from(simulator: Simulator, tmp_path: Any) -> None:
    with gateway(tmp_path / "home", simulator, OWNKEY_PUBLIC_URL=PUBLIC) as running:
        with library(running.home) as ownkey:
            link = SignIn(ownkey.house).link().reveal().decode()
        own = Browser(running, more={"Host": "ownkey.example.com:8443", "Origin": PUBLIC})
        path = "/api/byok/sign-in/link"
        for origin in (
            "https://ownkey.example.com",
            "http://ownkey.example.com:8443",
            f"http://127.0.0.1:{running.port}",
        ):
            assert own.post(path, {"link": link}, origin=origin).status == 403
        # Asked at this machine itself, its pages are from there, in the clear.
        here = f"127.0.0.1:{running.port}"
        assert own.post(path, {"link": "ol-x"}, host=here, origin=f"http://{here}").status == 404
        assert own.post(path, {"link": "ol-x"}, host="localhost", origin="http://localhost").status == 404
        assert own.post(path, {"link": "ol-x"}, host=here).status == 403
        entered = own.post(path, {"link": link})
        assert entered.status == 200
        assert entered.headers["set-cookie"].endswith("; Path=/; HttpOnly; SameSite=Strict; Secure")


def test_A03_what_each_role_may_do_to_what_is_everybody_s(door: Gateway) -> None:
    _, member = with_password(door, "Mira")
    _, viewer = with_password(door, "Vito", "viewer")
    _, admin = with_password(door, "Ada", "admin")
    owner = signed_in(door)
    put, users = f"{BUDGETS}/of-a-role", "/api/byok/users"
    assert [one.ask("PUT", put, {"limit": "5"}).status for one in (member, viewer, admin, owner)] == [
        200,
        403,
        200,
        200,
    ]
    assert [one.get(users).status for one in (member, viewer, admin, owner)] == [403, 403, 200, 200]
    seen = [len(one.get(BUDGETS).json["budgets"]) for one in (member, viewer, admin, owner)]
    assert seen[0] == 1
    assert seen[1] == seen[2] == seen[3] >= 2
    assert viewer.ask("PUT", put, {"limit": "5"}).error["message"].startswith("A viewer changes nothing.")


def test_A03_the_trail_says_who_it_was(door: Gateway) -> None:
    user, member = with_password(door, "Tara")
    assert member.post("/api/byok/tokens", {"name": "of Tara"}).status == 201
    assert signed_in(door).post("/api/byok/tokens", {"name": "of the owner"}).status == 201
    with library(door.home) as ownkey:
        rows = ownkey.audit.listed(action="token.created")
    who = {json.loads(row.detail)["name"]: (row.actor_kind, row.actor) for row in rows}
    assert who["of Tara"] == ("user", user)
    assert who["of the owner"] == ("owner", "owner")


def test_A03_the_trail_says_which_token_it_was(door: Gateway) -> None:
    with library(door.home) as ownkey:
        row, token = ownkey.house.tokens.create("owner", "of an application", kind="service")
    headers = {
        "Authorization": f"Bearer {token.reveal().decode()}",
        "X-Ownkey-User": "kept",
        "Content-Type": "application/json",
    }
    path = "/api/user/api-keys/kept/keys/openai"
    stored = door.send("POST", path, json.dumps({"key": canary("of a user"), "check": False}).encode(), headers)
    assert stored.status == 200, stored.body
    with library(door.home) as ownkey:
        who = [(one.actor_kind, one.actor) for one in ownkey.audit.listed(action="key.added")]
    assert ("token", row.id) in who


def test_a_client_of_anthropics_is_listed_the_models_in_its_own_form(door: Gateway) -> None:
    plain = door.send("GET", "/v1/models", None, door.own)
    theirs = door.send("GET", "/v1/models", None, door.own | {"Anthropic-Version": "2023-06-01"})
    assert plain.json["object"] == "list"
    assert "object" not in theirs.json
    assert {"data", "first_id", "last_id", "has_more"} <= set(theirs.json)
