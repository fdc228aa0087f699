"""Signing in at somebody else's, against a real OpenID provider on loopback: a good one, and bad ones."""

from __future__ import annotations

import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from browsing import Browser
from house import Answer, Gateway, Simulator, gateway, library
from oidc_server import CLIENT, SECRET, Claims, Provider, Running

THERE = "/api/byok/sign-in/oidc"
SESSION = "/api/byok/sessions/current"


@pytest.fixture(scope="module")
def issuer() -> Iterator[Provider]:
    running = Running()
    yield running.provider
    running.close()


@pytest.fixture(scope="module")
def place(simulator: Simulator, issuer: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("oidc") / "home"
    given = {"OWNKEY_OIDC_ISSUER": issuer.issuer, "OWNKEY_OIDC_CLIENT_ID": CLIENT, "OWNKEY_OIDC_CLIENT_SECRET": SECRET}
    hosts = {"OWNKEY_ALLOW_PRIVATE_HOSTS": f"127.0.0.1:{simulator.port},127.0.0.1:{issuer.port}"}
    with library(home) as ownkey:
        ownkey.people.add("Ann", "ann@example.com")
    with gateway(home, simulator, **given, **hosts) as running:
        yield running


@pytest.fixture(autouse=True)
def good(issuer: Provider) -> None:
    """What a test has spoilt is as it was."""
    fresh = Provider()
    issuer.person, issuer.change, issuer.sign, issuer.answer = fresh.person, lambda claims: claims, None, {}


def begin(browser: Browser) -> tuple[str, str]:
    """Where the issuer is asked, and the cookie that is kept meanwhile."""
    sent = browser.get(THERE, sec_fetch_site="cross-site", origin=None)
    assert sent.status == 303, sent.body
    kept = sent.headers["set-cookie"]
    assert kept.endswith("; Max-Age=600; Path=/api/byok/sign-in/oidc; HttpOnly; SameSite=Lax")
    return sent.headers["location"], kept.partition(";")[0]


def end(browser: Browser, address: str, kept: str | None) -> Answer:
    place = urlsplit(address)
    headers = {"Sec-Fetch-Site": "cross-site"} | ({"Cookie": kept} if kept is not None else {})
    answer = browser.gateway.send("GET", f"{place.path}?{place.query}", None, headers)
    assert answer.status == 303, answer.body
    return answer


def signed_in(place: Gateway, issuer: Provider) -> Answer:
    browser = Browser(place)
    address, kept = begin(browser)
    return end(browser, issuer.authorize(address), kept)


def is_in(answer: Answer) -> bool:
    entered = "ownkey=os-" in answer.headers.get("set-cookie", "")
    assert entered is (answer.headers["location"] == "/sign-in#entered=issuer")
    return entered


def test_who_has_an_account_signs_in_at_the_issuer(place: Gateway, issuer: Provider) -> None:
    assert Browser(place).get("/api/byok/sign-in").json == {"password": True, "oidc": True}
    browser = Browser(place)
    address, kept = begin(browser)
    asked = dict(parse_qsl(urlsplit(address).query))
    assert address.startswith(f"{issuer.issuer}/authorize?")
    assert asked["redirect_uri"] == f"{browser.origin}{THERE}/callback"
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    answer = end(browser, issuer.authorize(address), kept)
    assert is_in(answer)
    browser.cookie = answer.headers["set-cookie"].partition("ownkey=")[2].partition(";")[0]
    assert browser.get(SESSION).json["user"]["email"] == "ann@example.com"


def test_afterwards_they_are_known_by_the_issuers_name_for_them_and_not_by_the_address(
    place: Gateway, issuer: Provider
) -> None:
    assert is_in(signed_in(place, issuer))
    issuer.person = {"sub": "ann-1", "email": "other@example.com", "email_verified": False}
    assert is_in(signed_in(place, issuer))


def test_an_address_that_the_issuer_has_not_verified_opens_no_account(place: Gateway, issuer: Provider) -> None:
    with library(place.home) as ownkey:
        ownkey.people.add("Ben", "ben@example.com")
    for person in (
        {"sub": "x-1", "email": "ben@example.com"},
        {"sub": "x-2", "email": "ben@example.com", "email_verified": False},
        {"sub": "x-3", "email": "ben@example.com", "email_verified": "true"},
        {"sub": "x-4", "email": ["ben@example.com"], "email_verified": True},
        {"sub": "x-5", "email": "nobody@example.com", "email_verified": True},
        {"sub": "x-6"},
    ):
        issuer.person = person
        answer = signed_in(place, issuer)
        assert (is_in(answer), answer.headers["location"]) == (False, "/sign-in#refused=permission_denied"), person


def test_A25_who_is_suspended_is_not_let_in_by_the_issuer_either(place: Gateway, issuer: Provider) -> None:
    issuer.person = {"sub": "gone-1", "email": "gone@example.com", "email_verified": True}
    with library(place.home) as ownkey:
        user = ownkey.people.add("Gone", "gone@example.com")
        assert is_in(signed_in(place, issuer))
        ownkey.people.suspend(user.id)
        assert not is_in(signed_in(place, issuer))
        ownkey.people.remove(user.id)
        issuer.person = {"sub": "gone-1"}
        assert not is_in(signed_in(place, issuer))


CLAIMS: dict[str, Callable[[Claims], Claims]] = {
    "of another issuer": lambda claims: claims | {"iss": "https://evil.example.com"},
    "for another client": lambda claims: claims | {"aud": "somebody else"},
    "for several, of which another asked": lambda claims: claims | {"aud": [CLIENT, "other"], "azp": "other"},
    "for several, and nobody says who asked": lambda claims: claims | {"aud": [CLIENT, "other"]},
    "expired": lambda claims: claims | {"exp": int(time.time()) - 120},
    "without an end": lambda claims: {name: value for name, value in claims.items() if name != "exp"},
    "without a subject": lambda claims: {name: value for name, value in claims.items() if name != "sub"},
    "of another sign-in": lambda claims: claims | {"nonce": "another"},
    "without a nonce": lambda claims: {name: value for name, value in claims.items() if name != "nonce"},
    "not yet good": lambda claims: claims | {"nbf": int(time.time()) + 600},
    "an end that is no time": lambda claims: claims | {"exp": "soon"},
}


@pytest.mark.parametrize("how", CLAIMS)
def test_a_token_that_is_not_meant_for_this_sign_in_lets_nobody_in(place: Gateway, issuer: Provider, how: str) -> None:
    issuer.change = CLAIMS[how]
    answer = signed_in(place, issuer)
    assert (is_in(answer), answer.headers["location"]) == (False, "/sign-in#refused=invalid_api_key")


def unsigned(issuer: Provider, claims: Claims) -> str:
    import json

    parts = (json.dumps({"alg": "none", "kid": issuer.key.kid}), json.dumps(claims))
    return ".".join(urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts) + "."


def by_the_public_key(issuer: Provider, claims: Claims) -> str:
    """HMAC with what everybody knows: taken where the algorithm of the token is believed."""
    public: Any = issuer.key.public_key
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    import hmac
    import json
    from hashlib import sha256

    parts = (json.dumps({"alg": "HS256", "kid": issuer.key.kid}), json.dumps(claims))
    signed = ".".join(urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts)
    mac = hmac.new(pem, signed.encode(), sha256).digest()
    return f"{signed}.{urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def by_another_key(issuer: Provider, claims: Claims) -> str:
    other = RSAKey.generate_key(2048, {"kid": issuer.key.kid})
    return jwt.encode({"alg": "RS256", "kid": issuer.key.kid}, claims, other)


def with_a_key_inside(issuer: Provider, claims: Claims) -> str:
    other = RSAKey.generate_key(2048, {"kid": "evil"})
    return jwt.encode({"alg": "RS256", "kid": "evil", "jwk": other.as_dict(private=False)}, claims, other)


def spoilt(issuer: Provider, claims: Claims) -> str:
    signed = jwt.encode({"alg": "RS256", "kid": issuer.key.kid}, claims, issuer.key)
    return signed[:-6] + ("AAAAAA" if not signed.endswith("AAAAAA") else "BBBBBB")


def by_a_secret(issuer: Provider, claims: Claims) -> str:
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET.ljust(40)), algorithms=["HS256"])


