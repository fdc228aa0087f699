"""What the management API does not read: what two readers could read in two ways, and what no database keeps."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, cast
from urllib.parse import unquote

import msgspec

from ownkey.server.doors import nothing_here
from ownkey.server.exchange import Exchange
from ownkey.server.guard import Head
from ownkey.talk.errors import InvalidRequest
from ownkey.talk.secret import clean


def check_plain(exchange: Exchange, head: Head) -> None:
    """Raises InvalidRequest for a NUL wherever it stands, which PostgreSQL has in no text, and for JSON with a name
    given twice, half of a surrogate pair, or in another encoding than UTF-8 (RFC 8259 sections 4, 8.1 and 8.2);
    NotFound where a path is no text."""
    if not _is_text(exchange.path):
        raise nothing_here()
    if not _is_text(exchange.query):
        raise InvalidRequest("What stands after the `?` is no text in UTF-8.", "Look at how it was encoded.")
    if exchange.body and b"json" in (head.content_type or b"").lower():
        _check_json(exchange.body)


def _is_text(escaped: str) -> bool:
    try:
        return "\0" not in unquote(escaped, errors="strict")
    except UnicodeDecodeError:
        return False


def _check_json(body: bytes) -> None:
    try:
        value = msgspec.json.decode(body)
        json.loads(body, object_pairs_hook=_once)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise InvalidRequest("The body is not JSON of the form wanted here.", "The document has the form.") from None
    if b"\\u0000" in body and _has_nul(value):
        raise _with_nul()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = clean(Counter(name for name, _ in pairs).most_common(1)[0][0], limit=80)
        raise InvalidRequest(f"{twice!r} is given twice.", "Give it once.", param=twice)
    return found


def _has_nul(value: object) -> bool:
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        return any("\0" in name or _has_nul(one) for name, one in members.items())
    if isinstance(value, list):
        return any(map(_has_nul, cast("list[object]", value)))
    return isinstance(value, str) and "\0" in value


def _with_nul() -> InvalidRequest:
    return InvalidRequest("A NUL character stands in it.", "Leave it out.")
