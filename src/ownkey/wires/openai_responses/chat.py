"""A client's request for a response in full: the fields of OpenAI's API reference, read into a `Chat`."""

from __future__ import annotations

from typing import Any, cast, get_args

from msgspec import Raw, Struct, json

from ownkey.talk.chat import Chat, Effort, JsonOutput, Message, Text, Thinking, Tool, ToolChoice
from ownkey.talk.errors import InvalidRequest, Unsupported
from ownkey.wires.openai_responses.ask import STORED
from ownkey.wires.openai_responses.input import Reader, read
from ownkey.wires.wire import Ask

Json = dict[str, Any]
Members = dict[str, Raw]


class _Tool(Struct):
    name: str
    description: str | None = None
    parameters: Json | None = None
    strict: bool | None = None


class _Kind(Struct):
    type: str


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


class _Asked(Struct):
    input: str | list[Raw] | None = None
    instructions: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    tools: list[Raw] | None = None
    tool_choice: str | _Choice | None = None
    parallel_tool_calls: bool | None = None
    text: Members | None = None
    reasoning: Members | None = None
    include: list[str] | None = None
    user: str | None = None


_asked = json.Decoder(_Asked).decode
_kind = json.Decoder(_Kind).decode
_tool = json.Decoder(_Tool).decode
_format = json.Decoder(_Format | None).decode
_word = json.Decoder(str | None).decode

_KNOWN = frozenset(_Asked.__struct_fields__)
_READ_BEFORE = frozenset({"model", "stream", "stream_options", "max_output_tokens"})
# What was thought is told in any case, with its seal.
_TOLD = frozenset({"reasoning.encrypted_content"})
_SUMMARIES = ("summary", "generate_summary")
_LOGPROBS = "message.output_text.logprobs"


def read_chat(ask: Ask) -> Chat:
    """Raises InvalidRequest or Unsupported, naming the field. What has no word in `Chat` goes into `other`."""
    fields = ask.fields
    asked = read(_asked, Raw(json.encode({name: fields[name] for name in fields if name in _KNOWN})), "")
    other: Json = {name: json.decode(raw) for name, raw in fields.items() if name not in _KNOWN | _READ_BEFORE}
    output, worded = _text(asked.text or {})
    thinking, thought = _reasoning(asked.reasoning or {})
    other |= worded | thought | _included(asked.include or [])
    tools, choice = _choice(asked.tool_choice, [_read_tool(raw, place) for place, raw in enumerate(asked.tools or ())])
    return Chat(
        messages=_messages(asked, other),
        max_output_tokens=ask.max_output,
        temperature=asked.temperature,
        top_p=asked.top_p,
        tools=tuple(tools),
        tool_choice=choice,
        parallel_tools=asked.parallel_tool_calls,
        output=output,
        thinking=thinking,
        user=asked.user,
        other={name: value for name, value in other.items() if value is not None},
    )


def _messages(asked: _Asked, other: Json) -> tuple[Message, ...]:
    told = (Message("system", (Text(asked.instructions),)),) if asked.instructions else ()
    if isinstance(asked.input, str):
        said = (Message("user", (Text(asked.input),)),) if asked.input else ()
    else:
        said = tuple(Reader().messages(asked.input or []))
    stored = next((name for name in STORED if other.get(name) is not None), None)
    if said:
        return (*told, *said)
    if stored is not None:
        raise Unsupported(
            f"What `{stored}` names is stored at OpenAI and not known here.", "Send it as input.", param=stored
        )
    raise InvalidRequest("There is nothing to answer.", "Send an input.", param="input")


def _text(given: Members) -> tuple[JsonOutput | None, Json]:
    """The form of the answer, and what else is said of its text."""
    other: Json = {
        f"text.{name}": json.decode(raw) for name, raw in given.items() if name not in ("format", "verbosity")
    }
    other["verbosity"] = read(_word, given.get("verbosity", Raw(b"null")), "text.verbosity")
    asked = read(_format, given.get("format", Raw(b"null")), "text.format")
    if asked is None or asked.type == "text":
        return None, other
    if asked.type == "json_object":
        return JsonOutput(), other
    if asked.type != "json_schema":
        raise Unsupported(f"An answer of the type {asked.type[:40]!r} is not carried.", param="text.format")
    if asked.schema is None:
        raise InvalidRequest("text.format.schema is missing.", "Send a JSON schema.", param="text.format.schema")
    return JsonOutput(asked.schema, asked.name, asked.description, asked.strict), other


def _reasoning(given: Members) -> tuple[Thinking | None, Json]:
    """Who asks to be told a summary, and no effort, asks for thinking as the provider sees fit."""
    other: Json = {
        f"reasoning.{name}": json.decode(raw) for name, raw in given.items() if name not in ("effort", *_SUMMARIES)
    }
    effort = read(_word, given.get("effort", Raw(b"null")), "reasoning.effort")
    told = any(json.decode(given[name]) is not None for name in _SUMMARIES if name in given)
    if effort is not None and effort not in get_args(Effort):
        raise InvalidRequest(
            "There is no such effort.", f"Efforts: {', '.join(get_args(Effort))}.", param="reasoning.effort"
        )
    return Thinking(cast("Effort | None", effort)) if told or effort is not None else None, other


def _included(asked: list[str]) -> Json:
    more = sorted({*asked} - _TOLD - {_LOGPROBS})
    return {"logprobs": True if _LOGPROBS in asked else None, "include": more or None}


def _read_tool(raw: Raw, place: int) -> Tool:
    where = f"tools[{place}]"
    kind = read(_kind, raw, where).type
    if kind != "function":
        raise Unsupported(
            f"A tool of the type {kind[:40]!r} is understood by OpenAI's own models only.",
            "Leave it out, or use a model of OpenAI's.",
            param=f"{where}.type",
        )
    tool = read(_tool, raw, where)
    return Tool(tool.name, tool.description, tool.parameters, tool.strict)


def _choice(asked: str | _Choice | None, tools: list[Tool]) -> tuple[list[Tool], ToolChoice | None]:
    """The tools that may be called, and how."""
    match asked:
        case None:
            return tools, None
        case "auto" | "none" | "required":
            return tools, ToolChoice(asked)
        case _Choice(type="function", name=str(name)):
            return tools, ToolChoice("named", name)
        case _Choice(type="allowed_tools", mode="auto" | "required" as mode, tools=list(allowed)):
            names = {tool.get("name") for tool in allowed if tool.get("type") == "function"}
            kept = [tool for tool in tools if tool.name in names]
            if len(names) == len(allowed) == len(kept):
                return kept, ToolChoice(mode)
            raise InvalidRequest(
                "tool_choice.tools must name functions that are among the tools.",
                "Correct it and send the request again.",
                param="tool_choice.tools",
            )
        case _Choice(type=kind) if kind not in ("function", "allowed_tools"):
            raise Unsupported(
                f"A choice of the type {kind[:40]!r} is understood by OpenAI's own models only.",
                "Choose auto, none, required or a function.",
                param="tool_choice.type",
            )
        case _:
            raise InvalidRequest(
                "tool_choice must be auto, none, required, or name functions.",
                "Correct it and send the request again.",
                param="tool_choice",
            )
