"""Streams of responses passed on to clients of the same wire, and read in passing."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from oracle_responses import LAST, breaks, events
from ownkey.catalog.manifest import Quirks
from ownkey.talk.errors import ProviderError, StreamCut
from ownkey.talk.reply import Usage, collect
from ownkey.wires.openai_responses.relay import ResponsesRelay
from ownkey.wires.openai_responses.wire import OpenAIResponses
from ownkey.wires.wire import Ask
from recordings import Record, records

WIRE = OpenAIResponses()
RAW = [record for record in records(endpoint="responses") if record.fidelity == "raw" and record.status == 200]
STREAMS = [record for record in RAW if record.streaming and not breaks(record.response_body)]
SMALL = sorted(STREAMS, key=lambda record: len(record.response_body))[:6]

Json = dict[str, Any]


def named(found: list[Record]) -> Any:
    return pytest.mark.parametrize("record", found, ids=[f"{record.provider}-{record.id}" for record in found])


def relay() -> ResponsesRelay:
    ask: Ask = WIRE.read_ask(b'{"model":"m","stream":true,"input":"Hi"}')
    return WIRE.relay(ask)


def framed(*found: Json) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (one["type"].encode(), json.dumps(one).encode()) for one in found)


def expected(body: bytes) -> bytes:
    """Each data line with its own bytes, under the name that it says."""
    lines = [line for line in body.replace(b"\r\n", b"\n").split(b"\n") if line.startswith(b"data:")]
    payloads = [line[5:].strip() for line in lines]
    kept = [(json.loads(one)["type"].encode(), one) for one in payloads if one != b"[DONE]"]
    last = next(at for at, (kind, _) in enumerate(kept) if kind.decode() in LAST)
    return b"".join(b"event: %b\ndata: %b\n\n" % one for one in kept[: last + 1])


@named(STREAMS)
def test_U08_a_recorded_stream_passes_as_it_came_wherever_it_is_cut(record: Record) -> None:
    body, chance = record.response_body, Random(record.id)
    out = expected(body)
    for most in (len(body), 4_000, 200, 7):
        passing = relay()
        made = b""
        at = 0
        while at < len(body):
            size = chance.randint(1, most)
            made += passing.feed(body[at : at + size])
            at += size
        assert made + passing.close() == out
        assert (passing.ended, passing.began) == (True, True)
    reply = collect(WIRE.reader().feed(body))
    last = events(out)[-1]["response"]
    reason = (last.get("incomplete_details") or {}).get("reason") or last["status"]
    assert (passing.usage, passing.finish) == (reply.usage, reason)
    deltas = [event["delta"] for event in events(out) if isinstance(event.get("delta"), str)]
    told_at_the_end = [json.dumps(item) for item in last["output"]]
    if deltas:
        assert passing.text_bytes == len("".join(deltas).encode())
    else:
        assert passing.text_bytes > 0.5 * len("".join(told_at_the_end))


@named(SMALL)
def test_U08_a_recorded_stream_cut_at_every_byte_passes_the_same(record: Record) -> None:
    body = record.response_body
    passing = relay()
    assert b"".join(passing.feed(body[at : at + 1]) for at in range(len(body))) == expected(body)
    for at in range(0, len(body), 13):
        passing = relay()
        assert passing.feed(body[:at]) + passing.feed(body[at:]) == expected(body)


@named(SMALL)
def test_a_recorded_stream_that_lost_its_end_is_never_whole(record: Record) -> None:
    body = expected(record.response_body)
    end = body.rindex(b"event: ")
    for at in range(0, end, 17):
        passing = relay()
        out = passing.feed(body[:at])
        assert body.startswith(out)
        assert not out or out.endswith(b"}\n\n"), "whole events only"
        with pytest.raises(StreamCut):
            passing.close()
        assert not passing.ended


CREATED: Json = {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}}
ADDED: Json = {"type": "response.output_item.added", "output_index": 0, "item": {"type": "message", "id": "msg_1"}}
DELTA: Json = {"type": "response.output_text.delta", "output_index": 0, "delta": "Gr\u00fc\u00df"}
COUNTS: Json = {"input_tokens": 3, "output_tokens": 4}
DONE: Json = {"type": "response.completed", "response": {"status": "completed", "output": [], "usage": COUNTS}}


def test_a_stream_is_read_in_passing() -> None:
    passing = relay()
    assert passing.feed(framed(CREATED)) == framed(CREATED)
    assert not passing.began
    passing.feed(framed(ADDED, DELTA))
    assert (passing.began, passing.ended, passing.text_bytes) == (True, False, 6)
    passing.feed(framed(DONE))
    assert (passing.ended, passing.finish, passing.usage) == (True, "completed", Usage(3, 4))


def test_an_answer_that_was_cut_short_says_why() -> None:
    response = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "usage": COUNTS}
    passing = relay()
    out = passing.feed(framed({"type": "response.incomplete", "response": response}))
    assert (passing.ended, passing.finish, b"response.incomplete" in out) == (True, "max_output_tokens", True)


def test_an_answer_that_is_told_only_at_its_end_is_measured_there() -> None:
    item = {"type": "message", "content": [{"type": "output_text", "text": "a" * 100}]}
    passing = relay()
    passing.feed(framed({"type": "response.completed", "response": {"status": "completed", "output": [item]}}))
    assert passing.text_bytes >= 100
    assert not passing.usage.known


@pytest.mark.parametrize("after", [b"", b"data: [DONE]\n\n", b"data: nonsense\n\n", framed(DELTA, DONE)])
def test_U11_the_client_sees_one_end(after: bytes) -> None:
    stream = framed(DELTA, DONE)
    passing = relay()
    assert passing.feed(stream + after) + passing.close() == stream
    passing = relay()
    assert passing.feed(stream) + passing.feed(after) + passing.close() == stream


def test_U11_an_end_without_its_blank_line_is_an_end() -> None:
    stream = framed(DELTA, DONE)
    for end in (1, 2):
        passing = relay()
        assert passing.feed(stream[:-end]) + passing.close() == stream
        assert passing.ended


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (b"data: {\n\n", "upstream_invalid"),
        (b"data: 5\n\n", "upstream_invalid"),
        (b"data: {}\n\n", "upstream_invalid"),
        (b'data: {"type":5}\n\n', "upstream_invalid"),
        (b'data: {"type":"a\\n\\ndata: {}"}\n\n', "upstream_invalid"),
        (b'data: {"type":"a b"}\n\n', "upstream_invalid"),
        (b'data: {"type":"response.completed","response":{"output":5}}\n\n', "upstream_invalid"),
        (b'data: {"error":{"message":"x","code":"insufficient_quota"}}\n\n', "quota_exceeded"),
        (b'data: {"type":"error","code":"rate_limit_exceeded","message":"x"}\n\n', "rate_limited"),
        (b'data: {"type":"error","error":{"code":"rate_limit_exceeded","message":"x"}}\n\n', "rate_limited"),
        (framed({"type": "response.failed", "response": {"status": "failed"}}), "upstream_unavailable"),
        (
            framed({"type": "response.failed", "response": {"error": {"code": "server_error", "message": "x"}}}),
            "upstream_unavailable",
        ),
        (framed({"type": "response.failed"}), "upstream_unavailable"),
        (framed({"type": "response.cancelled", "response": {"status": "cancelled"}}), "upstream_unavailable"),
    ],
)
def test_U17_an_event_that_tells_of_an_error_is_not_passed_on(event: bytes, code: str) -> None:
    passing = relay()
    passing.feed(framed(CREATED))
    with pytest.raises(ProviderError) as raised:
        passing.feed(framed(DELTA) + event)
    assert (raised.value.code, passing.ended, passing.began) == (code, False, False)


def test_an_error_in_place_of_a_stream_is_that_error() -> None:
    passing = relay()
    passing.feed(b'{"error":{"message":"Too much","code":"insufficient_quota"}}')
    with pytest.raises(ProviderError) as raised:
        passing.close()
    assert raised.value.code == "quota_exceeded"


def test_U07_names_comments_and_line_ends_of_any_kind_pass_as_plain_events() -> None:
    stream = b': hi\r\n\r\nid: 5\r\nevent: else\r\ndata: {"type":\r\ndata: "response.queued"}\r\n\r\n: \n\n' + framed(
        DONE
    )
    passing = relay()
    out = passing.feed(stream) + passing.close()
    assert out == b'event: response.queued\ndata: {"type": "response.queued"}\n\n' + framed(DONE)


def test_U21_what_a_model_writes_cannot_become_an_event() -> None:
    evil = {**DELTA, "delta": 'x\n\ndata: [DONE]\n\nevent: error\rdata: {"error":1}\u2028'}
    passing = relay()
    assert passing.feed(framed(evil, DONE)) == framed(evil, DONE)


@named([record for record in RAW if not record.streaming and b'"in_progress"' not in record.response_body][::7])
def test_a_recorded_whole_answer_passes_with_its_own_bytes(record: Record) -> None:
    if json.loads(record.response_body)["status"] == "queued":
        return
    passed = WIRE.pass_reply(record.response_body)
    reply = WIRE.read_reply(record.response_body)
    assert (passed.body, passed.usage) == (record.response_body, reply.usage)


def test_what_goes_through_keeps_its_settings() -> None:
    ask = WIRE.read_ask(b'{"model":"m","stream":true,"input":"Hi","stream_options":{"include_obfuscation":false}}')
    sent = json.loads(WIRE.forward(ask, "u", max_output=None, quirks=Quirks(usage_in_stream="ask")))
    assert sent["stream_options"] == {"include_obfuscation": False}, "usage is told without being asked for"
