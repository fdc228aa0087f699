"""A client's chat completion: checked, sent on with its own bytes, or read in full."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openai_samples import WIRE
from ownkey.catalog.manifest import Quirks
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
)
from ownkey.talk.errors import InvalidRequest, OwnkeyError, Unsupported

HELLO: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def body(**fields: Any) -> bytes:
    return json.dumps(HELLO | fields).encode()


def refused(raw: bytes) -> str | None:
    with pytest.raises(InvalidRequest) as caught:
        WIRE.read_ask(raw)
    return caught.value.param


def chat(**fields: Any) -> Chat:
    return WIRE.read_chat(WIRE.read_ask(body(**fields)))


def test_what_the_hot_path_needs_is_read() -> None:
    ask = WIRE.read_ask(body(stream=True, max_tokens=5, n=2, stream_options={"include_usage": True}))
    assert (ask.model, ask.stream, ask.max_output, ask.choices) == ("m", True, 5, 2)
    assert (ask.usage_in_stream, ask.text_only) == (True, True)
    ask = WIRE.read_ask(body(stream=None, max_completion_tokens=None, n=None, stream_options=None))
    assert (ask.stream, ask.max_output, ask.choices, ask.usage_in_stream) == (False, None, 1, False)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{",
        b"\xef\xbb\xbf" + body(),
        json.dumps(HELLO).encode("utf-16"),
        body().replace(b'"hi"', b'"\xff"'),
        body().replace(b'"hi"', b'"\\ud800"'),
        body().replace(b'"hi"', b'"a\x00"'),
        body().replace(b'"hi"', b"NaN"),
        body().replace(b'"hi"', b"1e999"),
        body().replace(b'"hi"', b"9" * 5000),
        body().replace(b'"hi"', b"[" * 200_000 + b"]" * 200_000),
        body() + b"{}",
    ],
)
def test_G03_what_is_no_good_json_is_refused(raw: bytes) -> None:
    assert refused(raw) is None


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens", "n"])
@pytest.mark.parametrize(
    "value", ["-1", "0", "1.5", "1.0", '"10"', "true", str(2**63), str(2**64), '"\u0663"', "[]", "{}"]
)
def test_G06_a_count_that_is_no_count_is_refused_by_name(name: str, value: str) -> None:
    assert refused(body(**{name: 5}).replace(b": 5", f": {value}".encode())) == name


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": 5}, "model"),
        ({"model": "a\nb"}, "model"),
        ({"model": "\u202ea"}, "model"),
        ({"model": "a" * 513}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": {"0": {}}}, "messages"),
        ({"stream": "true"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"stream_options": []}, "stream_options"),
        ({"stream_options": {"include_usage": "yes"}}, "stream_options.include_usage"),
        ({"n": 129}, "n"),
        ({"max_tokens": 5, "max_completion_tokens": 6}, "max_tokens"),
    ],
)
def test_G06_a_field_of_the_wrong_kind_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    assert refused(body(**fields)) == param


@pytest.mark.parametrize("name", ["model", "messages"])
def test_G06_a_field_that_is_left_out_is_named(name: str) -> None:
    assert refused(json.dumps({key: value for key, value in HELLO.items() if key != name}).encode()) == name


@pytest.mark.parametrize(
    "name",
    [
        *("api_base", "base_url", "endpoint", "proxy", "extra_headers", "extra_body", "organization", "api_key"),
        *("mock_response", "user_config", "fallbacks", "models", "custom_llm_provider", "headers", "model_list"),
    ],
)
def test_E01_G09_a_field_that_would_steer_the_gateway_is_unknown(name: str) -> None:
    assert refused(body(**{name: None})) == name
    escaped = body(**{name: "x"}).replace(f'"{name}"'.encode(), f'"\\u{ord(name[0]):04x}{name[1:]}"'.encode())
    assert refused(escaped) == name


def test_G07_two_caps_that_agree_are_one() -> None:
    ask = WIRE.read_ask(body(max_tokens=5, max_completion_tokens=5))
    assert ask.max_output == 5
    sent = json.loads(WIRE.forward(ask, "m", max_output=4, quirks=Quirks(max_tokens="max_completion_tokens")))
    assert (sent.get("max_tokens"), sent["max_completion_tokens"]) == (None, 4)


def test_A24_of_a_field_given_twice_the_one_that_is_checked_is_sent() -> None:
    raw = b'{"model":"cheap","max_tokens":1,"messages":[{}],"max_tokens":9,"mod\\u0065l":"dear"}'
    ask = WIRE.read_ask(raw)
    assert (ask.model, ask.max_output) == ("dear", 9)
    sent = WIRE.forward(ask, "x", max_output=None, quirks=Quirks())
    assert sent == b'{"model":"x","max_tokens":9,"messages":[{}]}'


def test_every_field_goes_on_with_its_own_bytes() -> None:
    odd = b'"unheard_of": {"b" : 1.50,\n "a":[ 1e5 ]}, "messages":[{"content":"\\u00e9\\/"}] , "top_p":1.0'
    raw = b'{ "model" : "m", ' + odd + b"}"
    sent = WIRE.forward(WIRE.read_ask(raw), 'x"y', max_output=7, quirks=Quirks())
    expected = b'{"model":"x\\"y","unheard_of":{"b" : 1.50,\n "a":[ 1e5 ]},"messages":[{"content":"\\u00e9\\/"}]'
    assert sent == expected + b',"top_p":1.0,"max_tokens":7}'


def test_no_cap_is_sent_or_changed_where_none_is_given() -> None:
    sent = json.loads(WIRE.forward(WIRE.read_ask(body(max_tokens=5)), "m", max_output=None, quirks=Quirks()))
    assert sent["max_tokens"] == 5
    assert WIRE.forward(WIRE.read_ask(body()), "m", max_output=None, quirks=Quirks()).count(b"max") == 0


@pytest.mark.parametrize(
    ("options", "quirk", "sent"),
    [
        (None, "ask", {"include_usage": True}),
        ({}, "ask", {"include_usage": True}),
        (
            {"include_usage": False, "include_obfuscation": False},
            "ask",
            {"include_usage": True, "include_obfuscation": False},
        ),
        ({"include_usage": True}, "ask", {"include_usage": True}),
        ({"include_usage": True}, "always", None),
        (None, "never", None),
    ],
)
def test_a_stream_is_made_to_tell_its_usage(options: Any, quirk: Any, sent: Any) -> None:
    fields = {} if options is None else {"stream_options": options}
    ask = WIRE.read_ask(body(stream=True, **fields))
    forwarded = json.loads(WIRE.forward(ask, "m", max_output=None, quirks=Quirks(usage_in_stream=quirk)))
    assert forwarded.get("stream_options") == sent
    whole = json.loads(WIRE.forward(WIRE.read_ask(body()), "m", max_output=None, quirks=Quirks(usage_in_stream=quirk)))
    assert "stream_options" not in whole


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "https://a.test/b"}},
        {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}},
        {"type": "file", "file": {"file_id": "f"}},
        {"type": "something_new"},
        {"type": None},
        {"type": "text", "text": "x", "image_url": "https://a.test/b"},
    ],
)
def test_input_that_is_no_text_is_seen_however_it_is_written(part: dict[str, Any]) -> None:
    raw = body(messages=[{"role": "user", "content": [part]}])
    assert not WIRE.read_ask(raw).text_only
    for letter in (b"i", b"t", b"f", b"a", b"s"):
        hidden = raw.replace(b'"' + letter, b'"\\u%04x' % letter[0])
        assert not WIRE.read_ask(hidden).text_only, hidden
    assert not WIRE.read_ask(raw.replace(b": ", b" \n:\t")).text_only


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user", "content": 'say "type": "image_url", and "image_url"'}],
        [
            {
                "role": "user",
                "content": [{"type": "text", "text": "a <b> & \u00e9", "cache_control": {"type": "ephemeral"}}],
            }
        ],
        [
            {
                "role": "assistant",
                "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            }
        ],
    ],
)
def test_text_is_known_as_text(messages: Any) -> None:
    raw = body(
        messages=messages, tools=[{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    )
    assert WIRE.read_ask(raw).text_only
    assert WIRE.read_ask(raw.replace(b"<", b"\\u003c")).text_only


def test_a_whole_request_is_understood() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    read = chat(
        messages=[
            {"role": "developer", "content": "be brief"},
            {"role": "user", "name": "ann", "content": [{"type": "text", "text": "see"}, {"type": "file", "file": {}}]},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}]},
            {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": "found"},
        ],
        max_completion_tokens=9,
        temperature=0,
        stop="x",
        tools=[{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        tool_choice={"type": "function", "function": {"name": "f"}},
        response_format={"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}},
        reasoning_effort="high",
        logprobs=True,
        user=None,
        metadata=None,
    )
    assert read == Chat(
        messages=(
            Message("developer", (Text("be brief"),)),
            Message("user", (Text("see"), Opaque("openai-chat", {"type": "file", "file": {}})), "ann"),
            Message("user", (Image(data="QUJD", media_type="image/png"),)),
            Message("assistant", (Reasoning("hm"), ToolCall("c", "f", "{}"))),
            Message("tool", (ToolResult("c", (Text("found"),), "f"),)),
        ),
        max_output_tokens=9,
        temperature=0.0,
        stop=("x",),
        tools=(Tool("f", parameters={"type": "object"}),),
        tool_choice=ToolChoice("named", "f"),
        output=JsonOutput({"type": "object"}, "s"),
        thinking=Thinking(effort="high"),
        other={"logprobs": True},
    )


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"temperature": "0.1"}, "temperature"),
        ({"seed": 1.5}, "seed"),
        ({"stop": [1]}, "stop[0]"),
        ({"messages": [{"content": "x"}]}, "messages[0]"),
        ({"messages": [{"role": "nobody"}]}, "messages[0].role"),
        ({"messages": [5]}, "messages[0]"),
        ({"messages": [{"role": "user", "content": [5]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "a"}]}]}, "messages[0].tool_calls[0]"),
        ({"tool_choice": "sometimes"}, "tool_choice"),
        ({"response_format": {"type": "xml"}}, "response_format"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function"),
    ],
)
def test_G06_what_is_malformed_within_is_named_and_not_quoted(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        chat(**fields)
    assert caught.value.param == param
    assert "nobody" not in str(caught.value)


def test_what_no_other_wire_can_carry_is_refused_by_name() -> None:
    with pytest.raises(Unsupported) as caught:
        chat(tools=[{"type": "custom", "custom": {"name": "x"}}])
    assert caught.value.param == "tools[0].type"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        *("model", "messages", "stream", "stream_options", "max_tokens", "n", "temperature", "stop", "tools", "seed"),
        *("tool_choice", "response_format", "reasoning_effort", "parallel_tool_calls", "top_p", "user", "other"),
    ]
)


@given(st.dictionaries(FIELDS, JSON, max_size=6), st.binary(max_size=20))
def test_G20_no_request_makes_the_door_fail_otherwise_than_by_an_error(fields: dict[str, Any], junk: bytes) -> None:
    for raw in (body(**fields), json.dumps(fields).encode(), junk, body()[: len(junk)] + junk):
        try:
            ask = WIRE.read_ask(raw)
            sent = WIRE.forward(ask, "m", max_output=3, quirks=Quirks())
            read = WIRE.read_chat(ask)
        except OwnkeyError:
            continue
        assert json.loads(sent)["max_tokens"] == 3
        assert len(read.messages) == len(json.loads(raw)["messages"])