SIGNED: dict[str, Callable[[Provider, Claims], str]] = {
    "by nobody": unsigned,
    "by the public key as a secret": by_the_public_key,
    "by another key of the same name": by_another_key,
    "by a key that it brings along": with_a_key_inside,
    "and spoilt": spoilt,
    "by a secret": by_a_secret,
    "not at all": lambda issuer, claims: "nothing",
    "by a thing of another form": lambda issuer, claims: "a.b.c.d.e",
}


@pytest.mark.parametrize("how", SIGNED)
def test_a_token_signed_otherwise_lets_nobody_in(place: Gateway, issuer: Provider, how: str) -> None:
    issuer.sign = lambda claims: SIGNED[how](issuer, claims)
    answer = signed_in(place, issuer)
    assert (is_in(answer), answer.headers["location"]) == (False, "/sign-in#refused=invalid_api_key")


def test_what_was_begun_in_another_browser_is_not_ended_in_this_one(place: Gateway, issuer: Provider) -> None:
    browser = Browser(place)
    first, second = begin(browser), begin(browser)
    back = issuer.authorize(first[0])
    fetched = len(issuer.fetched)
    for kept in (None, second[1], "ownkey-oidc=", "ownkey-oidc=a.b.c", "ownkey-oidc=é", f"{first[1]}; {second[1]}"):
        assert not is_in(end(browser, back, kept and kept.encode().decode("latin-1")))
    assert not is_in(end(browser, back.partition("?")[0], first[1]))
    assert not is_in(end(browser, f"{back.partition('?')[0]}?error=access_denied&state=x", first[1]))
    assert len(issuer.fetched) == fetched
    assert is_in(end(browser, back, first[1]))
    assert not is_in(end(browser, back, first[1])), "a code is good once, at the issuer"


