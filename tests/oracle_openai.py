"""What an answer in OpenAI's form says, found with plain `json`: the other witness beside the wire."""

from __future__ import annotations

import json
from typing import Any

from ownkey.talk.reply import Reply

UNIFIED = {
    "stop": "stop",
    "eos": "stop",
    "length": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}

Call = tuple[str | None, str, str]


def said(reply: Reply) -> dict[str, Any]:
    """What the wire read, in the form of `whole` and `streamed`."""
    usage = reply.usage
    return {
        "id": reply.id,
        "model": reply.model,
        "text": reply.text,
        "reasoning": reply.reasoning,
        "refusal": reply.refusal,
        "calls": [(call.id, call.name, call.arguments) for call in reply.tool_calls],
        "finish": reply.finish.raw,
        "unified": reply.finish.unified,
        "usage": {
            "input": usage.input_tokens,
            "output": usage.output_tokens,
            "cached": usage.cached_tokens,
            "cache_write": usage.cache_write_tokens,
            "reasoning": usage.reasoning_tokens,
        },
    }


def whole(body: bytes) -> dict[str, Any]:
    answer = json.loads(body)
    choice = answer["choices"][0]
    message = choice.get("message") or {}  # Azure leaves it out where it filtered the answer
    return {
        "id": answer["id"],
        "model": answer["model"],
        "text": texts(message.get("content"), "text"),
        "reasoning": _thoughts(message),
        "refusal": message.get("refusal") or None,
        "calls": _with_ids(_calls(message)),
        "finish": choice["finish_reason"],
        "unified": UNIFIED[choice["finish_reason"]],
        "usage": _counts(_usage(answer)),
    }


def streamed(body: bytes) -> dict[str, Any]:
    found = chunks(body)
    choices = [choice for chunk in found for choice in chunk.get("choices") or [] if choice.get("index", 0) == 0]
    first = next(chunk for chunk in found if chunk.get("choices"))
    deltas = [choice["delta"] for choice in choices if choice.get("delta")]
    finish = next((choice["finish_reason"] for choice in choices if choice.get("finish_reason")), None)
    reports = [usage for chunk in found if (usage := _usage(chunk))]
    return {
        "id": first.get("id") or None,
        "model": first.get("model") or None,
        "text": "".join(texts(delta.get("content"), "text") for delta in deltas),
        "reasoning": "".join(_thoughts(delta) for delta in deltas),
        "refusal": "".join(delta.get("refusal") or "" for delta in deltas) or None,
        "calls": _with_ids(_streamed_calls(deltas)),
        "finish": finish,
        "unified": UNIFIED[finish] if finish else "unknown",
        "usage": _counts(reports[-1] if reports else None),
    }


def chunks(body: bytes) -> list[dict[str, Any]]:
    """The JSON of each `data:` line; a recording's lines are never split over two."""
    lines = body.decode().replace("\r\n", "\n").split("\n")
    data = [line[5:].strip() for line in lines if line.startswith("data:")]
    return [json.loads(line) for line in data if line != "[DONE]"]


def fails(body: bytes, *, streaming: bool) -> bool:
    """Whether a good answer tells of an error."""
    return any(item.get("error") for item in (chunks(body) if streaming else [json.loads(body)]))


def texts(content: Any, kind: str) -> str:
    if isinstance(content, str) or content is None:
        return (content or "") if kind == "text" else ""
    if kind == "text":
        return "".join(part["text"] for part in content if part["type"] == "text")
    return "".join(piece["text"] for part in content if part["type"] == "thinking" for piece in part["thinking"])


class _Made:
    """Stands for an id that the provider left out: any that is not empty."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and other != ""

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "<made up>"


def _with_ids(calls: list[Call]) -> list[tuple[Any, str, str]]:
    return [(id or _Made(), name, text) for id, name, text in calls]


def _thoughts(message: dict[str, Any]) -> str:
    plain = message.get("reasoning_content") or message.get("reasoning") or texts(message.get("content"), "thinking")
    details = message.get("reasoning_details") or []
    return plain or "".join(item.get("text") or item.get("summary") or "" for item in details)


def _calls(message: dict[str, Any]) -> list[Call]:
    functions = [(call["id"], call["function"]) for call in message.get("tool_calls") or []]
    if legacy := message.get("function_call"):
        functions.append((None, legacy))
    return [(id, function["name"], function["arguments"]) for id, function in functions]


def _streamed_calls(deltas: list[dict[str, Any]]) -> list[Call]:
    found: list[list[Any]] = []
    places: dict[Any, list[Any]] = {}
    for delta in deltas:
        for call in delta.get("tool_calls") or []:
            function, key = call["function"], call.get("index", call.get("id"))
            if key not in places or (call.get("id") and function.get("name") and call["id"] != places[key][0]):
                places[key] = [call["id"], function["name"], ""]
                found.append(places[key])
            places[key][2] += function.get("arguments") or ""
    return [(id, name, text) for id, name, text in found]


def _usage(answer: dict[str, Any]) -> dict[str, Any] | None:
    return answer.get("usage") or (answer.get("x_groq") or {}).get("usage") or None


def _counts(usage: dict[str, Any] | None) -> dict[str, int | None]:
    """What the provider counted, with the tokens that stand in the total alone put where they belong."""
    if usage is None:
        return dict.fromkeys(("input", "output", "cached", "cache_write", "reasoning"))
    taken, made = usage["prompt_tokens"], usage["completion_tokens"]
    into = usage.get("prompt_tokens_details") or {}
    out = usage.get("completion_tokens_details") or {}
    outside = usage["total_tokens"] - taken - made
    heard = into.get("audio_tokens") or 0
    if heard and outside == heard:
        taken, outside = taken + heard, 0
    others = (usage.get(name) for name in ("cached_tokens", "prompt_cache_hit_tokens", "num_cached_tokens"))
    cached = into.get("cached_tokens", next((value for value in others if value is not None), None))
    return {
        "input": taken,
        "output": made + outside,
        # More cached than was taken in all is no count that can be used.
        "cached": None if cached is not None and cached > taken else cached,
        "cache_write": into.get("cache_write_tokens"),
        "reasoning": out.get("reasoning_tokens", usage.get("reasoning_tokens")),
    }
