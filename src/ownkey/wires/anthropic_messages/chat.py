"""A client's message request in full: the fields of Anthropic's API reference, read into a `Chat`."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any, cast, get_args

from msgspec import Raw, Struct, ValidationError, field, json

from ownkey.talk.chat import (
    CacheMark,
    Chat,
    Effort,
    File,
    Image,
    JsonOutput,
    Message,
    Opaque,
    Part,
    Reasoning,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from ownkey.talk.errors import InvalidRequest, Unsupported
from ownkey.wires.anthropic_messages.reply import NAME
from ownkey.wires.seal import Seal, unwrap
from ownkey.wires.wire import Ask

Json = dict[str, Any]


class _Mark(Struct):
    ttl: str | None = None


class _Source(Struct):
    type: str
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    content: Any = None


class _Block(Struct):
    type: str
    text: str | None = None
    source: _Source | None = None
    title: str | None = None
    citations: dict[str, Any] | list[Any] | None = None
    id: str | None = None
    name: str | None = None
    input: Raw = Raw(b"{}")
    tool_use_id: str | None = None
    content: Raw = Raw(b'""')
    is_error: bool | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    cache_control: _Mark | None = None


class _Kind(Struct):
    type: str


class _Message(Struct):
    role: Role
    content: str | list[Raw]


class _Tool(Struct):
    name: str = ""
    type: str | None = None
    description: str | None = None
    input_schema: dict[str, Any] | None = None
    strict: bool | None = None
    cache_control: _Mark | None = None


class _Choice(Struct):
    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class _Thinking(Struct):
    type: str
    budget_tokens: int | None = None


class _Format(Struct):
    type: str
    schema: dict[str, Any] | None = None


class _Output(Struct):
    effort: str | None = None
    format: _Format | None = None


class _Metadata(Struct):
    user_id: str | None = None


class _Asked(Struct):
    messages: list[_Message]
    system: str | list[Raw] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: list[str] | None = None
    tools: list[Raw] | None = None
    tool_choice: _Choice | None = None
    thinking: _Thinking | None = None
    output_config: _Output | None = None
    output_format: _Format | None = None
    metadata: _Metadata | None = field(default=None)


_asked = json.Decoder(_Asked)
_block = json.Decoder(_Block)
_kind = json.Decoder(_Kind)
_BLOCKS = frozenset({"text", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking"})
_tool = json.Decoder(_Tool)
_KNOWN = frozenset(_Asked.__struct_fields__)
_READ_BEFORE = frozenset({"model", "stream", "max_tokens"})
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


def read_chat(ask: Ask) -> Chat:
    """Raises InvalidRequest or Unsupported, naming the field. What has no word in `Chat` goes into `other`."""
    fields = ask.fields
    try:
        asked = _asked.decode(json.encode({name: fields[name] for name in fields if name in _KNOWN}))
        other = {name: json.decode(raw) for name, raw in fields.items() if name not in _KNOWN | _READ_BEFORE}
        return _chat(asked, ask.max_output, other)
    except ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        place = where.removesuffix("`").lstrip(".") or "messages"
        raise InvalidRequest(f"{place}: {what}.", "Correct it and send the request again.", param=place) from None
    except RecursionError:
        raise InvalidRequest("The request is nested too deep.", "Send less deeply nested JSON.") from None


def _chat(asked: _Asked, cap: int | None, other: Json) -> Chat:
    reader = _Reader()
    messages = [*reader.system(asked.system), *map(reader.message, asked.messages, range(len(asked.messages)))]
    choice = asked.tool_choice
    output = asked.output_format or (asked.output_config.format if asked.output_config else None)
    return Chat(
        messages=tuple(messages),
        max_output_tokens=cap,
        temperature=asked.temperature,
        top_p=asked.top_p,
        top_k=asked.top_k,
        stop=tuple(asked.stop_sequences or ()),
        tools=tuple(_read_tool(raw, place) for place, raw in enumerate(asked.tools or ())),
        tool_choice=_read_choice(choice),
        parallel_tools=False if choice is not None and choice.disable_parallel_tool_use else None,
        output=JsonOutput(output.schema, strict=True) if output is not None and output.type == "json_schema" else None,
        thinking=_read_thinking(asked),
        user=asked.metadata.user_id if asked.metadata else None,
        other={name: value for name, value in {**other, **reader.other}.items() if value is not None},
    )


class _Reader:
    """Reads messages in their order. `other` is what they say that has no word in a part."""

    def __init__(self) -> None:
        self.other: Json = {}
        self._names: dict[str, str] = {}
        self._seal: Seal | None = None

    def system(self, asked: str | list[Raw] | None) -> Iterator[Message]:
        if isinstance(asked, str):
            asked = [Raw(json.encode({"type": "text", "text": asked}))] if asked else []
        parts = tuple(self._parts(asked or [], "system"))
        if parts:
            yield Message("system", parts)

    def message(self, asked: _Message, place: int) -> Message:
        where = f"messages[{place}].content"
        self._seal = None
        if isinstance(asked.content, str):
            return Message(asked.role, (Text(asked.content),))
        return Message(asked.role, tuple(self._parts(asked.content, where)))

    def _parts(self, blocks: list[Raw], where: str) -> Iterator[Part]:
        for place, raw in enumerate(blocks):
            kind = _kind.decode(raw).type
            # A block that only Anthropic knows may use these names for other things.
            block = _block.decode(raw) if kind in _BLOCKS else _Block(kind)
            part = self._part(block, raw, f"{where}[{place}]")
            if part is not None:
                yield part
            if block.cache_control is not None:
                yield CacheMark(block.cache_control.ttl)

    def _part(self, block: _Block, raw: Raw, where: str) -> Part | None:
        match block.type:
            case "text":
                return Text(block.text or "", self._taken("text"))
            case "image" | "document" if block.source is not None:
                return self._source(block, block.source, raw)
            case "tool_use" if block.id and block.name:
                self._names[block.id] = block.name
                return ToolCall(block.id, block.name, bytes(block.input).decode(), self._taken("call"))
            case "tool_result" if block.tool_use_id:
                return self._result(block, block.tool_use_id, where)
            case "thinking":
                return self._thought(block.thinking or "", block.signature, "signature")
            case "redacted_thinking":
                return self._thought("", block.data, "sealed")
            case "text" | "image" | "document" | "tool_use" | "tool_result":
                raise InvalidRequest(f"{where} is not a whole block of its type.", param=where)
            case _:
                return Opaque(NAME, json.decode(raw))

    def _source(self, block: _Block, source: _Source, raw: Raw) -> Part:
        if isinstance(block.citations, dict) and block.citations.get("enabled"):
            self.other["citations"] = True
        image = block.type == "image"
        match source.type:
            case "base64" if image:
                return Image(source.data, source.media_type)
            case "url" if image:
                return Image(url=source.url)
            case "base64":
                return File(source.data, source.media_type, name=block.title)
            case "url":
                return File(url=source.url, media_type="application/pdf", name=block.title)
            case "text":
                data = base64.b64encode((source.data or "").encode()).decode()
                return File(data, "text/plain", name=block.title)
            case _:
                return Opaque(NAME, json.decode(raw))

    def _result(self, block: _Block, call_id: str, where: str) -> ToolResult:
        content = json.decode(block.content, type=str | list[Raw] | None)
        parts = (Text(content),) if isinstance(content, str) else tuple(self._parts(content or [], where))
        kept = tuple(part for part in parts if isinstance(part, Text | Image | File | CacheMark))
        if len(kept) < len(parts):
            raise Unsupported("A tool's result holds what no other provider understands.", param=f"{where}.content")
        return ToolResult(call_id, kept, self._names.get(call_id), bool(block.is_error))

    def _thought(self, text: str, value: str | None, kind: str) -> Reasoning | None:
        """Reasoning of whoever made it; a seal that was wrapped for what follows waits for it."""
        seal = unwrap(value)
        if seal is None:
            given = {kind: value or None}
            return Reasoning(text, **given, maker=NAME if value else None)
        if seal.kind in ("call", "text"):
            self._seal = seal
            return Reasoning(text) if text else None
        return Reasoning(text, **{seal.kind: seal.value}, maker=seal.maker)

    def _taken(self, kind: str) -> str | None:
        """The seal that waits for a part of this kind."""
        seal = self._seal
        if seal is None or seal.kind != kind:
            return None
        self._seal = None
        return seal.value


def _read_tool(raw: Raw, place: int) -> Tool:
    tool = _tool.decode(raw)
    if tool.type not in (None, "custom") or not tool.name:
        raise Unsupported(
            f"The tool {tool.type or tool.name!r} is run by Anthropic's own models only.",
            "Leave it out, or use a model of Anthropic's.",
            param=f"tools[{place}].type",
        )
    cache = CacheMark(tool.cache_control.ttl) if tool.cache_control is not None else None
    return Tool(tool.name, tool.description, tool.input_schema, tool.strict, cache)


def _read_choice(asked: _Choice | None) -> ToolChoice | None:
    match asked.type if asked is not None else None:
        case None:
            return None
        case "auto":
            return ToolChoice("auto")
        case "any":
            return ToolChoice("required")
        case "none":
            return ToolChoice("none")
        case "tool" if asked is not None and asked.name:
            return ToolChoice("named", asked.name)
        case _:
            raise InvalidRequest("tool_choice must be auto, any, none, or name a tool.", param="tool_choice")


def _read_thinking(asked: _Asked) -> Thinking | None:
    effort = asked.output_config.effort if asked.output_config else None
    if effort is not None and effort not in get_args(Effort):
        raise InvalidRequest(f"There is no effort {effort[:20]!r}.", param="output_config.effort")
    level = cast("Effort | None", effort)
    match asked.thinking.type if asked.thinking is not None else None:
        case None:
            return Thinking(level) if level else None
        case "enabled" if asked.thinking is not None:
            return Thinking(level, asked.thinking.budget_tokens)
        case "disabled":
            return Thinking("none")
        case _:
            return Thinking(level)
