"""Tokens of consent: what a person may say yes to by sending a request again, signed, so that nothing is kept of it.

    oc1.<what it is for>.<HMAC-SHA-256 of that, of who asks and of what>

Both parts are base64url. Who asks and what is asked do not stand in it: they have to be the same.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256

import msgspec
from msgspec import Struct

PREFIX = "oc1"
GOOD_MS = 15 * 60_000
MOST_BYTES = 4096


class Asked(Struct, frozen=True):
    """Whose request, by which token of theirs, and the digest of what it is."""

    owner: str
    token_id: str | None
    digest: bytes


class Yes(Struct, frozen=True, array_like=True):
    """Until when it is good, what makes it the only one, and the marks of its reasons."""

    until_ms: int
    nonce: str
    marks: tuple[str, ...]


def write(key: bytes, asked: Asked, marks: Sequence[str], now_ms: int) -> tuple[str, int]:
    """A new token, and until when it is good."""
    yes = Yes(now_ms + GOOD_MS, secrets.token_urlsafe(12), tuple(marks))
    said = _text(msgspec.json.encode(yes))
    return f"{PREFIX}.{said}.{_text(_seal(key, asked, said))}", yes.until_ms


def read(keys: Sequence[bytes], asked: Asked, token: bytes, now_ms: int) -> Yes | None:
    """What it says, where it was written with one of these keys for the same, and is still good."""
    parts = token.split(b".")
    if len(token) > MOST_BYTES or len(parts) != 3 or parts[0] != PREFIX.encode() or not token.isascii():
        return None
    said = parts[1].decode("ascii")
    if not any(hmac.compare_digest(_text(_seal(key, asked, said)).encode(), parts[2]) for key in keys):
        return None
    yes = msgspec.json.decode(urlsafe_b64decode(said + "=" * (-len(said) % 4)), type=Yes)
    return yes if now_ms < yes.until_ms else None


def _seal(key: bytes, asked: Asked, said: str) -> bytes:
    """JSON keeps the parts apart: none can be made to look like the beginning of the next."""
    tied = msgspec.json.encode((PREFIX, asked.owner, asked.token_id, asked.digest, said))
    return hmac.digest(key, tied, "sha256")


def digest_of(token: bytes) -> bytes:
    return sha256(token).digest()


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
