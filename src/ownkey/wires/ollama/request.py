"""A `Chat` as a request of Ollama's own API, which takes what its OpenAI form has no field for: the size of the context
(`num_ctx`), how long the model stays loaded (`keep_alive`), and every option of the model.

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
_CARRIED = frozenset({"keep_alive", "num_ctx", "options", "min_p", "repeat_penalty"})
_AS_OPTIONS = frozenset({"num_ctx", "min_p", "repeat_penalty"})


def write_request(chat: Chat, model: str, *, stream: bool, max_output: int | None, quirks: Quirks) -> Written:
    """Raises Unsupported, naming the field."""
    warnings: list[str] = []
    body: Json = {"model": model, "messages": [*_messages(chat.messages, warnings)], "stream": stream}
    kept = carried(chat.other, _CARRIED, warnings)
    options = _options(chat, kept, max_output)
    if options:
        body["options"] = options
    if "keep_alive" in kept:
        body["keep_alive"] = kept["keep_alive"]
    body |= _tools(chat, warnings)
    if chat.output is not None:
        body["format"] = chat.output.schema or "json"
    thinking = fitted(chat, quirks.thinking, warnings, efforts=_EFFORTS)
    if thinking is not None:
        body["think"] = False if thinking.effort == "none" else thinking.effort or True
    if chat.user is not None:
        warnings.append("user has no counterpart at this provider and was left out.")
    try:
        return Written(json.encode(body), tuple(dict.fromkeys(warnings)))
    except UnicodeEncodeError:
        raise InvalidRequest("The request holds text that is not Unicode.", param="messages") from None


def _options(chat: Chat, kept: Json, max_output: int | None) -> Json:
    given = kept.get("options")
    options: Json = dict(cast("Json", given)) if isinstance(given, dict) else {}
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
    return {"tools": [_tool(tool) for tool in chat.tools]}


def _tool(tool: Tool) -> Json:
    parameters = tool.parameters or {"type": "object", "properties": {}}
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description or "", "parameters": parameters},
    }


def _messages(messages: tuple[Message, ...], warnings: list[str]) -> Iterator[Json]:
    for place, message in enumerate(messages):
        where = f"messages[{place}]"
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        for result in results:
            yield _result(result, where, warnings)
        rest = [part for part in message.parts if not isinstance(part, ToolResult)]
        if results and all(isinstance(part, CacheMark) for part in rest):
            continue
        role = {"developer": "system", "tool": "user"}.get(message.role, message.role)
        yield {"role": role, **_said(rest, where, warnings)}


def _result(result: ToolResult, where: str, warnings: list[str]) -> Json:
    said = _said(result.parts, where, warnings)
    if result.failed:
        said["content"] = f"Error: {said['content']}"
    named = {"tool_name": result.name} if result.name else {}
    return {"role": "tool", **said, "tool_call_id": result.call_id, **named}


def _said(parts: Sequence[Part], where: str, warnings: list[str]) -> Json:
    texts, images, thoughts, calls = list[str](), list[str](), list[str](), list[Json]()
    for part in parts:
        match part:
            case Text(text=text) | Refusal(text=text):
                texts.append(text)
            case Image():
                images.append(_image(part, where))
            case Reasoning(text=text):
                thoughts.append(text)
            case ToolCall():
                calls.append({"id": part.id, "function": {"name": part.name, "arguments": _arguments(part)}})
            case CacheMark():
                warnings.append(MARKS)
            case File():
                raise Unsupported("Ollama takes no files.", "Send its text, or pictures of it.", param=where)
            case Opaque() | ToolResult():
                raise Unsupported("A message holds what Ollama cannot take.", param=where)
    said: Json = {"content": "\n\n".join(texts)}
    given = {"images": images, "thinking": "".join(thoughts), "tool_calls": calls}
    return said | {name: value for name, value in given.items() if value}


def _image(image: Image, where: str) -> str:
    if image.data is None:
        raise Unsupported("Ollama takes pictures by their data only.", "Send the picture itself.", param=where)
    return image.data


def _arguments(call: ToolCall) -> Json:
    try:
        return json.decode(call.arguments or "{}", type=dict[str, Any])
    except (ValueError, RecursionError):
        return {"invalid_json": call.arguments}
