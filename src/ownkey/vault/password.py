"""A root key made from a password and a salt by Argon2id."""

from __future__ import annotations

import re

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from msgspec import Struct

from ownkey.settings import Password
from ownkey.talk.errors import BadConfiguration, VaultSealed
from ownkey.vault.envelope import Root

_PASSWORD, _SALT = "BYOK_ENCRYPTION_PASSWORD", "BYOK_ENCRYPTION_SALT"

# What stands in examples and templates; a value made of nothing else is known to everybody.
_WELL_KNOWN = re.compile(
    r"password|passwort|passphrase|pass|change|replace|please|secret|default|example|sample|test|demo|your|mine|"
    r"secure|strong|random|encryption|encrypt|byok|ownkey|master|key|salt|here|with|this|value|admin|root|user|"
    r"letmein|welcome|qwerty|qwertz|asdf|production|prod|dev|local|01234567890?|1234567890?|12345678?|123456?|1234?|"
    r"(?<![a-z])(?:a|an|at|by|in|it|me|my|of|on|or|the|to|use|set|is|for)(?![a-z])|[^\w]|_"
)


class Cost(Struct, frozen=True):
    """Argon2id's: memory in KiB, passes, lanes. The default is RFC 9106's second recommendation."""

    memory_kib: int = 65536
    passes: int = 3
    lanes: int = 4

    def __str__(self) -> str:
        return f"password argon2id m={self.memory_kib} t={self.passes} p={self.lanes}"

    @classmethod
    def recorded(cls, source: str) -> Cost:
        """Read back what `str` wrote; raises VaultSealed out of bounds: a record must not make it weak or endless."""
        found = re.fullmatch(r"password argon2id m=([0-9]{1,9}) t=([0-9]{1,4}) p=([0-9]{1,4})", source)
        cost = cls(*map(int, found.groups())) if found else None
        if cost is None or not (
            19_456 <= cost.memory_kib <= 1_048_576 and 2 <= cost.passes <= 10 and 1 <= cost.lanes <= 16
        ):
            raise VaultSealed(
                "The recorded cost of making the root key from the password is out of bounds.",
                "The database was changed by other hands: restore it from a backup.",
            )
        return cost


def derive(password: Password | None, salt: Password | None, cost: Cost) -> Root:
    """The root key. Raises BadConfiguration, naming the variable, where one is missing, short or well known."""
    if password is None or salt is None:
        missing, there = (_PASSWORD, _SALT) if password is None else (_SALT, _PASSWORD)
        raise BadConfiguration(f"{missing} is not set, but {there} is.", "The root key needs both.")
    _must_be_strong(_PASSWORD, password, least=12)
    _must_be_strong(_SALT, salt, least=8)
    if password.reveal() == salt.reveal():
        raise BadConfiguration(f"{_SALT} is the same as {_PASSWORD}.", "Take another random text.")
    return Root(stretch(password.reveal(), salt.reveal(), cost))


def stretch(password: bytes, salt: bytes, cost: Cost, length: int = 32) -> bytes:
    """Argon2id (RFC 9106), version 0x13, without secret and associated data."""
    maker = Argon2id(salt=salt, length=length, iterations=cost.passes, lanes=cost.lanes, memory_cost=cost.memory_kib)
    return maker.derive(password)


def _must_be_strong(variable: str, value: Password, least: int) -> None:
    text = value.reveal().decode()
    if len(text) < least:
        raise BadConfiguration(f"{variable} is too short.", f"Take {least} random characters or more.")
    rest = _WELL_KNOWN.sub("", text.casefold())
    if len(set(rest)) < 5:
        raise BadConfiguration(f"{variable} is well known or easily guessed.", "Take: openssl rand -base64 24")
