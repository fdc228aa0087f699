"""What is sent to providers that speak OpenAI's chat completions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from openai_samples import WIRE
from ownkey.catalog.manifest import Quirks, ThinkingRules
from ownkey.talk.chat import (
    Chat,
    Image,
    JsonOutput,
    Message,
    Opaque,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    system,
    user,
)
from ownkey.talk.errors import Unsupported
from ownkey.wires.wire import Door, wire


def sent(chat: Chat, *, stream: bool = False, max_output: int | None = None, **quirks: Any) -> dict[str, Any]:
    written = WIRE.write_request(chat, "m", stream=stream, max_output=max_output, quirks=Quirks(**quirks))
    return json.loads(written.body)


def test_the_wire_is_in_the_table_and_is_a_door() -> None:
    assert isinstance(wire("openai-chat"), Door)


def test_a_chat_is_sent_in_openais_form() -> None:
    call = ToolCall("id1", "look", '{"q":1}')
    chat = Chat(
        messages=(
            system("Be brief."),
            Message("user", (Text("See"), Image(data="QUJD", media_type="image/png"), Image(url="https://a.test/b"))),
            Message("assistant", (Reasoning("hm", "seal"), Text("I look."), call)),
            Message("tool", (ToolResult("id1", (Text("found"),)),)),
        ),
        temperature=0.0,
        stop=("x",),
        seed=7,
        tools=(Tool("look", "Looks.", {"type": "object"}, True),),
        tool_choice=ToolChoice("named", "look"),
        parallel_tools=False,
        output=JsonOutput({"type": "object"}, "shape", strict=True),
        thinking=Thinking(effort="low"),
    )
    assert sent(chat, stream=True, max_output=50) == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "See"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
                    {"type": "image_url", "image_url": {"url": "https://a.test/b"}},
                ],
            },
            {
                "role": "assistant",
                "content": "I look.",
                "tool_calls": [{"id": "id1", "type": "function", "function": {"name": "look", "arguments": '{"q":1}'}}],
            },
            {"role": "tool", "tool_call_id": "id1", "content": "found"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 50,
        "temperature": 0.0,
        "stop": ["x"],
        "seed": 7,
        "parallel_tool_calls": False,
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "look",
                    "description": "Looks.",
                    "parameters": {"type": "object"},
                    "strict": True,
                },
            }
        ],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "shape", "schema": {"type": "object"}, "strict": True},
        },
        "reasoning_effort": "low",
    }


def test_the_cap_that_is_given_is_the_cap_that_is_sent() -> None:
    chat = Chat((user("hi"),), max_output_tokens=999)
    assert "max_tokens" not in sent(chat)
    assert sent(chat, max_output=5)["max_tokens"] == 5
    body = sent(chat, max_output=5, max_tokens="max_completion_tokens")
    assert (body.get("max_tokens"), body["max_completion_tokens"]) == (None, 5)


def test_quirks_bend_the_request_and_say_so() -> None:
    chat = Chat(
        (system("s"), user("u"), Message("assistant", (Reasoning("hm"), Text("a")))),
        seed=1,
        top_k=3,
        thinking=Thinking(budget_tokens=4000),
        output=JsonOutput({"type": "object"}),
        other={"odd": 1, "verbosity": "low", "n": 1},
    )
    quirks = Quirks(
        usage_in_stream="never",
        system_role="developer",
        json_schema=False,
        thinking=ThinkingRules("none"),
        seed=False,
        reasoning_back="reasoning_content",
    )
    written = WIRE.write_request(chat, "m", stream=True, max_output=None, quirks=quirks)
    body = json.loads(written.body)
    assert body == {
        "model": "m",
        "messages": [
            {"role": "developer", "content": "s"},
            {"role": "user", "content": "u"},
            {"role": "assistant", "content": "a", "reasoning_content": "hm"},
        ],
        "stream": True,
        "response_format": {"type": "json_object"},
        "verbosity": "low",
    }
    for name in ("seed", "top_k", "thinking", "schema", "odd"):
        assert any(name in warning for warning in written.warnings)


@pytest.mark.parametrize(
    ("chat", "param"),
    [
        (Chat((user("u"),), other={"n": 2}), "n"),
        (Chat((user("u"),), other={"logprobs": True}), "logprobs"),
        (Chat((user("u"),), other={"audio": {"voice": "x"}}), "audio"),
        (Chat((user("a"), Message("user", (Opaque("another", {"type": "x"}),)))), "messages[1]"),
        (Chat((Message("assistant", (Opaque("another", {"type": "x"}),)),)), "messages[0]"),
    ],
)
def test_G08_what_would_change_the_answer_is_refused_by_name(chat: Chat, param: str) -> None:
    with pytest.raises(Unsupported) as caught:
        sent(chat)
    assert caught.value.param == param
