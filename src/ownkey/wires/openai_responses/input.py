"""Input items, read into messages.

Source: OpenAI's API reference (Responses: input items), the guides on reasoning and on prompt caching.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeVar

from msgspec import Raw, Struct, ValidationError, json

from ownkey.talk.chat import CacheMark, File, Image, Message, Opaque, Part, Reasoning, Refusal, Text, ToolCall
from ownkey.talk.chat import ToolResult as Result
from ownkey.talk.errors import InvalidRequest, Unsupported
from ownkey.wires.openai_responses.form import NAME, item_in, thought
from ownkey.wires.openai_responses.output import OURS
from ownkey.wires.seal import MARK, Seal, unwrap

Json = dict[str, Any]
Read = TypeVar("Read")


class _Kind(Struct):
    type: str | None = None


class _Piece(Struct):
    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None
    detail: str | None = None
    file_id: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    filename: str | None = None
    input_audio: Json | None = None
    prompt_cache_breakpoint: Json | None = None


class _Said(Struct):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Raw] | None = None


class _Called(Struct):
    call_id: str
    name: str
    arguments: str | None = None


class _Answered(Struct):
    call_id: str
    output: str | list[Raw]


class _Picture(Struct):
    id: str | None = None
    result: str | None = None
    output_format: str | None = None


_kind = json.Decoder(_Kind).decode
_piece = json.Decoder(_Piece).decode
_said = json.Decoder(_Said).decode
_called = json.Decoder(_Called).decode
_answered = json.Decoder(_Answered).decode
_picture = json.Decoder(_Picture).decode


def read(decode: Callable[[Raw], Read], raw: Raw, where: str) -> Read:
    """What stands at this place. Raises InvalidRequest, naming the place and the type it expects, never a value."""
    try:
        return decode(raw)
    except ValidationError as error:
        what, _, inner = str(error).partition(" - at `$")
        place = where + inner.removesuffix("`")
        expected = f"{what}." if what.startswith(("Expected `", "Object missing")) else ""
        raise InvalidRequest(
            f"{place.lstrip('.')} is malformed. {expected}".strip(),
            "Correct it and send the request again.",
            param=place.lstrip("."),
        ) from None


class Reader:
    """Reads items in their order. What one answer said, in several items, becomes one message."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._seal: Seal | None = None
        self._parts: list[Part] = []

    def messages(self, items: list[Raw]) -> Iterator[Message]:
        """Raises InvalidRequest or Unsupported, naming the item."""
        for place, raw in enumerate(items):
            message = self._read(raw, f"input[{place}]")
            if message is not None:
                yield from self._answer()
                yield message
        yield from self._answer()

    def _answer(self) -> Iterator[Message]:
        self._taken()
        if self._parts:
            yield Message("assistant", tuple(self._parts))
            self._parts = []

    def _read(self, raw: Raw, where: str) -> Message | None:
        """A message of another's than the model's; what the model said is added to its answer."""
        match read(_kind, raw, where).type:
            case "message" | None:
                said = read(_said, raw, where)
                parts = content(said.content, f"{where}.content")
                if said.role != "assistant":
                    return Message(said.role, tuple(parts))
                self._say(parts)
            case "function_call":
                called = read(_called, raw, where)
                self._names[called.call_id] = called.name
                signature = self._taken("call")
                self._parts.append(ToolCall(called.call_id, called.name, called.arguments or "{}", signature))
            case "function_call_output":
                return self._result(read(_answered, raw, where), f"{where}.output")
            case "reasoning":
                self._think(raw, where)
            case "image_generation_call":
                self._parts.append(_drawn(read(_picture, raw, where), raw))
            case str(kind):
                self._parts.append(_of_openai(kind, raw, where))
        return None

    def _say(self, parts: list[Part]) -> None:
        signature = self._taken("text")
        match parts:
            case [Text(text=text), *rest] if signature:
                self._parts += [Text(text, signature), *rest]
            case _:
                self._parts += [Text("", signature), *parts] if signature else parts

    def _result(self, answered: _Answered, where: str) -> Message:
        parts = content(answered.output, where)
        kept = tuple(part for part in parts if isinstance(part, Text | Image | File | CacheMark))
        if len(kept) < len(parts):
            raise Unsupported("A function's output holds what no other provider understands.", param=where)
        return Message("tool", (Result(answered.call_id, kept, self._names.get(answered.call_id)),))

    def _think(self, raw: Raw, where: str) -> None:
        """Reasoning of whoever made it; a seal that was wrapped for what follows waits for it."""
        item = read(item_in, raw, where)
        self._taken()
        text, sealed = thought(item), item.encrypted_content or ""
        if sealed and not sealed.startswith(MARK):
            self._parts.append(Reasoning(text, sealed=sealed, maker=NAME))
            return
        seal = unwrap(sealed)
        if seal is None or seal.kind in ("call", "text"):
            self._seal = seal
            self._parts += [Reasoning(text)] if text else []
        else:
            self._parts.append(Reasoning(text, **{seal.kind: seal.value}, maker=seal.maker or None))

    def _taken(self, kind: str = "") -> str | None:
        """The seal that waits for a part of this kind. That of a text which did not follow stands by itself."""
        seal, self._seal = self._seal, None
        if seal is None or seal.kind == kind:
            return seal.value if seal else None
        if seal.kind == "text":
            self._parts.append(Text("", seal.value))
        return None


