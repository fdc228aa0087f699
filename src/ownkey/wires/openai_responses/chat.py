"""A client's request for a response in full: the fields of OpenAI's API reference, read into a `Chat`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast, get_args

from msgspec import Raw, Struct, ValidationError, json

from ownkey.talk.chat import (
    Chat,
    Effort,
    File,
    Image,
    JsonOutput,
    Message,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from ownkey.talk.errors import InvalidRequest, Unsupported
from ownkey.wires.openai_responses.form import NAME, Piece
from ownkey.wires.seal import Seal, unwrap
from ownkey.wires.wire import Ask

Json = dict[str, Any]


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


class _Item(Struct):
    type: str = "message"
    role: Role | None = None
    content: str | list[Raw] | None = None
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: Raw = Raw(b'""')
    summary: list[Piece] | None = None
    encrypted_content: str | None = None


class _Tool(Struct):
    type: str
    name: str | None = None
    description: str | None = None
    parameters: Json | None = None
    strict: bool | None = None


class _Choice(Struct):
    type: str
    name: str | None = None
    mode: str | None = None
    tools: list[Json] | None = None


class _Format(Struct):
    type: str
    name: str | None = None
    description: str | None = None
    schema: Json | None = None
    strict: bool | None = None


class _Text(Struct):
    format: _Format | None = None
    verbosity: str | None = None


class _Reasoning(Struct):
    effort: str | None = None


class _Asked(Struct):
    input: str | list[Raw] = ""
    instructions: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    tools: list[Raw] | None = None
    tool_choice: str | _Choice | None = None
    parallel_tool_calls: bool | None = None
    text: _Text | None = None
    reasoning: _Reasoning | None = None
    user: str | None = None


_asked = json.Decoder(_Asked)
_item = json.Decoder(_Item)
_piece = json.Decoder(_Piece)
_tool = json.Decoder(_Tool)
_KNOWN = frozenset(_Asked.__struct_fields__)
_READ_BEFORE = frozenset({"model", "stream", "stream_options", "max_output_tokens"})
# What is told in any case, or asks for nothing.
_INCLUDED = frozenset({"reasoning.encrypted_content"})


def read_chat(ask: Ask) -> Chat:
    """Raises InvalidRequest or Unsupported, naming the field. What has no word in `Chat` goes into `other`."""
    fields = ask.fields
    try:
        asked = _asked.decode(json.encode({name: fields[name] for name in fields if name in _KNOWN}))
        other: Json = {name: json.decode(raw) for name, raw in fields.items() if name not in _KNOWN | _READ_BEFORE}
        return _chat(asked, ask.max_output, other)
    except ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        place = where.removesuffix("`").lstrip(".") or "input"
        raise InvalidRequest(f"{place}: {what}.", "Correct it and send the request again.", param=place) from None
    except RecursionError:
        raise InvalidRequest("The request is nested too deep.", "Send less deeply nested JSON.") from None


def _chat(asked: _Asked, cap: int | None, other: Json) -> Chat:
    messages = [Message("system", (Text(asked.instructions),))] if asked.instructions else []
    messages += _Reader().messages(asked.input)
    if not messages:
        raise InvalidRequest("There is nothing to answer.", "Send an input.", param="input")
    included = other.pop("include", None)
    if isinstance(included, list) and (more := sorted({*map(str, cast("list[object]", included))} - _INCLUDED)):
        other["logprobs" if more == ["message.output_text.logprobs"] else "include"] = True
    if asked.text is not None and asked.text.verbosity is not None:
        other["verbosity"] = asked.text.verbosity
    effort = asked.reasoning.effort if asked.reasoning else None
    if effort is not None and effort not in get_args(Effort):
        raise InvalidRequest(f"There is no effort {effort[:20]!r}.", param="reasoning.effort")
    return Chat(
        messages=tuple(messages),
        max_output_tokens=cap,
        temperature=asked.temperature,
        top_p=asked.top_p,
        tools=tuple(_read_tool(raw, place) for place, raw in enumerate(asked.tools or ())),
        tool_choice=_choice(asked.tool_choice),
        parallel_tools=asked.parallel_tool_calls,
        output=_output(asked.text.format if asked.text else None),
        thinking=Thinking(cast("Effort | None", effort)) if asked.reasoning is not None else None,
        user=asked.user,
        other={name: value for name, value in other.items() if value is not None},
    )


class _Reader:
    """Reads items in their order. What one answer said, in several items, becomes one message."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._seal: Seal | None = None
        self._said: list[Part] = []

    def messages(self, asked: str | list[Raw]) -> Iterator[Message]:
        if isinstance(asked, str):
            if asked:
                yield Message("user", (Text(asked),))
            return
        for place, raw in enumerate(asked):
            found = self._read(_item.decode(raw), raw, f"input[{place}]")
            if isinstance(found, Message):
                yield from self._answer()
                yield found
            elif found is not None:
                self._said += found
        yield from self._answer()

    def _answer(self) -> Iterator[Message]:
        if self._said:
            yield Message("assistant", tuple(self._said))
            self._said = []

    def _read(self, item: _Item, raw: Raw, where: str) -> Message | list[Part] | None:
        match item.type:
            case "message" if item.role is not None:
                parts = _content(item.content, f"{where}.content")
                return parts if item.role == "assistant" else Message(item.role, tuple(parts))
            case "function_call" if item.call_id and item.name:
                self._names[item.call_id] = item.name
                signature = self._seal.value if self._seal and self._seal.kind == "call" else None
                self._seal = None
                return [ToolCall(item.call_id, item.name, item.arguments or "{}", signature)]
            case "function_call_output" if item.call_id:
                given = json.decode(item.output, type=str | list[Raw])
                parts = _content(given, f"{where}.output")
                kept = tuple(part for part in parts if isinstance(part, Text | Image | File))
                if len(kept) < len(parts):
                    raise Unsupported("A function's output holds text, images and files only.", param=f"{where}.output")
                return Message("tool", (ToolResult(item.call_id, kept, self._names.get(item.call_id)),))
            case "reasoning":
                return self._thought(item)
            case "item_reference":
                raise Unsupported(
                    "An item that is stored at OpenAI is not known here.", "Send the item itself.", param=where
                )
            case "message" | "function_call" | "function_call_output":
                raise InvalidRequest(f"{where} is not a whole item of its type.", param=where)
            case _:
                return [Opaque(NAME, json.decode(raw))]

    def _thought(self, item: _Item) -> list[Part]:
        text = "\n\n".join(piece.text for piece in item.summary or () if piece.text)
        seal = unwrap(item.encrypted_content)
        if seal is None:
            sealed = item.encrypted_content or None
            return [Reasoning(text, sealed=sealed, maker=NAME if sealed else None)] if text or sealed else []
        if seal.kind in ("call", "text"):
            self._seal = seal
            return [Text("", seal.value)] if seal.kind == "text" else []
        return [Reasoning(text, **{seal.kind: seal.value}, maker=seal.maker)]


