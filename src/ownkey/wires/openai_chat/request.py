"""A `Chat` as a chat completion for a provider, after OpenAI's API reference, bent by the provider's quirks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import json

from ownkey.catalog.manifest import Quirks
from ownkey.talk.chat import (
    CacheMark,
    Chat,
    File,
    Image,
    JsonOutput,
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
from ownkey.talk.errors import Unsupported
from ownkey.wires.other import carried
from ownkey.wires.thinking import fitted
from ownkey.wires.wire import Written

NAME = "openai-chat"

# Fields with no word in `Chat` that this form takes and that leave a `Reply` able to hold the answer.
_CARRIED = frozenset(
    {"logit_bias", "prompt_cache_key", "safety_identifier", "store", "verbosity", "min_p", "repetition_penalty"}
    | {"enable_thinking", "chat_template_kwargs", "reasoning_effort", "prediction", "prompt_cache_retention"}
)
# What shapes the choice of words, with the values that change nothing: these are taken by every model.
_SAMPLING: Mapping[str, float] = {"temperature": 1, "top_p": 1, "frequency_penalty": 0, "presence_penalty": 0}


def write_request(chat: Chat, model: str, *, stream: bool, max_output: int | None, quirks: Quirks) -> Written:
    """Raises Unsupported, naming the field. What is left out without changing what was promised is a warning."""
    warnings: list[str] = []
    body: dict[str, Any] = {"model": model, "messages": [*_messages(chat.messages, quirks)]}
    if stream:
        body["stream"] = True
        if quirks.usage_in_stream == "ask":
            body["stream_options"] = {"include_usage": True}
    if max_output is not None:
        body[quirks.max_tokens] = max_output
    body |= _settings(chat, quirks, warnings)
    if chat.tools:
        body["tools"] = [_tool(tool) for tool in chat.tools]
        if chat.tool_choice is not None:
            choice, name = chat.tool_choice.mode, chat.tool_choice.name
            body["tool_choice"] = {"type": "function", "function": {"name": name}} if choice == "named" else choice
    if chat.output is not None:
        body["response_format"] = _format(chat.output, quirks, warnings)
    thinking = fitted(chat, quirks.thinking, warnings)
    if thinking is not None and thinking.effort is not None:
        body["reasoning_effort"] = thinking.effort
    body |= carried(chat.other, _CARRIED, warnings)
    return Written(json.encode(body), tuple(warnings))


def _settings(chat: Chat, quirks: Quirks, warnings: list[str]) -> dict[str, Any]:
    said: dict[str, Any] = {"stop": chat.stop or None, "user": chat.user}
    body = {name: value for name, value in said.items() if value is not None}
    for name, usual in _SAMPLING.items():
        value = getattr(chat, name)
        _put(body, name, value, quirks.thinking.sampling or value == usual, warnings)
    _put(body, "top_k", chat.top_k, False, warnings)
    _put(body, "seed", chat.seed, quirks.seed, warnings)
    if chat.tools:
        _put(body, "parallel_tool_calls", chat.parallel_tools, quirks.parallel_tools, warnings)
    return body


def _put(body: dict[str, Any], name: str, value: object, taken: bool, warnings: list[str]) -> None:
    if value is None:
        return
    if taken:
        body[name] = value
    else:
        warnings.append(f"{name} is not taken by this provider and was left out.")


def _messages(messages: tuple[Message, ...], quirks: Quirks) -> Iterator[dict[str, Any]]:
    for place, message in enumerate(messages):
        where = f"messages[{place}]"
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        for result in results:
            yield {"role": "tool", "tool_call_id": result.call_id, "content": _content(result.parts, where)}
        if results and len(results) == len(message.parts):
            continue
        if message.role == "assistant":
            yield _assistant(message, quirks, where)
            continue
        role = quirks.system_role if message.role in ("system", "developer") else "user"
        named = {"name": message.name} if message.name else {}
        yield {"role": role, "content": _content(message.parts, where), **named}


def _assistant(message: Message, quirks: Quirks, where: str) -> dict[str, Any]:
    """An earlier answer. Reasoning goes back only where the provider asks for it: others refuse the field."""
    texts, thoughts, refusals, calls = list[str](), list[str](), list[str](), list[dict[str, Any]]()
    for part in message.parts:
        match part:
            case Text():
                texts.append(part.text)
            case Reasoning():
                thoughts.append(part.text)
            case Refusal():
                refusals.append(part.text)
            case ToolCall():
                function = {"name": part.name, "arguments": part.arguments or "{}"}
                calls.append({"id": part.id, "type": "function", "function": function})
            case ToolResult() | CacheMark():
                pass
            case Image() | File() | Opaque():
                raise Unsupported("An earlier answer holds what this provider cannot take back.", param=where)
    made: dict[str, Any] = {"role": "assistant", "content": "".join(texts) or (None if calls or refusals else "")}
    if refusals:
        made["refusal"] = "".join(refusals)
    if calls:
        made["tool_calls"] = calls
    if quirks.reasoning_back is not None and any(thoughts):
        made[quirks.reasoning_back] = "".join(thoughts)
    if message.name:
        made["name"] = message.name
    return made


def _content(given: tuple[Part, ...], where: str) -> str | list[dict[str, Any]]:
    """One string where there is nothing but text: not every server takes a list."""
    parts = [part for part in given if not isinstance(part, ToolResult | Reasoning | CacheMark)]
    if all(isinstance(part, Text) for part in parts):
        return "\n\n".join(part.text for part in parts if isinstance(part, Text))
    made: list[dict[str, Any]] = []
    for part in parts:
        match part:
            case Text():
                made.append({"type": "text", "text": part.text})
            case Image():
                made.append({"type": "image_url", "image_url": _link(part, where)})
            case Opaque() if part.wire == NAME:
                made.append(part.raw)
            case _:
                raise Unsupported("A message holds what this provider cannot take.", param=where)
    return made


def _link(image: Image, where: str) -> dict[str, Any]:
    url = image.url
    if url is None and image.data is not None:
        url = f"data:{image.media_type or 'image/png'};base64,{image.data}"
    if url is None:
        raise Unsupported("An image has neither data nor a URL.", param=where)
    return {"url": url, "detail": image.detail} if image.detail else {"url": url}


def _tool(tool: Tool) -> dict[str, Any]:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": tool.strict,
    }
    return {"type": "function", "function": {name: value for name, value in function.items() if value is not None}}


def _format(output: JsonOutput, quirks: Quirks, warnings: list[str]) -> dict[str, Any]:
    if output.schema is None:
        return {"type": "json_object"}
    if not quirks.json_schema:
        warnings.append("The provider promises JSON, and not that it keeps to the schema.")
        return {"type": "json_object"}
    given = {
        "name": output.name or "answer",
        "description": output.description,
        "schema": output.schema,
        "strict": output.strict,
    }
    return {"type": "json_schema", "json_schema": {name: value for name, value in given.items() if value is not None}}
