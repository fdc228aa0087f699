"""Which of an owner's keys for a provider is taken: pure.

A key fits that was entered for the origin, is neither paused nor expired, and is allowed for the model. One that its
provider refused a while ago, or wants no more requests with for now, comes after the others, until it is given another
chance. Where keys have weights, what is asked is spread over them; a conversation stays with its key, whose provider
may have kept the beginning of it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence

from ownkey.store.keys import KeyRow
from ownkey.talk.errors import KeyMissing, KeyProblem, KeyUnreadable

RESTS_MS = 15 * 60_000
"""How long a key that was refused stands behind the others."""

Version = tuple[str, int]
"""A key as it was at one time: its id and version."""


def fitting(
    rows: Sequence[KeyRow],
    origin: str,
    model: str | None,
    now_ms: int,
    *,
    passed: Sequence[Version] = (),
    resting: Callable[[KeyRow], float],
) -> list[KeyRow]:
    """Those that may be used, in the order in which they are to be tried. `passed` are those not to be tried; `resting`
    says for how long others are tried before a key.

    Without a model, the keys for any model: nothing of one is asked.
    """
    fit = [
        row
        for row in rows
        if row.origin == origin
        and in_service(row, now_ms)
        and (model is None or allows(row, model))
        and (row.id, row.version) not in passed
    ]
    return sorted(fit, key=resting)


def weighed(rows: Sequence[KeyRow], about: bytes) -> KeyRow | None:
    """The one of these keys that a conversation `about` that falls to, each as often as it weighs: 1 where nothing is
    said; 0: where nothing else is left. None where no key has a weight.

    By weighted rendezvous hashing: with a key more or less, no other conversation changes its key than has to.
    """
    if len(rows) < 2 or all(row.weight is None for row in rows):
        return None
    return max(rows, key=lambda row: _score(row, about))


def _score(row: KeyRow, about: bytes) -> float:
    weight = 1 if row.weight is None else row.weight
    if not weight:
        return -math.inf
    drawn = int.from_bytes(hashlib.blake2b(about, digest_size=8, salt=_salt(row.id)).digest()) + 1
    return weight / -math.log(drawn / (2**64 + 1))


def _salt(id: str) -> bytes:
    return hashlib.blake2b(id.encode(), digest_size=16).digest()


def in_service(row: KeyRow, now_ms: int) -> bool:
    return row.paused_at_ms is None and (row.expires_at_ms is None or now_ms < row.expires_at_ms)


def allows(row: KeyRow, model: str) -> bool:
    """Whether one of its patterns is the model's whole name, letter for letter; `*` stands for anything."""
    return row.models is None or any(_matches(pattern, model) for pattern in row.models.split())


def none_fits(rows: Sequence[KeyRow], origin: str, model: str | None, now_ms: int) -> KeyProblem:
    """Why none of them does: of the first that goes there, else of the first. There is at least one."""
    provider = rows[0].provider
    row = next((row for row in rows if row.origin == origin), None)
    if row is None:
        return KeyUnreadable(
            f"The stored key for {provider} was entered for {rows[0].origin} and does not go to {origin}.",
            f"Enter it again for the new endpoint: `ownkey keys set {provider}`.",
        )
    others = "" if len(rows) == 1 else " The others do not fit either."
    if row.paused_at_ms is not None:
        return KeyMissing(
            f"The key {row.label} for {provider} is paused.{others}",
            f"To use it again: `ownkey keys resume {provider} --label '{row.label}'`.",
        )
    if not in_service(row, now_ms):
        return KeyMissing(
            f"The key {row.label} for {provider} has expired.{others}",
            f"Store a new one: `ownkey keys set {provider} --label '{row.label}' --expires DATE`.",
        )
    return KeyMissing(
        f"The key {row.label} for {provider} is not for the model {model}.{others}",
        "`ownkey keys list` says what each is for; `ownkey keys change` changes it.",
    )


def unreadable(row: KeyRow, why: str) -> KeyUnreadable:
    label = "" if row.label == "default" else f" --label '{row.label}'"
    return KeyUnreadable(
        f"The stored key {row.label} for {row.provider} {why}.",
        f"Enter it again: `ownkey keys set {row.provider}{label}`.",
    )


def _matches(pattern: str, name: str) -> bool:
    first, *more = pattern.split("*")
    if not more:
        return name == pattern
    *between, last = more
    if not name.startswith(first) or not name.endswith(last) or len(name) < len(first) + len(last):
        return False
    place, end = len(first), len(name) - len(last)
    for part in between:
        found = name.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return True