def content(given: str | list[Raw] | None, where: str) -> list[Part]:
    """Raises InvalidRequest, naming the piece."""
    if isinstance(given, str):
        return [Text(given)]
    made: list[Part] = []
    for place, raw in enumerate(given or ()):
        piece = read(_piece, raw, f"{where}[{place}]")
        made.append(_part(piece, raw, f"{where}[{place}]"))
        if piece.prompt_cache_breakpoint is not None:
            made.append(CacheMark())
    return made


def _part(piece: _Piece, raw: Raw, where: str) -> Part:
    match piece.type:
        case "input_text" | "output_text" | "text" if piece.text is not None:
            return Text(piece.text)
        case "refusal" if piece.refusal is not None:
            return Refusal(piece.refusal)
        case "input_image" if piece.image_url:
            data, kind = _taken_apart(piece.image_url)
            return Image(data, kind, None if data else piece.image_url, piece.detail)
        case "input_file" if piece.file_data:
            data, kind = _taken_apart(piece.file_data)
            return File(data or piece.file_data, kind or "application/pdf", name=piece.filename)
        case "input_file" if piece.file_url:
            return File(url=piece.file_url, media_type="application/pdf", name=piece.filename)
        case "input_audio" if piece.input_audio and isinstance(piece.input_audio.get("data"), str):
            return File(piece.input_audio["data"], f"audio/{piece.input_audio.get('format', 'wav')}")
        case "input_image" | "input_file" if piece.file_id:
            return Opaque(NAME, json.decode(raw))
        case "input_text" | "output_text" | "text" | "refusal" | "input_image" | "input_file" | "input_audio":
            raise InvalidRequest(f"{where} is not a whole piece of its type.", param=where)
        case _:
            return Opaque(NAME, json.decode(raw))


def _taken_apart(url: str) -> tuple[str | None, str | None]:
    """Data and media type of a `data:` URL in base64 (RFC 2397)."""
    head, comma, data = url.partition(",")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        return None, None
    return data, head[5:-7].partition(";")[0] or None


def _drawn(picture: _Picture, raw: Raw) -> Part:
    """A picture that another provider's model made was told in this form here; OpenAI's tool makes its own."""
    if picture.result and picture.id and OURS in picture.id:
        return Image(picture.result, f"image/{picture.output_format or 'png'}")
    return Opaque(NAME, json.decode(raw))


def _of_openai(kind: str, raw: Raw, where: str) -> Opaque:
    """A call of one of OpenAI's tools, or its result. What else there is changes the conversation: it is needed."""
    if kind.endswith(("_call", "_call_output")) or kind.startswith("mcp_") or kind == "tool_search_output":
        return Opaque(NAME, json.decode(raw))
    if kind == "item_reference":
        raise Unsupported(
            "An item that is stored at OpenAI is not known here.",
            "Send the item itself: clients do so where `store` is false.",
            param=where,
        )
    raise Unsupported(
        f"An item of the type {kind[:40]!r} is understood by OpenAI's own models only.",
        "Leave it out, or use a model of OpenAI's.",
        param=f"{where}.type",
    )
