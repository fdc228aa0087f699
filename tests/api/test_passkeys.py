"""Passkeys, by an authenticator in software: what it signed is good once, on this page, for whom it was made."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from authenticator import PRESENT, Authenticator, decoded, encoded
from browsing import SIGN_IN, Browser, signed_in
from house import Answer, Gateway, Simulator, gateway, library

SESSION = "/api/byok/sessions/current"
OWN = f"{SESSION}/passkeys"


@pytest.fixture(scope="module")
def place(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("passkeys") / "home", simulator) as running:
        yield running


def at_localhost(place: Gateway, user: str) -> Browser:
    browser = signed_in(place, user)
    browser.more = {"Host": f"localhost:{place.port}", "Origin": f"http://localhost:{place.port}"}
    return browser


def somebody(place: Gateway, name: str) -> str:
    with library(place.home) as ownkey:
        return ownkey.people.add(name).id


def added(place: Gateway, name: str, **how: Any) -> tuple[str, Browser, Authenticator]:
    user = somebody(place, name)
    browser = at_localhost(place, user)
    key = Authenticator(browser.more["Origin"], **how)
    options = browser.post(f"{OWN}/options").json
    made = browser.post(OWN, {"credential": key.create(options), "name": "Phone"})
    assert made.status == 201, made.body
    return user, browser, key


def options(browser: Browser) -> dict[str, Any]:
    return browser.post(f"{SIGN_IN}/passkey/options").json


def enter(browser: Browser, credential: Any) -> Answer:
    return browser.post(f"{SIGN_IN}/passkey", {"credential": credential})


def nobody(place: Gateway) -> Browser:
    host = f"localhost:{place.port}"
    return Browser(place, more={"Host": host, "Origin": f"http://{host}"})


@pytest.mark.parametrize("counts", [True, False])
def test_who_has_added_a_passkey_signs_in_with_it_and_with_nothing_else(place: Gateway, counts: bool) -> None:
    user, _, key = added(place, "Ann", counts=counts)
    for _ in range(2):
        browser = nobody(place)
        asked = options(browser)
        assert asked["userVerification"] == "required"
        assert not asked.get("allowCredentials")
        answer = enter(browser, key.get(asked))
        assert (answer.status, answer.json["user"]["id"]) == (200, user)
        assert browser.get(SESSION).status == 200
    assert browser.get(OWN).json["passkeys"][0]["used_at_ms"] > 0


def test_A15_what_was_signed_is_good_once(place: Gateway) -> None:
    _, _, key = added(place, "Once", counts=False)
    browser = nobody(place)
    signed = key.get(options(browser))
    assert enter(browser, signed).status == 200
    assert enter(nobody(place), signed).status == 401


def changed(change: Callable[[dict[str, Any]], None]) -> Callable[[Authenticator, dict[str, Any]], dict[str, Any]]:
    def get(key: Authenticator, asked: dict[str, Any]) -> dict[str, Any]:
        signed = copy.deepcopy(key.get(asked))
        change(signed)
        return signed

    return get


def flipped(member: str) -> Callable[[dict[str, Any]], None]:
    def change(signed: dict[str, Any]) -> None:
        data = bytearray(decoded(signed["response"][member]))
        data[-1] ^= 1
        signed["response"][member] = encoded(bytes(data))

    return change


def on(origin: str) -> Callable[[Authenticator, dict[str, Any]], dict[str, Any]]:
    def get(key: Authenticator, asked: dict[str, Any]) -> dict[str, Any]:
        return Authenticator(origin, key.id, key.key, key.signs, user=key.user).get(asked)

    return get


WRONG: dict[str, Callable[[Authenticator, dict[str, Any]], Any]] = {
    "without asking who it is": lambda key, asked: key.get(asked, PRESENT),
    "without anybody there": lambda key, asked: key.get(asked, 0),
    "on another page": on("http://localhost:1"),
    "on a page of another site": on("https://evil.test"),
    "for another host": lambda key, asked: key.get(asked | {"rpId": "evil.test"}),
    "another challenge": lambda key, asked: key.get(asked | {"challenge": encoded(b"x" * 32)}),
    "by another key of the same name": lambda key, asked: Authenticator(key.origin, key.id).get(asked),
    "by a key that nobody knows": lambda key, asked: Authenticator(key.origin).get(asked),
    "what was made for adding": lambda key, asked: key.create({"user": {"id": ""}, "rp": {"id": "localhost"}} | asked),
    "spoilt": changed(flipped("signature")),
    "spoilt data": changed(flipped("authenticatorData")),
    "nothing": lambda key, asked: {},
    "no response": lambda key, asked: {"id": encoded(key.id), "response": None},
    "a number": lambda key, asked: {"id": 5, "response": {"clientDataJSON": 5}},
    "not base64": lambda key, asked: {"id": "é", "response": {"clientDataJSON": "é%%%"}},
    "a list for JSON": lambda key, asked: {"id": "x", "response": {"clientDataJSON": encoded(b"[1]")}},
}


@pytest.mark.parametrize("how", WRONG)
def test_what_is_signed_otherwise_lets_nobody_in(place: Gateway, how: str) -> None:
    _, _, key = added(place, "Wrong")
    browser = nobody(place)
    answer = enter(browser, WRONG[how](key, options(browser)))
    assert (answer.status, answer.error["code"], browser.cookie) == (401, "invalid_api_key", None)


def test_a_copy_of_an_authenticator_is_told_by_its_count(place: Gateway) -> None:
    _, _, key = added(place, "Copied")
    browser = nobody(place)
    copied = Authenticator(key.origin, key.id, key.key, key.signs, user=key.user)
    key.get(options(browser))
    assert enter(browser, key.get(options(browser))).status == 200
    assert enter(nobody(place), copied.get(options(nobody(place)))).status == 401


def test_a_passkey_is_added_to_who_asked_for_it_and_once(place: Gateway) -> None:
    a, b = (at_localhost(place, somebody(place, name)) for name in ("Asking", "Other"))
    key = Authenticator(a.more["Origin"])
    asked = a.post(f"{OWN}/options").json
    assert b.post(OWN, {"credential": key.create(asked), "name": "Mine now"}).status == 401
    asked = a.post(f"{OWN}/options").json
    assert a.post(OWN, {"credential": key.create(asked, PRESENT), "name": "Unverified"}).status == 401
    asked = a.post(f"{OWN}/options").json
    made = key.create(asked)
    assert a.post(OWN, {"credential": made, "name": "Phone"}).status == 201
    assert a.post(OWN, {"credential": made, "name": "Phone"}).status == 401
    again = key.create(b.post(f"{OWN}/options").json)
    assert b.post(OWN, {"credential": again, "name": "The same"}).status == 409
    assert b.get(OWN).json == {"passkeys": []}


def test_A25_a_passkey_of_somebody_who_is_suspended_or_gone_opens_nothing(place: Gateway) -> None:
    user, _, key = added(place, "Gone")
    with library(place.home) as ownkey:
        ownkey.people.suspend(user)
        assert enter(nobody(place), key.get(options(nobody(place)))).status == 403
        ownkey.people.remove(user)
        assert enter(nobody(place), key.get(options(nobody(place)))).status == 401


def test_a_passkey_that_was_removed_opens_nothing_and_only_its_owner_removes_it(place: Gateway) -> None:
    _, browser, key = added(place, "Remover")
    other = at_localhost(place, somebody(place, "Another"))
    (id,) = (one["id"] for one in browser.get(OWN).json["passkeys"])
    assert other.ask("DELETE", f"{OWN}/{id}").body == other.ask("DELETE", f"{OWN}/{id[:-3]}zzz").body
    assert enter(nobody(place), key.get(options(nobody(place)))).status == 200
    assert browser.ask("DELETE", f"{OWN}/{id}").json == {"removed": 1}
    assert enter(nobody(place), key.get(options(nobody(place)))).status == 401


def test_at_a_bare_address_there_are_none(place: Gateway) -> None:
    refused = Browser(place).post(f"{SIGN_IN}/passkey/options")
    assert (refused.status, "localhost" in refused.error["message"]) == (409, True)
