"""What an answer of Gemini's says, found with plain `json`: the other witness beside the wire."""

from __future__ import annotations

import json
from typing import Any

from ownkey.talk.chat import Image, Opaque
from ownkey.talk.reply import Reply

LENGTH = {"MAX_TOKENS", 2}
REFUSED = {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "LANGUAGE", "MODEL_ARMOR"}


def said(reply: Reply) -> dict[str, Any]:
    """What the wire read, in the form of `whole` and `streamed`."""
    others = [part for part in reply.parts if isinstance(part, Opaque | Image)]
    usage = reply.usage
    return {
        "id": reply.id,
        "model": reply.model,
        "text": reply.text,
        "reasoning": reply.reasoning,
        "calls": [(call.id, call.name, json.loads(call.arguments), call.signature) for call in reply.tool_calls],
        "others": [
            one.raw if isinstance(one, Opaque) else {"inlineData": {"mimeType": one.media_type, "data": one.data}}
            for one in others
        ],
        "seals": [seal for part in reply.parts if (seal := _seal(part))],
        "finish": reply.finish.raw,
        "unified": reply.finish.unified,
        "usage": {
            "input": usage.input_tokens,
            "output": usage.output_tokens,
            # A zero is left out of Google's JSON: none and nothing are the same here.
            "cached": usage.cached_tokens or 0 if usage.known else None,
            "cache_write": None,
            "reasoning": usage.reasoning_tokens or 0 if usage.known else None,
        },
    }


def whole(body: bytes) -> dict[str, Any]:
    found = chunks(body)
    pieces = parts(found)
    plain = [part for part in pieces if "text" in part and not part.get("thought")]
    calls = [(part["functionCall"], part.get("thoughtSignature")) for part in pieces if "functionCall" in part]
    return {
        "id": found[0].get("responseId"),
        "model": found[0].get("modelVersion"),
        "text": "".join(part["text"] for part in plain),
        "reasoning": "".join(part.get("text", "") for part in pieces if part.get("thought")),
        "calls": [(call.get("id") or _Made(), call["name"], call.get("args", {}), seal) for call, seal in calls],
        "others": [part for part in pieces if not part.keys() & {"text", "functionCall"}],
        "seals": [part["thoughtSignature"] for part in pieces if "thoughtSignature" in part],
        **_finish(found, called=bool(calls)),
        "usage": _counts(found),
    }


streamed = whole


def fails(body: bytes, *, streaming: bool) -> bool:
    """Whether a good answer tells of an error."""
    return any(item.get("error") for item in chunks(body))


def chunks(body: bytes) -> list[dict[str, Any]]:
    text = body.decode()
    try:
        value = json.loads(text)
    except ValueError:
        return [json.loads(line[5:]) for line in text.splitlines() if line.startswith("data:")]
    return value if isinstance(value, list) else [value]


def parts(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    candidates = [one["candidates"][0] for one in found if one.get("candidates")]
    return [part for one in candidates for part in (one.get("content") or {}).get("parts") or []]


class _Made:
    """Stands for an id that the provider left out: any that is not empty."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and other != ""

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "<made up>"


def _seal(part: object) -> str | None:
    return part.raw.get("thoughtSignature") if isinstance(part, Opaque) else getattr(part, "signature", None)


def _finish(found: list[dict[str, Any]], *, called: bool) -> dict[str, Any]:
    given = [one["candidates"][0].get("finishReason") for one in found if one.get("candidates")]
    reasons = [reason for reason in given if reason is not None]
    if not reasons:
        blocked = [one["promptFeedback"]["blockReason"] for one in found if one.get("promptFeedback")]
        return {"finish": blocked[-1] if blocked else None, "unified": "content_filter" if blocked else "unknown"}
    last = reasons[-1]
    if last in ("STOP", 1):
        unified = "tool_calls" if called else "stop"
    elif last in LENGTH:
        unified = "length"
    else:
        unified = "content_filter" if last in REFUSED else "unknown"
    return {"finish": str(last), "unified": unified}


def _counts(found: list[dict[str, Any]]) -> dict[str, int | None]:
    told = [one["usageMetadata"] for one in found if one.get("usageMetadata")]
    counted = [one for one in told if one.get("promptTokenCount") is not None]
    if not counted:
        nothing = dict.fromkeys(("input", "output", "cached", "cache_write", "reasoning"))
        made = told[-1].get("candidatesTokenCount") if told else None
        return nothing if made is None else nothing | {"output": made + told[-1].get("thoughtsTokenCount", 0)}
    count = {name: value or 0 for name, value in counted[-1].items() if name.endswith("TokenCount")}
    thoughts = count.get("thoughtsTokenCount", 0)
    return {
        "input": count["promptTokenCount"] + count.get("toolUsePromptTokenCount", 0),
        "output": count.get("candidatesTokenCount", 0) + thoughts,
        "cached": count.get("cachedContentTokenCount", 0),
        "cache_write": None,
        "reasoning": thoughts,
    }
