"""Who may come in: the Host a browser believes it speaks to, and the token of the caller."""

from __future__ import annotations

from collections.abc import Iterable

from ownkey.talk.errors import InvalidRequest, InvalidToken
from ownkey.vault.tokens import Caller, Tokens

HeaderList = Iterable[tuple[bytes, bytes]]

LOOPBACK = frozenset({b"localhost", b"127.0.0.1", b"[::1]"})
TOKEN_HEADERS = (b"authorization", b"x-api-key", b"x-goog-api-key")


def host_allowed(headers: HeaderList, allowed: frozenset[bytes]) -> bool:
    """Whether the one Host header names this machine: a name that was rebound to it by DNS does not."""
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) != 1:
        return False
    host = hosts[0].lower()
    name, _, port = host.rpartition(b":")
    return (name if name and port.isdigit() else host) in allowed


def presented(headers: HeaderList) -> bytes | None:
    """The token that was sent, or None where none was. Raises InvalidToken where two different ones were."""
    found: set[bytes] = set()
    for name, value in headers:
        if name in TOKEN_HEADERS:
            scheme, _, rest = value.partition(b" ")
            if name != b"authorization":
                found.add(value)
            elif scheme.lower() == b"bearer":
                found.add(rest.strip())
            else:
                raise InvalidToken("Only a bearer token is understood here.", "Send `Authorization: Bearer TOKEN`.")
    if len(found) > 1:
        raise InvalidToken("Two different tokens came with one request.", "Send one.")
    return found.pop() if found else None


def caller_of(headers: HeaderList, tokens: Tokens) -> Caller | None:
    """The caller, or None where no token came. Raises InvalidToken for one that is not good."""
    token = presented(headers)
    if token is None:
        return None
    caller = tokens.caller(token)
    if caller is None:
        raise InvalidToken("This token is not known here.", "Make one with `ownkey tokens create NAME`.")
    return caller


def check_body_headers(headers: HeaderList) -> None:
    """Raises InvalidRequest unless the body is plain JSON."""
    kind = b""
    for name, value in headers:
        if name == b"content-type":
            kind = value.partition(b";")[0].strip().lower()
        elif name == b"content-encoding" and value.lower() != b"identity":
            raise InvalidRequest("A compressed body is not read.", "Send it as it is.", param="content-encoding")
    if kind != b"application/json":
        raise InvalidRequest(
            "The body is not marked as JSON.", "Send `Content-Type: application/json`.", param="content-type"
        )
