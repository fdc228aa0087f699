"""Signing in: by a link, an invitation, a password, a code. What is good once is good once, whoever comes at once."""

from __future__ import annotations

import re
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyotp
import pytest

from browsing import PASSWORD, SIGN_IN, Browser, signed_in, with_password
from canaries import canary
from house import Answer, Gateway, Simulator, gateway, library, run
from ownkey.app.attempts import MOST_TRIES
from ownkey.app.signing import FRESH_MS, IDLE_MS, LONGEST_MS, SignIn
from ownkey.talk.errors import Overloaded
from ownkey.vault import login

SESSION = "/api/byok/sessions/current"
AUTHENTICATOR = f"{SESSION}/authenticator"


@pytest.fixture(scope="module")
def place(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("signing") / "home", simulator) as running:
        yield running


def at_once(*ways: Callable[[], Answer]) -> list[int]:
    """The statuses of all, begun together."""
    barrier = threading.Barrier(len(ways))

    def begin(way: Callable[[], Answer]) -> int:
        barrier.wait(20)
        return way().status

    with ThreadPoolExecutor(len(ways)) as pool:
        return sorted(pool.map(begin, ways))


def enter(gateway: Gateway, email: str, password: str = PASSWORD) -> Answer:
    return Browser(gateway).post(f"{SIGN_IN}/password", {"email": email, "password": password})


def test_what_the_command_prints_signs_in_once(simulator: Simulator, tmp_path: Any) -> None:
    with gateway(tmp_path / "home", simulator) as running:
        page, _, link = run(running.env, "users", "sign-in").stdout.strip().partition("/sign-in#link=")
        assert page == "http://127.0.0.1:3010"
        browser = Browser(running)
        entered = browser.post(f"{SIGN_IN}/link", {"link": link})
        assert (entered.status, entered.json["user"]["role"]) == (200, "owner")
        assert browser.get(SESSION).json["user"]["id"] == "owner"
        again = Browser(running)
        refused = again.post(f"{SIGN_IN}/link", {"link": link})
        assert (refused.status, refused.error["code"], again.cookie) == (404, "not_found", None)
        assert link not in running.log.read_text()


def test_A17_of_thirty_who_come_with_one_link_one_is_let_in(place: Gateway) -> None:
    with library(place.home) as ownkey:
        link = SignIn(ownkey.house).link().reveal().decode()
    came = at_once(*(lambda: Browser(place).post(f"{SIGN_IN}/link", {"link": link}) for _ in range(30)))
    assert came == [200] + [404] * 29


def test_W10_the_cookie_is_the_browsers_own_and_its_words_are_the_same_when_it_goes(place: Gateway) -> None:
    browser = signed_in(place)
    with library(place.home) as ownkey:
        link = SignIn(ownkey.house).link().reveal().decode()
    set_cookie = browser.post(f"{SIGN_IN}/link", {"link": link}).headers["set-cookie"]
    value, _, words = set_cookie.partition("; ")
    assert re.fullmatch(r"ownkey=os-[\w-]{43}", value)
    wanted = "Path=/; HttpOnly; SameSite=Strict"
    assert words == f"Max-Age={LONGEST_MS // 1000}; {wanted}"
    cleared = browser.ask("DELETE", SESSION)
    assert (cleared.status, cleared.headers["set-cookie"]) == (200, f"ownkey=; Max-Age=0; {wanted}")


def test_W10_who_signs_in_gets_another_cookie_and_the_one_before_opens_nothing(place: Gateway) -> None:
    browser = signed_in(place)
    before = Browser(place, browser.cookie, browser.csrf)
    fixed = Browser(place, "os-" + "a" * 43)
    with library(place.home) as ownkey:
        links = [SignIn(ownkey.house).link().reveal().decode() for _ in range(2)]
    for one, link in zip((browser, fixed), links, strict=True):
        assert one.post(f"{SIGN_IN}/link", {"link": link}).status == 200
    assert before.get(SESSION).status == 401
    assert Browser(place, "os-" + "a" * 43).get(SESSION).status == 401
    assert browser.get(SESSION).status == fixed.get(SESSION).status == 200


def test_W10_a_stolen_cookie_opens_nothing_after_signing_out(place: Gateway) -> None:
    browser, other = signed_in(place), signed_in(place)
    stolen = Browser(place, browser.cookie, browser.csrf)
    assert stolen.get(SESSION).status == 200
    assert browser.ask("DELETE", SESSION).status == 200
    assert stolen.get(SESSION).status == 401
    assert other.get(SESSION).status == 200


