"""A coding agent's traffic: Anthropic messages, streamed, with tools, thinking, marks for the cache and 200 kB of
context, in a loop of three turns, to models that speak another wire."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import pytest

from house import Gateway

FILES = "def main():\n    return 'ünïcode ✓'\n" * 6_000
TOOLS: list[Any] = [
    {
        "name": "read_file",
        "description": "Reads a file.",
        "input_schema": {
            "type": "object",
            "properties": {"path": {"type": "string"}, "limit": {"type": "integer"}},
            "required": ["path", "limit"],
        },
        "cache_control": {"type": "ephemeral"},
    }
]


@pytest.mark.row("A9")
@pytest.mark.row("C2")
@pytest.mark.parametrize(
    ("model", "seal"),
    [
        ("openai/gpt-4o", None),
        ("openai/o3-mini", '"encrypted_content":"gAAAAABsimulated'),
        ("gemini/gemini-2.5-pro", '"thoughtSignature":"'),
        ("anthropic/claude-sonnet-4-5", '"signature":"'),
    ],
)
def test_a_coding_agents_loop_goes_through_and_back(served: Gateway, model: str, seal: str | None) -> None:
    client = anthropic.Anthropic(base_url=served.url.removesuffix("/v1"), api_key=served.token)
    system: Any = [{"type": "text", "text": f"The project:\n{FILES}", "cache_control": {"type": "ephemeral"}}]
    messages: list[Any] = [{"role": "user", "content": "Please use tool read_file on main."}]
    name = model.partition("/")[0]
    for turn in range(3):
        with client.messages.stream(
            model=model,
            max_tokens=8_000,
            system=system,
            tools=TOOLS,
            thinking={"type": "enabled", "budget_tokens": 2_000},
            messages=messages,
            metadata={"user_id": "someone"},
        ) as stream:
            answer = stream.get_final_message()
        sent = served.simulator.seen(name)[-1].body.decode()
        assert len(sent.encode()) > 200_000
        assert "ünïcode ✓" in json.loads(json.dumps(sent)) or "\\u2713" in sent
        if turn:
            assert f"content of turn {turn - 1}" in sent
            assert seal is None or seal in sent.replace('": "', '":"')
        calls = [block for block in answer.content if block.type == "tool_use"]
        assert [call.input for call in calls] == [{"path": "path", "limit": 0}]
        assert answer.stop_reason == "tool_use"
        assert answer.usage.output_tokens > 0
        assert answer.usage.input_tokens + (answer.usage.cache_read_input_tokens or 0) > 20_000
        messages.append({"role": "assistant", "content": answer.content})
        result = {"type": "tool_result", "tool_use_id": calls[0].id, "content": f"content of turn {turn}"}
        again = {"type": "text", "text": "Please use tool read_file again."}
        messages.append({"role": "user", "content": [result, again]})
    client.close()
