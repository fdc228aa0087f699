"""What a response of OpenAI's says, as far as it is read: whole, or at the end of a stream.

Source: OpenAI's API reference (Responses: the response object, output items, usage).
"""

from __future__ import annotations

from typing import Any, cast

from msgspec import Raw, Struct
from msgspec.json import Decoder, decode

from ownkey.talk.chat import Opaque, Part, Reasoning, Refusal, Text, ToolCall
from ownkey.talk.errors import ProviderError, ProviderUnavailable
from ownkey.talk.reply import Finish, Usage
from ownkey.wires.openai_error import error_in, unreadable

NAME = "openai-responses"
CITED = "The answer cites its sources; the text is carried, the citations are not."
UNREADABLE = (ValueError, RecursionError)

_MOST_TOKENS = 1_000_000_000


class Piece(Struct):
    type: str = ""
    text: str | None = None
    refusal: str | None = None
    annotations: list[Any] | None = None


class Item(Struct):
    """An output item."""

    type: str = ""
    id: str | None = None
    content: list[Piece] | None = None
    summary: list[Piece] | None = None
    encrypted_content: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None


class Incomplete(Struct):
    reason: str | None = None


class Response(Struct):
    id: str | None = None
    model: str | None = None
    created_at: float | None = None
    status: str | None = None
    error: Any = None
    incomplete_details: Incomplete | None = None
    output: list[Raw] | None = None
    usage: Any = None
    service_tier: Any = None


response_in = Decoder(Response).decode
item_in = Decoder(Item).decode


def fault(payload: bytes) -> ProviderError | None:
    """The error that these bytes tell of, in whichever form; None where they tell of none."""
    try:
        value: object = decode(payload)
    except UNREADABLE:
        return None
    return error_in(_object(_object(value).get("response")) or value)


def failed(response: Response) -> ProviderError:
    """The error of a response that failed."""
    told = error_in({"error": response.error}) if response.error else None
    return told or ProviderUnavailable(
        f"The provider gave its answer up ({response.status}).", "Try again, or use another provider."
    )


def parts_of(raw: Raw) -> tuple[list[Part], bool]:
    """What an output item says, and whether it cites. Raises one of UNREADABLE."""
    item = item_in(raw)
    match item.type:
        case "message":
            pieces = item.content or []
            return [part for piece in pieces if (part := _said(piece))], any(piece.annotations for piece in pieces)
        case "reasoning":
            text = thought(item)
            sealed = item.encrypted_content or None
            return ([Reasoning(text, sealed=sealed, maker=NAME)] if text or sealed else []), False
        case "function_call" if item.name and item.call_id:
            return [ToolCall(item.call_id, item.name, item.arguments or "{}")], False
        case "function_call":
            raise unreadable("it calls a function without a name or an id")
        case _:
            return [Opaque(NAME, decode(raw))], False


def thought(item: Item) -> str:
    return "\n\n".join(piece.text for piece in item.summary or item.content or () if piece.text)


def _said(piece: Piece) -> Part | None:
    if piece.refusal:
        return Refusal(piece.refusal)
    return Text(piece.text) if piece.text else None


def finish_of(response: Response, *, called: bool) -> Finish:
    reason = response.incomplete_details.reason if response.incomplete_details else None
    if reason == "content_filter":
        return Finish("content_filter", reason)
    if reason is not None or response.status == "incomplete":
        return Finish("length", reason or response.status)
    return Finish("tool_calls" if called else "stop", response.status)


def usage_of(said: object, tier: object) -> Usage:
    """Counts; what cannot be one is unknown."""
    usage = _object(said)
    inside, outside = _object(usage.get("input_tokens_details")), _object(usage.get("output_tokens_details"))
    return Usage(
        input_tokens=_count(usage.get("input_tokens")),
        output_tokens=_count(usage.get("output_tokens")),
        cached_tokens=_count(inside.get("cached_tokens")),
        cache_write_tokens=_count(inside.get("cache_write_tokens")),
        reasoning_tokens=_count(outside.get("reasoning_tokens")),
        tier=tier if isinstance(tier, str) else None,
    )


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= _MOST_TOKENS else None
