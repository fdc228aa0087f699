"""A `Chat` as a request of Ollama's own API, which takes what its OpenAI form has no field for: the size of the context
(`num_ctx`), how long the model stays loaded (`keep_alive`), and every option of the model.

Unless it is told otherwise Ollama leaves out the beginning of a chat that is longer than its context, and answers the
rest as though it were all (`truncate`, `shift`). It is told to refuse instead.

Source: Ollama's API reference (Generate a chat completion; Modelfile, valid parameters).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from msgspec import json

from ownkey.catalog.manifest import Quirks
from ownkey.talk.chat import (
    CacheMark,
    Chat,
    Effort,
    File,
    Image,
    Message,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from ownkey.talk.errors import InvalidRequest, Unsupported
from ownkey.wires.other import carried
from ownkey.wires.thinking import fitted
from ownkey.wires.wire import Written

Json = dict[str, Any]

NAME = "ollama"
MARKS = "Marks for the cache were left out: this provider caches by itself."
SEALS = "Reasoning that another provider sealed was left out."

# Its levels (Ollama, Thinking); any other model is told true or false.
_EFFORTS: tuple[Effort, ...] = ("low", "medium", "high")
_OPTIONS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "seed": "seed",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
}
_OWN = frozenset({"keep_alive", "truncate", "shift"})
_AS_OPTIONS = frozenset({"num_ctx", "min_p", "repeat_penalty"})
_CARRIED = _OWN | _AS_OPTIONS | {"options", "think"}


def write_request(chat: Chat, model: str, *, stream: bool, max_output: int | None, quirks: Quirks) -> Written:
    """Raises Unsupported, naming the field."""
    warnings: list[str] = []
    kept = carried(chat.other, _CARRIED, warnings)
    body: Json = {"model": model, "messages": [*_Messages(warnings).write(chat.messages)], "stream": stream}
    body |= {"truncate": False, "shift": False} | {name: kept[name] for name in _OWN & kept.keys()}
    options = _options(chat, kept, max_output)
    if options:
        body["options"] = options
    body |= _tools(chat, warnings)
    if chat.output is not None:
        body["format"] = chat.output.schema or "json"
    thinking = fitted(chat, quirks.thinking, warnings, efforts=_EFFORTS)
    if thinking is not None:
        body["think"] = False if thinking.effort == "none" else thinking.effort or True
    elif "think" in kept:
        body["think"] = kept["think"]
    if chat.user is not None:
        warnings.append("user has no counterpart at this provider and was left out.")
    try:
        return Written(json.encode(body), tuple(dict.fromkeys(warnings)))
    except UnicodeEncodeError:
        raise InvalidRequest("The request holds text that is not Unicode.", param="messages") from None


def _options(chat: Chat, kept: Json, max_output: int | None) -> Json:
    given: object = kept.get("options", {})
    if not isinstance(given, dict):
        raise InvalidRequest("options must be an object.", param="options")
    options: Json = dict(cast("Json", given))
    options |= {name: kept[name] for name in _AS_OPTIONS & kept.keys()}
    options |= {theirs: value for name, theirs in _OPTIONS.items() if (value := getattr(chat, name)) is not None}
    if chat.stop:
        options["stop"] = list(chat.stop)
    if max_output is not None:
        options["num_predict"] = max_output
    return options


def _tools(chat: Chat, warnings: list[str]) -> Json:
    choice = chat.tool_choice.mode if chat.tool_choice is not None else "auto"
    if choice in ("required", "named"):
        raise Unsupported(
            "Ollama cannot be made to call a tool: its model decides.",
            "Leave tool_choice out and ask for the call in words, or use another provider.",
            param="tool_choice",
        )
    if not chat.tools or choice == "none":
        return {}
    if chat.parallel_tools is False:
        warnings.append("parallel_tool_calls is not taken by this provider and was left out.")
    if any(tool.cache is not None for tool in chat.tools):
        warnings.append(MARKS)
    if any(tool.strict for tool in chat.tools):
        warnings.append("strict is not taken of tools by this provider and was left out.")
    return {"tools": [_tool(tool) for tool in chat.tools]}


def _tool(tool: Tool) -> Json:
    parameters = tool.parameters or {"type": "object", "properties": {}}
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description or "", "parameters": parameters},
    }


class _Messages:
    """Writes messages in their order; remembers the names of calls, which their results are told with."""

    def __init__(self, warnings: list[str]) -> None:
        self._warnings = warnings
        self._names: dict[str, str] = {}

    def write(self, messages: tuple[Message, ...]) -> Iterator[Json]:
        for place, message in enumerate(messages):
            where = f"messages[{place}]"
            results = [part for part in message.parts if isinstance(part, ToolResult)]
            for result in results:
                yield self._result(result, where)
            rest = [part for part in message.parts if not isinstance(part, ToolResult)]
            if results and all(isinstance(part, CacheMark) for part in rest):
                self._warnings += [MARKS] if rest else []
                continue
            if message.name:
                self._warnings.append("name is not taken of a message by this provider and was left out.")
            role = {"developer": "system", "tool": "user"}.get(message.role, message.role)
            yield {"role": role, **self._said(rest, where, "" if role == "assistant" else "\n\n")}

    def _result(self, result: ToolResult, where: str) -> Json:
        said = self._said(result.parts, where, "\n\n")
        if result.failed:
            said["content"] = f"Error: {said['content']}"
        name = result.name or self._names.get(result.call_id)
        return {"role": "tool", **said, "tool_call_id": result.call_id, **({"tool_name": name} if name else {})}

    def _said(self, parts: Sequence[Part], where: str, between: str) -> Json:
        texts, images, thoughts, calls = list[str](), list[str](), list[str](), list[Json]()
        for part in parts:
            match part:
                case Text(text=text) | Refusal(text=text):
                    texts.append(text)
                case Image():
                    images.append(self._image(part, where))
                case Reasoning(text=text):
                    thoughts.append("" if _sealed(part) else text)
                case ToolCall():
                    self._names[part.id] = part.name
                    calls.append({"id": part.id, "function": {"name": part.name, "arguments": _arguments(part)}})
                case CacheMark():
                    self._warnings.append(MARKS)
                case File():
                    raise Unsupported("Ollama takes no files.", "Send its text, or pictures of it.", param=where)
                case Opaque() | ToolResult():
                    raise Unsupported("A message holds what Ollama cannot take.", param=where)
            if _sealed(part):
                self._warnings.append(SEALS)
        said: Json = {"content": between.join(texts)}
        given = {"images": images, "thinking": "".join(thoughts), "tool_calls": calls}
        return said | {name: value for name, value in given.items() if value}

    def _image(self, image: Image, where: str) -> str:
        if image.data is None:
            raise Unsupported("Ollama takes pictures by their data only.", "Send the picture itself.", param=where)
        if image.detail not in (None, "auto"):
            self._warnings.append("detail is not taken of pictures by this provider and was left out.")
        return image.data


def _sealed(part: Part) -> bool:
    match part:
        case Reasoning():
            return bool(part.maker or part.signature or part.sealed)
        case Text(signature=signature) | ToolCall(signature=signature):
            return bool(signature)
        case _:
            return False


def _arguments(call: ToolCall) -> Json:
    try:
        return json.decode(call.arguments or "{}", type=dict[str, Any])
    except (ValueError, RecursionError):
        return {"invalid_json": call.arguments}
