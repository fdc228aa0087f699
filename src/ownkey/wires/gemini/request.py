"""Writes a chat as Gemini's GenerateContentRequest.

Source: the Gemini API reference (GenerateContentRequest, GenerationConfig, Tool, ToolConfig) and its pages on function
calling, structured output and thinking.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ownkey.catalog.manifest import Quirks
from ownkey.talk.chat import Chat, Effort, Tool, ToolChoice
from ownkey.talk.errors import InvalidRequest, Unsupported
from ownkey.wires.gemini.contents import contents, system_instruction
from ownkey.wires.gemini.values import Object
from ownkey.wires.wire import Written

# Families from before thinking had levels: they take a budget of tokens, and calls without a signature. All later ones
# take levels, and so do names that carry no number (`gemini-flash-latest`).
_BUDGET_FAMILIES = ("gemini-1", "gemini-2", "gemini-robotics-er-1", "gemma-3", "learnlm")

# Google's own table for OpenAI's efforts (Gemini API, "OpenAI compatibility").
_BUDGETS: Mapping[Effort, int] = {
    "minimal": 1024,
    "low": 1024,
    "medium": 8192,
    "high": 24_576,
    "xhigh": 24_576,
    "max": 24_576,
}
# The least that a family may be told to think, where that is not nothing.
_LEAST = (("gemini-2.5-pro", 128),)

# `minimal` is refused by the larger models and by some of the small ones; `low` is taken by all.
_LEVELS: Mapping[Effort, str] = {
    "none": "low",
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}

_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY", "named": "ANY"}

# Fields of other wires without which the answer would be another one.
_NEEDED = (
    "n best_of logprobs top_logprobs logit_bias modalities audio functions function_call web_search_options "
    "mcp_servers container context_management previous_response_id suffix echo grammar guided_json guided_regex"
)
# Values that ask for what Gemini does anyway.
_USUAL: Mapping[str, tuple[object, ...]] = {"n": (1,), "best_of": (1,), "modalities": (["text"],)}


def write_request(chat: Chat, model: str, *, max_output: int | None, quirks: Quirks) -> Written:
    """Raises Unsupported, naming the field; InvalidRequest where a text is not valid Unicode."""
    warnings = _others(chat)
    family = model.rpartition("/")[2]
    by_budget = family.startswith(_BUDGET_FAMILIES)
    body: Object = {}
    instruction = system_instruction(chat)
    if instruction:
        body["systemInstruction"] = instruction
    body["contents"] = contents(chat, warnings, seal_calls=not by_budget)
    if chat.tools:
        body["tools"] = [{"functionDeclarations": [_tool(tool, warnings) for tool in chat.tools]}]
        if chat.tool_choice:
            body["toolConfig"] = {"functionCallingConfig": _choice(chat.tool_choice)}
    config = _sampling(chat, max_output, quirks, warnings) | _output(chat, quirks, warnings)
    thinking = _thinking(chat, family, quirks, warnings, by_budget=by_budget)
    if thinking:
        config["thinkingConfig"] = thinking
    if config:
        body["generationConfig"] = config
    try:
        return Written(msgspec.json.encode(body), tuple(warnings))
    except (UnicodeEncodeError, OverflowError):
        raise InvalidRequest("The request holds a text or a number that JSON cannot carry.", "Change it.") from None


def _others(chat: Chat) -> list[str]:
    """The names of what is left out. Raises Unsupported where that would change the answer."""
    warnings: list[str] = []
    for name, value in chat.other.items():
        if not value or value in _USUAL.get(name, ()):
            continue
        if name in _NEEDED.split():
            raise Unsupported(
                f"Gemini's wire cannot carry {name!r}.", "Leave it out, or use another model.", param=name
            )
        warnings.append(f"{name} is not sent: Gemini has no such setting")
    if chat.user is not None:
        warnings.append("user is not sent: Gemini has no such setting")
    if chat.parallel_tools is False:
        warnings.append("parallel_tools is not sent: Gemini may call several tools at once")
    if any(message.name for message in chat.messages):
        warnings.append("messages: names of speakers are not sent")
    return warnings


def _tool(tool: Tool, warnings: list[str]) -> Object:
    """`parametersJsonSchema` takes a JSON Schema as it is; `parameters` would be the older OpenAPI subset."""
    written: Object = {"name": tool.name}
    if tool.description:
        written["description"] = tool.description
    if tool.parameters:
        written["parametersJsonSchema"] = tool.parameters
    if tool.strict and (said := "tools: strict is not sent") not in warnings:
        warnings.append(said)
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


def _thinking(chat: Chat, family: str, quirks: Quirks, warnings: list[str], *, by_budget: bool) -> Object:
    """Only one of budget and level may be sent. A budget that is named goes as it is: every family takes one."""
    thinking = chat.thinking
    if thinking is None:
        return {}
    if thinking.budget_tokens is not None:
        return _thoughts(thinking.budget_tokens != 0) | {"thinkingBudget": thinking.budget_tokens}
    effort = thinking.effort
    if effort is None:
        return _thoughts(True)
    if not quirks.reasoning_effort:
        warnings.append("thinking: the effort is not sent, the provider takes none")
        return {}
    if by_budget:
        least = next((tokens for start, tokens in _LEAST if family.startswith(start)), 0)
        if effort == "none" and least:
            warnings.append(f"thinking: it cannot be switched off here, {least} tokens are allowed for it")
        return _thoughts(effort != "none") | {"thinkingBudget": _BUDGETS.get(effort, least)}
    level = _LEVELS[effort]
    if level != effort:
        warnings.append(f"thinking: effort {effort!r} is sent as {level!r}, the nearest that every model takes")
    return _thoughts(effort != "none") | {"thinkingLevel": level}


def _thoughts(wanted: bool) -> Object:
    return {"includeThoughts": True} if wanted else {}
