"""A client's chat completion in full: the fields of OpenAI's API reference, read into a `Chat`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast, get_args

from msgspec import Struct, ValidationError, json

from ownkey.talk.chat import (
    CacheMark,
    Chat,
    Effort,
    File,
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
from ownkey.talk.chat import Image as Picture
from ownkey.talk.errors import InvalidRequest, Unsupported
from ownkey.wires.openai_chat import form as form
from ownkey.wires.wire import Ask

NAME = "openai-chat"


class _Message(form.Said, kw_only=True):
    role: Role
    name: str | None = None
    tool_call_id: str | None = None


class _Function(Struct):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class _Tool(Struct):
    type: str = "function"
    function: _Function | None = None
    cache_control: Any = None


class _Schema(Struct):
    name: str | None = None
    description: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class _Format(Struct):
    type: str
    json_schema: _Schema | None = None


class _Named(Struct):
    name: str


class _Choice(Struct):
    function: _Named


class _Asked(Struct):
    messages: list[_Message]
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    tools: list[_Tool] | None = None
    tool_choice: str | _Choice | None = None
    parallel_tool_calls: bool | None = None
    response_format: _Format | None = None
    reasoning_effort: str | None = None
    user: str | None = None


_asked = json.Decoder(_Asked)
_KNOWN = frozenset(_Asked.__struct_fields__)
_READ_BEFORE = frozenset({"model", "stream", "stream_options", "max_tokens", "max_completion_tokens"})


def read_chat(ask: Ask) -> Chat:
    """Raises InvalidRequest or Unsupported, naming the field. What has no word in `Chat` goes into `other`."""
    fields = ask.fields
    try:
        asked = _asked.decode(json.encode({name: fields[name] for name in fields if name in _KNOWN}))
    except ValidationError as error:
        raise _malformed(str(error)) from None
    other = {name: json.decode(raw) for name, raw in fields.items() if name not in _KNOWN | _READ_BEFORE}
    effort = asked.reasoning_effort
    if effort is not None and effort not in get_args(Effort):
        other["reasoning_effort"] = effort
        effort = None
    return Chat(
        messages=tuple(_messages(asked.messages)),
        max_output_tokens=ask.max_output,
        temperature=asked.temperature,
        top_p=asked.top_p,
        top_k=asked.top_k,
        frequency_penalty=asked.frequency_penalty,
        presence_penalty=asked.presence_penalty,
        stop=(asked.stop,) if isinstance(asked.stop, str) else tuple(asked.stop or ()),
        seed=asked.seed,
        tools=tuple(_tool(tool, place) for place, tool in enumerate(asked.tools or ())),
        tool_choice=_choice(asked.tool_choice),
        parallel_tools=asked.parallel_tool_calls,
        output=_output(asked.response_format),
        thinking=Thinking(effort=cast("Effort", effort)) if effort else None,
        user=asked.user,
        other={name: value for name, value in other.items() if value is not None},
    )


def _messages(asked: list[_Message]) -> Iterator[Message]:
    names: dict[str, str] = {}
    for place, message in enumerate(asked):
        where = f"messages[{place}]"
        if message.function_call is not None:
            raise Unsupported("function_call is not carried.", "Use tool_calls.", param=f"{where}.function_call")
        answers = message.role == "tool"
        parts = (_result(message, names, where),) if answers else tuple(_parts(message, where))
        names |= {part.id: part.name for part in parts if isinstance(part, ToolCall)}
        yield Message(message.role, parts, message.name)


def _parts(message: _Message, where: str) -> Iterator[Part]:
    seals = [piece for piece in form.details(message.reasoning_details) if piece.signature or piece.sealed]
    thought = form.thought(message)
    if seals:
        yield from seals
    elif thought:
        yield Reasoning(thought)
    yield from _content(message.content, f"{where}.content")
    if message.refusal:
        yield Refusal(message.refusal)
    for place, call in enumerate(message.tool_calls or ()):
        function = call.function
        if not call.id or function is None or not function.name:
            param = f"{where}.tool_calls[{place}]"
            raise InvalidRequest(f"{param} must have an id and the name of a function.", param=param)
        yield ToolCall(str(call.id), function.name, form.arguments(function), form.signature(call))


def _content(content: str | list[Any] | None, where: str) -> Iterator[Part]:
    if isinstance(content, str):
        if content:
            yield Text(content)
        return
    for place, item in enumerate(content or ()):
        yield _part(item, f"{where}[{place}]")
        if isinstance(item, dict) and "cache_control" in item:
            yield _mark(cast("dict[str, Any]", item)["cache_control"])


def _part(item: object, where: str) -> Part:
    if isinstance(item, str):
        return Text(item)
    if not isinstance(item, dict):
        raise InvalidRequest(f"{where} must be an object.", param=where)
    raw = cast("dict[str, Any]", item)
    kind, text, link = raw.get("type"), raw.get("text"), raw.get("image_url")
    if kind == "text" and isinstance(text, str):
        return Text(text)
    if kind == "refusal" and isinstance(raw.get("refusal"), str):
        return Refusal(raw["refusal"])
    if kind == "thinking":
        return Reasoning("".join(piece for _, piece in form.pieces([raw])))
    if kind == "image_url":
        given: dict[str, Any] = cast("dict[str, Any]", link) if isinstance(link, dict) else {"url": link}
        url, detail = given.get("url"), given.get("detail")
        if isinstance(url, str) and url:
            return form.image(url, detail if isinstance(detail, str) else None)
    if kind in ("file", "input_audio") and (file := _file(raw.get(kind), sound=kind == "input_audio")) is not None:
        return file
    if not isinstance(kind, str) or kind in ("text", "refusal", "image_url"):
        raise InvalidRequest(f"{where} is not a part of a message.", param=where)
    return Opaque(NAME, raw)


def _file(given: object, *, sound: bool) -> File | None:
    """A document or a sound with its data; one that lies at the provider is the provider's own."""
    said = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    data, name = said.get("data" if sound else "file_data"), said.get("filename")
    if not isinstance(data, str) or not data:
        return None
    if sound:
        return File(data, f"audio/{said.get('format', 'wav')}")
    image = form.image(data)
    kind = image.media_type or "application/pdf"
    return File(image.data or data, kind, name=name if isinstance(name, str) else None)


