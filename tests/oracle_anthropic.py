"""What an answer of Anthropic's Messages says, found with plain `json`: the other witness beside the wire."""

from __future__ import annotations

import json
from typing import Any

from ownkey.talk.chat import Opaque, Reasoning, Refusal, Text, ToolCall
from ownkey.talk.reply import Reply

UNIFIED = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",
    "compaction": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def said(reply: Reply) -> dict[str, Any]:
    """What the wire read, in plain data. Neighbouring texts are one: a stream does not keep them apart."""
    usage = reply.usage
    return {
        "id": reply.id,
        "model": reply.model,
        "text": "".join(part.text for part in reply.parts if isinstance(part, Text)),
        "reasoning": [(part.text, part.signature, part.sealed) for part in reply.parts if isinstance(part, Reasoning)],
        "calls": [
            (part.id, part.name, json.loads(part.arguments)) for part in reply.parts if isinstance(part, ToolCall)
        ],
        "opaque": [part.raw for part in reply.parts if isinstance(part, Opaque)],
        "refusal": "".join(part.text for part in reply.parts if isinstance(part, Refusal)) or None,
        "finish": reply.finish.raw,
        "unified": reply.finish.unified,
        "usage": {
            "input": usage.input_tokens,
            "output": usage.output_tokens,
            "cached": usage.cached_tokens,
            "cache_write": usage.cache_write_tokens,
            "reasoning": usage.reasoning_tokens,
            "cache_write_1h": usage.cache_write_1h_tokens,
        },
    }


def whole(body: bytes) -> dict[str, Any]:
    return _expected(json.loads(body))


def streamed(body: bytes) -> dict[str, Any]:
    return _expected(_put_together(body))


def fails(body: bytes, *, streaming: bool) -> bool:
    """Whether a good answer tells of an error."""
    return any(item["type"] == "error" for item in (_data(body) if streaming else [json.loads(body)]))


def _expected(message: dict[str, Any]) -> dict[str, Any]:
    known = ("text", "thinking", "redacted_thinking", "tool_use")
    blocks = message["content"]
    return {
        "id": message["id"],
        "model": message["model"],
        "text": "".join(block["text"] for block in blocks if block["type"] == "text"),
        "reasoning": [
            (block.get("thinking", ""), block.get("signature") or None, block.get("data"))
            for block in blocks
            if block["type"] in ("thinking", "redacted_thinking")
        ],
        "calls": [(block["id"], block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"],
        "opaque": [block for block in blocks if block["type"] not in known],
        "refusal": (message.get("stop_details") or {}).get("explanation"),
        "finish": message["stop_reason"],
        "unified": UNIFIED[message["stop_reason"]] if message["stop_reason"] else "unknown",
        "usage": _counts(message["usage"]),
    }


def _counts(counts: dict[str, Any]) -> dict[str, int | None]:
    usage = {name: value for name, value in counts.items() if value is not None}
    extra = [entry for entry in usage.get("iterations", []) if entry["type"] == "compaction"]
    reads, writes = usage.get("cache_read_input_tokens"), usage.get("cache_creation_input_tokens")
    hour = (usage.get("cache_creation") or {}).get("ephemeral_1h_input_tokens")
    for entry in extra:
        reads = (reads or 0) + entry["cache_read_input_tokens"]
        writes = (writes or 0) + entry["cache_creation_input_tokens"]
        hour = (hour or 0) + entry["cache_creation"]["ephemeral_1h_input_tokens"]
    fresh, output = usage.get("input_tokens"), usage.get("output_tokens")
    total = None if fresh is None else fresh + (reads or 0) + (writes or 0) + sum(e["input_tokens"] for e in extra)
    if output is not None:
        output += sum(entry["output_tokens"] for entry in extra)
    return {
        "input": total,
        "output": output,
        "cached": reads,
        "cache_write": writes,
        "reasoning": (usage.get("output_tokens_details") or {}).get("thinking_tokens"),
        "cache_write_1h": hour,
    }


def _data(body: bytes) -> list[dict[str, Any]]:
    """Every event's data; a relay's doubled `data:` is taken off."""
    found: list[dict[str, Any]] = []
    for line in body.decode().splitlines():
        while line.startswith("data:"):
            line = line[5:].strip()
        if line.startswith("{"):
            found.append(json.loads(line))
    return found


def _put_together(body: bytes) -> dict[str, Any]:
    """The message that a stream's events build, by Anthropic's description of them, up to the first end: one record
    holds the streams of two requests."""
    message: dict[str, Any] = {}
    blocks: dict[int, dict[str, Any]] = {}
    inputs: dict[int, str] = {}
    for event in _data(body):
        match event["type"]:
            case "message_start":
                message = dict(event["message"])
            case "content_block_start":
                blocks[event["index"]] = dict(event["content_block"])
            case "content_block_delta":
                if event["delta"]["type"] == "input_json_delta":
                    inputs[event["index"]] = inputs.get(event["index"], "") + event["delta"]["partial_json"]
                else:
                    _grow(blocks[event["index"]], event["delta"])
            case "message_delta":
                message |= event["delta"]
                message["usage"] = message["usage"] | event.get("usage", {})
            case "message_stop":
                break
            case _:
                pass
    for index, text in inputs.items():
        if text:
            blocks[index]["input"] = json.loads(text)
    return message | {"content": [blocks[index] for index in sorted(blocks)]}


def _grow(block: dict[str, Any], delta: dict[str, Any]) -> None:
    if delta["type"] != "citations_delta":
        for name, value in delta.items():
            if name != "type":
                block[name] = (block.get(name) or "") + value
