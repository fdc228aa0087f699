"""What is asked of a provider, and its bytes. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

from ownkey.talk.errors import InvalidRequest
from ownkey.talk.origin import DEFAULT_PORTS, Origin

_METHODS = frozenset((b"GET", b"POST", b"PUT", b"PATCH", b"DELETE"))
_TARGET = re.compile(rb"/[A-Za-z0-9._~!$&'()*+,;=:@/?%\[\]-]*+")

# RFC 9110 section 5: names are tokens, values visible ASCII with single blanks or tabs inside; here blanks only.
# Framing and the connection are this package's own business.
_HEADERS = re.compile(
    rb"(?:(?!(?:host|content-length|transfer-encoding|connection|keep-alive|proxy-[a-z]+|accept-encoding"
    rb"|te|trailer|upgrade|expect|cookie):)"
    rb"[!#$%&'*+.^_`|~0-9a-z-]++: [\x21-\x7e]++(?: ++[\x21-\x7e]++)*+\r\n)*+",
    re.IGNORECASE,
)


class Outgoing(Struct):
    """One request. Connections are shared only between requests of the same `origin` and `pool`, which is the key's id.

    `target` is path and query, percent-encoded. `headers` may hold a secret, so none of them is shown.
    """

    method: bytes
    origin: Origin
    target: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    pool: str

    def __repr__(self) -> str:
        return f"Outgoing({self.method.decode('latin-1')} {self.origin})"


class Deadlines(Struct, frozen=True):
    """In seconds. `idle_s` is between bytes of a body, counted while somebody waits for them."""

    connect_s: float = 10.0
    headers_s: float = 120.0
    idle_s: float = 60.0
    total_s: float = 600.0


def write_request(out: Outgoing) -> bytes:
    """Head and body in one piece. Raises InvalidRequest, which quotes nothing of the request."""
    if out.method not in _METHODS:
        raise InvalidRequest("A request to a provider is GET, POST, PUT, PATCH or DELETE.")
    if not _TARGET.fullmatch(out.target):
        raise InvalidRequest(
            f"The path of a request to {out.origin.host} holds a character that a URL cannot hold.",
            "Look at the paths and the model's name of this provider.",
        )
    lines = [b"%b: %b\r\n" % header for header in out.headers]
    headers = b"".join(lines)
    # As many line ends as headers: no header brings one of its own.
    if headers.count(b"\n") != len(lines) or not _HEADERS.fullmatch(headers):
        raise InvalidRequest(
            f"A header for {out.origin.host} has a name or a character that may not be sent.",
            "Enter the key and the other settings of this provider again, without blanks and line breaks.",
        )
    start = b"%b %b HTTP/1.1\r\n%b" % (out.method, out.target, _fixed(out.origin))
    if not out.body and out.method == b"GET":
        return b"%b%b\r\n" % (start, headers)
    return b"%b%bcontent-length: %d\r\n\r\n%b" % (start, headers, len(out.body), out.body)


@lru_cache(maxsize=1024)
def _fixed(origin: Origin) -> bytes:
    host = origin.bracketed if origin.port == DEFAULT_PORTS[origin.scheme] else f"{origin.bracketed}:{origin.port}"
    return b"host: %b\r\naccept-encoding: identity\r\nconnection: keep-alive\r\n" % host.encode("ascii")
