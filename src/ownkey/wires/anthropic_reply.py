"""Whole answers, content blocks, usage and errors of the Anthropic Messages wire.

Facts from Anthropic's API reference (Messages, Errors, Stop reasons, Compaction) and from recorded answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from msgspec import Raw, Struct
from msgspec.json import Decoder, decode

from ownkey.talk.chat import Opaque, Part, Reasoning, Refusal, Text, ToolCall
from ownkey.talk.errors import ProviderError, UnexpectedResponse
from ownkey.talk.reply import Finish, Reply, Unified, Usage
from ownkey.wires.status import by_status, names_an_error

NAME = "anthropic-messages"

MOST_TOKENS = 1_000_000_000
"""A count above this is a mistake: no model reads or writes so much in one answer."""

CITED = "The answer cites its sources; the text is carried, the citations are not."

UNREADABLE = (ValueError, RecursionError)
"""What msgspec raises for bytes that are not the JSON asked for: DecodeError and UnicodeDecodeError are ValueErrors."""

# `pause_turn`: the provider's own tool loop reached its limit before the answer was whole.
_UNIFIED: Mapping[str, Unified] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}

# Refusals that Anthropic tells apart by their words only, all of them `invalid_request_error`.
_WORDS: Mapping[str, str] = {
    "exceed context limit": "context_length_exceeded",
    "content filtering policy": "content_filter",
}


class Block(Struct, gc=False):
    """A content block, as far as there is a word for it."""

    type: str
    text: str | None = None
    citations: list[Any] | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str = ""
    name: str = ""
    input: Raw = Raw(b"{}")


class _Kind(Struct):
    type: str


class StopDetails(Struct):
    explanation: str | None = None


class _Message(Struct):
    content: list[Raw]
    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    stop_details: StopDetails | None = None
    usage: Raw = Raw(b"{}")


KNOWN_BLOCKS = frozenset({"text", "thinking", "redacted_thinking", "tool_use"})

_kind = Decoder(_Kind)
_block = Decoder(Block)
_message = Decoder(_Message)
_usage: Decoder[dict[str, Any] | None] = Decoder(dict[str, Any] | None)


def read_reply(body: bytes) -> Reply:
    """Raises UnexpectedResponse, or the error that the body tells of."""
    try:
        message = _message.decode(body)
        cited = False
        parts: list[Part] = []
        for raw in message.content:
            block = read_block(raw)
            cited = cited or (isinstance(block, Block) and bool(block.citations))
            part = _part(block)
            if part is not None:
                parts.append(part)
    except UNREADABLE as error:
        raise error_in(body) or unreadable() from error
    if message.stop_details is not None and message.stop_details.explanation:
        parts.append(Refusal(message.stop_details.explanation))
    return Reply(
        parts=tuple(parts),
        finish=finish(message.stop_reason),
        usage=usage_of(counts(message.usage)),
        id=message.id,
        model=message.model,
        warnings=(CITED,) if cited else (),
    )


def read_block(raw: Raw) -> Block | dict[str, Any]:
    """A known block typed, any other as it came. Raises one of UNREADABLE."""
    return _block.decode(raw) if _kind.decode(raw).type in KNOWN_BLOCKS else decode(raw, type=dict[str, Any])


def arguments(block: Block) -> str:
    """The input of a tool call as JSON text, as the provider wrote it."""
    text = bytes(block.input).decode()
    return "{}" if text == "null" else text


def _part(block: Block | dict[str, Any]) -> Part | None:
    if not isinstance(block, Block):
        return Opaque(NAME, block)
    match block.type:
        case "thinking":
            return Reasoning(block.thinking or "", block.signature or None)
        case "redacted_thinking":
            return Reasoning("", sealed=block.data)
        case "tool_use":
            return ToolCall(block.id, block.name, arguments(block))
        case _:
            return Text(block.text) if block.text else None


def finish(stop_reason: str | None) -> Finish:
    return Finish(_UNIFIED.get(stop_reason or "", "unknown"), stop_reason)


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
    details = said.get("output_tokens_details")
    usage = Usage(
        input_tokens=sum(count or 0 for count in parts.values()) if known else None,
        output_tokens=_count(said.get("output_tokens")),
        cached_tokens=parts.get("cache_read_input_tokens"),
        cache_write_tokens=parts.get("cache_creation_input_tokens"),
        reasoning_tokens=_count(cast("dict[str, Any]", details).get("thinking_tokens"))
        if isinstance(details, dict)
        else None,
    )
    for compaction in _compactions(said.get("iterations")):
        usage = _added(usage, usage_of(compaction))
    return usage


_INPUTS = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= MOST_TOKENS else None


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
    def both(a: int | None, b: int | None) -> int | None:
        return None if a is None or b is None else a + b

    return Usage(
        input_tokens=both(usage.input_tokens, more.input_tokens),
        output_tokens=both(usage.output_tokens, more.output_tokens),
        cached_tokens=both(usage.cached_tokens or 0, more.cached_tokens or 0),
        cache_write_tokens=both(usage.cache_write_tokens or 0, more.cache_write_tokens or 0),
        reasoning_tokens=usage.reasoning_tokens,
    )


def error_in(
    body: bytes | Raw, status: int = 200, headers: Mapping[bytes, bytes] | None = None
) -> ProviderError | None:
    """The error that a JSON body tells of; None where it tells of none.

    Anthropic's form is `{"type": "error", "error": {"type", "message"}}`; others who speak this wire put a code, a
    status name or bare text in its place.
    """
    try:
        said = decode(body)
    except UNREADABLE:
        return None
    if isinstance(said, list) and said:
        said = cast("list[object]", said)[0]
    if not isinstance(said, dict):
        return None
    return _told(cast("dict[str, object]", said).get("error"), status, headers or {})


def _told(error: object, status: int, headers: Mapping[bytes, bytes]) -> ProviderError | None:
    if isinstance(error, str):
        return by_status(status, headers, code=None, text=error)
    if not isinstance(error, dict):
        return None
    fields = cast("dict[str, object]", error)
    codes = [code for name in ("type", "code", "status") if isinstance(code := fields.get(name), str)]
    code = next(filter(names_an_error, codes), codes[0] if codes else None)
    message = fields.get("message")
    text = message if isinstance(message, str) else None
    if text is not None and not names_an_error(code):
        lower = text.lower()
        code = next((named for words, named in _WORDS.items() if words in lower), code)
    # In a stream the status was 200 before anything went wrong; this type's documented one is 400.
    if status == 200 and code == "invalid_request_error":
        status = 400
    return by_status(status, headers, code=code, text=text)


def unreadable() -> UnexpectedResponse:
    return UnexpectedResponse(
        "The provider's answer is not what the Anthropic Messages wire says.", "Check the provider's address."
    )
