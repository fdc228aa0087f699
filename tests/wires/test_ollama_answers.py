"""What Ollama answers, cut anywhere, broken off anywhere, and with what it should not say."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ownkey.talk.chat import Image, Reasoning, Text, ToolCall
from ownkey.talk.errors import ContextTooLong, ProviderError, StreamCut, UnexpectedResponse
from ownkey.talk.reply import Event, Finish, Usage, collect
from ownkey.wires.ollama.wire import Ollama
from ownkey.wires.wire import Reader
from recordings import ABSENT, Record, records

WIRE = Ollama()
LINES: list[dict[str, Any]] = [
    {"message": {"role": "assistant", "content": "", "thinking": "H"}, "done": False},
    {"message": {"role": "assistant", "content": "", "thinking": "m\u00fc"}, "done": False},
    {"message": {"role": "assistant", "content": "Gr\u00fc"}, "done": False},
    {"message": {"role": "assistant", "content": "\u00dfe\n"}, "done": False},
    {"message": {"content": "", "tool_calls": [{"function": {"name": "f", "arguments": {"x": 1}}}]}, "done": False},
    {"message": {"content": "", "tool_calls": [{"id": "b", "function": {"index": 1, "name": "g"}}]}, "done": False},
    {"message": {"content": ""}, "done": True, "done_reason": "stop", "prompt_eval_count": 3, "eval_count": 4},
]
HEAD = {"model": "qwen3:8b", "created_at": "2026-01-01T00:00:00.123456789Z"}
BODY = b"".join(json.dumps(HEAD | line, ensure_ascii=False).encode() + b"\n" for line in LINES)


def read(body: bytes, size: int | None = None) -> list[Event]:
    reader = WIRE.reader()
    step = size or max(1, len(body))
    events = [event for at in range(0, len(body), step) for event in reader.feed(body[at : at + step])]
    events += reader.close()
    assert reader.ended
    return events


def broken_off(body: bytes) -> ProviderError:
    """The error of a stream that ends there."""
    reader = WIRE.reader()
    with pytest.raises(ProviderError) as caught:
        _read_to_the_end(reader, body)
    assert not reader.ended
    return caught.value


def _read_to_the_end(reader: Reader, body: bytes) -> None:
    reader.feed(body)
    reader.close()


def _fed(reader: Reader, pieces: list[bytes]) -> None:
    for piece in pieces:
        reader.feed(piece)


def whole(**said: Any) -> bytes:
    return json.dumps({**HEAD, "message": {"content": "a"}, "done": True, "done_reason": "stop"} | said).encode()


def test_U08_a_stream_cut_at_every_byte_gives_the_same_events() -> None:
    events = read(BODY)
    for at in range(len(BODY)):
        reader = WIRE.reader()
        assert reader.feed(BODY[:at]) + reader.feed(BODY[at:]) + reader.close() == events
    assert read(BODY, 1) == events
    reply = collect(events)
    assert reply.parts[:2] == (Reasoning("Hm\u00fc"), Text("Gr\u00fc\u00dfe\n"))
    assert [(call.name, call.arguments) for call in reply.tool_calls] == [("f", '{"x":1}'), ("g", "{}")]
    assert (reply.finish, reply.usage) == (Finish("tool_calls", "stop"), Usage(3, 4))
    assert (reply.model, reply.created) == ("qwen3:8b", 1_767_225_600)


def test_U10_a_stream_that_ends_early_is_never_whole() -> None:
    first = BODY.find(b"\n")
    for at in range(len(BODY) - 1):
        assert isinstance(broken_off(BODY[:at]), StreamCut) or at < first
    assert read(BODY[:-1]) == read(BODY), "only the line feed after the last line may be missing"


def test_U11_nothing_after_the_end_is_read() -> None:
    reader = WIRE.reader()
    events = reader.feed(BODY + b'{"error":"late"}\n')
    assert events == read(BODY)
    assert (reader.feed(b"junk\n"), reader.feed(b"junk"), reader.close()) == ([], [], [])


def test_U17_an_error_in_a_stream_comes_after_what_was_said_before_it() -> None:
    first = BODY[: BODY.find(b"\n") + 1]
    for size in (1, len(first) + 5, 10_000):
        with pytest.raises(ProviderError, match="runner stopped") as caught:
            read(first + b'{"error":"the model runner stopped"}\n', size)
        assert caught.value.code == "upstream_unavailable"
    reader = WIRE.reader()
    assert len(reader.feed(first + b'{"error":"x"}\n')) == 2
    for said in (b"", b"more\n"):
        with pytest.raises(ProviderError):
            reader.feed(said)


@pytest.mark.parametrize("error", ["text", {"message": "text"}, 5, ["x"], True])
def test_U17_an_error_in_any_form_is_an_error(error: object) -> None:
    with pytest.raises(ProviderError):
        WIRE.read_reply(whole(error=error))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"<html>",
        b'{"choices":[]}',
        b'{"message":5}',
        whole(done=False),
        whole()[:-1],
        b"{" * 5000,
    ],
)
def test_U05_a_body_that_is_no_answer_is_one_clear_error(body: bytes) -> None:
    with pytest.raises(UnexpectedResponse):
        WIRE.read_reply(body)


def test_a_whole_answer_may_be_printed_prettily() -> None:
    assert WIRE.read_reply(json.dumps(json.loads(whole()), indent=2).encode()).text == "a"


@pytest.mark.parametrize("count", [-1, 1.5, "5", True, None, [], 2**53 + 1, 10**40])
def test_U12_counts_are_checked_and_a_missing_one_is_unknown(count: object) -> None:
    assert WIRE.read_reply(whole(prompt_eval_count=count, eval_count=4)).usage == Usage(None, 4)
    assert WIRE.read_reply(whole(prompt_eval_count=0, eval_count=2**53)).usage == Usage(0, 2**53)


@pytest.mark.parametrize(
    ("reason", "unified"), [("stop", "stop"), ("length", "length"), ("load", "unknown"), (None, "unknown")]
)
def test_why_it_ended_is_said_twice(reason: str | None, unified: str) -> None:
    assert WIRE.read_reply(whole(done_reason=reason)).finish == Finish(unified, reason)  # type: ignore[arg-type]


def test_pictures_in_an_answer_are_kept() -> None:
    assert WIRE.read_reply(whole(message={"content": "", "images": ["QUJD", 5]})).parts == (Image(data="QUJD"),)


@pytest.mark.parametrize("made", [None, 5, "", "yesterday", "9999-99-99", "2026-01-01T00:00:00+99:00"])
def test_a_time_that_cannot_be_read_is_unknown(made: object) -> None:
    assert WIRE.read_reply(whole(created_at=made)).created is None


def test_calls_of_different_answers_have_different_ids() -> None:
    def id(**said: Any) -> str:
        message = {"tool_calls": [{"function": {"name": "f", "arguments": {}}}]}
        return WIRE.read_reply(whole(message=message, **said)).tool_calls[0].id

    assert id() == id()
    assert id() != id(created_at="2026-01-01T00:00:01Z")


def test_arguments_that_are_text_stay_as_they_are() -> None:
    message = {"tool_calls": [{"id": "c", "function": {"name": "f", "arguments": '{"a": 1}'}}]}
    assert WIRE.read_reply(whole(message=message)).parts == (ToolCall("c", "f", '{"a": 1}'),)


def test_a_long_line_takes_time_in_proportion_to_its_length() -> None:
    def read_in_pieces(length: int) -> float:
        body = whole(message={"content": "a" * length}) + b"\n"
        start = time.thread_time()
        assert len(collect(read(body, 1024)).text) == length
        return time.thread_time() - start

    read_in_pieces(1 << 16)
    short, long = read_in_pieces(1 << 20), read_in_pieces(1 << 23)
    assert long < 30 * short + 0.1, "eight times as long would take 64 times where it grew with the square"


def test_a_line_without_end_is_refused() -> None:
    with pytest.raises(UnexpectedResponse, match="32 MiB"):
        _fed(WIRE.reader(), [b"a" * (1 << 20)] * 40)


@given(
    st.lists(
        st.binary(max_size=30) | st.sampled_from([BODY, BODY[:50], b"\n", whole(), b'{"error":"x"}\n']), max_size=5
    )
)
def test_U05_no_bytes_make_a_reader_fail_otherwise_than_by_a_provider_error(pieces: list[bytes]) -> None:
    reader = WIRE.reader()
    try:
        for piece in pieces:
            reader.feed(piece)
        reader.close()
    except ProviderError:
        assert not reader.ended


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "code", "hint"),
    [
        (404, b'{"error":"model \'x\' not found"}', "model_not_available", "ollama pull"),
        (404, b"404 page not found", "upstream_invalid", "/api"),
        (400, b'{"error":"the input length exceeds the context length"}', "context_length_exceeded", "num_ctx"),
        (400, b'{"error":"\\"x\\" does not support tools"}', "upstream_refused", ""),
        (401, b'{"error":"unauthorized"}', "upstream_auth", ""),
        (500, b'{"error":"model runner has unexpectedly stopped"}', "upstream_unavailable", ""),
        (
            503,
            b'{"error":"server busy, please try again.  maximum pending requests exceeded"}',
            "upstream_unavailable",
            "",
        ),
        (500, b"\xff{", "upstream_unavailable", ""),
    ],
)
def test_U02_errors_are_told_apart(status: int, body: bytes, code: str, hint: str) -> None:
    error = WIRE.read_error(status, {}, body)
    assert (error.code, error.status) == (code, status)
    assert hint in error.hint
    assert "\\xff" not in str(error)


def test_a_context_that_is_too_small_is_told_in_a_stream_too() -> None:
    with pytest.raises(ContextTooLong):
        WIRE.reader().feed(b'{"error":"prompt too long; exceeded max context length by 12 tokens"}\n')


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"models":5}', b'{"models":[5]}', b"<html>"])
def test_what_is_no_list_of_models_is_one_clear_error(body: bytes) -> None:
    with pytest.raises(UnexpectedResponse):
        WIRE.read_models(body)


# --- recordings -------------------------------------------------------------------------------------------------------

FOUND = records("ollama", "api/chat")
NATIVE = [record for record in FOUND if record.status == 200 and b'"choices"' not in record.response_body[:2000]]
STREAMS = [record for record in NATIVE if record.streaming]
named = pytest.mark.parametrize("record", STREAMS, ids=lambda record: record.id)


@pytest.mark.skipif(not FOUND, reason=ABSENT)
@named
def test_U08_a_recorded_stream_cut_at_every_byte_gives_the_same_events(record: Record) -> None:
    body = record.response_body
    events = read(body)
    assert read(body, 1) == events
    for at in range(0, len(body), max(1, len(body) // 200)):
        reader = WIRE.reader()
        assert reader.feed(body[:at]) + reader.feed(body[at:]) + reader.close() == events
    lines = [json.loads(line) for line in body.splitlines() if line.strip()]
    assert collect(events).text == "".join(line["message"].get("content") or "" for line in lines)
    assert collect(events).finish.raw == lines[-1].get("done_reason")


@pytest.mark.skipif(not FOUND, reason=ABSENT)
@named
def test_U10_a_recorded_stream_that_ends_early_is_cut(record: Record) -> None:
    body = record.response_body.rstrip()
    for at in (body.find(b"\n") + 1, body.rfind(b"\n") + 1, len(body) // 2 or 1, len(body) - 1):
        assert broken_off(body[:at])


@pytest.mark.skipif(not FOUND, reason=ABSENT)
@pytest.mark.parametrize("record", [one for one in FOUND if one not in NATIVE], ids=lambda record: record.id)
def test_what_is_recorded_as_another_form_or_an_error_is_no_answer(record: Record) -> None:
    if record.status == 200:
        with pytest.raises(UnexpectedResponse):
            WIRE.read_reply(record.response_body)
    else:
        assert WIRE.read_error(record.status, {}, record.response_body).code == "model_not_available"


@pytest.mark.skipif(not FOUND, reason=ABSENT)
def test_recorded_models_are_listed() -> None:
    for record in records("ollama", "api/tags"):
        names = [model["name"] for model in json.loads(record.response_body)["models"]]
        assert [model.id for model in WIRE.read_models(record.response_body).models] == names
        assert names
