"""What people sign in with: passwords by Argon2id, one-time codes (RFC 6238), and secrets that are good once."""

from __future__ import annotations

import os
import re
import secrets
import sys
import time
import unicodedata
from base64 import b32encode
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256
from threading import BoundedSemaphore, get_native_id
from typing import TYPE_CHECKING, Any, TypeVar

from ownkey.talk.errors import InvalidRequest, Overloaded
from ownkey.talk.secret import Secret

if TYPE_CHECKING:
    from argon2 import PasswordHasher
    from pyotp.totp import TOTP

Result = TypeVar("Result")

LEAST_CHARACTERS = 12
MOST_CHARACTERS = 256
STEP_S = 30

# Each takes 64 MiB for a while (RFC 9106 section 4, the second of its choices); more at once would be a way to fill
# the memory.
AT_ONCE, IN_LINE = 2, 8
WAIT_S = 5.0
_line = BoundedSemaphore(AT_ONCE + IN_LINE)
_room = BoundedSemaphore(AT_ONCE)

# In the database somebody else may have written: neither what takes all the memory nor what takes no time is believed.
_LEAST_KIB, _MOST_KIB, _MOST_PASSES = 19 << 10, 256 << 10, 10

_CODE = re.compile(r"[0-9]{6}", re.ASCII)


@contextmanager
def turn() -> Generator[None]:
    """Few at once and few in line, whoever else comes: who waits has a thread, and others want one too.
    Raises Overloaded."""
    if not _line.acquire(blocking=False):
        raise _crowded()
    try:
        if not _room.acquire(timeout=WAIT_S):
            raise _crowded()
        try:
            yield
        finally:
            _room.release()
    finally:
        _line.release()


def hash_password(password: str) -> str:
    """To be kept. Takes a tenth of a second: not for an event loop. Raises InvalidRequest where it is no good
    password."""
    if not LEAST_CHARACTERS <= len(password) <= MOST_CHARACTERS:
        raise InvalidRequest(
            f"A password has {LEAST_CHARACTERS} to {MOST_CHARACTERS} characters.",
            "Several words are easy to remember.",
            param="password",
        )
    if len(set(password)) < 5:
        raise InvalidRequest("This password is easily guessed.", "Take several words.", param="password")
    with turn():
        return _apart(_hasher().hash, _folded(password))


def is_password(kept: str | None, password: str) -> bool:
    """Whether it is the one. Takes as long where there is none. To be asked in a `turn` only."""
    if len(password) > MOST_CHARACTERS:
        password = ""
    from argon2.exceptions import Argon2Error, InvalidHashError

    believed = kept if kept is not None and _is_sane(kept) else None
    try:
        return _apart(_hasher().verify, believed or _nobodys(), _folded(password)) and believed is not None
    except (Argon2Error, InvalidHashError):
        return False


def new_secret(kind: str) -> Secret:
    """256 random bits; `kind` are the letters that it begins with."""
    return Secret(f"{kind}-{secrets.token_urlsafe(32)}")


def digest(value: bytes) -> bytes:
    """What is kept of a secret of so many random bits, which needs neither salt nor stretching."""
    return sha256(value).digest()


def new_totp() -> Secret:
    return Secret(b32encode(secrets.token_bytes(20)))


def totp_address(secret: Secret, name: str) -> str:
    """What an authenticator reads out of a picture."""
    return _otp(secret).provisioning_uri(name=name, issuer_name="Ownkey")


def totp_step(secret: Secret, code: str, after: int, now_s: float | None = None) -> int | None:
    """The step that this code is of: the present one, the one before or after; None where it is of none of them, or
    of none later than `after`."""
    code = "".join(code.split())
    if not _CODE.fullmatch(code):
        return None
    now = int(time.time() if now_s is None else now_s) // STEP_S
    otp = _otp(secret)
    matching = [step for step in (now - 1, now, now + 1) if secrets.compare_digest(otp.at(step * STEP_S), code)]
    return next((step for step in matching if step > after), None)


def new_recovery_codes(count: int = 10) -> list[str]:
    """80 random bits each, in letters that are not mistaken for one another."""
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    return ["-".join("".join(secrets.choice(letters) for _ in range(4)) for _ in range(4)) for _ in range(count)]


def recovery_digest(user_id: str, code: str) -> bytes:
    return digest(f"{user_id} {''.join(code.upper().replace('-', ' ').split())}".encode())


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher()


def _apart(work: Callable[..., Result], *given: Any) -> Result:
    """Done by threads that give way to all others: it is the processor that a crowd would take, too."""
    return _threads().submit(work, *given).result()


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(AT_ONCE, "passwords", initializer=_give_way)


def _give_way() -> None:
    # A thread has a priority of its own on Linux alone (setpriority(2), "C library/kernel differences"). Without a
    # privilege it can only be lowered, and a sandbox may refuse even that: then it stays as it is.
    if sys.platform == "linux":
        with suppress(OSError):
            least = os.getpriority(os.PRIO_PROCESS, get_native_id())
            os.setpriority(os.PRIO_PROCESS, get_native_id(), max(least, 10))


@cache
def _nobodys() -> str:
    """Of a password that nobody knows, for people who are not there."""
    return _apart(_hasher().hash, secrets.token_hex(32).encode())


def _otp(secret: Secret) -> TOTP:
    from pyotp.totp import TOTP

    return TOTP(secret.reveal().decode())


def _crowded() -> Overloaded:
    return Overloaded("Too many people sign in at once.", "Try again in a moment.")


def _folded(password: str) -> bytes:
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


def _is_sane(kept: str) -> bool:
    from argon2 import extract_parameters
    from argon2.exceptions import InvalidHashError
    from argon2.low_level import Type

    try:
        found = extract_parameters(kept)
    except InvalidHashError:
        return False
    return (
        found.type is Type.ID
        and _LEAST_KIB <= found.memory_cost <= _MOST_KIB
        and 1 <= found.time_cost <= _MOST_PASSES
        and 1 <= found.parallelism <= 8
    )
