"""What Ollama is asked: nothing is shortened or left out in silence."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ownkey.catalog.manifest import Quirks
from ownkey.talk.chat import (
    CacheMark,
    Chat,
    Image,
    Message,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    user,
)
from ownkey.talk.errors import InvalidRequest
from ownkey.wires.ollama.wire import Ollama

WIRE = Ollama()
PNG = Image(data="QUJD", media_type="image/png")


def asked(*messages: Message, **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    chat = Chat(messages or (user("Hi"),), **fields)
    written = WIRE.write_request(chat, "m", stream=False, max_output=None, quirks=Quirks())
    return json.loads(written.body), written.warnings


def test_a_chat_that_is_too_long_is_to_be_refused_and_not_shortened() -> None:
    body, warnings = asked()
    assert (body["truncate"], body["shift"], warnings) == (False, False, ())
    body, warnings = asked(other={"truncate": True, "shift": True})
    assert (body["truncate"], body["shift"], warnings) == (True, True, ())


def test_nothing_is_said_of_the_context_unless_it_is_asked_for() -> None:
    assert "options" not in asked()[0]
    assert asked(other={"num_ctx": 8192})[0]["options"] == {"num_ctx": 8192}


def test_G06_options_that_are_none_are_refused_by_name() -> None:
    with pytest.raises(InvalidRequest) as caught:
        asked(other={"options": "fast"})
    assert caught.value.param == "options"


def test_the_cap_that_is_given_is_the_cap_that_is_sent() -> None:
    chat = Chat((user("Hi"),), max_output_tokens=9, other={"options": {"num_predict": -1, "mirostat": 1}})
    written = WIRE.write_request(chat, "m", stream=True, max_output=5, quirks=Quirks())
    assert json.loads(written.body)["options"] == {"num_predict": 5, "mirostat": 1}
    assert chat.other == {"options": {"num_predict": -1, "mirostat": 1}}


@pytest.mark.parametrize(
    ("fields", "think"),
    [
        ({}, None),
        ({"other": {"think": "high"}}, "high"),
        ({"other": {"think": False}}, False),
        ({"thinking": Thinking("low"), "other": {"think": False}}, "low"),
        ({"thinking": Thinking()}, True),
        ({"thinking": Thinking("max")}, "high"),
    ],
)
def test_how_much_to_think_is_said_in_ollamas_words(fields: dict[str, Any], think: object) -> None:
    assert asked(**fields)[0].get("think") == think


@pytest.mark.parametrize(
    "part",
    [
        Reasoning("hm", "seal", None, "anthropic-messages"),
        Reasoning("", None, "seal", "openai-responses"),
        Reasoning("", None, "seal"),
        Text("a", "seal"),
        ToolCall("c", "f", "{}", "seal"),
    ],
)
def test_what_another_provider_sealed_is_not_sent_and_that_is_said_once(part: Any) -> None:
    body, warnings = asked(Message("assistant", (part, part, Text("b"))))
    assert "seal" not in json.dumps(body)
    assert "thinking" not in body["messages"][0]
    assert len(warnings) == 1


def test_an_earlier_answer_goes_back_as_it_was() -> None:
    body, warnings = asked(Message("assistant", (Reasoning("h"), Reasoning("m"), Text("a"), Text("b"))))
    assert body["messages"] == [{"role": "assistant", "content": "ab", "thinking": "hm"}]
    assert warnings == ()


def test_a_result_is_told_with_the_name_of_its_call() -> None:
    call = Message("assistant", (ToolCall("c", "look", "{}"),))
    body, _ = asked(call, Message("tool", (ToolResult("c", (Text("seen"), PNG)),)))
    told = {"role": "tool", "content": "seen", "images": ["QUJD"], "tool_call_id": "c", "tool_name": "look"}
    assert body["messages"][1] == told


@pytest.mark.parametrize(
    ("message", "fields", "word"),
    [
        (Message("user", (Text("a"),), "ann"), {}, "name"),
        (Message("user", (Image(data="QUJD", detail="low"),)), {}, "detail"),
        (Message("tool", (ToolResult("c", (Text("a"),)), CacheMark())), {}, "cache"),
        (Message("tool", (ToolResult("c", (Text("a"), CacheMark())),)), {}, "cache"),
        (user("a"), {"tools": (Tool("f", strict=True),)}, "strict"),
        (user("a"), {"user": "ann"}, "user"),
    ],
)
def test_what_is_only_left_out_is_said(message: Message, fields: dict[str, Any], word: str) -> None:
    _, warnings = asked(message, **fields)
    assert len(warnings) == 1
    assert word in warnings[0]
