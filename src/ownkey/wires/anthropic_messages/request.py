"""Requests of the Anthropic Messages wire.

Facts from Anthropic's API reference (Create a Message, Extended and adaptive thinking, Effort, Structured outputs).
"""

from __future__ import annotations

from typing import Any

from msgspec.json import encode

from ownkey.catalog.manifest import Quirks
from ownkey.talk.chat import Chat, Effort, Thinking, Tool
from ownkey.talk.errors import InvalidRequest, Unsupported
from ownkey.wires.anthropic_messages.content import cache_control, conversation
from ownkey.wires.other import carried
from ownkey.wires.thinking import BUDGETS, fitted
from ownkey.wires.wire import Written

Json = dict[str, Any]

DEFAULT_CAP = 4_096
"""`max_tokens` where nobody set a cap, for this wire requires one: the most that every model of it takes."""

_EFFORTS: tuple[Effort, ...] = ("low", "medium", "high", "xhigh", "max")
LEAST_BUDGET = 1_024
"""The least that a model may be told to think in tokens (Extended thinking)."""


def write_request(chat: Chat, model: str, *, stream: bool, max_output: int | None, quirks: Quirks) -> Written:
    """Raises Unsupported or InvalidRequest, naming the field."""
    warnings: list[str] = []
    _other(chat, warnings)
    asked = fitted(chat, quirks.thinking, warnings, efforts=_EFFORTS)
    cap = _cap(chat, max_output, asked)
    system, messages = conversation(chat.messages, warnings)
    thinking, output = _thinking(chat, asked, cap, quirks, warnings)
    output |= _format(chat, quirks)
    body: Json = {"model": model, "max_tokens": cap, "messages": messages}
    optional: Json = {
        "system": system,
        "thinking": thinking,
        "output_config": output,
        "tools": [_tool(tool) for tool in chat.tools],
        "tool_choice": _tool_choice(chat, quirks, warnings),
        "stop_sequences": _stop(chat),
    }
    body |= {name: value for name, value in optional.items() if value}
    body |= _sampling(chat, quirks, thinks=thinking is not None and thinking["type"] != "disabled", warnings=warnings)
    if chat.user is not None:
        body["metadata"] = {"user_id": chat.user}
    if stream:
        body["stream"] = True
    try:
        return Written(encode(body), tuple(dict.fromkeys(warnings)))
    except UnicodeEncodeError as error:
        raise InvalidRequest("The request holds text that is not Unicode.", param="messages") from error


def _left_out(name: str) -> str:
    return f"{name} has no counterpart at this provider and was left out."


def _other(chat: Chat, warnings: list[str]) -> None:
    settings = {
        "seed": chat.seed is not None,
        "frequency_penalty": chat.frequency_penalty,
        "presence_penalty": chat.presence_penalty,
    }
    warnings += [_left_out(name) for name, asked in settings.items() if asked]
    carried(chat.other, frozenset(), warnings)


def _cap(chat: Chat, max_output: int | None, asked: Thinking | None) -> int:
    if max_output is not None:
        return max_output
    if chat.max_output_tokens is not None:
        return chat.max_output_tokens
    return DEFAULT_CAP + ((asked.budget_tokens or 0) if asked is not None else 0)


def _thinking(
    chat: Chat, asked: Thinking | None, cap: int, quirks: Quirks, warnings: list[str]
) -> tuple[Json | None, Json]:
    """`thinking`, and what of `output_config` belongs to it."""
    if asked is None:
        return None, {}
    if asked.effort == "none":
        return {"type": "disabled"}, {}
    effort: Json = {} if asked.effort is None else {"effort": asked.effort}
    if chat.tools and chat.tool_choice is not None and chat.tool_choice.mode in ("required", "named"):
        warnings.append("Thinking was left out: this wire does not allow it where a tool must be called.")
        return None, effort
    if quirks.thinking.by == "effort":
        return {"type": "adaptive"}, effort
    budget = asked.budget_tokens or BUDGETS["medium"]
    named = chat.thinking is not None and chat.thinking.budget_tokens is not None
    return _budgeted(budget, cap, named=named, warnings=warnings), {}


