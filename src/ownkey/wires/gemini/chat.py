"""A client's generateContent in full: the fields of Google's API references, read into a `Chat`.

Sources: the Gemini API reference (GenerateContentRequest, GenerationConfig, Tool, ToolConfig), Vertex AI's.
"""

from __future__ import annotations

from typing import cast

from msgspec import json

from ownkey.talk.chat import Chat, Effort, JsonOutput, Thinking, Tool, ToolChoice
from ownkey.talk.errors import InvalidRequest, Unsupported
from ownkey.wires.gemini.said import at, flag, inner, listed, members, needed, number, plain, text, texts, whole
from ownkey.wires.gemini.schema import json_schema
from ownkey.wires.gemini.turns import instruction, messages
from ownkey.wires.gemini.values import Object
from ownkey.wires.members import wrong
from ownkey.wires.wire import Ask

_CONFIG = "generationConfig"
_READ = frozenset({"contents", "systemInstruction", "tools", "toolConfig", _CONFIG})
_SAMPLING = ("temperature", "topP", "topK", "stopSequences", "seed", "frequencyPenalty", "presencePenalty")
_FORMS = ("responseMimeType", "responseSchema", "responseJsonSchema", "responseFormat")
_READ_IN_CONFIG = frozenset({"maxOutputTokens", "thinkingConfig", *_SAMPLING, *_FORMS})

# What means the same as a field of OpenAI's goes by its name there.
_NAMES = {
    "candidateCount": "n",
    "responseLogprobs": "logprobs",
    "logprobs": "top_logprobs",
    "responseModalities": "modalities",
    "serviceTier": "service_tier",
}
_USUAL_TIERS = frozenset({"standard", "unspecified"})
_EFFORTS: dict[str, Effort] = {
    "MINIMAL": "minimal",
    "LOW": "low",
    "MEDIUM": "medium",
    "HIGH": "high",
    "XHIGH": "xhigh",
}
_UNSPECIFIED = "THINKING_LEVEL_UNSPECIFIED"


def read_chat(ask: Ask) -> Chat:
    """Raises InvalidRequest or Unsupported, naming the field. What has no word in `Chat` goes into `other`."""
    try:
        return _chat(ask)
    except RecursionError:
        raise InvalidRequest("The request is nested too deeply.", "Make it flatter.") from None


def _chat(ask: Ask) -> Chat:
    said = members({name: json.decode(raw) for name, raw in ask.fields.items()})
    config = inner(said, _CONFIG)
    other: Object = {name: value for name, value in said.items() if name not in _READ}
    other |= {name: value for name, value in config.items() if name not in _READ_IN_CONFIG}
    tools = list(_tools(said, other))
    choice = _choice(inner(said, "toolConfig"), tools, other)
    top_k = number(config, "topK", _CONFIG)
    return Chat(
        messages=(*instruction(said), *messages(said)),
        max_output_tokens=ask.max_output,
        temperature=number(config, "temperature", _CONFIG),
        top_p=number(config, "topP", _CONFIG),
        top_k=None if top_k is None else int(top_k),
        frequency_penalty=number(config, "frequencyPenalty", _CONFIG),
        presence_penalty=number(config, "presencePenalty", _CONFIG),
        stop=tuple(texts(config, "stopSequences", _CONFIG)),
        seed=whole(config, "seed", _CONFIG),
        tools=tuple(tools),
        tool_choice=choice,
        output=_output(config, other),
        thinking=_thinking(inner(config, "thinkingConfig", _CONFIG)),
        other=_named(other),
    )


def _named(other: Object) -> Object:
    found = {_NAMES.get(name, name): value for name, value in other.items()}
    modalities = found.get("modalities")
    if isinstance(modalities, list):
        found["modalities"] = [str(one).lower() for one in cast("list[object]", modalities)]
    tier = found.get("service_tier")
    if isinstance(tier, str):
        found["service_tier"] = "default" if tier.lower() in _USUAL_TIERS else tier.lower()
    return found


