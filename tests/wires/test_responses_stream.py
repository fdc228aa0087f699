"""Streams of OpenAI's responses, from small written cases."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ownkey.talk.chat import Opaque, Reasoning, Refusal, Text, ToolCall
from ownkey.talk.errors import (
    ContextTooLong,
    ProviderError,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimitExceeded,
    StreamCut,
    UnexpectedResponse,
)
from ownkey.talk.reply import Event, Finish, Notice, Reply, Start, TextDelta, Usage, collect
from ownkey.wires.wire import Reader, wire

WIRE = wire("openai-responses")
NAME = "openai-responses"

Json = dict[str, Any]

HEAD: Json = {"id": "resp_1", "created_at": 1_700_000_000, "model": "gpt-x", "error": None, "usage": None}
START: Json = {"type": "response.created", "response": {**HEAD, "status": "in_progress", "output": []}}
SEARCH: Json = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"query": "x"}}


def sse(*events: Json) -> bytes:
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


def end(*output: Json, **more: Any) -> Json:
    usage = {"input_tokens": 9, "output_tokens": 5, "input_tokens_details": {"cached_tokens": 4}}
    told = {**HEAD, "status": "completed", "output": list(output), "usage": usage, "service_tier": "default", **more}
    return {"type": "response.incomplete" if "incomplete_details" in more else "response.completed", "response": told}


def added(place: int, item: Json) -> Json:
    return {"type": "response.output_item.added", "output_index": place, "item": item}


def done(place: int, item: Json) -> Json:
    return {"type": "response.output_item.done", "output_index": place, "item": item}


def delta(kind: str, place: int, text: object) -> Json:
    return {"type": f"response.{kind}.delta", "output_index": place, "delta": text}


def message(*content: Json) -> Json:
    return {"type": "message", "id": "msg_1", "role": "assistant", "content": list(content)}


def spoken(place: int, *pieces: str) -> list[Json]:
    whole = message({"type": "output_text", "text": "".join(pieces), "annotations": []})
    deltas = [delta("output_text", place, piece) for piece in pieces]
    return [added(place, message()), *deltas, done(place, whole)]


def call(place: int, id: str, *pieces: str) -> list[Json]:
    head = {"type": "function_call", "id": f"fc_{id}", "call_id": id, "name": "f"}
    deltas = [delta("function_call_arguments", place, piece) for piece in pieces]
    return [added(place, {**head, "arguments": ""}), *deltas, done(place, {**head, "arguments": "".join(pieces)})]


def thought(place: int, *summaries: str, sealed: str | None = "seal") -> list[Json]:
    item = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": one} for one in summaries]}
    told: list[Json] = []
    for index, one in enumerate(summaries):
        at = {"output_index": place, "summary_index": index}
        told.append({"type": "response.reasoning_summary_part.added", **at})
        told += [{"type": "response.reasoning_summary_text.delta", **at, "delta": letter} for letter in one]
    early = {**item, "summary": [], "encrypted_content": "early" if sealed else None}
    return [added(place, early), *told, done(place, {**item, "encrypted_content": sealed})]


def events_of(data: bytes, size: int | None = None) -> list[Event]:
    reader = WIRE.reader()
    size = size or max(len(data), 1)
    events = [event for at in range(0, len(data), size) for event in reader.feed(data[at : at + size])]
    events += reader.close()
    assert reader.ended
    return events


def pour(reader: Reader, data: bytes, size: int, found: list[Event]) -> None:
    for at in range(0, len(data), size):
        found += reader.feed(data[at : at + size])
    found += reader.close()


def read(*events: Json) -> Reply:
    return collect(events_of(sse(*events)))


RICH = sse(
    START,
    *thought(0, "one", "two ✓"),
    *spoken(1, "Hel", "lo ", "wörld"),
    added(2, SEARCH),
    done(2, SEARCH),
    *call(3, "a", '{"x"', ":1}"),
    *call(4, "b"),
    end(),
)


def test_a_stream_with_everything_in_it() -> None:
    assert collect(events_of(RICH)) == Reply(
        parts=(
            Reasoning("one\n\ntwo ✓", sealed="seal", maker=NAME),
            Text("Hello wörld"),
            Opaque(NAME, SEARCH),
            ToolCall("a", "f", '{"x":1}'),
            ToolCall("b", "f", "{}"),
        ),
        finish=Finish("tool_calls", "completed"),
        usage=Usage(9, 5, cached_tokens=4, tier="default"),
        id="resp_1",
        model="gpt-x",
        created=1_700_000_000,
    )


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
def test_U08_a_stream_cut_at_every_byte_gives_the_same_events(ending: bytes) -> None:
    data = RICH.replace(b"\n", ending)
    whole = events_of(RICH)
    assert events_of(data, 1) == whole
    for at in range(len(data)):
        reader = WIRE.reader()
        found = reader.feed(data[:at]) + reader.feed(data[at:])
        assert found + reader.close() == whole


def test_a_delta_is_told_as_soon_as_its_event_is_whole() -> None:
    reader = WIRE.reader()
    assert reader.feed(sse(START)) == [Start("resp_1", "gpt-x", 1_700_000_000)]
    assert reader.feed(sse(delta("output_text", 0, "Hi"))) == [TextDelta("Hi")]
    assert not reader.ended


def test_parallel_calls_may_come_interleaved() -> None:
    first, second = call(0, "a", "{", "}"), call(1, "b", "[", "]")
    reply = read(START, first[0], second[0], first[1], second[1], second[2], first[2], second[3], first[3], end())
    assert reply.tool_calls == (ToolCall("a", "f", "{}"), ToolCall("b", "f", "[]"))


def test_what_was_not_told_in_pieces_is_told_when_its_item_is_done() -> None:
    cited = {"type": "output_text", "text": "Hello", "annotations": [{"type": "url_citation"}]}
    reply = read(
        START,
        done(0, {"type": "reasoning", "summary": [{"text": "hm"}], "encrypted_content": "seal"}),
        done(1, message(cited, {"type": "refusal", "refusal": "no"})),
        done(2, {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"}),
        end(),
    )
    assert reply.parts == (
        Reasoning("hm", sealed="seal", maker=NAME),
        Text("Hello"),
        Refusal("no"),
        ToolCall("a", "f", "{}"),
    )
    assert len(reply.warnings) == 1


def test_what_is_told_only_with_the_whole_response_is_told_then() -> None:
    item = {"type": "function_call", "call_id": "a", "name": "f", "arguments": '{"x":1}'}
    output = (message({"type": "output_text", "text": "Hello"}), item, SEARCH)
    reply = read(START, end(*output))
    assert reply.parts == (Text("Hello"), ToolCall("a", "f", '{"x":1}'), Opaque(NAME, SEARCH))
    assert reply.finish.unified == "tool_calls"


def test_what_was_told_is_not_told_again_with_the_whole_response() -> None:
    assert read(START, *spoken(0, "Hello"), end(message({"type": "output_text", "text": "Hello"}))).text == "Hello"


def test_reasoning_in_full_is_read_where_a_provider_gives_it() -> None:
    full = [delta("reasoning_text", 0, "h"), delta("reasoning_text", 0, "m")]
    item = {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]}
    assert read(START, *full, done(0, item), *spoken(1, "x"), end()).parts == (Reasoning("hm"), Text("x"))


def test_a_refusal_is_no_text() -> None:
    reply = read(START, delta("refusal", 0, "I "), delta("refusal", 0, "won't."), end())
    assert (reply.refusal, reply.text) == ("I won't.", "")


def test_citations_are_named_once() -> None:
    note = {"type": "response.output_text.annotation.added", "output_index": 0, "annotation": {"type": "url_citation"}}
    found = events_of(sse(START, delta("output_text", 0, "x"), note, note, end()))
    assert [type(event) for event in found].count(Notice) == 1


@pytest.mark.parametrize(
    ("details", "finish"),
    [
        ({"reason": "max_output_tokens"}, Finish("length", "max_output_tokens")),
        ({"reason": "content_filter"}, Finish("content_filter", "content_filter")),
    ],
)
def test_an_answer_that_was_ended_early_says_why(details: Json, finish: Finish) -> None:
    reply = read(START, *spoken(0, "half"), end(incomplete_details=details, status="incomplete"))
    assert (reply.finish, reply.text, reply.usage.output_tokens) == (finish, "half", 5)


def test_events_and_comments_of_no_concern_are_passed_over() -> None:
    novel = {"type": "response.novel.delta", "delta": {"a": [1]}, "output_index": 7}
    data = b": hello\n\n" + sse(START, {"type": "keepalive"}, novel, *spoken(0, "x")) + sse(end()) + b"data: [DONE]\n\n"
    assert collect(events_of(data)).text == "x"


def test_what_follows_the_last_event_is_passed_over() -> None:
    reader = WIRE.reader()
    reader.feed(sse(START, end()))
    assert reader.feed(sse(delta("output_text", 0, "late"))) == []
    assert reader.feed(b"data: {broken\n\n") == []
    assert reader.close() == []


def test_a_last_event_without_its_blank_line_ends_the_stream() -> None:
    assert collect(events_of(sse(START, *spoken(0, "x"), end()).rstrip())).text == "x"


@pytest.mark.parametrize("cut", range(0, len(RICH) - 2, 13))
def test_a_stream_without_its_last_event_is_cut(cut: int) -> None:
    reader = WIRE.reader()
    reader.feed(RICH[:cut])
    with pytest.raises(StreamCut):
        reader.close()


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"type": "error", "code": "rate_limit_exceeded", "message": "Slow down.", "param": None}, RateLimitExceeded),
        ({"type": "error", "error": {"code": "context_length_exceeded", "message": "Long."}}, ContextTooLong),
        (
            {"type": "response.failed", "response": {"error": {"code": "insufficient_quota", "message": "Paid out."}}},
            QuotaExceeded,
        ),
        (
            {"type": "response.failed", "response": {"error": {"code": "server_error", "message": "Sorry."}}},
            ProviderUnavailable,
        ),
        ({"type": "response.failed", "response": {"status": "failed", "error": None}}, ProviderUnavailable),
        ({"type": "response.cancelled", "response": {"status": "cancelled"}}, ProviderUnavailable),
    ],
)
def test_an_error_in_the_stream_is_that_error_and_loses_no_event(event: Json, kind: type[ProviderError]) -> None:
    data = sse(START, delta("output_text", 0, "half"), event)
    for size in (1, 7, len(data)):
        reader = WIRE.reader()
        found: list[Event] = []
        with pytest.raises(ProviderError) as raised:
            pour(reader, data, size, found)
        assert type(raised.value) is kind
        assert found[-1] == TextDelta("half")
        assert not reader.ended


def test_an_error_that_no_blank_line_ends_is_not_taken_for_a_cut() -> None:
    reader = WIRE.reader()
    reader.feed(sse(START, {"type": "error", "code": "rate_limit_exceeded", "message": "Slow down."}).rstrip())
    with pytest.raises(RateLimitExceeded):
        reader.close()


def test_a_plain_json_error_in_place_of_a_stream_is_that_error() -> None:
    reader = WIRE.reader()
    body = b'{"error": {"code": "rate_limit_exceeded", "message": "Slow down."}}'
    with pytest.raises(RateLimitExceeded):
        pour(reader, body, len(body), [])


@pytest.mark.parametrize(
    "event",
    [
        b"data: {broken\n\n",
        b"data: 5\n\n",
        b'data: {"no": "type"}\n\n',
        sse(delta("output_text", 0, 5)),
        sse(delta("function_call_arguments", 3, "{}")),
        sse(added(0, {"type": "function_call", "name": "f"})),
        sse(added(0, {"type": "function_call", "call_id": "a", "name": ""})),
        sse({"type": "response.output_item.done", "output_index": 0}),
        sse({"type": "response.completed", "response": {**HEAD, "output": 5}}),
        b"data: " + b"[" * 100_000 + b"\n\n",
    ],
)
def test_an_event_that_cannot_be_read_is_named_as_such(event: bytes) -> None:
    reader = WIRE.reader()
    with pytest.raises(UnexpectedResponse):
        reader.feed(event)
    assert not reader.ended


def test_a_stream_of_more_calls_than_anyone_makes_is_given_up() -> None:
    reader = WIRE.reader()
    for place in range(1_000):
        reader.feed(sse(added(place, {"type": "function_call", "call_id": f"c{place}", "name": "f"})))
    with pytest.raises(UnexpectedResponse):
        reader.feed(sse(added(1_000, {"type": "function_call", "call_id": "last", "name": "f"})))
