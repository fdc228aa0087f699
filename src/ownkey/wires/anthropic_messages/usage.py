"""Token counts of the Anthropic Messages wire.

Facts from Anthropic's API reference (Messages, Prompt caching, Compaction).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from msgspec import Raw
from msgspec.json import Decoder

from ownkey.talk.reply import Usage

UNREADABLE = (ValueError, RecursionError)
"""What msgspec raises for bytes that are not the JSON asked for: DecodeError and UnicodeDecodeError are ValueErrors."""

MOST_TOKENS = 1_000_000_000
"""A count above this is a mistake: no model reads or writes so much in one answer."""

_INPUTS = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")

_usage: Decoder[dict[str, Any] | None] = Decoder(dict[str, Any] | None)


def counts(usage: Raw) -> dict[str, Any]:
    """The members of a usage object that say something; none where it cannot be read."""
    try:
        said = _usage.decode(usage) or {}
    except UNREADABLE:
        return {}
    return {name: value for name, value in said.items() if value is not None}


def usage_of(said: Mapping[str, Any]) -> Usage:
    """Anthropic's `input_tokens` leaves out what a cache took or gave, and its totals leave out compaction:
    both are charged, so both are added. A number that cannot be one makes the sum unknown."""
    parts = {name: _count(said[name]) for name in _INPUTS if name in said}
    fresh = parts.get("input_tokens")
    known = fresh is not None and None not in parts.values()
    usage = Usage(
        input_tokens=sum(count or 0 for count in parts.values()) if known else None,
        output_tokens=_count(said.get("output_tokens")),
        cached_tokens=parts.get("cache_read_input_tokens"),
        cache_write_tokens=parts.get("cache_creation_input_tokens"),
        cache_write_1h_tokens=_within(said.get("cache_creation"), "ephemeral_1h_input_tokens"),
        reasoning_tokens=_within(said.get("output_tokens_details"), "thinking_tokens"),
    )
    for compaction in _compactions(said.get("iterations")):
        usage = _added(usage, usage_of(compaction))
    return usage


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= MOST_TOKENS else None


def _within(details: object, name: str) -> int | None:
    return _count(cast("dict[str, object]", details).get(name)) if isinstance(details, dict) else None


def _compactions(iterations: object) -> list[dict[str, Any]]:
    if not isinstance(iterations, list):
        return []
    entries = [cast("dict[str, Any]", entry) for entry in cast("list[object]", iterations) if isinstance(entry, dict)]
    return [
        {name: value for name, value in entry.items() if name != "iterations"}
        for entry in entries
        if entry.get("type") == "compaction"
    ]


def _added(usage: Usage, more: Usage) -> Usage:
    """The totals are unknown where either is; a kind of input that neither names stays unnamed."""

    def total(a: int | None, b: int | None) -> int | None:
        return None if a is None or b is None else a + b

    def kind(a: int | None, b: int | None) -> int | None:
        return None if a is None and b is None else (a or 0) + (b or 0)

    return Usage(
        input_tokens=total(usage.input_tokens, more.input_tokens),
        output_tokens=total(usage.output_tokens, more.output_tokens),
        cached_tokens=kind(usage.cached_tokens, more.cached_tokens),
        cache_write_tokens=kind(usage.cache_write_tokens, more.cache_write_tokens),
        cache_write_1h_tokens=kind(usage.cache_write_1h_tokens, more.cache_write_1h_tokens),
        reasoning_tokens=usage.reasoning_tokens,
    )