def test_W14_the_way_back_is_to_this_place_whatever_is_asked_for(place: Gateway, issuer: Provider) -> None:
    browser = Browser(place)
    sent = browser.get(f"{THERE}?next=//evil.test&redirect_uri=https://evil.test", origin=None)
    asked = dict(parse_qsl(urlsplit(sent.headers["location"]).query))
    assert asked["redirect_uri"].startswith(browser.origin)
    kept = sent.headers["set-cookie"].partition(";")[0]
    back = issuer.authorize(sent.headers["location"])
    assert (
        end(browser, f"{back}&next=//evil.test&redirect=https://evil.test", kept).headers["location"]
        == "/sign-in#entered=issuer"
    )


def test_the_issuers_keys_are_fetched_seldom_whoever_asks_for_another(simulator: Simulator, tmp_path: Path) -> None:
    running = Running()
    issuer = running.provider
    given = {"OWNKEY_OIDC_ISSUER": issuer.issuer, "OWNKEY_OIDC_CLIENT_ID": CLIENT, "OWNKEY_OIDC_CLIENT_SECRET": SECRET}
    hosts = {"OWNKEY_ALLOW_PRIVATE_HOSTS": f"127.0.0.1:{issuer.port}"}
    try:
        with gateway(tmp_path / "home", simulator, **given, **hosts) as place:
            with library(place.home) as ownkey:
                ownkey.people.add("Ann", "ann@example.com")
            for _ in range(3):
                assert is_in(signed_in(place, issuer))
            assert issuer.fetched.count("/keys") == 1
            issuer.renew("two")
            # Whoever brings keys that nobody knows does not make it ask again and again.
            refused = [is_in(signed_in(place, issuer)) for _ in range(3)]
            assert (refused, issuer.fetched.count("/keys")) == ([False] * 3, 1)
    finally:
        running.close()


SPOILT: dict[str, tuple[str, int, Any]] = {
    "calls itself otherwise": (
        "/.well-known/openid-configuration",
        200,
        {"issuer": "https://evil", "authorization_endpoint": "a", "token_endpoint": "b", "jwks_uri": "c"},
    ),
    "says nothing of itself": ("/.well-known/openid-configuration", 200, {}),
    "sends elsewhere": ("/.well-known/openid-configuration", 302, "https://evil.example.com/"),
    "has no keys": ("/keys", 200, {"keys": []}),
    "has keys that are none": ("/keys", 200, {"keys": [{"kty": "RSA", "n": 5}]}),
    "fails": ("/keys", 500, {}),
}


@pytest.mark.parametrize("how", SPOILT)
def test_an_issuer_that_is_wrong_lets_nobody_in_and_is_one_clear_error(
    simulator: Simulator, tmp_path: Path, how: str
) -> None:
    running = Running()
    path, status, value = SPOILT[how]
    running.provider.answer[path] = (status, value)
    given = {"OWNKEY_OIDC_ISSUER": running.provider.issuer, "OWNKEY_OIDC_CLIENT_ID": CLIENT}
    hosts = {"OWNKEY_ALLOW_PRIVATE_HOSTS": f"127.0.0.1:{running.provider.port}"}
    try:
        with gateway(tmp_path / "home", simulator, **given, **hosts) as place:
            answer = Browser(place).get(THERE, origin=None)
            assert answer.status in (422, 502, 503)
            assert set(answer.error) - {"provider", "status"} == {"message", "type", "code", "param", "kind"}
            assert running.provider.fetched[-1] == path
    finally:
        running.close()


def test_without_an_issuer_there_is_no_such_way(served: Gateway) -> None:
    assert Browser(served).get("/api/byok/sign-in").json == {"password": True, "oidc": False}
    assert Browser(served).get(THERE, origin=None).status == 403


def test_an_issuer_on_a_private_address_is_asked_only_where_that_is_allowed(
    simulator: Simulator, tmp_path: Path
) -> None:
    running = Running()
    given = {"OWNKEY_OIDC_ISSUER": running.provider.issuer, "OWNKEY_OIDC_CLIENT_ID": CLIENT}
    try:
        with gateway(tmp_path / "home", simulator, **given) as place:
            assert Browser(place).get(THERE, origin=None).status == 422
            assert running.provider.fetched == []
    finally:
        running.close()