def _mark(given: object) -> CacheMark:
    ttl = cast("dict[str, Any]", given).get("ttl") if isinstance(given, dict) else None
    return CacheMark(ttl if isinstance(ttl, str) else None)


def _result(message: _Message, names: dict[str, str], where: str) -> ToolResult:
    id = message.tool_call_id
    if not id:
        raise InvalidRequest(f"{where}.tool_call_id must name a tool call.", param=f"{where}.tool_call_id")
    parts = tuple(_content(message.content, f"{where}.content"))
    kept = tuple(part for part in parts if isinstance(part, Text | Picture | File | CacheMark))
    if len(kept) < len(parts):
        raise Unsupported("A tool's result holds text, images and files only.", param=f"{where}.content")
    return ToolResult(id, kept, names.get(id, message.name))


def _tool(tool: _Tool, place: int) -> Tool:
    function = tool.function
    if tool.type != "function" or function is None:
        raise Unsupported("Only tools that are functions are carried.", param=f"tools[{place}].type")
    cache = None if tool.cache_control is None else _mark(tool.cache_control)
    return Tool(function.name, function.description, function.parameters, function.strict, cache)


def _choice(asked: str | _Choice | None) -> ToolChoice | None:
    if asked is None:
        return None
    if isinstance(asked, _Choice):
        return ToolChoice("named", asked.function.name)
    match asked:
        case "auto" | "none" | "required":
            return ToolChoice(asked)
        case "any":
            return ToolChoice("required")
        case _:
            raise InvalidRequest("tool_choice must be auto, none, required, or name a function.", param="tool_choice")


def _output(asked: _Format | None) -> JsonOutput | None:
    if asked is None or asked.type == "text":
        return None
    if asked.type == "json_object":
        return JsonOutput()
    if asked.type == "json_schema" and asked.json_schema is not None:
        given = asked.json_schema
        return JsonOutput(given.schema, given.name, given.description, given.strict)
    raise InvalidRequest("response_format must be text, json_object or json_schema.", param="response_format")


def _malformed(said: str) -> InvalidRequest:
    """From msgspec's own text only the place and the type it expects, never a value."""
    place = said.rpartition("`$.")[2].rstrip("`") if "`$." in said else None
    expected = said.partition(" - at")[0] + "." if said.startswith(("Expected `", "Object missing")) else ""
    return InvalidRequest(f"{place or 'The body'} is malformed. {expected}".strip(), param=place)
