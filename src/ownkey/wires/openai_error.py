"""Errors in OpenAI's form and its dialects: read from providers, written for clients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from ownkey.talk.errors import (
    ConsentRequired,
    InvalidRequest,
    InvalidToken,
    OwnkeyError,
    PermissionDenied,
    ProviderError,
    QuotaExceeded,
    RateLimitExceeded,
    RequestError,
    UnexpectedResponse,
    code_told,
)
from ownkey.talk.notices import notice
from ownkey.wires.sse import Splitter
from ownkey.wires.status import by_status, names_an_error

NO_HEADERS: Mapping[bytes, bytes] = {}

_TYPES: tuple[tuple[type[OwnkeyError], str], ...] = (
    (RequestError, "invalid_request_error"),
    (InvalidToken, "authentication_error"),
    (PermissionDenied, "permission_error"),
    (RateLimitExceeded, "rate_limit_error"),
    (QuotaExceeded, "insufficient_quota"),
    (ProviderError, "upstream_error"),
)


def read_error(status: int, headers: Mapping[bytes, bytes], body: bytes) -> ProviderError:
    """The error that this answer tells of. A body that is no JSON (a proxy's HTML) is never quoted."""
    try:
        said: object = msgspec.json.decode(_json_in(body))
    except (ValueError, RecursionError):
        said = None
    return _error(status, headers, said)


def error_in(said: object) -> ProviderError | None:
    """The error that a good answer, or one event of its stream, tells of; None where it tells of none."""
    if not isinstance(said, dict):
        return None
    answer = cast("dict[str, Any]", said)
    tells = bool(answer.get("error")) or answer.get("object") == "error" or answer.get("type") == "error"
    if not tells and not answer.get("choices"):
        # FastAPI's and others' bare forms; a chunk without choices holds neither.
        tells = "detail" in answer or isinstance(answer.get("message"), str)
    return _error(200, NO_HEADERS, answer) if tells else None


def error_told(body: bytes) -> ProviderError | None:
    """The same for bytes that may be no JSON."""
    try:
        return error_in(msgspec.json.decode(body))
    except (ValueError, RecursionError):
        return None


def error_object(error: OwnkeyError) -> dict[str, object]:
    """`{"error": {"message", "type", "code", "param"}}`, as OpenAI's API reference has it, and what clients of OpenAI's
    pass over: `kind`; of a provider's `provider` and `status`; `line` of a text that was sent; for people `notice` and
    `action`; `consent` where that is what is wanted."""
    name = next((name for known, name in _TYPES if isinstance(error, known)), "server_error")
    told: dict[str, object] = {
        "message": str(error),
        "type": name,
        "code": code_told(type(error)),
        "param": error.param,
    }
    told["kind"] = error.kind
    if isinstance(error, ProviderError):
        told |= {"provider": error.provider, "status": error.status}
    if isinstance(error, InvalidRequest) and error.line is not None:
        told["line"] = error.line
    if (said := notice(error)) is not None:
        told |= {"notice": said.message, "action": said.action}
    if isinstance(error, ConsentRequired):
        told["consent"] = error.plain()
    return {"error": told}


def unreadable(what: str) -> UnexpectedResponse:
    return UnexpectedResponse(f"The provider's answer cannot be read: {what}.", "Try again, or use another model.")


def _json_in(body: bytes) -> bytes:
    body = body.removeprefix(b"\xef\xbb\xbf").lstrip()
    if body.startswith((b"data:", b"event:", b":")):
        events = Splitter().feed(body + b"\n\n")
        return events[0] if events else b""
    return body


def _error(status: int, headers: Mapping[bytes, bytes], said: object) -> ProviderError:
    if isinstance(said, list) and said:
        said = cast("list[object]", said)[0]
    answer = cast("dict[str, Any]", said) if isinstance(said, dict) else {}
    inner = answer.get("error")
    told: dict[str, Any] = cast("dict[str, Any]", inner) if isinstance(inner, dict) else answer
    codes = _codes(told)
    code = next((code for code in codes if names_an_error(code)), next(iter(codes), None))
    error = by_status(_status(status, told), headers, code=code, text=_text(told, cast("object", inner)))
    param = told.get("param")
    if isinstance(param, str) and len(param) <= 100 and param.isprintable():
        error.param = param
    return error


def _codes(told: dict[str, Any]) -> list[str]:
    """What may name the error: OpenAI's code and type, Azure's inner code, Google's status, OpenRouter's metadata."""
    inner, metadata = told.get("innererror"), told.get("metadata")
    found = [told.get("code"), told.get("type"), told.get("status")]
    if isinstance(inner, dict):
        found.append(cast("dict[str, Any]", inner).get("code"))
    if isinstance(metadata, dict):
        more = cast("dict[str, Any]", metadata)
        found += [more.get("error_type"), "content_filter" if "flagged_input" in more else None]
    return [code for code in found if isinstance(code, str) and code]


def _status(status: int, told: dict[str, Any]) -> int:
    """The status of the answer; within a good one, the status that the error itself gives (as OpenRouter, Groq do)."""
    if status >= 300:
        return status
    for value in (told.get("code"), told.get("status"), told.get("status_code")):
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) == 3:
            value = int(value)
        if type(value) is int and 400 <= value < 600:
            return value
    return status


def _text(told: dict[str, Any], inner: object) -> str | None:
    found: list[object] = [inner, told.get("message"), told.get("detail"), told.get("msg")]
    text = next((value for value in found if isinstance(value, str) and value), None)
    metadata = told.get("metadata")
    if isinstance(metadata, dict):
        raw = cast("dict[str, Any]", metadata).get("raw")
        if isinstance(raw, str) and raw:
            return f"{text}: {raw}" if text else raw
    return text
