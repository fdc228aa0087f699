"""Ollama's own API: what is asked, what comes back, and the true answers of a real one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ownkey.catalog.manifest import Quirks
from ownkey.talk.chat import (
    CacheMark,
    Chat,
    File,
    Image,
    JsonOutput,
    Message,
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
from ownkey.talk.errors import ModelNotAvailable, ProviderError, StreamCut, Unsupported
from ownkey.talk.reply import Event, Reply, collect
from ownkey.wires.ollama.wire import Ollama
from recordings import ABSENT, Record, records

WIRE = Ollama()
TOOL = Tool("look", "Looks.", {"type": "object", "properties": {"at": {"type": "string"}}})
RECORDS = [record for record in records("ollama", "api/chat") if record.fidelity == "raw" and record.status == 200]


def body(chat: Chat, **more: Any) -> dict[str, Any]:
    options: dict[str, Any] = {"stream": False, "max_output": None, "quirks": Quirks(), **more}
    return json.loads(WIRE.write_request(chat, "qwen3", **options).body)


def read(pieces: list[bytes]) -> Reply:
    reader = WIRE.reader()
    events: list[Event] = []
    for piece in pieces:
        events += reader.feed(piece)
    return collect([*events, *reader.close()])


def test_what_its_openai_form_loses_is_said() -> None:
    other = {"num_ctx": 32_768, "keep_alive": "1h", "options": {"mirostat": 1}}
    asked = body(Chat((user("Hi"),), temperature=0.5, seed=0, stop=("x",), other=other), max_output=50)
    assert asked["options"] == {
        "mirostat": 1,
        "num_ctx": 32_768,
        "temperature": 0.5,
        "seed": 0,
        "stop": ["x"],
        "num_predict": 50,
    }
    assert asked["keep_alive"] == "1h"


def test_messages_tools_and_pictures_stand_where_ollama_wants_them() -> None:
    calls = Message("assistant", (Reasoning("Hm"), Text("Yes."), ToolCall("c1", "look", '{"at":"it"}')))
    result = Message("tool", (ToolResult("c1", (Text("seen"), Image("QQ==", "image/png")), "look", failed=True),))
    asked = body(Chat((system("Be brief."), user("Look."), calls, result), tools=(TOOL,)))
    assert [message["role"] for message in asked["messages"]] == ["system", "user", "assistant", "tool"]
    assert asked["messages"][2]["thinking"] == "Hm"
    assert asked["messages"][2]["tool_calls"][0]["function"] == {"name": "look", "arguments": {"at": "it"}}
    told = {"content": "Error: seen", "images": ["QQ=="], "tool_call_id": "c1", "tool_name": "look", "role": "tool"}
    assert asked["messages"][3] == told
    assert asked["tools"][0]["function"]["parameters"] == TOOL.parameters


def test_json_and_thinking() -> None:
    schema = {"type": "object"}
    assert body(Chat((user("Hi"),), output=JsonOutput(schema)))["format"] == schema
    assert body(Chat((user("Hi"),), output=JsonOutput()))["format"] == "json"
    assert body(Chat((user("Hi"),), thinking=Thinking("none")))["think"] is False
    assert body(Chat((user("Hi"),), thinking=Thinking("low")))["think"] == "low"


@pytest.mark.parametrize(
    ("chat", "param"),
    [
        (Chat((user("Hi"),), tools=(TOOL,), tool_choice=ToolChoice("required")), "tool_choice"),
        (Chat((Message("user", (Image(url="https://a.example/b.png"),)),)), "messages[0]"),
        (Chat((Message("user", (File("QQ==", "application/pdf"),)),)), "messages[0]"),
        (Chat((user("Hi"),), other={"n": 2}), "n"),
        (Chat((user("Hi"),), other={"logprobs": True}), "logprobs"),
    ],
)
def test_G09_what_cannot_be_carried_is_refused_by_name(chat: Chat, param: str) -> None:
    with pytest.raises(Unsupported) as raised:
        body(chat)
    assert raised.value.param == param


def test_what_is_only_left_out_is_a_warning() -> None:
    parts = Message("user", (Text("Hi"), CacheMark()))
    chat = Chat((parts,), tools=(TOOL,), parallel_tools=False, user="me", other={"verbosity": "low"})
    written = WIRE.write_request(chat, "m", stream=True, max_output=None, quirks=Quirks())
    assert len(written.warnings) == 4


def test_a_tool_choice_of_none_leaves_the_tools_out() -> None:
    assert "tools" not in body(Chat((user("Hi"),), tools=(TOOL,), tool_choice=ToolChoice("none")))


def test_calls_without_ids_get_ones_that_hold() -> None:
    line = {"message": {"tool_calls": [{"function": {"name": "a", "arguments": {"b": 1}}}] * 2}, "created_at": "now"}
    data = json.dumps(line | {"done": True, "done_reason": "stop"}).encode()
    first, second = WIRE.read_reply(data).tool_calls
    assert first.id != second.id
    assert WIRE.read_reply(data).tool_calls[0].id == first.id
    assert first.arguments == '{"b":1}'
    assert WIRE.read_reply(data).finish.unified == "tool_calls"


def test_a_model_that_was_not_pulled_is_told_with_how_to_pull_it() -> None:
    error = WIRE.read_error(404, {}, b'{"error":"model \'nope\' not found"}')
    assert isinstance(error, ModelNotAvailable)
    assert "ollama pull" in error.hint


def test_an_error_in_the_middle_of_a_stream_is_raised() -> None:
    reader = WIRE.reader()
    good = b'{"message":{"content":"a"},"done":false}\n'
    assert reader.feed(good + b'{"error":"the model crashed"}\n')
    with pytest.raises(ProviderError, match="crashed"):
        reader.feed(b"")


def test_U08_a_stream_that_is_cut_is_never_whole() -> None:
    reader = WIRE.reader()
    reader.feed(b'{"message":{"content":"a"},"done":false}\n{"mess')
    with pytest.raises(ProviderError):
        reader.close()
    with pytest.raises(StreamCut):
        WIRE.reader().close()


def test_a_stream_in_one_line_after_the_other_uses_no_more_memory() -> None:
    reader = WIRE.reader()
    for _ in range(10_000):
        assert reader.feed(b'{"message":{"content":"abcdefgh"},"done":false}\n')
    assert reader.feed(b'{"done":true,"done_reason":"stop","eval_count":1,"prompt_eval_count":1}\n')


@pytest.mark.skipif(not RECORDS, reason=ABSENT)
@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.id)
def test_every_recorded_answer_is_read_whatever_way_it_is_cut(record: Record) -> None:
    data = record.response_body
    lines = [json.loads(line) for line in data.splitlines() if line.strip()]
    reply = read([data]) if record.streaming else WIRE.read_reply(data)
    assert reply.text == "".join(line["message"]["content"] for line in lines)
    assert reply.reasoning == "".join(line["message"].get("thinking", "") for line in lines)
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (
        lines[-1].get("prompt_eval_count"),
        lines[-1].get("eval_count"),
    )
    calls = [call["function"] for line in lines for call in line["message"].get("tool_calls", ())]
    assert [(call.name, json.loads(call.arguments)) for call in reply.tool_calls] == [
        (call["name"], call["arguments"]) for call in calls
    ]
    if record.streaming:
        assert read([data[at : at + 1] for at in range(len(data))]) == reply
        assert read([data[at : at + 7] for at in range(0, len(data), 7)]) == reply
