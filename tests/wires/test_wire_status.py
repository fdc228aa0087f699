"""What a provider's refusal means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ownkey.talk.errors import ProviderError
from ownkey.wires.status import by_status, names_an_error, retry_after_s

TABLE = {
    301: "upstream_invalid",
    304: "upstream_invalid",
    400: "upstream_refused",
    401: "upstream_auth",
    402: "quota_exceeded",
    403: "upstream_auth",
    404: "model_not_available",
    405: "upstream_refused",
    408: "upstream_unavailable",
    413: "context_length_exceeded",
    422: "upstream_refused",
    429: "rate_limited",
    451: "upstream_refused",
    500: "upstream_unavailable",
    503: "upstream_unavailable",
    504: "upstream_timeout",
    524: "upstream_timeout",
    529: "upstream_unavailable",
}


@pytest.mark.parametrize("status", TABLE)
def test_U02_each_status_has_its_error(status: int) -> None:
    error = by_status(status, {}, code=None, text=None)
    assert (error.code, error.status, error.retry_after_s) == (TABLE[status], status, None)


@pytest.mark.parametrize("status", range(300, 600))
def test_U02_no_status_is_without_an_error(status: int) -> None:
    error = by_status(status, {}, code=None, text=None)
    assert isinstance(error, ProviderError)
    assert error.hint


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (429, "insufficient_quota", "quota_exceeded"),
        (429, "rate_limit_exceeded", "rate_limited"),
        (403, "model_not_found", "model_not_available"),
        (403, "content_filter", "content_refused"),
        (400, "content_policy_violation", "content_refused"),
        (400, "ResponsibleAIPolicyViolation", "content_refused"),
        (400, "context_length_exceeded", "context_length_exceeded"),
        (400, "invalid_api_key", "upstream_auth"),
        (400, "DeploymentNotFound", "model_not_available"),
        (413, "rate_limit_exceeded", "context_length_exceeded"),
        (200, "server_error", "upstream_unavailable"),
        (200, "rate_limit_error", "rate_limited"),
        (302, "invalid_api_key", "upstream_invalid"),
        (400, "some_new_code", "upstream_refused"),
    ],
)
def test_U02_a_known_code_says_more_than_the_status(status: int, code: str, expected: str) -> None:
    assert by_status(status, {}, code=code, text=None).code == expected


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        (400, "Incorrect API key provided. You can obtain an API key from the console.", "upstream_auth"),
        (400, "Your credit balance is too low to access the API.", "quota_exceeded"),
        (400, "This model's maximum context length is 8192 tokens.", "context_length_exceeded"),
        (400, "prompt too long; exceeded max context length by 12 tokens", "context_length_exceeded"),
        (404, "An invalid API key never makes a 404.", "model_not_available"),
        (429, "Your context window is fine, but wait.", "rate_limited"),
    ],
)
def test_prose_is_read_only_where_the_status_says_little(status: int, text: str, expected: str) -> None:
    assert by_status(status, {}, code=None, text=text).code == expected


def test_U04_a_key_that_the_provider_echoes_is_not_shown() -> None:
    key = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"
    error = by_status(401, {}, code="invalid_api_key", text=f"Incorrect API key provided: {key}.\x1b[31m\nMore.")
    assert key[:12] not in str(error)
    assert "\x1b" not in str(error)
    assert "\n" not in str(error)
    assert len(str(by_status(400, {}, code=None, text="x" * 100_000))) < 1000


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({b"retry-after": b"7"}, 7.0),
        ({b"retry-after": b"1.5"}, 1.5),
        ({b"retry-after": b"0"}, 0.0),
        ({b"retry-after": b"-1"}, 0.0),
        ({b"retry-after": b"1e9"}, 3600.0),
        ({b"retry-after": b"inf"}, 3600.0),
        ({b"retry-after": b"NaN"}, None),
        ({b"retry-after": b"soon"}, None),
        ({b"retry-after": b""}, None),
        ({b"retry-after": b"\xff\xfe"}, None),
        ({b"retry-after": "٣".encode()}, None),
        ({b"retry-after-ms": b"1500", b"retry-after": b"9"}, 1.5),
        ({b"retry-after-ms": b"x", b"retry-after": b"9"}, 9.0),
        ({b"retry-after": b"Wed, 21 Oct 2026 07:28:30 GMT", b"date": b"Wed, 21 Oct 2026 07:28:00 GMT"}, 30.0),
        ({b"retry-after": b"Wed, 21 Oct 2026 07:28:00 GMT", b"date": b"Wed, 21 Oct 2026 07:28:30 GMT"}, 0.0),
        ({b"retry-after": b"Wed, 21 Oct 2099 07:28:00 GMT", b"date": b"Wed, 21 Oct 2026 07:28:30 GMT"}, 3600.0),
        ({b"retry-after": b"Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({b"retry-after": b"Wed, 21 Oct 2026 07:28:00", b"date": b"Wed, 21 Oct 2026 07:28:30 GMT"}, None),
        ({b"retry-after": b"Wed, 99 Oct 2026 07:28:00 GMT", b"date": b"Wed, 21 Oct 2026 07:28:30 GMT"}, None),
    ],
)
def test_U03_the_wait_is_at_most_an_hour_or_unknown(headers: dict[bytes, bytes], expected: float | None) -> None:
    assert retry_after_s(headers) == expected


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_U03_no_header_makes_the_wait_wrong(value: bytes, date: bytes) -> None:
    wait_s = retry_after_s({b"retry-after": value, b"retry-after-ms": value[::-1], b"date": date})
    assert wait_s is None or 0 <= wait_s <= 3600


def test_codes_are_known_in_any_case() -> None:
    assert names_an_error("Content_Filter")
    assert not names_an_error("invalid_request_error")
    assert not names_an_error(None)