def _content(given: str | list[Raw] | None, where: str) -> list[Part]:
    if isinstance(given, str):
        return [Text(given)]
    return [_part(_piece.decode(raw), raw, f"{where}[{place}]") for place, raw in enumerate(given or ())]


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
        case "input_audio" if piece.input_audio:
            return File(piece.input_audio.get("data"), f"audio/{piece.input_audio.get('format', 'wav')}")
        case "input_text" | "output_text" | "refusal":
            raise InvalidRequest(f"{where} is not a whole piece of its type.", param=where)
        case _:
            return Opaque(NAME, json.decode(raw))


def _taken_apart(url: str) -> tuple[str | None, str | None]:
    """Data and media type of a `data:` URL in base64 (RFC 2397)."""
    head, comma, data = url.partition(",")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        return None, None
    return data, head[5:-7].partition(";")[0] or None


def _read_tool(raw: Raw, place: int) -> Tool:
    tool = _tool.decode(raw)
    if tool.type != "function" or not tool.name:
        raise Unsupported(
            f"A tool of the type {tool.type!r} is run by OpenAI's own models only.",
            "Leave it out, or use a model of OpenAI's.",
            param=f"tools[{place}].type",
        )
    return Tool(tool.name, tool.description, tool.parameters, tool.strict)


def _choice(asked: str | _Choice | None) -> ToolChoice | None:
    match asked:
        case None:
            return None
        case "auto" | "none" | "required":
            return ToolChoice(asked)
        case _Choice(type="function", name=str(name)):
            return ToolChoice("named", name)
        case _:
            raise Unsupported(
                "This choice of tools is not carried.",
                "Choose auto, none, required or a function.",
                param="tool_choice",
            )


def _output(asked: _Format | None) -> JsonOutput | None:
    if asked is None or asked.type == "text":
        return None
    if asked.type == "json_object":
        return JsonOutput()
    if asked.type == "json_schema":
        return JsonOutput(asked.schema, asked.name, asked.description, asked.strict)
    raise Unsupported(f"An answer of the type {asked.type!r} is not carried.", param="text.format")
