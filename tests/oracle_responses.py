"""What a response in OpenAI's form says, found with plain `json`: the other witness beside the wire."""

from __future__ import annotations

import json
from typing import Any

from ownkey.talk.chat import Opaque, Reasoning, Refusal, Text, ToolCall
from ownkey.talk.reply import Reply

LAST = ("response.completed", "response.incomplete")
BROKEN = ("error", "response.failed", "response.cancelled")

Piece = tuple[Any, ...]


def said(reply: Reply) -> dict[str, Any]:
    """What the wire read, in the form of `told`."""
    usage = reply.usage
    return {
        "id": reply.id,
        "model": reply.model,
        "created": reply.created,
        "pieces": joined([_piece(part) for part in reply.parts]),
        "unified": reply.finish.unified,
        "usage": {
            "input": usage.input_tokens,
            "output": usage.output_tokens,
            "cached": usage.cached_tokens,
            "cache_write": usage.cache_write_tokens,
            "reasoning": usage.reasoning_tokens,
        },
        "tier": usage.tier,
    }


def told(answer: dict[str, Any]) -> dict[str, Any]:
    """The same of a response object."""
    pieces = [piece for item in answer["output"] for piece in _pieces(item)]
    return {
        "id": answer["id"],
        "model": answer["model"],
        "created": int(answer["created_at"]),
        "pieces": joined(pieces),
        "unified": _unified(answer, called=any(piece[0] == "call" for piece in pieces)),
        "usage": _counts(answer["usage"]),
        "tier": answer.get("service_tier"),
    }


def joined(pieces: list[Piece]) -> list[Piece]:
    """With texts that stand side by side as one: a stream has no border between them."""
    made: list[Piece] = []
    for piece in pieces:
        if made and piece[0] in ("text", "refusal") and made[-1][0] == piece[0]:
            piece = (piece[0], made.pop()[1] + piece[1])
        made.append(piece)
    return made


def events(body: bytes) -> list[dict[str, Any]]:
    """The JSON of each `data:` line; a recording's lines are never split over two."""
    lines = body.decode().replace("\r\n", "\n").split("\n")
    data = [line[5:].strip() for line in lines if line.startswith("data:")]
    return [json.loads(line) for line in data if line != "[DONE]"]


def ended_with(body: bytes) -> dict[str, Any]:
    """The response in a stream's last event, with the seals of the items as each was told when it was done.

    OpenAI encrypts anew for the last event: the two differ and mean the same.
    """
    found = events(body)
    answer = next(event["response"] for event in found if event["type"] in LAST)
    done = {event["output_index"]: event["item"] for event in found if event["type"] == "response.output_item.done"}
    output = [_resealed(item, done.get(place, item)) for place, item in enumerate(answer["output"])]
    return {**answer, "output": output}


def _resealed(item: dict[str, Any], done: dict[str, Any]) -> dict[str, Any]:
    return {**item, **{name: done[name] for name in ("encrypted_content", "fingerprint") if name in done}}


def breaks(body: bytes) -> bool:
    """Whether a stream tells of an error."""
    return any(event["type"] in BROKEN for event in events(body))


def _piece(part: object) -> Piece:
    match part:
        case Text(text=text):
            return ("text", text)
        case Refusal(text=text):
            return ("refusal", text)
        case Reasoning():
            return ("reasoning", part.text, part.sealed, part.maker, part.signature)
        case ToolCall():
            return ("call", part.id, part.name, part.arguments)
        case Opaque():
            return ("opaque", part.wire, part.raw)
        case _:
            raise AssertionError(part)


def _pieces(item: dict[str, Any]) -> list[Piece]:
    if item["type"] == "message":
        found = [("text", one["text"]) if "text" in one else ("refusal", one["refusal"]) for one in item["content"]]
        return [piece for piece in found if piece[1]]
    if item["type"] == "reasoning":
        text = "\n\n".join(one["text"] for one in item.get("summary") or item.get("content") or [])
        sealed = item.get("encrypted_content") or None
        return [("reasoning", text, sealed, "openai-responses" if sealed else None, None)] if text or sealed else []
    if item["type"] == "function_call":
        return [("call", item["call_id"], item["name"], item["arguments"] or "{}")]
    return [("opaque", "openai-responses", item)]


def _unified(answer: dict[str, Any], *, called: bool) -> str:
    reason = (answer.get("incomplete_details") or {}).get("reason")
    if reason is not None:
        return {"max_output_tokens": "length", "content_filter": "content_filter"}[reason]
    return "tool_calls" if called else "stop"


def _counts(usage: dict[str, Any] | None) -> dict[str, int | None]:
    usage = usage or {}
    into, out = usage.get("input_tokens_details") or {}, usage.get("output_tokens_details") or {}
    return {
        "input": usage.get("input_tokens"),
        "output": usage.get("output_tokens"),
        "cached": into.get("cached_tokens"),
        "cache_write": into.get("cache_write_tokens"),
        "reasoning": out.get("reasoning_tokens"),
    }
