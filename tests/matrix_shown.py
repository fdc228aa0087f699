"""What a client of each wire is given, in no wire's words."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from house import Answer

Body = dict[str, Any]


@dataclass
class Shown:
    """What a client was given, in no wire's words."""

    text: str = ""
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    reason: str | None = None
    stop_sequence: str | None = None
    refused: bool = False
    cached: int = 0
    choices: int = 1
    turn: Any = None
    """The answer as the client puts it into its next request."""


def events_of(answer: Answer) -> list[Body]:
    lines = answer.body.decode().replace("\r\n", "\n").split("\n")
    payloads = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    return [json.loads(payload) for payload in payloads if payload != "[DONE]"]


def chat_shown(answer: Answer, streamed: bool) -> Shown:
    if streamed:
        return _chat_streamed(events_of(answer))
    whole = answer.json
    choice = whole["choices"][0]
    message = choice["message"]
    shown = Shown(message.get("content") or "", reason=choice["finish_reason"], choices=len(whole["choices"]))
    for call in message.get("tool_calls") or ():
        shown.calls.append((call["id"], call["function"]["name"], json.loads(call["function"]["arguments"])))
    shown.refused = bool(message.get("refusal"))
    shown.cached = (whole["usage"].get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    shown.turn = [message]
    return shown


def _chat_streamed(events: list[Body]) -> Shown:
    shown, calls = Shown(), dict[int, list[str]]()
    for chunk in events:
        for choice in chunk["choices"]:
            delta = choice["delta"]
            shown.text += delta.get("content") or ""
            shown.reason = choice["finish_reason"] or shown.reason
            for call in delta.get("tool_calls") or ():
                parts = calls.setdefault(call["index"], ["", "", ""])
                parts[0] += call.get("id") or ""
                parts[1] += call["function"].get("name") or ""
                parts[2] += call["function"].get("arguments") or ""
    shown.calls = [(id, name, json.loads(arguments)) for id, name, arguments in calls.values()]
    return shown


def responses_shown(answer: Answer, streamed: bool) -> Shown:
    whole = events_of(answer)[-1]["response"] if streamed else answer.json
    shown = Shown(reason=whole["status"], turn=whole["output"])
    if whole.get("incomplete_details"):
        shown.reason = whole["incomplete_details"]["reason"]
    for item in whole["output"]:
        if item["type"] == "function_call":
            shown.calls.append((item["call_id"], item["name"], json.loads(item["arguments"])))
        for piece in item.get("content") or () if item["type"] == "message" else ():
            shown.text += piece.get("text") or ""
            shown.refused = shown.refused or piece["type"] == "refusal"
    shown.cached = whole["usage"]["input_tokens_details"]["cached_tokens"]
    if streamed:
        deltas = [event["delta"] for event in events_of(answer) if event["type"] == "response.output_text.delta"]
        assert "".join(deltas) == shown.text
    return shown


def messages_shown(answer: Answer, streamed: bool) -> Shown:
    whole = _messages_streamed(events_of(answer)) if streamed else answer.json
    shown = Shown(reason=whole["stop_reason"], stop_sequence=whole.get("stop_sequence"))
    for block in whole["content"]:
        if block["type"] == "text":
            shown.text += block["text"]
        if block["type"] == "tool_use":
            shown.calls.append((block["id"], block["name"], block["input"]))
    shown.refused = whole["stop_reason"] == "refusal" or "asked to refuse" in shown.text
    shown.cached = whole["usage"].get("cache_read_input_tokens") or 0
    shown.turn = [{"role": "assistant", "content": whole["content"]}]
    return shown


def _messages_streamed(events: list[Body]) -> Body:
    blocks: dict[int, Body] = {}
    whole: Body = {}
    texts = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}
    for event in events:
        match event["type"]:
            case "message_start":
                whole = dict(event["message"])
            case "content_block_start":
                blocks[event["index"]] = {**event["content_block"], "json": ""}
            case "content_block_delta":
                block, delta = blocks[event["index"]], event["delta"]
                name = texts.get(delta["type"])
                if name:
                    block[name] = block.get(name, "") + delta[name]
                else:
                    block["json"] += delta["partial_json"]
            case "message_delta":
                whole |= event["delta"] | {"usage": event["usage"]}
            case _:
                pass
    for block in blocks.values():
        arguments = block.pop("json")
        if block["type"] == "tool_use":
            block["input"] = json.loads(arguments or "{}")
    return whole | {"content": list(blocks.values())}


def gemini_shown(answer: Answer, streamed: bool) -> Shown:
    chunks = events_of(answer) if streamed else [answer.json]
    candidates = [chunk["candidates"][0] for chunk in chunks if chunk.get("candidates")]
    parts = [part for one in candidates for part in (one.get("content") or {}).get("parts") or ()]
    shown = Shown(reason=candidates[-1].get("finishReason"), choices=len(chunks[-1].get("candidates") or ()))
    for part in parts:
        if "functionCall" in part:
            call = part["functionCall"]
            shown.calls.append((call.get("id") or "", call["name"], call.get("args") or {}))
        elif not part.get("thought"):
            shown.text += part.get("text") or ""
    shown.refused = shown.reason == "SAFETY" or "asked to refuse" in shown.text
    shown.cached = chunks[-1].get("usageMetadata", {}).get("cachedContentTokenCount") or 0
    shown.turn = [{"role": "model", "parts": parts}]
    return shown
