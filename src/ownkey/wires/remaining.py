"""What an answer's headers say of the limits at its provider: how much is left, and for how long nothing is.

Sources: OpenAI, Rate limits (headers; times such as `1m30s`, `12ms`), whose names are those of Groq, Azure and others;
Anthropic, Rate limits (response headers; times of RFC 3339); Mistral, Limits; Together, Rate limits; the draft of
RateLimit header fields for HTTP. A bare number is seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime

from msgspec import Struct

from ownkey.wires.status import LONGEST_WAIT_S

Headers = Mapping[bytes, bytes]


class Allowance(Struct, frozen=True):
    """What an account may still ask for, as the provider's last answer said; None where it did not say. `reset_s`: in
    how many seconds, from `at_s` on, it may ask for all of it again."""

    at_s: float
    requests: int | None = None
    requests_limit: int | None = None
    requests_reset_s: float | None = None
    tokens: int | None = None
    tokens_limit: int | None = None
    tokens_reset_s: float | None = None


Names = tuple[bytes, bytes, bytes]
"""The headers of what is left, of how much there is in all, and of when there is as much again."""


def _openais(what: bytes) -> Names:
    begun = b"x-ratelimit-"
    return begun + b"remaining-" + what, begun + b"limit-" + what, begun + b"reset-" + what


def _anthropics(what: bytes) -> Names:
    begun = b"anthropic-ratelimit-" + what
    return begun + b"-remaining", begun + b"-limit", begun + b"-reset"


# What is shown is what the first of them says.
_REQUESTS: tuple[Names, ...] = (
    _openais(b"requests"),
    _anthropics(b"requests"),
    _openais(b"req-minute"),
    (b"x-ratelimit-remaining", b"x-ratelimit-limit", b"x-ratelimit-reset"),
    (b"ratelimit-remaining", b"ratelimit-limit", b"ratelimit-reset"),
)
_TOKENS: tuple[Names, ...] = (
    _openais(b"tokens"),
    *(_anthropics(what) for what in (b"tokens", b"input-tokens", b"output-tokens")),
    _openais(b"tokens-minute"),
)
_TELLING = frozenset(names[0] for names in (*_REQUESTS, *_TOKENS))

LONGEST_RESET_S = 366 * 86_400.0
MOST = 2**53

_NONE = (b"0", b"0.0")
_UNITS_S = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|us|µs|ns|d|h|m|s)", re.ASCII)
_NUMBER = re.compile(r"\d{1,16}(?:\.\d{1,9})?", re.ASCII)
_LONGEST = 64

Left = tuple[int | None, int | None, float | None]


def tells(headers: Headers) -> bool:
    """Whether an answer says anything of it: cheap, for every answer is asked."""
    return not _TELLING.isdisjoint(headers)


def allowance(headers: Headers, now_s: float) -> Allowance | None:
    """None where the answer says nothing of it, or nothing that can be read."""
    requests, tokens = next(_left(headers, _REQUESTS), None), next(_left(headers, _TOKENS), None)
    if requests is None and tokens is None:
        return None
    return Allowance(now_s, *(requests or (None, None, None)), *(tokens or (None, None, None)))


def rests_s(headers: Headers, tokens: int) -> float:
    """How long nothing more is to be asked for: until one more request fits, or about so many tokens, at most an hour.

    A limit fills again evenly, so that this is a part of the time until it is full. Nothing is read where anything
    remains.
    """
    spent = [name for name in _TELLING.intersection(headers) if headers[name] in _NONE]
    if not spent:
        return 0.0
    wait_s = 0.0
    for known, wanted in ((_REQUESTS, 1), (_TOKENS, max(1, tokens))):
        for _, limit, reset_s in _left(headers, [names for names in known if names[0] in spent]):
            wait_s = max(wait_s, (min(1.0, wanted / limit) if limit else 1.0) * (reset_s or 0.0))
    return min(wait_s, LONGEST_WAIT_S)


def _left(headers: Headers, known: Sequence[Names]) -> Iterator[Left]:
    for remaining, limit, reset in known:
        if remaining in headers and (left := _count(headers[remaining])) is not None:
            yield left, _count(headers.get(limit)), _reset_s(headers.get(reset), headers.get(b"date"))


def _count(value: bytes | None) -> int | None:
    text = _text(value)
    return int(float(text)) if text and _NUMBER.fullmatch(text) and float(text) <= MOST else None


def _reset_s(value: bytes | None, date: bytes | None) -> float | None:
    """A time of day is measured from the answer's own, so that no clock is needed."""
    text = _text(value)
    if _NUMBER.fullmatch(text):
        seconds = float(text)
    elif (parts := _DURATION.findall(text)) and "".join(map("".join, parts)) == text:
        seconds = sum(float(number) * _UNITS_S[unit] for number, unit in parts)
    else:
        try:
            seconds = (datetime.fromisoformat(text) - parsedate_to_datetime(_text(date))).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    return max(0.0, seconds) if seconds <= LONGEST_RESET_S else None


def _text(value: bytes | None) -> str:
    return (value or b"")[:_LONGEST].decode("utf-8", "replace").strip()
