"""Gemini's streams: events, and the JSON array, cut and truncated at every byte."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ownkey.talk.chat import Text, ToolCall
from ownkey.talk.errors import (
    InvalidCredentials,
    OwnkeyError,
    ProviderUnavailable,
    RateLimitExceeded,
    StreamCut,
    UnexpectedResponse,
)
from ownkey.talk.reply import Event, Finish, Reply, Usage, collect
from ownkey.wires.gemini.wire import Gemini
from ownkey.wires.sse import EVENT_BYTES

Chunk = dict[str, Any]


def chunk(*parts: Any, finish: object = None, usage: object = None, **more: Any) -> Chunk:
    candidate: Chunk = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    body: Chunk = {"candidates": [candidate], "responseId": "r1", "modelVersion": "gemini-x", **more}
    return body if usage is None else body | {"usageMetadata": usage}


def sse(*chunks: object, end: bytes = b"\r\n\r\n") -> bytes:
    return b"".join(b"data: " + json.dumps(one, ensure_ascii=False).encode() + end for one in chunks)


def array(*chunks: object) -> bytes:
    return b"[" + b"\n,\r\n".join(json.dumps(one, indent=2, ensure_ascii=False).encode() for one in chunks) + b"\n]"


ANSWER: tuple[Chunk, ...] = (
    chunk({"text": "Hm é", "thought": True}, usage={"promptTokenCount": 9, "totalTokenCount": 9}),
    chunk({"text": 'a "[{\\" } ü'}),
    chunk({"text": "b"}, {"functionCall": {"name": "f", "args": {"q": "]}\\"}}, "thoughtSignature": "s"}),
    chunk({"text": "", "thoughtSignature": "s2"}, finish="STOP"),
    {
        "usageMetadata": {
            "promptTokenCount": 9,
            "candidatesTokenCount": 5,
            "thoughtsTokenCount": 2,
            "totalTokenCount": 16,
        }
    },
)
FORMS = {
    "crlf": sse(*ANSWER),
    "lf": sse(*ANSWER, end=b"\n\n"),
    "array": array(*ANSWER),
    "bom": b"\xef\xbb\xbf" + sse(*ANSWER),
}


def read(*pieces: bytes) -> list[Event]:
    reader = Gemini().reader()
    return [event for piece in pieces for event in reader.feed(piece)] + reader.close()


def outcome(*pieces: bytes) -> list[Event] | type[OwnkeyError]:
    try:
        return read(*pieces)
    except OwnkeyError as error:
        return type(error)


@pytest.mark.parametrize("form", FORMS)
def test_a_stream_adds_up_to_the_answer(form: str) -> None:
    found = collect(read(FORMS[form]))
    assert found.reasoning == "Hm é"
    assert found.text == 'a "[{\\" } üb'
    assert found.parts[-2:] == (ToolCall("call_r1_0", "f", '{"q":"]}\\\\"}', "s"), Text("", "s2"))
    assert found.finish == Finish("tool_calls", "STOP")
    assert found.usage == Usage(input_tokens=9, output_tokens=7, reasoning_tokens=2)
    assert (found.id, found.model) == ("r1", "gemini-x")


@pytest.mark.parametrize("form", FORMS)
def test_U08_a_stream_cut_at_every_byte_gives_the_same_events(form: str) -> None:
    data = FORMS[form]
    whole = read(data)
    for at in range(len(data) + 1):
        assert read(data[:at], data[at:]) == whole
    assert read(*(data[at : at + 1] for at in range(len(data)))) == whole


@pytest.mark.parametrize("form", [sse, array])
def test_a_stream_that_breaks_off_at_any_byte_is_never_taken_for_whole(form: Callable[..., bytes]) -> None:
    data = form(*ANSWER[:3], chunk({"text": "c"}, finish="STOP"))
    whole = read(data)
    for at in range(len(data)):
        # The line end of the last event adds nothing to it.
        assert outcome(data[:at]) == (whole if data[:at].strip() == data.strip() else StreamCut)


def test_a_stream_that_breaks_off_after_its_reason_is_cut() -> None:
    data, last = sse(*ANSWER), len(sse(ANSWER[-1]))
    for at in range(len(data) - last + len("data: ") + 1, len(data) - len("}\r\n\r\n")):
        assert outcome(data[:at]) is StreamCut


@pytest.mark.parametrize("form", FORMS)
def test_it_has_ended_only_once_nothing_can_follow(form: str) -> None:
    """Counts may follow the reason: events have ended with the body, an array with its own end."""
    reader = Gemini().reader()
    data = FORMS[form]
    for at in range(len(data)):
        assert not reader.ended
        reader.feed(data[at : at + 1])
    assert reader.ended == (form == "array")
    reader.close()
    assert reader.ended


def test_it_has_not_ended_where_it_broke_off() -> None:
    for data in (sse(chunk({"text": "a"})), array(chunk({"text": "a"}))):
        reader = Gemini().reader()
        reader.feed(data)
        with pytest.raises(StreamCut):
            reader.close()
        assert not reader.ended


def test_the_finish_comes_last_even_where_every_chunk_gives_a_reason() -> None:
    events = read(sse(chunk({"text": "a"}, finish="STOP"), chunk({"text": "b"}, finish="STOP")))
    assert [type(event).__name__ for event in events] == ["Start", "TextDelta", "TextDelta", "Finish"]


def test_the_last_counts_of_a_stream_are_its_counts() -> None:
    first = {
        "promptTokenCount": 90,
        "candidatesTokenCount": 20,
        "thoughtsTokenCount": 40,
        "cachedContentTokenCount": 8,
        "totalTokenCount": 150,
    }
    last = {"promptTokenCount": 12, "candidatesTokenCount": 3, "totalTokenCount": 15}
    found = collect(
        read(
            sse(chunk({"text": "a"}, usage=first), chunk(usage={"trafficType": "X"}), chunk(finish="STOP", usage=last))
        )
    )
    assert found.usage == Usage(input_tokens=12, output_tokens=3, cached_tokens=0, reasoning_tokens=0)


def test_a_refused_prompt_ends_the_stream_with_its_reason() -> None:
    found = collect(read(sse({"promptFeedback": {"blockReason": "SAFETY"}, "responseId": "r"})))
    assert (found.parts, found.finish) == ((), Finish("content_filter", "SAFETY"))


def test_the_last_event_may_lack_its_blank_line() -> None:
    data = sse(chunk({"text": "a"}, finish="STOP"))
    assert read(data.rstrip()) == read(data)
    assert outcome(data.rstrip()[:-1]) is StreamCut


@pytest.mark.parametrize(
    "data", [b"", b"\r\n", b"data:\n\n", b"[", b"[]", b": waiting\n\n", sse(chunk({"text": "a"})), array(chunk())]
)
def test_a_stream_without_a_reason_is_cut(data: bytes) -> None:
    assert outcome(data) is StreamCut


def test_events_without_blank_lines_between_them_are_read_too() -> None:
    data = sse(*ANSWER, end=b"\n")
    assert read(data) == read(sse(*ANSWER))
    assert outcome(data[:-3]) is StreamCut
    assert outcome(data[:-3] + b"\n\n") is UnexpectedResponse


ERROR = {"error": {"code": 429, "message": "Exhausted.", "status": "RESOURCE_EXHAUSTED"}}


@pytest.mark.parametrize(
    "data",
    [
        sse(ERROR),
        sse(chunk({"text": "a"}), ERROR),
        array(ERROR),
        array(chunk({"text": "a"}), ERROR),
        json.dumps(ERROR, indent=2).encode(),
        json.dumps(ERROR).encode() + b"\n",
        sse(chunk({"text": "a"})) + json.dumps(ERROR).encode(),
    ],
)
def test_U17_an_error_in_a_stream_is_the_error_wherever_it_is_cut(data: bytes) -> None:
    for at in range(len(data)):
        assert outcome(data[:at], data[at:]) is RateLimitExceeded


def test_U17_a_bad_key_told_in_plain_json_is_a_bad_key() -> None:
    details = [{"reason": "API_KEY_INVALID"}]
    body = {"error": {"code": 400, "message": "No.", "status": "INVALID_ARGUMENT", "details": details}}
    assert outcome(json.dumps(body).encode()) is InvalidCredentials
    assert outcome(sse({"error": {"code": 503, "status": "UNAVAILABLE"}})) is ProviderUnavailable


@pytest.mark.parametrize(
    "data",
    [
        b"data: {broken\n\n",
        b"data: 5\n\n",
        b"data: []\n\n",
        b"[[{}]]",
        b"[{]}",
        b'[{"a":}]',
        b"[]]",
        b"[][{}]",
        b"[{}",
        sse(chunk({"functionCall": {"args": {}}})),
    ],
)
def test_U05_a_stream_that_cannot_be_read_is_an_error(data: bytes) -> None:
    assert outcome(data) in (UnexpectedResponse, StreamCut)


def test_U07_an_element_of_an_array_is_bounded() -> None:
    assert outcome(b'[{"a":"', *[b"x" * 65_536] * (EVENT_BYTES >> 16)) is UnexpectedResponse
    assert outcome(b'[{"a":"' + b"x" * EVENT_BYTES + b'"}]') is UnexpectedResponse


def pieces(*partial: Chunk, more: bool = True, **call: Any) -> Chunk:
    return chunk(
        {
            "functionCall": {
                **({"partialArgs": list(partial)} if partial else {}),
                **({"willContinue": True} if more else {}),
                **call,
            }
        }
    )


def test_arguments_in_pieces_become_one_call() -> None:
    data = sse(
        chunk({"functionCall": {"name": "cook", "willContinue": True}, "thoughtSignature": "s"}),
        pieces({"jsonPath": "$.dish.parts[0].name", "stringValue": "sa", "willContinue": True}),
        pieces({"jsonPath": "$.dish.parts[0].name", "stringValue": "lt"}),
        pieces(
            {"jsonPath": "$.dish.parts[1]['odd key']", "numberValue": 0.5}, {"jsonPath": "$.hot", "boolValue": True}
        ),
        pieces({"jsonPath": "$.none", "nullValue": "NULL_VALUE"}),
        pieces(more=False),
        chunk({"functionCall": {"name": "eat", "args": {"all": True}}}),
        chunk({"text": ""}, finish="STOP"),
    )
    found: Reply = collect(read(data))
    assert found.tool_calls == (
        ToolCall(
            "call_r1_0", "cook", '{"dish":{"parts":[{"name":"salt"},{"odd key":0.5}]},"hot":true,"none":null}', "s"
        ),
        ToolCall("call_r1_1", "eat", '{"all":true}'),
    )
    assert found.finish.unified == "tool_calls"


def test_a_call_in_pieces_is_closed_by_the_end() -> None:
    data = sse(pieces({"jsonPath": "$.a", "stringValue": "x"}, name="f"), chunk(finish="STOP"))
    assert collect(read(data)).tool_calls == (ToolCall("call_r1_0", "f", '{"a":"x"}'),)


@pytest.mark.parametrize("path", ["", "$", "a", "$.a[1000000000]", "$.a[5]", "$..a", "$.a[-1]", "$[0]", None, 5])
def test_U15_a_piece_out_of_place_is_an_error(path: object) -> None:
    assert outcome(sse(pieces({"jsonPath": path, "stringValue": "x"}, name="f"))) is UnexpectedResponse
