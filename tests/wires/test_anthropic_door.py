"""Anthropic's messages inward: what true clients asked, what true answers become on their way through and back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ownkey.catalog.manifest import Quirks
from ownkey.talk.chat import CacheMark, Opaque, Reasoning, Text, ToolCall, ToolResult
from ownkey.talk.errors import InvalidRequest, ProviderError, Unsupported
from ownkey.talk.reply import Event, Reply, collect
from ownkey.wires.anthropic_messages.wire import AnthropicMessages
from ownkey.wires.seal import Seal, wrap
from recordings import ABSENT, Record, records

WIRE = AnthropicMessages()
ASKED = [
    record
    for record in records("anthropic", "messages")
    if isinstance(record.request_body, dict) and record.status == 200 and "messages" in record.request_body
]
STREAMS = [
    record
    for record in records("anthropic", "messages")
    if record.streaming
    and record.fidelity == "raw"
    and record.status == 200
    and b"message_stop" in record.response_body
]


def ask(**fields: Any) -> Any:
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], **fields}
    return WIRE.read_ask(json.dumps(body).encode())


def refusal(asked: Any) -> Unsupported | None:
    try:
        WIRE.read_chat(asked)
    except Unsupported as error:
        return error
    return None


def through(pieces: list[bytes]) -> tuple[bytes, Any]:
    relay = WIRE.relay(ask())
    out = b"".join(relay.feed(piece) for piece in pieces) + relay.close()
    return out, relay


def payloads(data: bytes) -> list[Any]:
    lines = data.decode().replace("\r\n", "\n").split("\n")
    return [json.loads(line[5:]) for line in lines if line.startswith("data:")]


def read(pieces: list[bytes]) -> Reply:
    reader = WIRE.reader()
    events: list[Event] = []
    for piece in pieces:
        events += reader.feed(piece)
    return collect([*events, *reader.close()])


@pytest.mark.skipif(not ASKED, reason=ABSENT)
@pytest.mark.parametrize("record", ASKED, ids=lambda record: record.id)
def test_every_request_that_was_recorded_is_read_or_refused_by_name(record: Record) -> None:
    raw = json.dumps(record.request_body).encode()
    asked = WIRE.read_ask(raw)
    assert json.loads(WIRE.forward(asked, asked.model, max_output=asked.max_output, quirks=Quirks())) == json.loads(raw)
    error = refusal(asked)
    if error is None:
        assert len(WIRE.read_chat(asked).messages) >= len(record.request_body["messages"])
        return
    # Only what Anthropic runs by itself, and what that brought into a tool's result.
    assert error.param
    assert (
        b"_20" in raw
        or b'"file"' in raw
        or b'"mcp_toolset"' in raw
        or b'"search_result"' in raw
        or b'"tool_reference"' in raw
    )


@pytest.mark.skipif(not STREAMS, reason=ABSENT)
@pytest.mark.parametrize("record", STREAMS, ids=lambda record: record.id)
def test_U08_a_recorded_stream_passes_whole_wherever_it_is_cut(record: Record) -> None:
    data = record.response_body
    whole, relay = through([data])
    assert payloads(whole) == payloads(data)
    assert relay.ended
    for size in (1, 7, 100):
        again, other = through([data[at : at + size] for at in range(0, len(data), size)])
        assert again == whole
        assert (other.usage, other.finish, other.text_bytes) == (relay.usage, relay.finish, relay.text_bytes)
    assert read([whole]) == read([data])
    with pytest.raises(ProviderError):
        through([data[: data.rindex(b"message_stop") - 30]])


@pytest.mark.skipif(not STREAMS, reason=ABSENT)
@pytest.mark.parametrize("record", STREAMS, ids=lambda record: record.id)
def test_a_recorded_answer_that_is_written_again_says_the_same(record: Record) -> None:
    reader, writer = WIRE.reader(), WIRE.writer(ask(), "m")
    events = [*reader.feed(record.response_body), *reader.close()]
    told = collect(events)
    again = read([b"".join(map(writer.write, events)) + writer.end()])
    assert (again.parts, again.finish) == (told.parts, told.finish)
    assert (again.usage.input_tokens, again.usage.output_tokens) == (told.usage.input_tokens, told.usage.output_tokens)
    whole = WIRE.read_reply(WIRE.write_reply(told, "m"))
    assert (whole.text, whole.reasoning) == (told.text, told.reasoning)
    assert [(call.id, call.name) for call in whole.tool_calls] == [(call.id, call.name) for call in told.tool_calls]


def test_marks_results_and_seals_are_read_where_they_stand() -> None:
    mark = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    sealed = wrap(Seal("gemini", "call", "s1"))
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "Hi", **mark}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm", "signature": "own"},
                {"type": "redacted_thinking", "data": sealed},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1.50}},
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "t1", "is_error": True, "content": "no", **mark}],
        },
    ]
    chat = WIRE.read_chat(ask(messages=messages, tools=[{"name": "f", "input_schema": {}, **mark}]))
    assert chat.messages[0].parts == (Text("Hi"), CacheMark("1h"))
    assert chat.messages[1].parts == (
        Reasoning("Hm", "own", maker="anthropic-messages"),
        ToolCall("t1", "f", '{"a": 1.5}', "s1"),
    )
    assert chat.messages[2].parts == (ToolResult("t1", (Text("no"),), "f", True), CacheMark("1h"))
    assert chat.tools[0].cache == CacheMark("1h")


def test_what_another_provider_sealed_does_not_go_to_anthropic_on_its_own_wire() -> None:
    foreign = {"type": "redacted_thinking", "data": wrap(Seal("gemini", "call", "s1"))}
    own = {"type": "thinking", "thinking": "Hm", "signature": "own"}
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": [foreign, own]}]
    sent = WIRE.forward(ask(messages=turns), "m", max_output=9, quirks=Quirks())
    assert json.loads(sent)["messages"][1]["content"] == [own]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": "9"}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"model": 5}, "model"),
        ({"stream": "yes"}, "stream"),
        ({"base_url": "https://evil.example"}, "base_url"),
    ],
)
def test_O01_a_request_that_is_wrong_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        ask(**fields)
    assert raised.value.param == param


def test_a_tool_that_anthropic_runs_is_refused_by_name_and_a_piece_of_it_kept() -> None:
    with pytest.raises(Unsupported) as raised:
        WIRE.read_chat(ask(tools=[{"type": "web_search_20250305", "name": "web_search"}]))
    assert raised.value.param == "tools[0].type"
    block = {"type": "search_result", "source": "x", "title": "y", "content": []}
    chat = WIRE.read_chat(ask(messages=[{"role": "user", "content": [block]}]))
    assert chat.messages[0].parts == (Opaque("anthropic-messages", block),)
