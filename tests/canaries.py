"""Keys, tokens and passwords that tests use, made anew for each run, and the search for them in any bytes.

    KEY = canary("openai", "sk-proj-")
    find(data)      # [] or what stands in it: of which canary, in which form, where

A canary is a public beginning and a body. Every seven characters of the body begin with MARK, so that whatever nine
of its characters stand somewhere, MARK is among them: one pass over the bytes looks for the forms of MARK, and only
around those for the canaries themselves.
"""

from __future__ import annotations

import os
import re
import secrets
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from random import Random
from string import ascii_letters, digits
from urllib.parse import unquote_to_bytes

MARK = "qX7"
SHORTEST = 9
"""As many characters in a row of a body are found."""

# The processes of one run have the same: those that pytest-xdist starts inherit it.
SEED = os.environ.setdefault("OWNKEY_TEST_CANARIES", secrets.token_hex(8))

_names: dict[bytes, str] = {}
"""Every nine characters of every body, as they are and in lower case: whose they are."""


def canary(name: str, begins: str = "sk-", *, of: str = ascii_letters + digits, between: str = "") -> str:
    """The same for the same arguments, in all processes of a run. `of` which characters it is made beside MARK.

    `between`: what each group of MARK and four more ends with, where a key shall not look like one.
    """
    random = Random(f"{SEED} {name} {begins} {of} {between}")
    count = 4 - len(between)
    body = "".join(MARK + "".join(random.choices(of, k=count)) + between for _ in range(4))
    for at in range(len(body) - SHORTEST + 1):
        window = body[at : at + SHORTEST].encode("ascii")
        _names[window] = _names[window.lower()] = name
    return begins + body


@dataclass(frozen=True)
class Hit:
    """`name` is whose canary it is; its value stands nowhere."""

    name: str
    form: str
    at: int


def find(data: bytes) -> list[Hit]:
    """One hit for each canary and form, at its first place."""
    found: dict[tuple[str, str], Hit] = {}
    for match in _MARKS.finditer(data):
        form, read = _READ[match.group()]
        for text in read(data, match.start()):
            for at in range(len(text) - SHORTEST + 1):
                if name := _names.get(text[at : at + SHORTEST]):
                    found.setdefault((name, form), Hit(name, form, match.start()))
    return list(found.values())


def _cut(data: bytes, at: int, *, wide: int, step: int) -> bytes:
    """`wide` bytes before and 15 more steps from `at`, beginning a whole number of steps before it."""
    return data[at - min(wide, at - at % step) : at + wide + 3 * step]


def _plain(data: bytes, at: int) -> Iterator[bytes]:
    """As it is, and with what URLs and JSON write in other ways written plainly."""
    around = _cut(data, at, wide=54, step=1)
    yield around
    yield unquote_to_bytes(around)
    yield _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]) if found[1] else found[0][1:], around)


def _folded(data: bytes, at: int) -> Iterator[bytes]:
    yield from (text.lower() for text in _plain(data, at))


def _reversed(data: bytes, at: int) -> Iterator[bytes]:
    yield _cut(data, at, wide=6, step=1)[::-1]


def _hex(data: bytes, at: int) -> Iterator[bytes]:
    pairs = _cut(data, at, wide=12, step=2).lower()
    yield bytes(_PAIRS.get(pairs[i : i + 2], 0) for i in range(0, len(pairs), 2))


def _wide(data: bytes, at: int) -> Iterator[bytes]:
    yield _cut(data, at, wide=12, step=2)[::2]


def _base64(data: bytes, at: int, *, into: int) -> Iterator[bytes]:
    """`into`: so many characters of a group of four stand before the match."""
    begins = at - into
    start = max(begins - 8, begins % 4)
    group = data[start : begins + 16].translate(_SIXTY_FOUR)
    yield b64decode(group[: len(group) // 4 * 4])


_PAIRS = {b"%02x" % number: number for number in range(256)}
_ESCAPED = re.compile(rb"\\u00([0-9a-fA-F]{2})|\\/")
_STANDARD = (ascii_letters + digits + "+/").encode()
_SIXTY_FOUR = bytes(
    code if code in _STANDARD else {ord("-"): ord("+"), ord("_"): ord("/")}.get(code, ord("A")) for code in range(256)
)
_ESCAPES = (f"%{{:02{case}}}" for case in "xX"), (f"\\u00{{:02{case}}}" for case in "xX")
# How MARK stands in base64 depends on where in three bytes it begins: the characters that only its own bits make.
_FORMS: dict[str, tuple[Callable[[bytes, int], Iterator[bytes]], set[str]]] = {
    "plain": (_plain, {MARK}),
    "folded": (_folded, {MARK.lower(), MARK.upper()}),
    "reversed": (_reversed, {MARK[::-1]}),
    "hex": (_hex, {MARK.encode().hex()}),
    "UTF-16": (_wide, {"\0".join(MARK)}),
    "escaped": (_plain, {"".join(form.format(ord(each)) for each in MARK) for forms in _ESCAPES for form in forms}),
    "base64": (partial(_base64, into=0), {"cVg3"}),
    "base64, 1 byte into a group": (partial(_base64, into=2), {"FYN"}),
    "base64, 2 bytes into a group": (partial(_base64, into=3), {"xWD"}),
}
_READ = {mark.encode(): (form, read) for form, (read, marks) in _FORMS.items() for mark in marks}
_MARKS = re.compile(b"|".join(map(re.escape, _READ)))
