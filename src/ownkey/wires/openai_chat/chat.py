"""A client's chat completion in full: the fields of OpenAI's API reference, read into a `Chat`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast, get_args

from msgspec import Struct, ValidationError, json
from msgspec.structs import replace

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
from ownkey.wires.openai_chat.details import details, sealed
from ownkey.wires.wire import Ask

NAME = "openai-chat"


class _Message(form.Said, kw_only=True):
    role: Role
    name: str | None = None
    tool_call_id: str | None = None
    audio: Any = None
    prefix: bool | None = None
    cache_control: Any = None


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
    type: str = "function"
    function: _Named | None = None


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
    reasoning: Any = None
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
    thinking = _thinking(asked, other)
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
        thinking=thinking,
        user=asked.user,
        other={name: value for name, value in other.items() if value is not None},
    )


def _messages(asked: list[_Message]) -> Iterator[Message]:
    names: dict[str, str] = {}
    for place, message in enumerate(asked):
        where = f"messages[{place}]"
        for name in ("function_call", "audio", "prefix"):
            if getattr(message, name):
                raise Unsupported(
                    f"`{name}` of a message cannot be carried to this provider.",
                    "Use tool_calls." if name == "function_call" else "Leave it out, or use a provider that has it.",
                    param=f"{where}.{name}",
                )
        answers = message.role == "tool"
        parts = (_result(message, names, where),) if answers else tuple(_parts(message, where))
        names |= {part.id: part.name for part in parts if isinstance(part, ToolCall)}
        marks = () if message.cache_control is None else (_mark(message.cache_control),)
        yield Message(message.role, (*parts, *marks), message.name)


def _parts(message: _Message, where: str) -> Iterator[Part]:
    """What was thought stands first. A seal goes back on the call or the text that it was put on."""
    calls = [*_calls(message, where)]
    unsealed = {call.id for call in calls if call.signature is None}
    seals = [one for one in details(message.reasoning_details) if sealed(one.thought)]
    of_calls = {one.call_id: one.thought.sealed for one in seals if one.call_id in unsealed}
    of_text = next((one.thought.sealed for one in seals if one.of_text), None)
    thoughts = [one.thought for one in seals if not one.of_text and one.call_id not in of_calls]
    plain = form.thought(message)
    if plain and not any(thought.text for thought in thoughts):
        thoughts[:1] = [replace(thoughts[0], text=plain) if thoughts else Reasoning(plain)]
    yield from thoughts
    said = [*_content(message.content, f"{where}.content")]
    texts = [place for place, part in enumerate(said) if isinstance(part, Text)]
    if of_text and texts:
        said[texts[-1]] = replace(said[texts[-1]], signature=of_text)
    yield from said
    if of_text and not texts:
        yield Text("", of_text)
    if message.refusal:
        yield Refusal(message.refusal)
    yield from form.pictures(message.images)
    for call in calls:
        yield replace(call, signature=of_calls[call.id]) if call.id in of_calls else call


def _calls(message: _Message, where: str) -> Iterator[ToolCall]:
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
    return Opaque(NAME, {name: value for name, value in raw.items() if name != "cache_control"})


def _file(given: object, *, sound: bool) -> File | None:
    """A document or a sound with its data; one that lies at the provider is the provider's own."""
    said = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    data, name = said.get("data" if sound else "file_data"), said.get("filename")
    if not isinstance(data, str) or not data:
        return None
    if sound:
        kind = said.get("format")
        return File(data, f"audio/{kind if isinstance(kind, str) and kind else 'wav'}")
    named = name if isinstance(name, str) else None
    if data.startswith(("https://", "http://")):
        return File(url=data, media_type="application/pdf", name=named)
    image = form.image(data)
    return File(image.data or data, image.media_type or "application/pdf", name=named)


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
        if asked.type != "function":
            raise Unsupported("Only a function can be named.", "Name one.", param="tool_choice")
        if asked.function is None:
            raise InvalidRequest("tool_choice must name a function.", param="tool_choice.function")
        return ToolChoice("named", asked.function.name)
    match asked:
        case "auto" | "none" | "required":
            return ToolChoice(asked)
        case "any":
            return ToolChoice("required")
        case _:
            raise InvalidRequest("tool_choice must be auto, none, required, or name a function.", param="tool_choice")


def _thinking(asked: _Asked, other: dict[str, Any]) -> Thinking | None:
    """OpenAI's `reasoning_effort`, or OpenRouter's `reasoning`. What has no word here is left in `other`."""
    effort = asked.reasoning_effort
    if effort is not None:
        if effort in get_args(Effort):
            return Thinking(effort=cast("Effort", effort))
        other["reasoning_effort"] = effort
    if asked.reasoning is None:
        return None
    given: object = asked.reasoning
    said = dict(cast("dict[str, Any]", given)) if isinstance(given, dict) else {}
    level, budget, enabled = (said.pop(name, None) for name in ("effort", "max_tokens", "enabled"))
    if level is not None and level not in get_args(Effort):
        said["effort"] = level
    if said or not isinstance(given, dict):
        other["reasoning"] = said or given
    if enabled is False:
        return Thinking("none")
    if level in get_args(Effort):
        return Thinking(cast("Effort", level))
    if type(budget) is int:
        return Thinking(budget_tokens=budget)
    return Thinking() if enabled else None


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
