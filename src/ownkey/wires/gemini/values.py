"""JSON from outside, read without trust: what is not of the asked kind is as if it were not there."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from ownkey.talk.errors import StreamCut, UnexpectedResponse

Object = dict[str, Any]

NAME = "gemini"

# What Google documents for a call that no Gemini model made: newer models refuse a call without any signature.
UNSEALED = "skip_thought_signature_validator"

# Token counts are int32 in the Gemini API's reference; what is above that was not counted.
_INT32 = 2**31 - 1


def decoded(data: bytes) -> object:
    """Raises UnexpectedResponse where the bytes are not one JSON value."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise unreadable() from None


def unreadable(what: str = "is not the JSON it should be") -> UnexpectedResponse:
    return UnexpectedResponse(f"The provider's answer {what}.", "Try again, or use another model.")


def cut() -> StreamCut:
    return StreamCut("The provider's answer began and did not end.", "Try again, or use another model.")


def as_object(value: object) -> Object:
    return cast("Object", value) if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def as_text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def as_count(value: object) -> int | None:
    """A number of tokens: a whole number from 0 to 2^31-1."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _INT32 else None
