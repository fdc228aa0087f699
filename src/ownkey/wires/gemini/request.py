"""Writes a chat as Gemini's GenerateContentRequest.

Source: the Gemini API reference (GenerateContentRequest, GenerationConfig, Tool, ToolConfig) and its pages on function
calling, structured output and thinking.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec

from ownkey.catalog.manifest import Quirks
from ownkey.talk.chat import Chat, Effort, Tool, ToolChoice
from ownkey.talk.errors import InvalidRequest
from ownkey.wires.gemini.contents import NO_MARKS, contents, system_instruction
from ownkey.wires.gemini.values import Object
from ownkey.wires.other import carried
from ownkey.wires.thinking import fitted
from ownkey.wires.wire import Written

# `minimal` is refused by the larger models and by some of the small ones; these are taken by all.
_EFFORTS: tuple[Effort, ...] = ("low", "medium", "high")

_CARRIED_IN_CONFIG = ("imageConfig", "mediaResolution")
_CARRIED = frozenset({"safetySettings", *_CARRIED_IN_CONFIG})
_SHOWN = frozenset({"text", "image"})

_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY", "named": "ANY"}


def write_request(chat: Chat, *, max_output: int | None, quirks: Quirks) -> Written:
    """Raises Unsupported, naming the field; InvalidRequest where a text is not valid Unicode."""
    warnings: list[str] = []
    other = carried(chat.other, _carries(chat.other), warnings)
    _name_others(chat, warnings)
    body: Object = {}
    instruction = system_instruction(chat, warnings)
    if instruction:
        body["systemInstruction"] = instruction
    body["contents"] = contents(chat, warnings, newer=quirks.thinking.by == "effort")
    if chat.tools:
        body["tools"] = [{"functionDeclarations": [_tool(tool, warnings) for tool in chat.tools]}]
        if chat.tool_choice:
            body["toolConfig"] = {"functionCallingConfig": _choice(chat.tool_choice)}
    config = _sampling(chat, max_output, quirks, warnings) | _output(chat, quirks, warnings)
    thinking = _thinking(chat, quirks, warnings)
    if thinking:
        config["thinkingConfig"] = thinking
    config |= _asked(other)
    if "safetySettings" in other:
        body["safetySettings"] = other["safetySettings"]
    if config:
        body["generationConfig"] = config
    try:
        return Written(msgspec.json.encode(body), tuple(warnings))
    except (UnicodeEncodeError, OverflowError):
        raise InvalidRequest("The request holds a text or a number that JSON cannot carry.", "Change it.") from None


def _name_others(chat: Chat, warnings: list[str]) -> None:
    """Names what has a word in `Chat` and none here."""
    if chat.user is not None:
        warnings.append("user is not sent: Gemini has no such setting")
    if chat.parallel_tools is False:
        warnings.append("parallel_tools is not sent: Gemini may call several tools at once")
    if any(message.name for message in chat.messages):
        warnings.append("messages: names of speakers are not sent")


def _carries(other: Object) -> frozenset[str]:
    """Google's own settings, and images beside the text; not a voice, which the answer has no word for."""
    wanted = other.get("modalities")
    spoken = isinstance(wanted, list) and not {str(one).lower() for one in cast("list[object]", wanted)} <= _SHOWN
    return _CARRIED if spoken else _CARRIED | {"modalities"}


def _asked(other: Object) -> Object:
    config = {name: other[name] for name in _CARRIED_IN_CONFIG if name in other}
    wanted = other.get("modalities")
    if isinstance(wanted, list):
        config["responseModalities"] = [str(one).upper() for one in cast("list[object]", wanted)]
    return config


def _tool(tool: Tool, warnings: list[str]) -> Object:
    """`parametersJsonSchema` takes a JSON Schema as it is; `parameters` would be the older OpenAPI subset."""
    written: Object = {"name": tool.name}
    if tool.description:
        written["description"] = tool.description
    if tool.parameters:
        written["parametersJsonSchema"] = tool.parameters
    if tool.strict and (said := "tools: strict is not sent") not in warnings:
        warnings.append(said)
    if tool.cache and NO_MARKS not in warnings:
        warnings.append(NO_MARKS)
    return written


def _choice(choice: ToolChoice) -> Object:
    written: Object = {"mode": _MODES[choice.mode]}
    if choice.mode == "named" and choice.name:
        written["allowedFunctionNames"] = [choice.name]
    return written


def _sampling(chat: Chat, max_output: int | None, quirks: Quirks, warnings: list[str]) -> Object:
    if chat.seed is not None and not quirks.seed:
        warnings.append("seed is not sent: the provider takes none")
    config: dict[str, Any] = {
        "maxOutputTokens": max_output,
        "temperature": chat.temperature,
        "topP": chat.top_p,
        "topK": chat.top_k,
        "stopSequences": chat.stop or None,
        "seed": chat.seed if quirks.seed else None,
        "frequencyPenalty": chat.frequency_penalty,
        "presencePenalty": chat.presence_penalty,
    }
    return {name: value for name, value in config.items() if value is not None}


def _output(chat: Chat, quirks: Quirks, warnings: list[str]) -> Object:
    if chat.output is None:
        return {}
    config: Object = {"responseMimeType": "application/json"}
    if chat.output.schema is not None:
        if quirks.json_schema:
            config["responseJsonSchema"] = chat.output.schema
        else:
            warnings.append("output: the schema is not sent, JSON of any form is asked for")
    return config


def _thinking(chat: Chat, quirks: Quirks, warnings: list[str]) -> Object:
    """Only one of budget and level may be sent."""
    asked = fitted(chat, quirks.thinking, warnings, efforts=_EFFORTS, has_none=False)
    if asked is None:
        return {}
    off = chat.thinking is not None and (chat.thinking.effort == "none" or chat.thinking.budget_tokens == 0)
    if asked.effort == "none":
        return {"thinkingBudget": 0}
    if asked.effort is not None:
        return _thoughts(not off) | {"thinkingLevel": asked.effort}
    if asked.budget_tokens is not None:
        return _thoughts(not off) | {"thinkingBudget": asked.budget_tokens}
    return _thoughts(True)


def _thoughts(wanted: bool) -> Object:
    return {"includeThoughts": True} if wanted else {}
