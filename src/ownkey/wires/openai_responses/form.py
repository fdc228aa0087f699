"""What a response of OpenAI's says, as far as it is read: whole, or at the end of a stream.

Source: OpenAI's API reference (Responses: the response object, output items, usage).
"""

from __future__ import annotations

from typing import Any, cast

from msgspec import Raw, Struct
from msgspec.json import Decoder, decode

from ownkey.talk.chat import Opaque, Part, Reasoning, Refusal, Text, ToolCall
from ownkey.talk.errors import ProviderError, ProviderUnavailable, StreamCut
from ownkey.talk.reply import Finish, Usage
from ownkey.wires.openai_error import error_in, unreadable

NAME = "openai-responses"
CITED = "The answer cites its sources; the text is carried, the citations are not."
UNREADABLE = (ValueError, RecursionError)

LARGEST_COUNT = 2**53
"""Beyond it a JSON number is no exact count."""

LONGEST_TIER = 64

_READ = frozenset({"message", "reasoning", "function_call"})


class Piece(Struct):
    type: str = ""
    text: str | None = None
    refusal: str | None = None
    annotations: list[Any] | None = None


class Item(Struct):
    """An output item. Of one that a provider's own tool made, only the type is read: what its members are differs."""

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

    @property
    def created(self) -> int | None:
        """Numbers that no client could read are none."""
        at = self.created_at
        return int(at) if at is not None and 0 < at < 2**53 else None


class _Kind(Struct):
    type: str = ""


response_in = Decoder(Response).decode
_kind_in = Decoder(_Kind).decode
_item_in = Decoder(Item).decode


def item_in(raw: Raw) -> Item:
    """Raises one of UNREADABLE."""
    kind = _kind_in(raw).type
    return _item_in(raw) if kind in _READ else Item(kind)


def fault(payload: bytes) -> ProviderError | None:
    """The error that these bytes tell of, in whichever form; None where they tell of none."""
    try:
        value: object = decode(payload)
    except UNREADABLE:
        return None
    return error_in(_object(_object(value).get("response")) or value)


def cut() -> StreamCut:
    return StreamCut("The provider's answer broke off before its end.", "Try again, or use another provider.")


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
            maker = NAME if sealed else None
            return ([Reasoning(text, sealed=sealed, maker=maker)] if text or sealed else []), False
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
    """Counts; what cannot be one is unknown, and so is a part that is more than the whole."""
    usage = _object(said)
    inside, outside = _object(usage.get("input_tokens_details")), _object(usage.get("output_tokens_details"))
    taken, made = _count(usage.get("input_tokens")), _count(usage.get("output_tokens"))
    return Usage(
        input_tokens=taken,
        output_tokens=made,
        cached_tokens=_count(inside.get("cached_tokens"), taken),
        cache_write_tokens=_count(inside.get("cache_write_tokens"), taken),
        reasoning_tokens=_count(outside.get("reasoning_tokens"), made),
        tier=tier if isinstance(tier, str) and 0 < len(tier) <= LONGEST_TIER else None,
    )


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _count(value: object, whole: int | None = None) -> int | None:
    most = LARGEST_COUNT if whole is None else whole
    return value if type(value) is int and 0 <= value <= most else None
