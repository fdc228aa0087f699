"""An OpenAI client's effort, as it arrives at the provider of the model that was asked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from house import Gateway


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("anthropic/claude-sonnet-4-5", {"thinking": {"type": "enabled", "budget_tokens": 24_576}}),
        ("anthropic/claude-opus-5-5", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
        ("gemini/gemini-2.5-flash", {"thinkingBudget": 24_576, "includeThoughts": True}),
        ("gemini/gemini-3.8-flash", {"thinkingLevel": "high", "includeThoughts": True}),
        ("openai/gpt-4o", {"reasoning_effort": "high"}),  # an OpenAI client's own bytes, for OpenAI to judge
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_an_effort_arrives_as_the_model_takes_it(
    served: Gateway, model: str, told: dict[str, Any], stream: bool
) -> None:
    answer = served.ask(model, reasoning_effort="high", stream=stream)
    assert answer.status == 200, answer.body
    assert "x-ownkey-warning" not in answer.headers
    body = json.loads(served.simulator.seen(model.partition("/")[0])[-1].body)
    said = {name: body[name] for name in ("thinking", "output_config", "reasoning_effort") if name in body}
    assert (said or body["generationConfig"]["thinkingConfig"]) == told
    if "thinking" in told and "budget_tokens" in told["thinking"]:
        assert body["max_tokens"] > told["thinking"]["budget_tokens"]


def test_what_a_small_cap_takes_from_thinking_is_said(served: Gateway) -> None:
    answer = served.ask("anthropic/claude-sonnet-4-5", reasoning_effort="high", max_tokens=900)
    assert answer.status == 200
    assert "does not fit" in answer.headers["x-ownkey-warning"]
    assert "thinking" not in json.loads(served.simulator.seen("anthropic")[-1].body)
