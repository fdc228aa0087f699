"""What is asked of a provider, and its bytes. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from msgspec import Struct

from ownkey.talk.errors import InvalidRequest
from ownkey.talk.origin import DEFAULT_PORTS, Origin
from ownkey.talk.secret import Secret

_METHODS = frozenset((b"GET", b"POST", b"PUT", b"PATCH", b"DELETE"))
_TARGET = re.compile(rb"/[A-Za-z0-9._~!$&'()*+,;=:@/?%\[\]-]*")

# RFC 9110 section 5: names are tokens, values visible ASCII with single blanks or tabs inside; here blanks only.
# Framing and the connection are this package's own business.
_HEADERS = re.compile(
    rb"(?:(?!(?:host|content-length|transfer-encoding|connection|keep-alive|proxy-[a-z]+|accept-encoding"
    rb"|te|trailer|upgrade|expect|cookie):)"
    rb"[!#$%&'*+.^_`|~0-9a-z-]+: [\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?\r\n)*",
    re.IGNORECASE,
)


Header = tuple[bytes, bytes]


class KeyHeader(Struct, frozen=True):
    """The one header that shows a secret: `before`, as `Bearer `, and the secret."""

    name: bytes
    before: bytes
    secret: Secret


class Written(Struct, frozen=True):
    """A request as it is sent. Programs that keep the variables of a failure keep none of its bytes."""

    raw: bytes

    def __repr__(self) -> str:
        return f"Written({len(self.raw)} bytes)"


def unheard() -> None:
    """Nobody wants to know when a request goes out."""


class Outgoing(Struct):
    """One request. Connections are shared only between requests of the same `origin` and `pool`, which is the key's id.

    `target` is path and query, percent-encoded. `sent` is told when its bytes go out, and again where they have to go
    out once more.
    """

    method: bytes
    origin: Origin
    target: bytes
    headers: tuple[Header, ...]
    body: bytes
    pool: str
    key: KeyHeader | None = None
    sent: Callable[[], None] = unheard

    def __repr__(self) -> str:
        return f"Outgoing({self.method.decode('latin-1')} {self.origin})"


class Deadlines(Struct, frozen=True):
    """In seconds. `idle_s` is between bytes of a body, counted while somebody waits for them."""

    connect_s: float = 10.0
    headers_s: float = 120.0
    idle_s: float = 60.0
    total_s: float = 600.0


def write_request(out: Outgoing) -> Written:
    """Head and body in one piece. Raises InvalidRequest, which quotes nothing of the request.

    No variable here holds the key: what fails on the way shows none, whoever looks at the frames.
    """
    if out.method not in _METHODS:
        raise InvalidRequest("A request to a provider is GET, POST, PUT, PATCH or DELETE.")
    start = _start(out.method, out.origin, out.target, out.headers)
    if out.key is not None:
        # The secret itself is visible ASCII, by its type.
        _lines(out.origin, ((out.key.name, out.key.before + b"-"),))
    length = b"" if not out.body and out.method == b"GET" else b"content-length: %d\r\n" % len(out.body)
    if out.key is None:
        return Written(b"%b%b\r\n%b" % (start, length, out.body))
    name, before = out.key.name, out.key.before
    return Written(b"%b%b: %b%b\r\n%b\r\n%b" % (start, name, before, out.key.secret.reveal(), length, out.body))


@lru_cache(maxsize=1024)
def _start(method: bytes, origin: Origin, target: bytes, headers: tuple[Header, ...]) -> bytes:
    """What does not change from one request to the next. No secret stands in it, for it is kept."""
    if not _TARGET.fullmatch(target):
        raise InvalidRequest(
            f"The path of a request to {origin.host} holds a character that a URL cannot hold.",
            "Look at the paths and the model's name of this provider.",
        )
    host = origin.bracketed if origin.port == DEFAULT_PORTS[origin.scheme] else f"{origin.bracketed}:{origin.port}"
    fixed = b"host: %b\r\naccept-encoding: identity\r\nconnection: keep-alive\r\n" % host.encode("ascii")
    return b"%b %b HTTP/1.1\r\n%b%b" % (method, target, fixed, _lines(origin, headers))


def _lines(origin: Origin, headers: tuple[Header, ...]) -> bytes:
    lines = b"".join([b"%b: %b\r\n" % header for header in headers])
    # As many line ends as headers: no header brings one of its own.
    if lines.count(b"\n") != len(headers) or not _HEADERS.fullmatch(lines):
        raise InvalidRequest(
            f"A header for {origin.host} has a name or a character that may not be sent.",
            "Enter the key and the other settings of this provider again, without blanks and line breaks.",
        )
    return lines
