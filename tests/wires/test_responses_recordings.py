"""Every recorded response, read and compared with what plain `json` finds in the same bytes."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from oracle_responses import LAST, breaks, ended_with, events, said, told
from ownkey.talk.chat import Chat, Message, ToolCall, user
from ownkey.talk.errors import ContextTooLong, ModelNotAvailable, OwnkeyError, ProviderError, QuotaExceeded, StreamCut
from ownkey.talk.reply import Event, Finish, Reply, collect
from ownkey.wires.wire import wire
from recordings import ABSENT, Record, records
from shipped import quirks_for

WIRE = wire("openai-responses")
FOUND = records(endpoint="responses")
if not FOUND:
    pytest.skip(ABSENT, allow_module_level=True)


def named(found: list[Record]) -> Any:
    return pytest.mark.parametrize("record", found, ids=[f"{record.provider}-{record.id}" for record in found])


GOOD = [record for record in FOUND if record.status == 200]
MADE = [record for record in GOOD if not record.streaming]
WHOLE = [record for record in MADE if json.loads(record.response_body)["status"] in ("completed", "incomplete")]
QUEUED = [record for record in MADE if json.loads(record.response_body)["status"] in ("queued", "in_progress")]
TOLD = [record for record in GOOD if record.streaming and not breaks(record.response_body)]
STREAMS = [record for record in TOLD if record.fidelity == "raw"]
# Of the rest some were shortened by hand, and some hold several answers.
MENDED = [
    record
    for record in TOLD
    if record.fidelity != "raw" and sum(event["type"] in LAST for event in events(record.response_body)) == 1
]
SMALL = sorted(STREAMS, key=lambda record: len(record.response_body))[:6]
BAD = [record for record in FOUND if record.status != 200]


def events_of(pieces: list[bytes]) -> list[Event]:
    reader = WIRE.reader()
    found = [event for piece in pieces for event in reader.feed(piece)]
    found += reader.close()
    assert reader.ended
    return found


def test_there_are_recordings_of_every_kind() -> None:
    assert len(WHOLE) > 400
    assert len(STREAMS) > 80
    assert QUEUED
    assert BAD


@named(WHOLE)
def test_a_recorded_response_is_read_as_plain_json_reads_it(record: Record) -> None:
    assert said(WIRE.read_reply(record.response_body)) == told(json.loads(record.response_body))


@named(STREAMS)
def test_a_recorded_stream_adds_up_to_the_response_that_ends_it(record: Record) -> None:
    found = events_of([record.response_body])
    assert said(collect(found)) == told(ended_with(record.response_body))
    assert [type(event) for event in found].count(Finish) == 1


@named(MENDED)
def test_a_stream_that_was_put_together_again_is_read_too(record: Record) -> None:
    found = events(record.response_body)
    done = [event["item"] for event in found if event["type"] == "response.output_item.done"]
    texts = [event["delta"] for event in found if event["type"] == "response.output_text.delta"]
    texts = texts or [piece["text"] for item in done if item["type"] == "message" for piece in item["content"]]
    assert collect(events_of([record.response_body])).text == "".join(texts)


@named(STREAMS)
def test_U08_a_recorded_stream_cut_anywhere_gives_the_same_events(record: Record) -> None:
    body, chance = record.response_body, Random(record.id)
    whole = events_of([body])
    for most in (7, 200, 4_000):
        pieces: list[bytes] = []
        at = 0
        while at < len(body):
            size = chance.randint(1, most)
            pieces.append(body[at : at + size])
            at += size
        assert events_of(pieces) == whole


@named(SMALL)
def test_U08_a_recorded_stream_cut_at_every_byte_gives_the_same_events(record: Record) -> None:
    body = record.response_body
    whole = events_of([body])
    assert events_of([body[at : at + 1] for at in range(len(body))]) == whole
    for at in range(0, len(body), 11):
        assert events_of([body[:at], body[at:]]) == whole


@named(STREAMS)
def test_a_recorded_stream_that_lost_its_last_event_is_cut(record: Record) -> None:
    end = max(record.response_body.rfind(b'"type":"%b"' % name.encode()) for name in LAST)
    assert end > 0
    for cut in {0, 1, end // 3, end // 2, end - 1, end}:
        reader = WIRE.reader()
        reader.feed(record.response_body[:cut])
        assert not reader.ended
        with pytest.raises(StreamCut):
            reader.close()


@named(WHOLE[::9])
def test_a_recorded_response_cut_short_is_never_read_as_one(record: Record) -> None:
    body = record.response_body.rstrip()
    for cut in {1, len(body) // 2, len(body) - 1}:
        with pytest.raises(OwnkeyError):
            WIRE.read_reply(body[:cut])


@named(QUEUED)
def test_a_response_that_is_still_being_made_is_no_answer(record: Record) -> None:
    with pytest.raises(ProviderError):
        WIRE.read_reply(record.response_body)


@named(BAD)
def test_a_recorded_error_keeps_its_status_and_its_words(record: Record) -> None:
    headers = {name.encode(): value.encode() for name, value in record.response_headers.items()}
    error = WIRE.read_error(record.status, headers, record.response_body)
    told_of = json.loads(record.response_body)["error"]
    words = told_of if isinstance(told_of, str) else told_of["message"]
    assert error.status == record.status
    assert words[:60] in error.message
    kinds = {
        "context_length_exceeded": ContextTooLong,
        "model_not_found": ModelNotAvailable,
        "insufficient_quota": QuotaExceeded,
    }
    if isinstance(told_of, dict) and told_of["code"] in kinds:
        assert type(error) is kinds[told_of["code"]]


@named([record for record in GOOD if record.streaming and breaks(record.response_body)])
def test_a_recorded_stream_that_fails_ends_in_its_error(record: Record) -> None:
    with pytest.raises(ProviderError) as raised:
        events_of([record.response_body])
    assert not isinstance(raised.value, StreamCut)
    assert "Request too large" in raised.value.message


@named([record for record in WHOLE + STREAMS if record.provider in ("openai", "xai", "azure")][::5])
def test_a_recorded_answer_goes_back_as_history_with_its_calls_and_seals(record: Record) -> None:
    reply = _read(record)
    back = WIRE.write_request(
        Chat((user("1"), Message("assistant", reply.parts))),
        "gpt-5",
        stream=False,
        max_output=None,
        quirks=quirks_for("openai", "gpt-5"),
    )
    items = json.loads(back.body)["input"][1:]
    calls = [(item["call_id"], item["name"], item["arguments"]) for item in items if item["type"] == "function_call"]
    assert calls == [(call.id, call.name, call.arguments) for call in reply.parts if isinstance(call, ToolCall)]
    sent = [item.get("encrypted_content") for item in items if item["type"] == "reasoning"]
    given = [piece[2] for piece in said(reply)["pieces"] if piece[0] == "reasoning" and piece[2]]
    assert sent == given
    kept = [item for item in items if item["type"] not in ("function_call", "reasoning", "message")]
    assert kept == [piece[2] for piece in said(reply)["pieces"] if piece[0] == "opaque"]
    texts = [piece["text"] for item in items if item["type"] == "message" for piece in item["content"]]
    assert "".join(texts) == reply.text


def _read(record: Record) -> Reply:
    if record.streaming:
        return collect(events_of([record.response_body]))
    return WIRE.read_reply(record.response_body)
