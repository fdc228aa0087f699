"""Chat completions as providers send them, written by hand."""

from __future__ import annotations

import json
from typing import Any

from ownkey.talk.reply import Reply, collect
from ownkey.wires.openai_chat.wire import OpenAIChat

WIRE = OpenAIChat()


def answer(message: object, usage: object = None, finish: str | None = "stop") -> bytes:
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return json.dumps({"id": "c1", "model": "m1", "created": 1.5, "choices": [choice], "usage": usage}).encode()


def streamed(*deltas: object, finish: str | None = "stop", done: bool = True) -> bytes:
    chunks: list[object] = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    if finish is not None:
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    lines = [json.dumps(chunk) for chunk in chunks] + (["[DONE]"] if done else [])
    return "".join(f"data: {line}\n\n" for line in lines).encode()


def read(stream: bytes) -> Reply:
    reader = WIRE.reader()
    events = reader.feed(stream)
    return collect(events + reader.close())


DELTAS: dict[str, list[dict[str, Any]]] = {
    "openai": [
        {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"x":'}},
        {"index": 1, "id": "b", "type": "function", "function": {"name": "g", "arguments": ""}},
        {"index": 1, "function": {"arguments": "{}"}},
        {"index": 0, "function": {"arguments": "1}"}},
    ],
    "no index": [
        {"id": "a", "function": {"name": "f", "arguments": '{"x":1}'}},
        {"id": "b", "function": {"name": "g", "arguments": "{}"}},
    ],
    "one index for all": [
        {"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"x":1}'}},
        {"index": 0, "id": "b", "function": {"name": "g", "arguments": "{}"}},
    ],
    "id and name repeated": [
        {"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"x"'}},
        {"index": 0, "id": "a", "function": {"name": "f", "arguments": ":1}"}},
        {"index": 1, "id": "b", "function": {"name": "g", "arguments": {}}},
    ],
    "arguments before the name": [
        {"index": 10**9, "id": "a", "function": {"arguments": '{"x":'}},
        {"index": 10**9, "function": {"name": "f", "arguments": "1}"}},
        {"index": 3, "id": "b", "function": {"name": "g", "arguments": "{}"}},
    ],
    "nulls": [
        {"index": 0, "id": "a", "function": {"name": "f", "arguments": None}},
        {"index": 0, "id": None, "type": None, "function": {"name": None, "arguments": '{"x":1}'}},
        {"index": 1, "id": "b", "function": {"name": "g", "arguments": "{}"}},
    ],
}


STREAM = (
    b': PROCESSING\n\ndata: {"object":"","choices":[],"prompt_filter_results":[]}\r\n\r\n'
    + streamed(
        {"role": "assistant", "content": ""},
        {"reasoning": "hm"},
        {"content": "Gr\u00fc\u00dfe \U0001f600"},
        {"tool_calls": DELTAS["openai"][:2]},
        {"tool_calls": DELTAS["openai"][4:]},
        done=False,
        finish="tool_calls",
    )
    + b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\ndata: [DONE]\n\n'
)
