"""What one event of an Anthropic Messages stream says."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from msgspec import Raw, Struct
from msgspec.json import Decoder, decode

from ownkey.wires.anthropic_messages.reply import unreadable
from ownkey.wires.anthropic_messages.usage import UNREADABLE


class Delta(Struct, gc=False):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    signature: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: Any = None


class Head(Struct):
    id: str | None = None
    model: str | None = None
    usage: Raw = Raw(b"{}")


class Said(Struct):
    """One event's data."""

    type: str = ""
    index: int = 0
    delta: Delta | None = None
    content_block: Raw = Raw()
    message: Head | None = None
    usage: Raw = Raw(b"{}")


class _Kind(Struct):
    type: str


said_in = Decoder(Said).decode
_kind = Decoder(_Kind)

_EVENTS = frozenset(
    {"message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta"}
    | {"message_stop", "error"}
)


def unwrapped(payload: bytes) -> bytes | None:
    """What is to be read in the place of data that are no event; None where they are to be passed over.

    Some relays put `data:` before every line of a stream that had it already, and end it with OpenAI's `[DONE]`.
    An unknown event may use the names of known fields for other things.
    """
    if payload.startswith(b"event:") or payload == b"[DONE]":
        return None
    if payload.startswith(b"data:"):
        return payload[5:]
    try:
        return None if _kind.decode(payload).type not in _EVENTS else payload
    except UNREADABLE:
        return payload


def merge(raw: dict[str, Any], pieces: dict[str, list[str]], payload: bytes) -> None:
    """A delta of an opaque block: its JSON input comes in pieces, any other text grows, the rest is set."""
    try:
        delta: dict[str, Any] = decode(payload)["delta"]
    except UNREADABLE as error:
        raise unreadable() from error
    for name, value in delta.items():
        if name == "type":
            continue
        if not isinstance(value, str):
            raw[name] = value
        elif name in pieces:
            pieces[name].append(value)
        else:
            before = raw.get(name)
            pieces[name] = [before, value] if isinstance(before, str) else [value]


def whole(raw: dict[str, Any], pieces: dict[str, list[str]]) -> dict[str, Any]:
    """An answer that ran into its cap may leave the input unfinished: then the one it began with stands."""
    grown: dict[str, Any] = {name: "".join(texts) for name, texts in pieces.items()}
    text = grown.pop("partial_json", "")
    if text:
        with suppress(*UNREADABLE):
            grown["input"] = decode(text)
    return raw | grown
