"""What people sign in with, at its edges: what is a password, what is believed of a stored one, what a code is of."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
import threading
import time

import pytest
from argon2 import PasswordHasher, Type

from house import SRC, until
from ownkey.talk.errors import InvalidRequest, Overloaded
from ownkey.talk.secret import Secret
from ownkey.vault import login

GOOD = "correct horse battery"


def kept(password: str = GOOD, kib: int = 19 << 10, passes: int = 1, lanes: int = 1, kind: Type = Type.ID) -> str:
    return PasswordHasher(time_cost=passes, memory_cost=kib, parallelism=lanes, type=kind).hash(password)


def test_what_is_kept_is_argon2id_by_the_second_choice_of_rfc_9106() -> None:
    made = login.hash_password(GOOD)
    assert made.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert login.is_password(made, GOOD)
    assert not login.is_password(made, GOOD + " ")
    assert made != login.hash_password(GOOD)


def test_a_password_has_12_to_256_characters_of_which_five_differ() -> None:
    for password in ("abcde" * 2 + "ab", "abcde" * 51 + "a", "\u65e5\u672c\u8a9e\u3068\u82f1" * 3):
        assert login.is_password(login.hash_password(password), password), len(password)
    for password in ("", "abcdefghijk", "abcde" * 51 + "ab"):
        with pytest.raises(InvalidRequest, match="12 to 256") as refused:
            login.hash_password(password)
        assert refused.value.param == "password"
    with pytest.raises(InvalidRequest, match="easily guessed") as refused:
        login.hash_password("abcdabcdabcd")
    assert refused.value.param == "password"


def test_a_letter_is_the_same_however_it_was_typed() -> None:
    made = login.hash_password("caf\u00e9 \ufb01ve words here")
    assert login.is_password(made, "cafe\u0301 five words here")
    assert not login.is_password(made, "cafe five words here")


def test_a_text_that_is_too_long_is_nobodys_password() -> None:
    longest = "abcdefgh" * 32
    assert login.is_password(kept(longest), longest)
    assert not login.is_password(kept(longest + "a"), longest + "a")


def test_a_lone_surrogate_is_a_wrong_password_and_no_fault() -> None:
    assert not login.is_password(kept(), "correct horse \ud800")
    assert not login.is_password(None, "\ud800")


@pytest.mark.parametrize("cost", [{}, {"passes": 10}, {"lanes": 8}, {"kib": 256 << 10}])
def test_V13_a_stored_cost_within_the_bounds_is_believed(cost: dict[str, int]) -> None:
    assert login.is_password(kept(**cost), GOOD)


@pytest.mark.parametrize(
    "cost", [{"kib": (19 << 10) - 1}, {"passes": 11}, {"lanes": 9}, {"kib": (256 << 10) + 1}, {"kind": Type.I}]
)
def test_V13_a_stored_cost_out_of_the_bounds_is_not(cost: dict[str, int]) -> None:
    assert not login.is_password(kept(**cost), GOOD)


@pytest.mark.parametrize("text", ["", "x", "$argon2id$", "$argon2id$v=19$m=19456,t=1,p=1$c2FsdHNhbHQ$"])
def test_V13_what_is_no_digest_is_nobodys(text: str) -> None:
    assert not login.is_password(text, GOOD)
    assert not login.is_password(text, "")


def test_nobody_has_no_password() -> None:
    for password in ("", GOOD, "0" * 64):
        assert not login.is_password(None, password)


def test_O06_nobodys_place_in_the_line_is_kept_when_they_have_gone() -> None:
    stored = kept()
    told: list[bool | None] = []

    def come() -> None:
        try:
            told.append(login.is_password(stored, GOOD))
        except Overloaded:
            told.append(None)

    crowd = [threading.Thread(target=come) for _ in range(30)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join(60)
    assert told.count(True) >= login.AT_ONCE
    assert told.count(False) == 0
    for _ in range(login.AT_ONCE + login.IN_LINE + 1):
        assert login.is_password(stored, GOOD)


def test_O06_two_at_once_eight_in_line_and_nobody_waits_longer_than_five_seconds() -> None:
    inside, crowd, over = threading.Semaphore(0), threading.Semaphore(0), threading.Event()
    waited_s: list[float] = []

    def come() -> None:
        began = time.monotonic()
        crowd.release()
        try:
            with login.turn():
                inside.release()
                over.wait(20)
        except Overloaded:
            waited_s.append(time.monotonic() - began)

    def refused() -> bool:
        try:
            with login.turn():
                return False
        except Overloaded:
            return True

    people = [threading.Thread(target=come) for _ in range(10)]
    for one in people:
        one.start()
    for _ in people:
        assert crowd.acquire(timeout=10)
    for _ in range(2):
        assert inside.acquire(timeout=10)
    # The ninth who would be in line is sent away at once, and so is the next.
    began = time.monotonic()
    assert refused()
    assert refused()
    assert time.monotonic() - began < 1
    assert not inside.acquire(blocking=False), "no third is let in beside them"
    until(lambda: len(waited_s) == 8, within_s=12)
    over.set()
    for one in people:
        one.join(10)
    assert all(4.5 < each < 5.9 for each in waited_s), waited_s
    assert not refused()


def test_a_secret_begins_with_its_kind_and_has_256_random_bits() -> None:
    made = {login.new_secret("ol").reveal() for _ in range(50)}
    assert len(made) == 50
    assert all(re.fullmatch(rb"ol-[A-Za-z0-9_-]{43}", one) for one in made)


def test_an_authenticator_is_given_160_bits_in_base32() -> None:
    made = {login.new_totp().reveal() for _ in range(50)}
    assert len(made) == 50
    assert {len(base64.b32decode(one)) for one in made} == {20}
    address = login.totp_address(SECRET, "ann@example.com")
    assert address == "otpauth://totp/Ownkey:ann%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Ownkey"


# RFC 6238, appendix B, with SHA-1: the last six digits at 59 s and at 1111111109 s.
SECRET = Secret(base64.b32encode(b"12345678901234567890").decode())


@pytest.mark.parametrize(("at_s", "step"), [(30, 1), (59, 1), (60, 1), (89, 1), (90, None), (119, None)])
def test_A15_a_code_is_good_in_its_half_minute_and_the_ones_beside(at_s: int, step: int | None) -> None:
    assert login.totp_step(SECRET, "287082", 0, at_s) == step


@pytest.mark.parametrize("at_s", [1111111079, 1111111080, 1111111109, 1111111110, 1111111139])
def test_A15_and_in_the_one_before(at_s: int) -> None:
    assert login.totp_step(SECRET, "081804", 0, at_s) == (37037036 if at_s < 1111111140 else None)
    assert login.totp_step(SECRET, "081804", 0, 1111111049) is None


def test_A15_a_code_of_a_step_that_was_used_is_none() -> None:
    assert login.totp_step(SECRET, "081804", 0, 1111111109) == 37037036
    assert login.totp_step(SECRET, "081804", 37037035, 1111111109) == 37037036
    assert login.totp_step(SECRET, "081804", 37037036, 1111111109) is None
    assert login.totp_step(SECRET, " 081\t804 ", 0, 1111111109) == 37037036
    for code in ("", "81804", "0818040", "08180a", "\u0660\u0668\u0661\u0668\u0660\u0664", "081804\x00", "081805"):
        assert login.totp_step(SECRET, code, 0, 1111111109) is None, code


def test_A15_without_a_time_it_is_now() -> None:
    from pyotp import TOTP

    now = int(time.time())
    found = login.totp_step(SECRET, TOTP(SECRET.reveal().decode()).at(now), 0)
    assert found is not None
    assert abs(found - now // 30) <= 1


def test_recovery_codes_are_ten_of_80_bits_in_plain_letters() -> None:
    codes = login.new_recovery_codes()
    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"[A-HJ-NP-Z2-9]{4}(-[A-HJ-NP-Z2-9]{4}){3}", code) for code in codes)
    assert len(login.new_recovery_codes(3)) == 3
    assert set("".join(login.new_recovery_codes(200))) == set("ABCDEFGHJKLMNPQRSTUVWXYZ23456789-")


def test_a_recovery_code_is_the_same_however_it_is_written_and_is_its_owners() -> None:
    kept_of_it = login.recovery_digest("u_1", "ABCD-EFGH-JKLM-NPQR")
    assert len(kept_of_it) == 32
    for written in ("abcd-efgh-jklm-npqr", "ABCDEFGHJKLMNPQR", " abcd efgh jklm npqr ", "ABCD--EFGH JKLM-NPQR\n"):
        assert login.recovery_digest("u_1", written) == kept_of_it
    assert login.recovery_digest("u_2", "ABCD-EFGH-JKLM-NPQR") != kept_of_it
    assert login.recovery_digest("u_1", "ABCD-EFGH-JKLM-NPQS") != kept_of_it
    assert login.digest(b"abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_passwords_are_checked_where_the_process_gives_way_already_and_may_not_take_that_back() -> None:
    code = (
        # Before it is somebody else, who may not read where they are.
        "import argon2.exceptions, argon2.low_level, os\nfrom ownkey.vault import login\n"
        "os.nice(15)\nos.geteuid() or os.setuid(65534)\n"
        "kept = login.hash_password('several easy words')\n"
        "print(login.is_password(kept, 'several easy words'), login.is_password(kept, 'other easy words'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": str(SRC)})
    assert (done.stdout, done.stderr) == ("True False\n", "")
