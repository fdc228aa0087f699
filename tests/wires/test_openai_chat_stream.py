"""Streams of chat completions, in every dialect, whole, cut and broken."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openai_samples import DELTAS, STREAM, WIRE, read, streamed
from ownkey.talk.chat import (
    ToolCall,
)
from ownkey.talk.errors import ProviderError, StreamCut, UnexpectedResponse
from ownkey.talk.reply import Event, collect


@pytest.mark.parametrize("dialect", DELTAS)
def test_U15_tool_calls_are_put_together_in_every_dialect(dialect: str) -> None:
    reply = read(streamed(*({"tool_calls": [delta]} for delta in DELTAS[dialect]), finish="tool_calls"))
    assert reply.tool_calls == (ToolCall("a", "f", '{"x":1}'), ToolCall("b", "g", "{}"))


def test_U15_too_many_or_nameless_tool_calls_cannot_be_read() -> None:
    many = [{"tool_calls": [{"index": at, "id": str(at), "function": {"name": "f"}}]} for at in range(1001)]
    nameless = [{"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}]
    for deltas in (many, nameless):
        with pytest.raises(UnexpectedResponse):
            read(streamed(*deltas))


def test_U08_a_stream_cut_at_every_byte_gives_the_same_events() -> None:
    whole = WIRE.reader().feed(STREAM)
    for at in range(len(STREAM)):
        reader = WIRE.reader()
        assert reader.feed(STREAM[:at]) + reader.feed(STREAM[at:]) + reader.close() == whole


def test_U10_a_stream_that_ends_early_is_never_whole() -> None:
    finished = STREAM.index(b'"finish_reason": "tool_calls"}]}') + len(b'"finish_reason": "tool_calls"}]}')
    for at in range(finished):
        reader = WIRE.reader()
        reader.feed(STREAM[:at])
        assert not reader.ended
        with pytest.raises(StreamCut):
            reader.close()
        assert not reader.ended


def test_U11_after_a_finish_reason_the_end_may_be_left_out_but_not_cut() -> None:
    begin = STREAM.index(b"data: {", STREAM.index(b"usage") - 30)
    for at in range(begin, len(STREAM) + 1):
        reader = WIRE.reader()
        reader.feed(STREAM[:at])
        last = STREAM[:at].rpartition(b"\n\n")[2].strip()
        whole_event = last in (b"", b"data: [DONE]") or last.endswith(b"}}")
        if whole_event or reader.ended:
            reader.close()
            assert reader.ended
        else:
            with pytest.raises(StreamCut):
                reader.close()


@pytest.mark.parametrize("after", [b"data: [DONE]\n\n", b"data: not json\n\n", streamed({"content": "more"})])
def test_U11_nothing_after_the_end_is_read(after: bytes) -> None:
    reader = WIRE.reader()
    events = reader.feed(streamed({"content": "a"}) + after) + reader.feed(after) + reader.close()
    assert collect(events).text == "a"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "upstream_cut"),
        (b": only a comment\n\n", "upstream_cut"),
        (b"data: [DONE]\n\n", "upstream_invalid"),
        (b"data: {\n\n", "upstream_invalid"),
        (b"data: null\n\n", "upstream_invalid"),
        (b'data: {"choices":[{"delta":{"content":5}}]}\n\n', "upstream_invalid"),
        (b"<html>no</html>", "upstream_cut"),
        (b'{"error":{"message":"x","code":"rate_limit_exceeded"}}', "rate_limited"),
        (b'data: {"error":{"message":"x","type":"server_error"}}\n\n', "upstream_unavailable"),
        (b'data: {"object":"error","message":"context length is 5","code":400}\n\n', "context_length_exceeded"),
        (b'event: error\ndata: {"error":{"message":"x","code":502}}\n\n', "upstream_unavailable"),
        (b'data: {"choices":[{"delta":{},"finish_reason":"error","error":{"code":429}}]}\n\n', "rate_limited"),
        (
            b'data: {"choices":[{"delta":{},"finish_reason":"insufficient_system_resource"}]}\n\n',
            "upstream_unavailable",
        ),
    ],
)
def test_U17_a_stream_that_tells_of_an_error_or_cannot_be_read_raises_it(body: bytes, code: str) -> None:
    with pytest.raises(ProviderError) as caught:
        read(body)
    assert caught.value.code == code


NAMES = st.sampled_from(
    [
        *("choices", "delta", "message", "content", "tool_calls", "function", "name", "arguments", "id", "index"),
        *("usage", "prompt_tokens", "error", "code", "finish_reason", "reasoning", "reasoning_details", "type"),
        *("text", "thinking", "x_groq", "model", "created", "images", "image_url"),
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=20,
)


@given(st.dictionaries(NAMES, JSON, max_size=8))
def test_U05_no_json_makes_a_reader_fail_otherwise_than_by_a_provider_error(body: dict[str, Any]) -> None:
    raw = json.dumps(body).encode()
    ask = WIRE.read_ask(b'{"model":"m","messages":[{}]}')
    event = b"data: " + raw + b"\n\n"
    attempts: list[Any] = [
        lambda: WIRE.read_reply(raw),
        lambda: WIRE.pass_reply(raw),
        lambda: WIRE.read_models(raw),
        lambda: WIRE.reader().feed(event),
        lambda: WIRE.relay(ask).feed(event),
    ]
    for attempt in attempts:
        with suppress(ProviderError):
            attempt()
    assert isinstance(WIRE.read_error(400, {}, raw), ProviderError)


@given(st.lists(st.binary(max_size=30), max_size=5))
def test_U05_no_bytes_make_a_reader_fail_otherwise_than_by_a_provider_error(pieces: list[bytes]) -> None:
    reader = WIRE.reader()
    events: list[Event] = []
    try:
        for piece in pieces:
            events += reader.feed(b"data: " + piece + b"\n\n")
        events += reader.close()
    except ProviderError:
        assert not reader.ended
    assert all(event.__class__.__name__ for event in events)