def _budgeted(budget: int, cap: int, *, named: bool, warnings: list[str]) -> Json | None:
    """A budget counts towards the cap and has to be below it. One that was named is not changed; one that stands for
    an effort leaves the answer half of a small cap, and 4,096 tokens of a large one."""
    if named and budget >= cap:
        raise Unsupported(
            f"A thinking budget of {budget} tokens does not fit under an output cap of {cap}.",
            "Raise the cap or lower the budget.",
            param="thinking",
        )
    if cap <= LEAST_BUDGET:
        warnings.append(f"thinking: it was left out, for the least of it does not fit under a cap of {cap} tokens")
        return None
    room = budget if named else max(LEAST_BUDGET, cap - min(cap // 2, DEFAULT_CAP))
    if room < budget:
        warnings.append(f"thinking: {room} tokens are allowed for it, to leave room for the answer")
    return {"type": "enabled", "budget_tokens": min(budget, room)}


def _format(chat: Chat, quirks: Quirks) -> Json:
    if chat.output is None:
        return {}
    if chat.output.schema is None or not quirks.json_schema:
        raise Unsupported(
            "JSON of any form cannot be promised on this wire."
            if chat.output.schema is None
            else "This provider takes no JSON schema.",
            "Give a JSON schema." if chat.output.schema is None else "Use a provider that takes one.",
            param="response_format",
        )
    return {"format": {"type": "json_schema", "schema": chat.output.schema}}


def _tool(tool: Tool) -> Json:
    schema = tool.parameters or {"properties": {}}
    written: Json = {"name": tool.name}
    if tool.description:
        written["description"] = tool.description
    written["input_schema"] = schema if "type" in schema else {"type": "object", **schema}
    if tool.strict:
        written["strict"] = True
    if tool.cache is not None:
        written["cache_control"] = cache_control(tool.cache)
    return written


def _tool_choice(chat: Chat, quirks: Quirks, warnings: list[str]) -> Json | None:
    if not chat.tools:
        return None
    choice = chat.tool_choice
    if choice is not None and choice.mode == "none":
        return {"type": "none"}
    written: Json = {"type": "auto"}
    if choice is not None and choice.mode == "required":
        written = {"type": "any"}
    elif choice is not None and choice.mode == "named":
        written = {"type": "tool", "name": choice.name}
    if chat.parallel_tools is False:
        if quirks.parallel_tools:
            written["disable_parallel_tool_use"] = True
        else:
            warnings.append("This provider may call several tools at once: it cannot be told not to.")
    elif choice is None:
        return None
    return written


def _stop(chat: Chat) -> list[str]:
    if any(not sequence.strip() for sequence in chat.stop):
        raise Unsupported("A stop sequence of blanks alone is refused on this wire.", param="stop")
    return list(chat.stop)


def _sampling(chat: Chat, quirks: Quirks, *, thinks: bool, warnings: list[str]) -> Json:
    """Temperature goes from 0 to 1 here and, with newer models, not together with `top_p`. While a model thinks,
    `top_p` has to be 0.95 or more, and the other two cannot be set. The newest models take none of them."""
    written = {"temperature": chat.temperature, "top_p": chat.top_p, "top_k": chat.top_k}
    if not quirks.thinking.sampling:
        warnings += [
            f"`{name}` is not taken by this model and was left out."
            for name in written
            if written[name] not in (None, 1)
        ]
        return {}
    if chat.temperature is not None and chat.temperature > 1:
        written["temperature"] = 1
        warnings.append("`temperature` goes up to 1 on this wire and was sent as 1.")
    if thinks:
        for name, fits in (
            ("temperature", chat.temperature == 1),
            ("top_p", (chat.top_p or 0) >= 0.95),
            ("top_k", False),
        ):
            if written[name] is not None and not fits:
                written[name] = None
                warnings.append(f"`{name}` cannot be set so while the model thinks and was left out.")
    if written["temperature"] is not None and written["top_p"] is not None:
        written["top_p"] = None
        if chat.top_p != 1:
            warnings.append("`top_p` cannot be set together with `temperature` on this wire and was left out.")
    return {name: value for name, value in written.items() if value is not None}
