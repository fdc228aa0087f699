"""Errors in Google's form (google.rpc.Status): read from Gemini, details before prose, and written for its clients.

Source: the error model of Google APIs (AIP-193, google/rpc/error_details.proto), the Gemini API's troubleshooting page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ownkey.talk.errors import ConsentRequired, OwnkeyError, ProviderError, code_told
from ownkey.wires.gemini.values import Object, as_list, as_object, as_text, decoded
from ownkey.wires.status import LONGEST_WAIT_S, by_status, names_an_error

# Google's reasons that the shared codes have no word for, as the code that means the same.
_REASONS: Mapping[str, str] = {
    "API_KEY_SERVICE_BLOCKED": "invalid_api_key",
    "API_KEY_HTTP_REFERRER_BLOCKED": "invalid_api_key",
    "API_KEY_IP_ADDRESS_BLOCKED": "invalid_api_key",
    "API_KEY_ANDROID_APP_BLOCKED": "invalid_api_key",
    "API_KEY_IOS_APP_BLOCKED": "invalid_api_key",
    "ACCESS_TOKEN_EXPIRED": "invalid_api_key",
    "ACCESS_TOKEN_TYPE_UNSUPPORTED": "invalid_api_key",
    "CREDENTIALS_MISSING": "invalid_api_key",
    "CONSUMER_INVALID": "permission_denied",
    "CONSUMER_SUSPENDED": "permission_denied",
    "SERVICE_DISABLED": "permission_denied",
    "BILLING_DISABLED": "billing_not_active",
    "QUOTA_EXHAUSTED": "quota_exceeded",
}

# Google gives one status for several causes; these sentences are all that tells them apart.
_SENTENCES: tuple[tuple[str, re.Pattern[str], str], ...] = (
    ("INVALID_ARGUMENT", re.compile(r"input token count\b.{0,80}\b(exceeds|supports up to)"), "context_too_long"),
    ("INVALID_ARGUMENT", re.compile(r"request payload size exceeds"), "context_too_long"),
    ("FAILED_PRECONDITION", re.compile(r"\blocation is not supported"), "model_not_available"),
    ("FAILED_PRECONDITION", re.compile(r"\bbilling\b"), "billing_not_active"),
    ("RESOURCE_EXHAUSTED", re.compile(r"credits? (are|is) depleted|spend(ing)? (cap|limit)"), "quota_exceeded"),
)

_TYPE = "type.googleapis.com/google.rpc."

# By HTTP status, as google/rpc/code.proto maps them; 402, 405 and 502 have no row there.
_STATUSES: Mapping[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "RESOURCE_EXHAUSTED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    409: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}

_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")


def read_error(status: int, headers: Mapping[bytes, bytes], body: bytes) -> ProviderError:
    """The error of an answer that is no success; a stream's may stand in a JSON array."""
    try:
        value = decoded(body)
    except ProviderError:
        value = None
    found = next(iter(as_list(value)), value)
    return error_of(as_object(found), status, headers)


def error_of(body: Object, status: int, headers: Mapping[bytes, bytes] | None = None) -> ProviderError:
    """The error that `{"error": {code, message, status, details}}` tells of."""
    told = body.get("error")
    error = as_object(told)
    name = as_text(error.get("status")) or ""
    text = as_text(error.get("message")) or as_text(told)
    details = [as_object(detail) for detail in as_list(error.get("details"))]
    found = by_status(status, headers or {}, code=_code(name, text or "", details), text=text)
    waits = [wait for detail in details if (wait := _wait_s(detail.get("retryDelay"))) is not None]
    if waits:
        found.retry_after_s = min(waits[0], LONGEST_WAIT_S)
    return found


def error_object(error: OwnkeyError, status: int) -> dict[str, object]:
    """`{"error": {"code", "message", "status", "details"}}`; details name the error, the field, how long to wait, and
    what there is to consent to."""
    info: Object = {"@type": f"{_TYPE}ErrorInfo", "reason": code_told(type(error)).upper(), "domain": "ownkey"}
    details = [info]
    if error.param is not None:
        violation = {"field": error.param, "description": error.message}
        details.append({"@type": f"{_TYPE}BadRequest", "fieldViolations": [violation]})
    if isinstance(error, ProviderError) and error.retry_after_s is not None:
        details.append({"@type": f"{_TYPE}RetryInfo", "retryDelay": f"{error.retry_after_s:g}s"})
    if isinstance(error, ConsentRequired):
        # An Any that holds a well-known type has it as `value` (protobuf, JSON mapping).
        details.append({"@type": "type.googleapis.com/google.protobuf.Struct", "value": {"consent": error.plain()}})
    name = _STATUSES.get(status) or ("INTERNAL" if status >= 500 else "INVALID_ARGUMENT")
    return {"error": {"code": status, "message": str(error), "status": name, "details": details}}


def status_of(body: Object) -> int:
    """The status that an error within a good answer gives itself; 200 where it gives none."""
    code = as_object(body.get("error")).get("code")
    return code if isinstance(code, int) and 400 <= code <= 599 else 200


def _code(name: str, text: str, details: list[Object]) -> str:
    for detail in details:
        reason = as_text(detail.get("reason")) or ""
        if reason in _REASONS:
            return _REASONS[reason]
        if names_an_error(reason):
            return reason
        # A quota of a minute is over in a minute; one of a day is used up for now.
        if any("PerDay" in str(as_object(violation).get("quotaId")) for violation in as_list(detail.get("violations"))):
            return "quota_exceeded"
    said = text[:4000].lower()
    return next((code for of, sentence, code in _SENTENCES if of == name and sentence.search(said)), name)


def _wait_s(value: object) -> float | None:
    """A protobuf Duration in JSON: `34.4s`."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    return float(match.group(1)) if match else None
