"""A `Chat` as a request for a response, after OpenAI's API reference (Responses: create)."""

from __future__ import annotations

from typing import Any

from msgspec import json
from msgspec.structs import replace

from ownkey.catalog.manifest import Quirks
from ownkey.talk.chat import Chat, JsonOutput, Tool, ToolChoice
from ownkey.talk.errors import InvalidRequest, Unsupported
from ownkey.wires.openai_responses.items import MARKS, items
from ownkey.wires.other import carried
from ownkey.wires.thinking import fitted
from ownkey.wires.wire import Written

Json = dict[str, Any]

_CARRIED = frozenset(
    {"metadata", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "store", "truncation", "verbosity"}
)
_SAMPLING = {"temperature": 1, "top_p": 1}
# Each with the value that asks for nothing.
_LEFT_OUT = {"top_k": None, "frequency_penalty": 0, "presence_penalty": 0, "seed": None}


def write_request(chat: Chat, model: str, *, stream: bool, max_output: int | None, quirks: Quirks) -> Written:
    """Raises Unsupported, naming the field. Nothing is stored at the provider unless it was asked for; what was
    thought comes back encrypted, so that the next turn can bring it."""
    warnings: list[str] = []
    if chat.stop:
        raise Unsupported(
            "Stop sequences are not carried on this wire.", "Leave them out, or use another model.", param="stop"
        )
    kept = carried(chat.other, _CARRIED | _tier(chat), warnings)
    verbosity = kept.pop("verbosity", None)
    body: Json = {"model": model, "input": [*items(chat.messages, quirks, warnings)], "store": False, **kept}
    if stream:
        body["stream"] = True
    if max_output is not None:
        body["max_output_tokens"] = max_output
    body |= _settings(chat, quirks, warnings) | _tools(chat, quirks, warnings)
    text = {"format": chat.output and _format(chat.output, quirks, warnings), "verbosity": verbosity}
    if any(text.values()):
        body["text"] = {name: value for name, value in text.items() if value}
    body |= _thinking(chat, quirks, warnings)
    try:
        return Written(json.encode(body), tuple(dict.fromkeys(warnings)))
    except UnicodeEncodeError:
        raise InvalidRequest("The request holds text that is not Unicode.", param="messages") from None


def _tier(chat: Chat) -> frozenset[str]:
    """A tier that is never dearer goes on. A dearer one would cost more than was set aside for the plain one."""
    return frozenset({"service_tier"} if chat.other.get("service_tier") == "flex" else ())


def _settings(chat: Chat, quirks: Quirks, warnings: list[str]) -> Json:
    body: Json = {}
    for name, usual in _SAMPLING.items():
        value = getattr(chat, name)
        if value is not None and (quirks.thinking.sampling or value == usual):
            body[name] = value
        elif value is not None:
            warnings.append(f"{name} is not taken by this model and was left out.")
    warnings += [
        f"{name} has no counterpart at this provider and was left out."
        for name, idle in _LEFT_OUT.items()
        if getattr(chat, name) not in (None, idle)
    ]
    if chat.user is not None:
        body["user"] = chat.user
    return body


def _tools(chat: Chat, quirks: Quirks, warnings: list[str]) -> Json:
    if not chat.tools:
        return {}
    body: Json = {"tools": [_tool(tool, warnings) for tool in chat.tools]}
    if chat.tool_choice is not None:
        body["tool_choice"] = _choice(chat.tool_choice)
    if chat.parallel_tools is not None:
        if quirks.parallel_tools:
            body["parallel_tool_calls"] = chat.parallel_tools
        else:
            warnings.append("parallel_tool_calls is not taken by this provider and was left out.")
    return body


def _tool(tool: Tool, warnings: list[str]) -> Json:
    """Strict unless it is said otherwise, by OpenAI's default here, and then many schemas are refused."""
    if tool.cache is not None:
        warnings.append(MARKS)
    made = {"type": "function", "name": tool.name, "description": tool.description}
    parameters = tool.parameters or {"type": "object", "properties": {}}
    return {
        **{name: value for name, value in made.items() if value},
        "parameters": parameters,
        "strict": tool.strict or False,
    }


def _choice(choice: ToolChoice) -> str | Json:
    return {"type": "function", "name": choice.name} if choice.mode == "named" else choice.mode


def _format(output: JsonOutput, quirks: Quirks, warnings: list[str]) -> Json:
    if output.schema is None:
        return {"type": "json_object"}
    if not quirks.json_schema:
        warnings.append("The provider promises JSON, and not that it keeps to the schema.")
        return {"type": "json_object"}
    given = {"name": output.name or "answer", "description": output.description, "schema": output.schema}
    made: Json = {"type": "json_schema", "strict": output.strict or False}
    return made | {name: value for name, value in given.items() if value is not None}


def _thinking(chat: Chat, quirks: Quirks, warnings: list[str]) -> Json:
    """Here tools are taken while a model thinks, whatever holds for it on the chat wire."""
    asked = fitted(chat, replace(quirks.thinking, tools="any"), warnings)
    body: Json = {}
    if quirks.thinking.by == "effort":
        body["include"] = ["reasoning.encrypted_content"]
    if asked is None:
        return body
    # Summaries are not asked for: OpenAI refuses the whole request of an organisation that is not verified for them.
    return body if asked.effort is None else body | {"reasoning": {"effort": asked.effort}}
