"""A provider's seals carried through another wire's field, and known again on their way back.

A signature is text that only its maker reads; every wire has a field for its own. One that comes by another wire is
wrapped: base64 of `ownkey`, then maker, kind and value with a zero byte after each of the first two. It is base64
because clients decode some of these fields (Google's do), and it begins alike, so that it is found without decoding.
"""

from __future__ import annotations

import base64
import binascii
from typing import Literal

from msgspec import Struct

MARK = "b3dua2V5"
"""How every wrapped seal begins: `ownkey` in base64, six bytes in eight characters."""

Kind = Literal["signature", "sealed", "call", "text"]


class Seal(Struct, frozen=True):
    """`kind`: what it stood on: reasoning that can be read or that is encrypted, a tool call, or a text."""

    maker: str
    kind: Kind
    value: str


def wrap(seal: Seal) -> str:
    """The seal as text that another wire's field takes."""
    return base64.b64encode(f"ownkey{seal.maker}\0{seal.kind}\0{seal.value}".encode()).decode()


def unwrap(text: str | None) -> Seal | None:
    """The seal that was wrapped; None where this is none, but another's own text. Both base64 alphabets are read."""
    if not text or not text.startswith(MARK):
        return None
    try:
        plain = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    maker, _, rest = plain.removeprefix("ownkey").partition("\0")
    kind, zero, value = rest.partition("\0")
    match kind:
        case "signature" | "sealed" | "call" | "text" if zero and value:
            return Seal(maker, kind, value)
        case _:
            return None
