"""How many sign-ins may fail, and by what they are counted.

By name and place together, so that nobody elsewhere takes their tries from those whose name it is; by place, whichever
names are tried from there; and by name, from all the places where that person is not signed in.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from ipaddress import IPv6Address, ip_address, ip_network

from ownkey.store.sessions import SignIns
from ownkey.talk.errors import TooManyAttempts
from ownkey.vault.login import digest

MOST_TRIES = 10
MOST_FROM = 50
MOST_OF = 100
WITHIN_MS = 15 * 60_000

Limits = Mapping[bytes, int]


class Attempts:
    """Counted in the database, for all processes together."""

    def __init__(self, sign_ins: SignIns) -> None:
        self._sign_ins = sign_ins

    def check(self, limits: Limits) -> None:
        """Raises TooManyAttempts where no further try is to be had. Nothing is counted."""
        _refuse(self._sign_ins.wait_ms(limits, WITHIN_MS, _now_ms()))

    @contextmanager
    def one(self, limits: Limits) -> Generator[None]:
        """One try, which is taken back where the block ends without an error. Raises TooManyAttempts."""
        _refuse(self._sign_ins.try_(limits, WITHIN_MS, _now_ms()))
        yield
        *shared, own = limits
        self._sign_ins.succeeded(own, *shared)


def of_somebody(what: bytes, user_id: str) -> Limits:
    """For who is known already, and shows one thing more."""
    return {digest(what + b" " + user_id.encode()): MOST_TRIES}


def of_name(name: bytes, place: str, *, at_home: bool) -> Limits:
    """`place` as `place_of` tells it. `at_home`: whoever is meant is signed in there."""
    who, where = b"password " + digest(name), place.encode()
    own = {digest(who + b" at " + where): MOST_TRIES}
    if not place:
        return own
    everywhere = {} if at_home else {digest(who): MOST_OF}
    return {digest(b"from " + where): MOST_FROM} | everywhere | own


def place_of(address: str) -> str:
    """The address, or its /64: so much of IPv6 has each line of a house. Empty where there is none."""
    try:
        found = ip_address(address)
    except ValueError:
        return ""
    if isinstance(found, IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped or ip_network((int(found), 64), strict=False))
    return str(found)


def _refuse(wait_ms: int) -> None:
    if wait_ms:
        raise TooManyAttempts(
            "Too many attempts to sign in.", "Wait a quarter of an hour.", retry_after_s=wait_ms / 1000
        )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