@pytest.mark.parametrize(("ago_ms", "over"), [(IDLE_MS + 1, "seen_at_ms"), (1, "until_ms")])
def test_W10_a_session_ends_unused_after_half_a_day_and_at_last_in_any_case(
    place: Gateway, ago_ms: int, over: str
) -> None:
    browser = signed_in(place)
    id = browser.get(SESSION).json["session"]["id"]
    assert browser.get(SESSION).status == 200
    change(place, "sessions", over, id, time.time_ns() // 1_000_000 - ago_ms)
    assert browser.get(SESSION).status == 401


def test_W10_sessions_are_listed_and_ended_one_by_one_and_together(place: Gateway) -> None:
    user, first = with_password(place, "Lister")
    second, third = (signed_in(place, user) for _ in range(2))
    listed = first.get("/api/byok/sessions").json["sessions"]
    assert len(listed) == 3
    assert {"digest", "user_id"} & set(listed[0]) == set()
    own = second.get(SESSION).json["session"]["id"]
    assert first.ask("DELETE", f"/api/byok/sessions/{own}").status == 200
    assert (second.get(SESSION).status, third.get(SESSION).status) == (401, 200)
    assert first.ask("DELETE", "/api/byok/sessions").json == {"removed": 1}
    assert (first.get(SESSION).status, third.get(SESSION).status) == (200, 401)


def test_A16_an_invitation_is_good_once_and_a_password_that_is_none_does_not_use_it_up(place: Gateway) -> None:
    with library(place.home) as ownkey:
        user = ownkey.people.add("Invited", "invited@example.com")
        invitation = ownkey.people.invite(user.id).reveal().decode()
    path = f"{SIGN_IN}/invitation"
    for password in ("short", "a" * 300, "aaaaaaaaaaaaaaaa"):
        refused = Browser(place).post(path, {"invitation": invitation, "password": password})
        assert (refused.status, refused.error["param"], password in refused.body.decode()) == (422, "password", False)
    for wrong in (None, "", 5, invitation[:-1], invitation.upper(), "x" * 5000, [invitation]):
        assert Browser(place).post(path, {"invitation": wrong, "password": PASSWORD}).status in (404, 422)
    assert Browser(place).post(path, {"password": PASSWORD}).status == 422
    body = {"invitation": invitation, "password": PASSWORD}
    came = at_once(*(lambda: Browser(place).post(path, body) for _ in range(4)))
    assert came == [200, 404, 404, 404]
    assert enter(place, "Invited@Example.com").status == 200


def test_A13_nobody_learns_who_has_an_account(place: Gateway) -> None:
    user, _ = with_password(place, "Known")
    with library(place.home) as ownkey:
        ownkey.people.add("Without", "without@example.com")
    told = [
        enter(place, email, "not the password") for email in ("known@example.com", "without@example.com", "x@y.org")
    ]
    assert {(answer.status, answer.body) for answer in told} == {(401, told[0].body)}
    assert [set(answer.headers) for answer in told] == [set(told[0].headers)] * 3
    assert user


def test_A12_a_password_of_nobody_takes_as_long_as_a_wrong_one() -> None:
    kept = login.hash_password(PASSWORD)
    login.is_password(None, "warm up")
    took: dict[str, list[float]] = {"wrong": [], "nobody": []}
    for _ in range(9):
        for name, one in (("wrong", kept), ("nobody", None)):
            began = time.process_time()
            assert not login.is_password(one, "another")
            took[name].append(time.process_time() - began)
    wrong, nobody = (statistics.median(took[name]) for name in ("wrong", "nobody"))
    assert 0.5 < wrong / nobody < 2


def test_O06_a_crowd_that_signs_in_takes_the_memory_and_the_threads_of_few() -> None:
    login.is_password(None, "warm up")
    barrier = threading.Barrier(30)

    def check(_: int) -> bool | Overloaded:
        barrier.wait(20)
        try:
            with login.turn():
                return login.is_password(None, "anything else")
        except Overloaded as error:
            return error

    with ThreadPoolExecutor(30) as pool:
        told = list(pool.map(check, range(30)))
    turned_away = [one for one in told if isinstance(one, Overloaded)]
    assert len(turned_away) >= 30 - 3 * (login.AT_ONCE + login.IN_LINE)
    assert len(turned_away) <= 30 - login.AT_ONCE
    assert login.is_password(login.hash_password(PASSWORD), PASSWORD)


@pytest.mark.parametrize(
    "kept",
    [
        "",
        "plain",
        "$argon2i$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$qLdT1XfTRuZ0bGmuTCGd2w",
        "$argon2id$v=19$m=67108864,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$qLdT1XfTRuZ0bGmuTCGd2w",
        "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$qLdT1XfTRuZ0bGmuTCGd2w",
        "$argon2id$v=19$m=65536,t=4000,p=4$c29tZXNhbHRzb21lc2FsdA$qLdT1XfTRuZ0bGmuTCGd2w",
    ],
)
def test_V13_a_digest_that_asks_for_too_much_or_too_little_is_not_believed(kept: str) -> None:
    began = time.perf_counter()
    assert not login.is_password(kept, "anything")
    assert time.perf_counter() - began < 3


def test_A14_after_so_many_tries_no_spelling_of_the_name_gets_another(place: Gateway) -> None:
    with_password(place, "Forced")
    spellings = ("forced@example.com", "FORCED@example.com", " forced@example.com ", "ｆorced@example.com")
    told = [enter(place, spellings[n % 4], f"guess {n} guess") for n in range(MOST_TRIES)]
    assert {answer.status for answer in told} == {401}
    for spelling in spellings:
        refused = enter(place, spelling)
        assert (refused.status, refused.error["code"]) == (429, "too_many_attempts")
        assert 0 < int(refused.headers["retry-after"]) <= 900
    # Others are let in all the same.
    with_password(place, "Unforced")
    assert enter(place, "unforced@example.com").status == 200


def test_A25_who_is_suspended_is_let_in_nowhere(place: Gateway) -> None:
    user, browser = with_password(place, "Gone")
    with library(place.home) as ownkey:
        ownkey.people.suspend(user)
        link = SignIn(ownkey.house).link(user).reveal().decode()
        invitation = ownkey.people.invite(user).reveal().decode()
    assert browser.get(SESSION).status == 401
    assert enter(place, "gone@example.com").status == 403
    assert Browser(place).post(f"{SIGN_IN}/link", {"link": link}).status == 403
    body = {"invitation": invitation, "password": PASSWORD}
    assert Browser(place).post(f"{SIGN_IN}/invitation", body).status == 403


def test_A10_a_role_that_is_taken_away_is_gone_at_the_next_request(place: Gateway) -> None:
    with library(place.home) as ownkey:
        user = ownkey.people.add("Falling", role="admin").id
        browser = signed_in(place, user)
        assert browser.get("/api/byok/users").status == 200
        ownkey.people.change(user, role="member")
        assert browser.get("/api/byok/users").status == 403
        ownkey.people.remove(user)
        assert browser.get(SESSION).status == 401


def test_W11_what_cannot_be_taken_back_asks_for_the_password_again(place: Gateway) -> None:
    user, browser = with_password(place, "Keeper", "admin")
    id = browser.get(SESSION).json["session"]["id"]
    key = {"key": canary("signed in", "sk-proj-"), "check": False}
    assert browser.ask("PUT", "/api/byok/keys/openai", key).status == 200
    asked: list[tuple[str, str, Any]] = [
        ("DELETE", "/api/byok/keys/openai", None),
        ("DELETE", f"/api/user/api-keys/{user}/keys/openai", None),
        ("PATCH", "/api/byok/providers/openai", {"endpoint": "https://evil.example.com/v1"}),
        ("POST", "/api/byok/users", {"name": "New", "email": "new@example.com"}),
        ("PATCH", f"/api/byok/users/{user}", {"role": "owner"}),
        ("POST", f"/api/byok/users/{user}/invitation", None),
        ("DELETE", f"/api/byok/users/{user}", None),
        ("PUT", f"{SESSION}/password", {"password": "another long password"}),
        ("POST", AUTHENTICATOR, None),
        ("PUT", AUTHENTICATOR, {"code": "123456"}),
        ("DELETE", AUTHENTICATOR, None),
    ]
    change(place, "sessions", "proved_at_ms", id, time.time_ns() // 1_000_000 - FRESH_MS - 1)
    assert browser.get(SESSION).json["proved"] is False
    for method, path, body in asked:
        refused = browser.ask(method, path, body)
        assert (refused.status, refused.error["code"]) == (403, "proof_required"), path
    assert browser.post(f"{SESSION}/proof", {"password": "not it at all"}).status == 401
    assert browser.ask(*asked[0]).status == 403
    proved = browser.post(f"{SESSION}/proof", {"password": PASSWORD})
    assert (proved.status, proved.json["proved"]) == (200, True)
    assert browser.ask(*asked[0]).json == {"removed": 1}


def test_a_new_password_ends_every_other_session(place: Gateway) -> None:
    user, browser = with_password(place, "Changer")
    other = signed_in(place, user)
    assert browser.ask("PUT", f"{SESSION}/password", {"password": "another long password"}).status == 200
    assert (browser.get(SESSION).status, other.get(SESSION).status) == (200, 401)
    assert enter(place, "changer@example.com").status == 401
    assert enter(place, "changer@example.com", "another long password").status == 200


def with_authenticator(place: Gateway, name: str) -> tuple[str, Browser, pyotp.TOTP, list[str]]:
    user, browser = with_password(place, name)
    begun = browser.post(AUTHENTICATOR).json
    assert begun["address"].startswith("otpauth://totp/Ownkey:")
    otp = pyotp.TOTP(begun["secret"])
    assert browser.ask("PUT", AUTHENTICATOR, {"code": "000000"}).status in (401, 200)
    confirmed = browser.ask("PUT", AUTHENTICATOR, {"code": otp.now()})
    assert confirmed.status == 200, confirmed.body
    return user, browser, otp, confirmed.json["recovery_codes"]


def step(place: Gateway, email: str) -> str:
    wanted = enter(place, email)
    assert (wanted.status, wanted.json["next"]) == (200, "code")
    assert "set-cookie" not in wanted.headers
    return wanted.json["step"]


def by_code(place: Gateway, step: str, code: str) -> Answer:
    return Browser(place).post(f"{SIGN_IN}/code", {"step": step, "code": code})


def test_A15_each_code_is_good_once_however_it_is_written_and_who_comes_at_once(place: Gateway) -> None:
    began_s = int(time.time())
    _, browser, otp, recovery = with_authenticator(place, "Coder")
    email = "coder@example.com"
    now = otp.at(began_s)
    assert by_code(place, step(place, email), now).status == 401, "it, or the next, confirmed the authenticator"
    later = otp.at(int(time.time()) + 30)
    steps = [step(place, email) for _ in range(4)]
    spellings = (later, f"{later[:3]} {later[3:]}", f" {later} ", later)
    came = at_once(
        *(lambda one=one, code=code: by_code(place, one, code) for one, code in zip(steps, spellings, strict=True))
    )
    assert came == [200, 401, 401, 401]
    assert by_code(place, step(place, email), now).status == 401, "one before the last that was taken"
    for wrong in ("", "12345", "1234567", "١٢٣٤٥٦", "abcdef", "-12345"):
        assert by_code(place, steps[0], wrong).status in (401, 404, 422)
    assert browser.get(SESSION).json["user"]["second_factor"] is True
    assert len(set(recovery)) == 10


def test_A15_a_recovery_code_is_good_once(place: Gateway) -> None:
    _, _, _, recovery = with_authenticator(place, "Recoverer")
    email = "recoverer@example.com"
    assert by_code(place, step(place, email), recovery[0].lower().replace("-", " ")).status == 200
    assert by_code(place, step(place, email), recovery[0]).status == 401
    steps = [step(place, email) for _ in range(3)]
    came = at_once(*(lambda one=one: by_code(place, one, recovery[1]) for one in steps))
    assert came == [200, 401, 401]


def test_A15_the_step_between_is_good_once_and_codes_are_not_guessed(place: Gateway) -> None:
    _, _, _, recovery = with_authenticator(place, "Guessed")
    email = "guessed@example.com"
    first = step(place, email)
    assert by_code(place, first, recovery[0]).status == 200
    assert by_code(place, first, recovery[1]).status == 404
    second = step(place, email)
    told = [by_code(place, second, f"{n:06d}").status for n in range(MOST_TRIES + 1)]
    assert told[-1] == 429
    assert set(told[:-1]) <= {401, 429}


def test_a_new_invitation_does_not_get_around_the_code(place: Gateway) -> None:
    user, _, _, _ = with_authenticator(place, "Around")
    with library(place.home) as ownkey:
        invitation = ownkey.people.invite(user).reveal().decode()
    browser = Browser(place)
    answer = browser.post(f"{SIGN_IN}/invitation", {"invitation": invitation, "password": "another long password"})
    assert (answer.status, answer.json["next"], browser.cookie) == (200, "code", None)


def test_what_people_sign_in_with_lies_in_no_file_as_it_is(place: Gateway) -> None:
    _, browser, otp, recovery = with_authenticator(place, "Hidden")
    secrets = [PASSWORD, otp.secret, *recovery, str(browser.cookie), str(browser.csrf)]
    for path in (*place.home.rglob("*"), place.log):
        if path.is_file():
            kept = path.read_bytes()
            assert [one for one in secrets if one.encode() in kept] == [], path


def change(place: Gateway, table: str, column: str, id: str, value: int) -> None:
    """As time would."""
    import sqlite3

    with sqlite3.connect(place.home / "ownkey.db") as connection:
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE id = ?", (value, id))
    connection.close()


def test_RFC6238_codes_are_those_of_the_standard() -> None:
    """RFC 6238 appendix B, SHA-1, the last six digits."""
    from base64 import b32encode

    from ownkey.talk.secret import Secret

    secret = Secret(b32encode(b"12345678901234567890"))
    for at_s, code in ((59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")):
        assert login.totp_step(secret, code, 0, at_s) == at_s // 30
        assert login.totp_step(secret, code, at_s // 30, at_s) is None
        assert login.totp_step(secret, code, 0, at_s + 30) == at_s // 30
        assert login.totp_step(secret, code, 0, at_s + 90) is None
    assert "issuer=Ownkey" in login.totp_address(secret, "ann@example.com")