def _tools(said: Object, other: Object) -> list[Tool]:
    """Functions. What Google runs itself has no counterpart elsewhere."""
    found: list[Tool] = []
    for where, tool in listed(said, "tools"):
        own = next((name for name in tool if name != "functionDeclarations"), None)
        if own is not None:
            raise Unsupported(
                f"Only tools that are functions are carried, and {own} is none.",
                "Leave it out, or use a provider of Gemini's own wire.",
                param=at(where, own),
            )
        found += [_tool(one, place, other) for place, one in listed(tool, "functionDeclarations", where)]
    return found


def _tool(said: Object, where: str, other: Object) -> Tool:
    if said.get("behavior") not in (None, "UNSPECIFIED", "BLOCKING"):
        raise Unsupported("Calls that do not wait for their result are not carried.", param=at(where, "behavior"))
    for name in ("response", "responseJsonSchema"):
        if name in said:
            other[f"tools.functionDeclarations.{name}"] = said[name]
    parameters = None
    if "parametersJsonSchema" in said:
        parameters = plain(said, "parametersJsonSchema", where)
    elif "parameters" in said:
        parameters = json_schema(plain(said, "parameters", where))
    return Tool(needed(said, "name", where), text(said, "description", where) or None, parameters)


def _choice(said: Object, tools: list[Tool], other: Object) -> ToolChoice | None:
    """Where only some tools are allowed, the others are taken out: they could not be called."""
    where = "toolConfig.functionCallingConfig"
    config = inner(said, "functionCallingConfig", "toolConfig")
    for name, value in said.items():
        if name != "functionCallingConfig" and value is not False:
            other[f"toolConfig.{name}"] = value
    if config.get("streamFunctionCallArguments"):
        other[f"{where}.streamFunctionCallArguments"] = True
    mode = (text(config, "mode", where) or "MODE_UNSPECIFIED").upper()
    allowed = texts(config, "allowedFunctionNames", where)
    if allowed and mode != "NONE":
        tools[:] = [tool for tool in tools if tool.name in allowed]
    match mode:
        case "AUTO":
            return ToolChoice("auto")
        case "NONE":
            return ToolChoice("none")
        case "VALIDATED":
            other[f"{where}.mode"] = mode
            return ToolChoice("auto")
        case "ANY":
            return ToolChoice("named", allowed[0]) if len(allowed) == 1 else ToolChoice("required")
        case "MODE_UNSPECIFIED":
            return None
        case _:
            raise InvalidRequest(f"{where}.mode must be AUTO, ANY, NONE or VALIDATED.", param=f"{where}.mode")


def _output(config: Object, other: Object) -> JsonOutput | None:
    media_type = text(config, "responseMimeType", _CONFIG)
    schema: Object | None = None
    if "responseJsonSchema" in config:
        schema = plain(config, "responseJsonSchema", _CONFIG)
    elif "responseSchema" in config:
        schema = json_schema(plain(config, "responseSchema", _CONFIG))
    for where, form in listed(config, "responseFormat", _CONFIG):
        if form.keys() != {"text"}:
            other["responseFormat"] = config["responseFormat"]
            continue
        said = inner(form, "text", where)
        media_type = (text(said, "mimeType", where) or "application/json").lower().replace("_", "/")
        schema = plain(said, "schema", where) if "schema" in said else None
    if media_type not in (None, "text/plain", "application/json"):
        raise Unsupported("Only text and JSON are carried.", param=f"{_CONFIG}.responseMimeType")
    return JsonOutput(schema) if schema is not None or media_type == "application/json" else None


def _thinking(said: Object) -> Thinking | None:
    where = f"{_CONFIG}.thinkingConfig"
    level = text(said, "thinkingLevel", where)
    budget = whole(said, "thinkingBudget", where)
    shown = flag(said, "includeThoughts", where)
    if level is not None and level.upper() not in {*_EFFORTS, _UNSPECIFIED}:
        raise wrong(f"{where}.thinkingLevel", "MINIMAL, LOW, MEDIUM, HIGH or XHIGH")
    effort = None if level is None else _EFFORTS.get(level.upper())
    if effort is None and budget is None and not shown:
        return None
    # A budget below 0 is Google's word for: as many as it sees fit.
    return Thinking(effort, None if budget is not None and budget < 0 else budget)
