"""A signed-in browser at the gateway: it asks as its person, from a page of ours, and from nowhere else."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from browsing import Browser, with_password
from house import CHAT, KEYS, USER, Answer, Gateway, Simulator, book_rows, gateway, library
from ownkey import Ownkey
from ownkey.server.operations import MEDIA
from ownkey.server.site import DOORS

QUOTE = "/api/byok/quote"
FORM = {"Content-Type": "multipart/form-data; boundary=x"}
FILE = (
    b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n{}\r\n--x--\r\n'
)
PARTS = [{"text": "Hello"}]
BODIES: dict[str, dict[str, Any]] = {
    CHAT: {"messages": list(USER)},
    "/v1/responses": {"input": "Hello"},
    "/v1/messages": {"messages": list(USER), "max_tokens": 9},
    "/v1/messages/count_tokens": {"messages": list(USER)},
    "/v1/embeddings": {"input": "Hello"},
    "/v1beta/models/demo:generateContent": {"contents": [{"parts": PARTS}]},
    "/v1beta/models/demo:countTokens": {"contents": [{"parts": PARTS}]},
    "/v1beta/models/demo:embedContent": {"content": {"parts": PARTS}},
    **{path: {"input": "Hello", "prompt": "Hello"} for path in MEDIA},
}
READ = ("/v1/models", "/v1/models/demo", "/v1beta/models", "/v1/files", "/v1/batches")


@pytest.fixture(scope="module")
def place(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("browser") / "home", simulator) as running:
        yield running


@pytest.fixture(scope="module")
def person(place: Gateway) -> tuple[str, Browser]:
    """A member, with a key of their own for what `with_key` names."""
    return with_password(place, "Petra")


@pytest.fixture(scope="module")
def with_key(place: Gateway, person: tuple[str, Browser]) -> str:
    name = place.provider()
    stored = person[1].ask("PUT", f"/api/byok/keys/{name}", {"key": KEYS["openai"], "check": False})
    assert stored.status == 200, stored.body
    return name


def asked(path: str, model: str = "demo", **more: Any) -> dict[str, Any]:
    return BODIES[path] | ({} if path.startswith("/v1beta") else {"model": model}) | more


def everywhere(browser: Browser, **changed: str | None) -> Iterator[tuple[str, Answer]]:
    """The answers of the gateway at each of its paths."""
    for path in BODIES:
        yield f"POST {path}", browser.post(path, asked(path), **changed)
    for path in READ:
        yield f"GET {path}", browser.get(path, **changed)
    yield "POST /v1/files", browser.ask("POST", "/v1/files", FILE, content_type=FORM["Content-Type"], **changed)
    for path in ("/v1/batches", "/v1/batches/quote"):
        yield f"POST {path}", browser.post(path, {}, **changed)


def test_every_path_of_the_gateway_is_asked_here() -> None:
    assert {*DOORS, *MEDIA} <= BODIES.keys()


def test_a_chat_streams_to_the_page_and_the_book_has_its_person(
    place: Gateway, person: tuple[str, Browser], with_key: str
) -> None:
    user, browser = person
    answer = browser.post(CHAT, {"model": f"{with_key}/gpt-4o", "messages": list(USER), "stream": True})
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.events[-1] == "[DONE]"
    assert answer.streamed_text
    [row] = place.rows(with_key)
    assert (row.owner, row.token_id, row.state) == (user, None, "exact")


def test_nobody_asks_with_the_keys_of_somebody_else(place: Gateway, with_key: str) -> None:
    _, other = with_password(place, "Otto")
    refused = other.post(CHAT, {"model": f"{with_key}/gpt-4o", "messages": list(USER)})
    # A server of one's own may want no key; this one does.
    assert refused.error["code"] == "upstream_auth"
    came = place.simulator.seen(with_key)[-1]
    assert not any(KEYS["openai"].encode() in value for _, value in came.headers)


def test_a_budget_of_the_person_holds_for_what_their_browser_asks(place: Gateway, simulator: Simulator) -> None:
    _, browser = with_password(place, "Bess")
    name = place.provider()
    browser.ask("PUT", f"/api/byok/keys/{name}", {"key": KEYS["openai"], "check": False})
    ask = {"model": f"{name}/gpt-4o", "messages": list(USER)}
    assert browser.post(CHAT, ask).status == 200
    assert browser.ask("PUT", "/api/byok/budgets/mine", {"limit": "0"}).status == 200
    assert (browser.post(CHAT, ask).status, len(simulator.seen(name))) == (402, 1)


def test_each_path_answers_whoever_is_signed_in(person: tuple[str, Browser]) -> None:
    for path, answer in everywhere(person[1]):
        assert answer.status not in (401, 403), path


@pytest.mark.parametrize(
    "changed",
    [
        {"x_ownkey_csrf": None},
        {"x_ownkey_csrf": "e_plog2VYE6NI7OOD0IkDNBjdg_rRaIRiXXr89W5NuI"},
        {"origin": "https://evil.test", "sec_fetch_site": "cross-site"},
        {"origin": "http://127.0.0.1:9999", "sec_fetch_site": "same-site"},
        {"origin": "null", "sec_fetch_site": None},
        {"origin": None, "sec_fetch_site": None},
        {"x_ownkey_user": "somebody"},
    ],
)
def test_W02_no_other_site_asks_with_the_cookie(
    place: Gateway, person: tuple[str, Browser], changed: dict[str, str | None]
) -> None:
    before = len(book_rows(place.home))
    reads = "x_ownkey_csrf" in changed or changed == {"origin": None, "sec_fetch_site": None}
    for path, answer in everywhere(person[1], **changed):
        assert (answer.status == 403) is not (reads and path.startswith("GET")), path
    assert len(book_rows(place.home)) == before


def test_W10_who_has_signed_out_is_not_answered_by_the_demo(place: Gateway) -> None:
    _, browser = with_password(place, "Sina")
    kept = f"ownkey={browser.cookie}"
    assert browser.post(CHAT, asked(CHAT)).status == 200
    assert browser.ask("DELETE", "/api/byok/sessions/current").status == 200
    for cookie in (kept, "ownkey=os-nothing", f"{kept}; {kept}", f"ownkey={place.token}"):
        for path, answer in everywhere(browser, cookie=cookie):
            assert answer.status == 401, path


def test_a_cookie_that_is_none_of_ours_asks_as_nobody(place: Gateway) -> None:
    stranger = Browser(place)
    for cookie in ("theme=dark", "xownkey=1; other=ownkey", "__Host-ownkey=1"):
        assert stranger.post(CHAT, asked(CHAT), cookie=cookie).status == 200
        assert stranger.post(CHAT, asked(CHAT, "openai/gpt-4o"), cookie=cookie).status == 401


def test_A03_a_viewer_asks_no_model(place: Gateway) -> None:
    _, viewer = with_password(place, "Vera", "viewer")
    for path, answer in everywhere(viewer):
        assert answer.status == 403, path
    assert viewer.post(QUOTE, {"request": asked(CHAT)}).status == 200


def test_A17_who_is_suspended_asks_nothing(place: Gateway) -> None:
    user, browser = with_password(place, "Suse")
    with library(place.home) as ownkey:
        ownkey.people.suspend(user)
    assert {answer.status for _, answer in everywhere(browser)} <= {401, 403}


def test_a_token_goes_before_a_cookie(place: Gateway, person: tuple[str, Browser], with_key: str) -> None:
    """The token alone says who asks: neither origin nor CSRF is looked at, nor whose the cookie is."""
    name = place.provider()
    ask = {"model": f"{name}/gpt-4o", "messages": list(USER)}
    bearer = {"authorization": f"Bearer {place.token}"}
    elsewhere = {"origin": "https://evil.test", "sec_fetch_site": "cross-site", "x_ownkey_csrf": None}
    assert person[1].post(CHAT, ask, **bearer, **elsewhere).status == 200
    [row] = place.rows(name)
    assert (row.owner, row.token_id is None) == ("owner", False)
    assert person[1].post(CHAT, ask, authorization="Bearer ok-nothing").status == 401


def test_errors_come_in_the_form_of_the_path(person: tuple[str, Browser]) -> None:
    browser = person[1]
    anthropic = browser.post("/v1/messages", asked("/v1/messages"), x_ownkey_csrf=None)
    assert anthropic.json["type"] == "error"
    assert "request-id" in anthropic.headers
    gemini = "/v1beta/models/demo:generateContent"
    assert browser.post(gemini, asked(gemini), x_ownkey_csrf=None).json["error"]["status"] == "PERMISSION_DENIED"


ENDS: dict[str, Callable[[Gateway, Browser, str], object]] = {
    "signed out": lambda place, browser, user: browser.ask("DELETE", "/api/byok/sessions/current"),
    "suspended": lambda place, browser, user: changed(place, lambda ownkey: ownkey.people.suspend(user)),
    "a viewer": lambda place, browser, user: changed(place, lambda ownkey: ownkey.people.change(user, role="viewer")),
}


def changed(place: Gateway, how: Callable[[Ownkey], object]) -> None:
    with library(place.home) as ownkey:
        how(ownkey)


@pytest.mark.parametrize("how", ENDS)
def test_A09_an_answer_under_way_is_cut_within_a_second_when_its_session_ends(place: Gateway, how: str) -> None:
    name = place.provider("stall=3")
    user, browser = with_password(place, how.title().replace(" ", ""))
    browser.ask("PUT", f"/api/byok/keys/{name}", {"key": KEYS["openai"], "check": False})
    body = json.dumps({"model": f"{name}/gpt-4o", "messages": list(USER), "stream": True}).encode()
    lines = [f"{header}: {value}" for header, value in browser.headers().items()]
    first = [f"POST {CHAT} HTTP/1.1", f"Host: 127.0.0.1:{place.port}", f"Content-Length: {len(body)}"]
    head = "\r\n".join([*first, *lines, "", ""])
    with socket.create_connection(("127.0.0.1", place.port), timeout=20) as connection:
        connection.sendall(head.encode() + body)
        came = connection.recv(65_536)
        assert came.startswith(b"HTTP/1.1 200")
        ENDS[how](place, browser, user)
        ended_ms = time.time_ns() // 1_000_000
        while not came.endswith(b"0\r\n\r\n") and (data := connection.recv(65_536)):
            came += data
    assert b"Your session is over." in came
    assert b"[DONE]" not in came
    [row] = place.rows(name)
    assert (row.owner, row.state in ("counted", "assumed")) == (user, True)
    # The second, and three in which a busy machine does something else; of itself it would last a minute.
    assert row.ended_at_ms - ended_ms < 4_000
