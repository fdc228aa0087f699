"""Each model is told how much to think as its provider documents it: golden requests with the shipped facts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ownkey.catalog.facts import facts, quirks_of
from ownkey.catalog.manifest import Family, Model, Provider, Quirks, ThinkingRules
from ownkey.talk.chat import Chat, Thinking, Tool, ToolChoice, user
from ownkey.talk.errors import Unsupported
from ownkey.wires.thinking import BUDGETS, EFFORTS
from ownkey.wires.wire import Written, wire
from shipped import quirks_for, shipped

TOOLS = (Tool("weather"),)
ADAPTIVE = {"type": "adaptive"}


def write(name: str, **fields: Any) -> Written:
    provider, _, model = name.partition("/")
    spoken = wire(shipped().get(provider).wire)
    quirks = quirks_for(provider, model)
    return spoken.write_request(Chat((user("Hi"),), **fields), model, stream=False, max_output=40_000, quirks=quirks)


def sent(name: str, **fields: Any) -> dict[str, Any]:
    """What is said of thinking and of sampling."""
    body = json.loads(write(name, **fields).body)
    config = body.get("generationConfig", {})
    body |= {"thinkingConfig": config["thinkingConfig"]} if "thinkingConfig" in config else {}
    told = ("thinking", "output_config", "reasoning_effort", "thinkingConfig", "temperature")
    return {name: body[name] for name in told if name in body}


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("anthropic/claude-sonnet-4-5", {"thinking": {"type": "enabled", "budget_tokens": 24_576}}),
        ("anthropic/claude-sonnet-4-5-20250929", {"thinking": {"type": "enabled", "budget_tokens": 24_576}}),
        ("anthropic/claude-opus-4-1-20250805", {"thinking": {"type": "enabled", "budget_tokens": 24_576}}),
        ("anthropic/claude-3-7-sonnet-latest", {"thinking": {"type": "enabled", "budget_tokens": 24_576}}),
        ("anthropic/claude-3-haiku", {}),
        ("anthropic/claude-sonnet-4-6", {"thinking": ADAPTIVE, "output_config": {"effort": "high"}}),
        ("anthropic/claude-opus-5-5", {"thinking": ADAPTIVE, "output_config": {"effort": "high"}}),
        ("anthropic/claude-haiku-5-5", {"thinking": ADAPTIVE, "output_config": {"effort": "high"}}),
        ("anthropic/claude-of-tomorrow", {"thinking": ADAPTIVE, "output_config": {"effort": "high"}}),
        ("openai/gpt-4o", {}),
        ("openai/o3-mini", {"reasoning_effort": "high"}),
        ("openai/gpt-5-2025-08-07", {"reasoning_effort": "high"}),
        ("openai/gpt-7", {"reasoning_effort": "high"}),
        ("azure/gpt-4o", {}),
        ("groq/llama-3.3-70b-versatile", {}),
        ("groq/openai/gpt-oss-120b", {"reasoning_effort": "high"}),
        ("gemini/gemini-1.5-pro", {}),
        ("gemini/gemini-2.5-flash", {"thinkingConfig": {"includeThoughts": True, "thinkingBudget": 24_576}}),
        ("gemini/gemini-3.8-flash", {"thinkingConfig": {"includeThoughts": True, "thinkingLevel": "high"}}),
    ],
)
def test_an_effort_is_told_as_the_model_takes_it(model: str, told: dict[str, Any]) -> None:
    assert sent(model, thinking=Thinking("high")) == told
    assert bool(write(model, thinking=Thinking("high")).warnings) == (told == {})


@pytest.mark.parametrize(
    ("model", "asked", "effort"),
    [
        ("openai/o1", "minimal", "low"),
        ("openai/o1", "none", "low"),
        ("openai/o1", "max", "high"),
        ("openai/gpt-5", "none", "minimal"),
        ("openai/gpt-5.1", "none", "none"),
        ("openai/gpt-6-astra", "max", "xhigh"),
        ("openai/gpt-6-astra", "none", "low"),
        ("openai/gpt-6-luna", "minimal", "low"),
        ("xai/grok-4.3", "none", "none"),
        ("xai/grok-4.7", "none", "low"),
        ("deepseek/deepseek-flash", "xhigh", "xhigh"),
        ("deepseek/deepseek-flash", "none", "minimal"),
    ],
)
def test_the_nearest_level_is_sent_and_named(model: str, asked: Any, effort: str) -> None:
    written = write(model, thinking=Thinking(asked))
    assert json.loads(written.body)["reasoning_effort"] == effort
    assert len(written.warnings) == (asked != effort)


def test_a_number_of_tokens_becomes_a_level_where_only_levels_are_taken() -> None:
    for budget, effort in ((1_024, "low"), (8_192, "medium"), (8_193, "high"), (100_000, "high")):
        written = write("anthropic/claude-opus-5-5", thinking=Thinking(budget_tokens=budget))
        assert json.loads(written.body)["output_config"] == {"effort": effort}
        assert len(written.warnings) == 1


def test_levels_rise_with_their_budgets() -> None:
    assert list(BUDGETS.values()) == sorted(BUDGETS[effort] for effort in EFFORTS)


@pytest.mark.parametrize("model", ["anthropic/claude-opus-5-5", "openai/o1", "openai/gpt-5", "openai/gpt-6.1-sol"])
def test_temperature_is_left_out_and_named_where_it_is_refused(model: str) -> None:
    assert "temperature" not in sent(model, temperature=0.2)
    assert len(write(model, temperature=0.2).warnings) == 1
    assert write(model, temperature=1).warnings == ()


@pytest.mark.parametrize("model", ["anthropic/claude-sonnet-4-5", "openai/gpt-4o", "openai/gpt-3.5-turbo"])
def test_temperature_is_sent_where_it_is_taken(model: str) -> None:
    assert sent(model, temperature=0.2) == {"temperature": 0.2}


def test_tools_that_are_taken_only_without_thinking_switch_it_off() -> None:
    assert sent("openai/gpt-6-luna", tools=TOOLS) == {"reasoning_effort": "none"}
    assert write("openai/gpt-6-luna", tools=TOOLS).warnings == ()
    assert len(write("openai/gpt-6-luna", tools=TOOLS, thinking=Thinking("high")).warnings) == 1
    with pytest.raises(Unsupported) as raised:
        write("openai/gpt-6-astra", tools=TOOLS)
    assert raised.value.param == "tools"


@pytest.mark.parametrize("mode", ["required", "named"])
def test_a_call_is_not_demanded_of_a_model_that_cannot_be_made_to(mode: Any) -> None:
    choice = ToolChoice(mode, "weather" if mode == "named" else None)
    with pytest.raises(Unsupported) as raised:
        write("anthropic/claude-opus-5-5", tools=TOOLS, tool_choice=choice)
    assert raised.value.param == "tool_choice"
    assert write("anthropic/claude-sonnet-4-5", tools=TOOLS, tool_choice=choice)
    assert write("anthropic/claude-opus-5-5", tools=TOOLS, tool_choice=ToolChoice("auto"))


def test_a_model_s_own_rules_go_before_its_family_s_and_the_provider_s() -> None:
    rules = {name: ThinkingRules("budget", least=least) for least, name in enumerate(("own", "short", "long", "rest"))}
    provider = Provider(
        "acme",
        "Acme",
        "cloud",
        "openai-chat",
        "https://acme.example",
        quirks=Quirks(seed=False, thinking=rules["rest"]),
        families=(Family(("big",), rules["short"]), Family(("none", "big-new"), rules["long"])),
        models=(Model("big-own", thinking=rules["own"]), Model("team", priced_as="big-new-1")),
    )
    named = {"big-own": "own", "big": "short", "big-1": "short", "big-new-2": "long", "team": "long", "small": "rest"}
    for model, which in named.items():
        quirks = quirks_of(provider, facts(provider, model))
        assert quirks == Quirks(seed=False, thinking=rules[which]), model
