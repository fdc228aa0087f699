"""What answers say of the limits at their providers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ownkey.wires.remaining import Allowance, allowance, rests_s, tells

DATE = b"Sat, 21 Nov 2026 12:00:00 GMT"


def _openai(what: str, remaining: str, limit: str, reset: str) -> dict[bytes, bytes]:
    parts = {"remaining": remaining, "limit": limit, "reset": reset}
    return {f"x-ratelimit-{part}-{what}".encode(): value.encode() for part, value in parts.items()}


def _anthropic(what: str, remaining: str, limit: str, reset: str) -> dict[bytes, bytes]:
    parts = {"remaining": remaining, "limit": limit, "reset": reset}
    named = {f"anthropic-ratelimit-{what}-{part}".encode(): value.encode() for part, value in parts.items()}
    return named | {b"date": DATE}


def _bare(begun: str, remaining: str, limit: str, reset: str) -> dict[bytes, bytes]:
    parts = {"remaining": remaining, "limit": limit, "reset": reset}
    return {f"{begun}ratelimit-{part}".encode(): value.encode() for part, value in parts.items()}


def read(**headers: str) -> Allowance | None:
    return allowance({name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}, 5.0)


@pytest.mark.row("E8")
@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        (_openai("requests", "0", "60", "60s"), 1.0),
        (_openai("requests", "0", "60", "1m0s"), 1.0),
        (_openai("requests", "0", "10", "2m59.56s"), 17.956),
        (_openai("requests", "0", "1", "120ms"), 0.12),
        (_openai("requests", "0.0", "1", "500us"), 0.0005),
        (_openai("requests", "0", "1", "500µs"), 0.0005),
        (_openai("requests", "59", "60", "1s"), 0.0),
        (_openai("requests", "0", "not told", "7s"), 7.0),
        (_openai("requests", "0", "1", "30"), 30.0),
        (_openai("tokens", "0", "1000", "60s"), 6.0),
        (_openai("tokens", "0", "50", "60s"), 60.0),
        (_openai("req-minute", "0", "60", "60"), 1.0),
        (_openai("tokens-minute", "0", "1000", "60"), 6.0),
        (_bare("x-", "0", "2", "1"), 0.5),
        (_bare("", "0", "10", "60"), 6.0),
        (_anthropic("requests", "0", "50", "2026-11-21T12:01:00Z"), 1.2),
        (_anthropic("tokens", "0", "1000", "2026-11-21T12:00:30Z"), 3.0),
        (_anthropic("input-tokens", "0", "1000", "2026-11-21T12:00:30Z"), 3.0),
        (
            _anthropic("tokens", "9", "1000", "2026-11-21T12:00:30Z")
            | _anthropic("output-tokens", "0", "1000", "2026-11-21T12:00:30Z"),
            3.0,
        ),
        (_anthropic("requests", "0", "50", "2026-11-21T11:59:00Z"), 0.0),
        (_openai("requests", "0", "1", "5000h"), 3600.0),
        ({}, 0.0),
    ],
)
def test_where_nothing_remains_the_wait_is_until_one_more_fits(headers: dict[bytes, bytes], wait_s: float) -> None:
    assert rests_s(headers, 100) == pytest.approx(wait_s)


@pytest.mark.parametrize(
    "reset", ["", "soon", "-5", "nan", "1e9", "inf", "6m0s tomorrow", "\xff", "9" * 400, "Infinity"]
)
def test_what_cannot_be_read_makes_nobody_wait(reset: str) -> None:
    headers = {b"x-ratelimit-remaining-requests": b"0", b"x-ratelimit-reset-requests": reset.encode("latin-1")}
    assert rests_s(headers | {b"date": DATE}, 1) == 0.0


@given(st.binary(max_size=40), st.binary(max_size=20), st.integers(0, 2**60))
def test_U03_whatever_a_provider_says_the_wait_is_finite_and_an_hour_at_most(
    reset: bytes, limit: bytes, tokens: int
) -> None:
    for remaining in ("x-ratelimit-remaining-tokens", "x-ratelimit-remaining-requests"):
        headers = {
            remaining.encode(): b"0",
            remaining.replace("remaining", "reset").encode(): reset,
            remaining.replace("remaining", "limit").encode(): limit,
        }
        assert 0.0 <= rests_s(headers, tokens) <= 3600.0


@pytest.mark.row("D5")
def test_the_forms_of_all_providers_are_read() -> None:
    openai = _openai("requests", "4999", "5000", "12ms") | _openai("tokens", "159974", "160000", "6m0s")
    assert allowance(openai, 5.0) == Allowance(5.0, 4999, 5000, pytest.approx(0.012), 159974, 160000, 360.0)
    anthropic = _anthropic("requests", "3999", "4000", "2026-11-21T12:00:02Z")
    anthropic[b"anthropic-ratelimit-tokens-remaining"] = b"480000"
    assert allowance(anthropic, 5.0) == Allowance(5.0, 3999, 4000, 2.0, 480000, None, None)
    for what in ("input-tokens", "output-tokens"):
        told = allowance(_anthropic(what, "70", "80", "2026-11-21T12:00:09Z"), 5.0)
        assert told == Allowance(5.0, tokens=70, tokens_limit=80, tokens_reset_s=9.0)
    mistral = read(x_ratelimit_remaining_req_minute="352", x_ratelimit_limit_req_minute="360")
    assert mistral == Allowance(5.0, 352, 360)
    together = read(x_ratelimit_remaining="0", x_ratelimit_limit="2", x_ratelimit_reset="1")
    assert together == Allowance(5.0, 0, 2, 1.0)
    assert allowance(_bare("", "3", "4", "5"), 5.0) == Allowance(5.0, 3, 4, 5.0)
    assert read(content_type="application/json") is None
    assert not tells({b"content-type": b"application/json"})
    assert tells({b"x-ratelimit-remaining": b"0"})


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("1s", 1.0), ("7.66s", 7.66), ("2m59.56s", 179.56), ("1h0m0s", 3600.0), ("0", 0.0), ("1d2h", 93600.0)],
)
def test_times_are_read_in_every_unit(value: str, seconds: float) -> None:
    told = read(x_ratelimit_remaining_requests="1", x_ratelimit_reset_requests=value)
    assert told is not None
    assert told.requests_reset_s == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value",
    ["", "NaN", "inf", "-1", "1e9", "soon", "9" * 400, "\u0661", "1700000000000", "2025-05-13T14:20:02", "9999d"],
)
def test_U03_what_cannot_be_read_says_nothing_and_harms_nobody(value: str) -> None:
    told = read(x_ratelimit_remaining_requests="1", x_ratelimit_reset_requests=value, x_ratelimit_limit_requests=value)
    assert told is not None
    assert (told.requests, told.requests_reset_s) == (1, None)
    assert told.requests_limit in (None, 1_700_000_000_000)
    assert read(x_ratelimit_remaining_requests="NaN") is None
