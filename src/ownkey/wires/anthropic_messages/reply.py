"""Whole answers, content blocks and errors of the Anthropic Messages wire.

Facts from Anthropic's API reference (Messages, Errors, Stop reasons) and from recorded answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from msgspec import Raw, Struct
from msgspec.json import Decoder, decode

from ownkey.talk.chat import Opaque, Part, Reasoning, Refusal, Text, ToolCall
from ownkey.talk.errors import ProviderError, UnexpectedResponse
from ownkey.talk.reply import Finish, Reply, Unified
from ownkey.wires.anthropic_messages.usage import UNREADABLE, counts, usage_of
from ownkey.wires.status import by_status, names_an_error

NAME = "anthropic-messages"

CITED = "The answer cites its sources; the text is carried, the citations are not."

# `pause_turn`: the provider's own tool loop reached its limit before the answer was whole. `compaction`: it stopped
# when it had summed up what came before, as it was asked to (Compaction, `pause_after_compaction`).
_UNIFIED: Mapping[str, Unified] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",
    "compaction": "length",
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


class _Message(Struct):
    content: list[Raw]
    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: Any = None
    usage: Raw = Raw(b"{}")


KNOWN_BLOCKS = frozenset({"text", "thinking", "redacted_thinking", "tool_use"})

_kind = Decoder(_Kind)
_block = Decoder(Block)
_message = Decoder(_Message)


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
    refusal = explanation(message.stop_details)
    if refusal:
        parts.append(Refusal(refusal))
    return Reply(
        parts=tuple(parts),
        finish=finish(message.stop_reason, message.stop_sequence),
        usage=usage_of(counts(message.usage)),
        id=message.id,
        model=message.model,
        warnings=(CITED,) if cited else (),
    )


def read_block(raw: Raw) -> Block | dict[str, Any]:
    """A known block typed, any other as it came. Raises one of UNREADABLE."""
    if _kind.decode(raw).type not in KNOWN_BLOCKS:
        return decode(raw, type=dict[str, Any])
    block = _block.decode(raw)
    if block.type == "tool_use" and not block.name:
        raise ValueError("a tool call without the tool's name")
    return block


def arguments(block: Block) -> str:
    """The input of a tool call as JSON text, as the provider wrote it."""
    text = bytes(block.input).decode()
    return "{}" if text == "null" else text


def _part(block: Block | dict[str, Any]) -> Part | None:
    if not isinstance(block, Block):
        return Opaque(NAME, block)
    match block.type:
        case "thinking":
            return Reasoning(block.thinking or "", block.signature or None, maker=NAME)
        case "redacted_thinking":
            return Reasoning("", sealed=block.data, maker=NAME)
        case "tool_use":
            return ToolCall(block.id, block.name, arguments(block))
        case _:
            return Text(block.text) if block.text else None


def explanation(stop_details: object) -> str | None:
    """Why the provider refused, in its words."""
    text = cast("dict[str, object]", stop_details).get("explanation") if isinstance(stop_details, dict) else None
    return text if isinstance(text, str) else None


def finish(stop_reason: str | None, stop_sequence: str | None = None) -> Finish:
    return Finish(_UNIFIED.get(stop_reason or "", "unknown"), stop_reason, stop_sequence)


def error_in(body: bytes, status: int = 200, headers: Mapping[bytes, bytes] | None = None) -> ProviderError | None:
    """The error that a JSON body tells of; None where it tells of none.

    Anthropic's form is `{"type": "error", "error": {"type", "message"}}`; others who speak this wire put a code, a
    status name or bare text in its place, or, where the status tells of an error, the bare message.
    """
    try:
        said = decode(body)
    except UNREADABLE:
        return None
    if isinstance(said, list) and said:
        said = cast("list[object]", said)[0]
    if not isinstance(said, dict):
        return None
    fields = cast("dict[str, object]", said)
    bare = fields if status != 200 and "message" in fields else None
    return _told(fields.get("error") or bare, status, headers or {})


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
