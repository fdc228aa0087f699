"""Models that answer best by responses, asked through the gateway by clients of other wires."""

from __future__ import annotations

import json
from typing import Any

import pytest

from house import Gateway

TOOL: dict[str, Any] = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_that_takes_tools_by_responses_only_is_asked_so_for_a_client_of_chat_completions(
    served: Gateway, stream: bool
) -> None:
    answer = served.ask("openai/gpt-6.1-sol", tools=[TOOL], reasoning_effort="high", max_tokens=500, stream=stream)
    assert answer.status == 200, answer.body
    assert "x-ownkey-warning" not in answer.headers
    seen = served.simulator.seen("openai")[-1]
    assert seen.path.partition("?")[0].endswith("/responses")
    sent = json.loads(seen.body)
    assert sent["reasoning"] == {"effort": "high"}
    assert sent["include"] == ["reasoning.encrypted_content"]
    assert sent["tools"][0]["name"] == "weather"
    assert (sent["store"], sent["max_output_tokens"]) == (False, 500)
    said = answer.body.decode()
    assert '"chat.completion.chunk"' in said if stream else '"chat.completion"' in said


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_of_anthropics_reaches_a_reasoning_model_by_responses(served: Gateway, stream: bool) -> None:
    asked = {
        "model": "openai/gpt-5",
        "max_tokens": 500,
        "stream": stream,
        "system": "Be brief.",
        "messages": [{"role": "user", "content": "Hello"}],
    }
    answer = served.send("POST", "/v1/messages", json.dumps(asked).encode(), served.own)
    assert answer.status == 200, answer.body
    seen = served.simulator.seen("openai")[-1]
    assert seen.path.partition("?")[0].endswith("/responses")
    assert [item["role"] for item in json.loads(seen.body)["input"]] == ["developer", "user"]
    assert b'"text"' in answer.body


def test_stop_sequences_are_refused_by_name_before_anything_is_sent(served: Gateway) -> None:
    before = len(served.simulator.seen("openai"))
    answer = served.ask("openai/gpt-6.1-sol", stop=["END"])
    assert answer.status == 422
    assert json.loads(answer.body)["error"]["param"] == "stop"
    assert len(served.simulator.seen("openai")) == before
