"""Streams of the Anthropic Messages wire, from small written cases."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest

from ownkey.talk.chat import Opaque, Reasoning, Text, ToolCall
from ownkey.talk.errors import (
    ContextTooLong,
    ProviderError,
    ProviderUnavailable,
    RateLimitExceeded,
    RequestRefused,
    StreamCut,
    UnexpectedResponse,
)
from ownkey.talk.reply import Event, Finish, Reply, Start, TextDelta, Usage, UsageReport, collect
from ownkey.wires.wire import wire

WIRE = wire("anthropic-messages")


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


def start(**usage: Any) -> dict[str, Any]:
    message = {"type": "message", "id": "msg_1", "role": "assistant", "model": "claude-x", "content": []}
    return {"type": "message_start", "message": message | {"usage": usage or {"input_tokens": 9, "output_tokens": 1}}}


def block(index: int, content: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": content},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def text(index: int, *pieces: str) -> list[dict[str, Any]]:
    return block(index, {"type": "text", "text": ""}, *({"type": "text_delta", "text": piece} for piece in pieces))


def end(reason: str | None = "end_turn", **usage: Any) -> list[dict[str, Any]]:
    delta = {"stop_reason": reason, "stop_sequence": None}
    return [{"type": "message_delta", "delta": delta, "usage": usage or {"output_tokens": 5}}, {"type": "message_stop"}]


def events_of(data: bytes, size: int | None = None) -> list[Event]:
    reader = WIRE.reader()
    size = size or max(len(data), 1)
    events = [event for at in range(0, len(data), size) for event in reader.feed(data[at : at + size])]
    events += reader.close()
    assert reader.ended
    return events


def read(*events: dict[str, Any]) -> Reply:
    return collect(events_of(sse(*events)))


RICH = sse(
    start(input_tokens=9, cache_read_input_tokens=100, cache_creation_input_tokens=20, output_tokens=1),
    {"type": "ping"},
    *block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "let me "},
        {"type": "thinking_delta", "thinking": "see"},
        {"type": "signature_delta", "signature": "c2ln"},
    ),
    *text(1, "Grüße, ", "𝄞"),
    *block(2, {"type": "redacted_thinking", "data": "c2VhbGVk"}),
    *text(3, "on it"),
    *block(
        4,
        {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {}},
        {"type": "input_json_delta", "partial_json": '{"query": '},
        {"type": "input_json_delta", "partial_json": '"x"}'},
    ),
    *block(5, {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": [{"url": "https://example.org"}]}),
    *block(
        6,
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}},
        {"type": "input_json_delta", "partial_json": ""},
        {"type": "input_json_delta", "partial_json": '{"city": "Pa'},
        {"type": "input_json_delta", "partial_json": 'ris"}'},
    ),
    *block(7, {"type": "tool_use", "id": "toolu_2", "name": "time", "input": {}}),
    *end("tool_use", output_tokens=40, output_tokens_details={"thinking_tokens": 7}),
)


def test_a_stream_adds_up_to_every_piece_in_order() -> None:
    reply = collect(events_of(RICH))
    assert (reply.id, reply.model) == ("msg_1", "claude-x")
    assert reply.parts == (
        Reasoning("let me see", "c2ln", maker="anthropic-messages"),
        Text("Grüße, 𝄞"),
        Reasoning("", sealed="c2VhbGVk", maker="anthropic-messages"),
        Text("on it"),
        Opaque(
            "anthropic-messages",
            {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "x"}},
        ),
        Opaque(
            "anthropic-messages",
            {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": [{"url": "https://example.org"}]},
        ),
        ToolCall("toolu_1", "weather", '{"city": "Paris"}'),
        ToolCall("toolu_2", "time", "{}"),
    )
    assert reply.finish == Finish("tool_calls", "tool_use")
    assert reply.usage == Usage(129, 40, cached_tokens=100, cache_write_tokens=20, reasoning_tokens=7)


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_U08_a_stream_split_at_every_byte_gives_the_same_events(ends: str) -> None:
    data = RICH.replace(b"\n", ends.encode())
    whole = events_of(data)
    for size in (1, 2, 3, 7, 64):
        assert events_of(data, size) == whole
    for cut in range(len(data)):
        reader = WIRE.reader()
        assert reader.feed(data[:cut]) + reader.feed(data[cut:]) + reader.close() == whole


def test_a_stream_cut_at_any_byte_never_looks_whole() -> None:
    whole = events_of(RICH)
    for cut in range(len(RICH)):
        reader = WIRE.reader()
        events = reader.feed(RICH[:cut])
        assert events == whole[: len(events)]
        assert not reader.ended
        assert not any(isinstance(event, Finish) for event in events)
        with pytest.raises(StreamCut):
            reader.close()


def test_output_counts_as_unknown_until_the_provider_has_counted_it() -> None:
    reader = WIRE.reader()
    events = reader.feed(sse(start(input_tokens=9, output_tokens=1), *text(0, "a")))
    assert events == [Start("msg_1", "claude-x"), UsageReport(Usage(input_tokens=9)), TextDelta("a")]


def test_later_counts_keep_the_cache_counts_that_came_before() -> None:
    reply = read(
        start(input_tokens=10, cache_read_input_tokens=100), *text(0, "a"), *end(input_tokens=10, output_tokens=5)
    )
    assert reply.usage == Usage(110, 5, cached_tokens=100)


def test_a_later_count_replaces_an_earlier_one() -> None:
    reply = read(start(input_tokens=7), *text(0, "a"), *end(input_tokens=73, output_tokens=64))
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (73, 64)


def test_U17_an_error_event_in_a_stream_is_the_error_it_names() -> None:
    for kind, expected in (
        ("overloaded_error", ProviderUnavailable),
        ("api_error", ProviderUnavailable),
        ("rate_limit_error", RateLimitExceeded),
        ("invalid_request_error", RequestRefused),
    ):
        data = sse(start(), *text(0, "a"), {"type": "error", "error": {"type": kind, "message": "no more"}})
        with pytest.raises(expected, match="no more"):
            events_of(data)


def test_no_event_before_an_error_is_lost_wherever_the_bytes_were_cut() -> None:
    data = sse(start(), *text(0, "a"), {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}})
    seen: list[list[Event]] = []
    for size in (1, 10, len(data)):
        reader = WIRE.reader()
        events: list[Event] = []
        with suppress(ProviderUnavailable):
            for at in range(0, len(data), size):
                events += reader.feed(data[at : at + size])
        with pytest.raises(ProviderUnavailable):
            reader.close()
        seen.append(events)
    assert seen[0] == seen[1] == seen[2]
    assert TextDelta("a") in seen[0]


def test_an_error_without_a_type_of_its_own_is_read() -> None:
    data = b'data: {"error": {"code": 400, "message": "too long", "type": "exceed_context_size_error"}}\n\n'
    with pytest.raises(ContextTooLong):
        events_of(data)


def test_a_json_error_in_place_of_a_stream_is_the_error_it_names() -> None:
    with pytest.raises(ProviderUnavailable, match="busy"):
        events_of(b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}')


def test_U11_what_follows_the_end_is_passed_over() -> None:
    data = sse(start(), *text(0, "a"), *end())
    late = sse(*text(1, "late"), {"type": "error", "error": {"type": "api_error", "message": "late"}})
    assert events_of(data + b"data: [DONE]\n\n" + data + late) == events_of(data)
    reader = WIRE.reader()
    reader.feed(data)
    assert reader.feed(late) + reader.close() == []


def test_what_is_unknown_is_passed_over() -> None:
    plain = [start(), *text(0, "a"), *end()]
    odd = [
        plain[0],
        {"type": "novelty", "index": "x", "delta": 5, "message": [], "usage": "?"},
        plain[1] | {"extra": {"deep": [1]}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "novel_delta", "thing": 1}},
        *plain[2:],
    ]
    assert events_of(sse(*odd)) == events_of(sse(*plain))


def test_unknown_blocks_are_kept_whole() -> None:
    reply = read(
        start(),
        *block(
            0,
            {"type": "compaction", "content": None},
            {"type": "compaction_delta", "content": "so "},
            {"content": "far"},
        ),
        *block(1, {"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}}),
        *end(),
    )
    assert [part.raw for part in reply.parts if isinstance(part, Opaque)] == [
        {"type": "compaction", "content": "so far"},
        {"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}},
    ]


def test_the_unfinished_input_of_a_server_tool_is_left_as_it_began() -> None:
    tool = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    reply = read(start(), *block(0, tool, {"type": "input_json_delta", "partial_json": '{"q": "x'}), *end("max_tokens"))
    assert reply.parts == (Opaque("anthropic-messages", tool),)


def test_tool_arguments_that_come_with_the_start_are_read() -> None:
    reply = read(start(), *block(0, {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}), *end("tool_use"))
    assert json.loads(reply.tool_calls[0].arguments) == {"a": 1}


def test_text_and_reasoning_that_come_with_the_start_are_read() -> None:
    reply = read(
        start(),
        *block(0, {"type": "thinking", "thinking": "hm", "signature": "s"}),
        *block(1, {"type": "text", "text": "yes"}),
        *end(),
    )
    assert reply.parts == (Reasoning("hm", "s", maker="anthropic-messages"), Text("yes"))


def test_reasoning_that_is_not_shown_keeps_its_signature() -> None:
    thought = block(
        0, {"type": "thinking", "thinking": "", "signature": ""}, {"type": "signature_delta", "signature": "s"}
    )
    assert read(start(), *thought, *text(1, "yes"), *end()).parts == (
        Reasoning("", "s", maker="anthropic-messages"),
        Text("yes"),
    )


def test_text_on_both_sides_of_sealed_reasoning_is_kept() -> None:
    sealed = block(1, {"type": "redacted_thinking", "data": "d"})
    reply = read(start(), *text(0, "before"), *sealed, *text(2, "after"), *end())
    assert reply.parts == (Text("before"), Reasoning("", sealed="d", maker="anthropic-messages"), Text("after"))


def test_an_answer_that_began_with_its_first_block_is_whole() -> None:
    reply = read(*text(0, "a"), *end())
    assert (reply.text, reply.finish.unified, reply.usage) == ("a", "stop", Usage(output_tokens=5))


def test_a_block_without_its_stop_is_closed_by_the_end() -> None:
    call = block(0, {"type": "tool_use", "id": "t", "name": "f", "input": {}})[:-1]
    assert read(start(), *call, *end("tool_use")).tool_calls == (ToolCall("t", "f", "{}"),)


def test_a_refusal_says_why() -> None:
    delta = {"stop_reason": "refusal", "stop_details": {"type": "refusal", "explanation": "Not this."}}
    reply = read(
        start(), {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 0}}, {"type": "message_stop"}
    )
    assert (reply.refusal, reply.finish) == ("Not this.", Finish("content_filter", "refusal"))
    assert reply.usage.output_tokens == 0


def test_citations_are_named_once_as_left_out() -> None:
    cited = {"type": "citations_delta", "citation": {"cited_text": "x"}}
    reply = read(
        start(), *block(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": "a"}, cited, cited), *end()
    )
    assert reply.text == "a"
    assert len(reply.warnings) == 1
    assert "citations" in reply.warnings[0]


def test_lines_that_a_relay_wrapped_twice_are_read() -> None:
    plain = sse(start(), *text(0, "a"), *end())
    twice = b"".join(b"data: " + line + b"\n\n" for line in plain.split(b"\n")) + b"data: [DONE]\n\n"
    assert events_of(twice) == events_of(plain)


@pytest.mark.parametrize(
    "data",
    [
        b"data: nonsense\n\n",
        b'data: {"type":"message_start"\n\n',
        b"data: 5\n\n",
        b'data: {"type": "content_block_delta", "index": 0, "delta": "text"}\n\n',
        b'data: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": 5}}\n\n',
        b'data: {"type": "message_stop"}\n\n',
        b'data: {"type": "error"}\n\n',
        b'data: {"type": "content_block_start", "index": 0}\n\n',
        b'data: {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "t"}}\n\n',
        b'data: {"type": "content_block_delta", "index": 1000000000, '
        b'"delta": {"type": "input_json_delta", "partial_json": "{}"}}\n\n',
        b'data: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "\xff"}}\n\n',
        b'data: {"type": "ping", "deep": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n\n",
        b"data: " + b"data:" * 100_000 + b"\n\n",
        b'data: {"type": "content_block_start", "content_block": {"type": "x", "n": 1e999}}\n\n',
        b'data: {"type": "content_block_start", "content_block": '
        b'{"type": "tool_use", "name": "f", "input": "\xff"}}\n\n',
        b'data: {"type": "content_block_start", "content_block": {"type": "x"}}\n\n'
        b'data: {"type": "content_block_delta", "delta": {"type": "y", "n": 1e999}}\n\n',
    ],
)
def test_U15_what_cannot_be_read_is_an_unexpected_response(data: bytes) -> None:
    with pytest.raises(UnexpectedResponse):
        events_of(data)


@pytest.mark.parametrize("value", [-1, 1.5, 2.0, "7", True, 2**63, 10**30, [], {}])
def test_U12_a_count_that_cannot_be_one_is_unknown(value: object) -> None:
    reply = read(start(input_tokens=value), *text(0, "a"), *end(output_tokens=value))
    assert reply.usage == Usage()


@pytest.mark.parametrize("usage", [b"null", b"5", b'"x"', b'{"output_tokens": 1e999}', b"{}"])
def test_U12_usage_that_cannot_be_read_is_unknown_and_the_answer_stands(usage: bytes) -> None:
    ending = b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":%s}\n\n' % usage
    reply = collect(events_of(sse(start(), *text(0, "a")) + ending + sse({"type": "message_stop"})))
    assert (reply.text, reply.usage) == ("a", Usage(input_tokens=9))


def test_any_bytes_give_events_or_a_provider_error() -> None:
    for at in range(0, len(RICH), 3):
        for wrong in (b"\x00", b'"', b"}", b"\xff"):
            data = RICH[:at] + wrong + RICH[at + 1 :]
            try:
                events_of(data)
            except ProviderError:
                continue
