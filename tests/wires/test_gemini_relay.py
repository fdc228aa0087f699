"""Gemini's streams passed on to its own clients: the same chunks, in the framing that was asked for."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from oracle_gemini import chunks
from ownkey.talk.errors import OwnkeyError, RateLimitExceeded, StreamCut, UnexpectedResponse
from ownkey.talk.reply import Usage
from ownkey.wires.gemini.wire import Gemini
from ownkey.wires.wire import Ask, Named, Relay

WIRE = Gemini()
Json = dict[str, Any]
BOTH = pytest.mark.parametrize("sse", [True, False], ids=["to events", "to an array"])
FROM = pytest.mark.parametrize("framed", ["events", "array"])


def ask(sse: bool = True, choices: int = 1) -> Ask:
    body = {"contents": [{"parts": [{"text": "hi"}]}], "generationConfig": {"candidateCount": choices}}
    return WIRE.read_ask(json.dumps(body).encode(), Named("m", stream=True, sse=sse))


def chunk(*parts: Json, finish: object = None, index: int | None = None, **more: Any) -> Json:
    candidate: Json = {"content": {"parts": list(parts), "role": "model"}}
    if finish is not None:
        candidate["finishReason"] = finish
    if index is not None:
        candidate["index"] = index
    return {"candidates": [candidate], **more}


def events(*found: Json) -> bytes:
    return b"".join(b"data: " + json.dumps(one).encode() + b"\r\n\r\n" for one in found)


def framed_as(framed: str, found: list[Json]) -> bytes:
    return events(*found) if framed == "events" else json.dumps(found, indent=1).encode()


def passed(relay: Relay, pieces: Iterable[bytes]) -> bytes:
    return b"".join(relay.feed(piece) for piece in pieces) + relay.close()


ANSWER = [
    chunk({"text": "Hm", "thought": True}, usageMetadata={"promptTokenCount": 5, "totalTokenCount": 5}),
    chunk({"text": "Hello é"}),
    chunk({"functionCall": {"name": "f", "args": {"x": 1}}, "thoughtSignature": "s"}, unknown={"a": [1.0]}),
    chunk({"text": ""}, finish="STOP", usageMetadata={"promptTokenCount": 5, "candidatesTokenCount": 7}),
]


@BOTH
@FROM
def test_U08_a_stream_goes_on_as_the_same_chunks_wherever_it_is_cut(framed: str, sse: bool) -> None:
    body = framed_as(framed, ANSWER)
    whole = passed(WIRE.relay(ask(sse)), [body])
    assert chunks(whole) == ANSWER
    assert whole.startswith(b"data: " if sse else b"[")
    for at in range(len(body)):
        relay = WIRE.relay(ask(sse))
        assert passed(relay, [body[:at], body[at:]]) == whole
        assert (relay.ended, relay.began, relay.finish, relay.usage) == (True, True, "STOP", Usage(5, 7))
        assert relay.text_bytes == len("HmHello éf".encode()) + len(b'{"x":1}')
    singly = WIRE.relay(ask(sse))
    assert passed(singly, (body[at : at + 1] for at in range(len(body)))) == whole


@BOTH
@FROM
def test_U12_a_stream_that_breaks_off_is_cut(framed: str, sse: bool) -> None:
    body = framed_as(framed, ANSWER)
    for at in range(1, len(body.rstrip())):
        relay = WIRE.relay(ask(sse))
        with pytest.raises(StreamCut):
            passed(relay, [body[:at]])
        assert not relay.ended


@BOTH
def test_U17_an_error_within_a_stream_is_its_error_and_nothing_fed_with_it_goes_on(sse: bool) -> None:
    relay = WIRE.relay(ask(sse))
    error = {"error": {"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED"}}
    with pytest.raises(RateLimitExceeded):
        relay.feed(events(ANSWER[1], error))
    assert not relay.began
    plain = WIRE.relay(ask(sse))
    with pytest.raises(RateLimitExceeded):
        passed(plain, [json.dumps(error, indent=2).encode()])


@pytest.mark.parametrize("payload", [b"[]", b"5", b"{", b'{"candidates":5}', b'{"candidates":[{"content":[]}]}'])
def test_U05_what_is_no_chunk_is_an_error(payload: bytes) -> None:
    relay = WIRE.relay(ask())
    with pytest.raises(UnexpectedResponse):
        relay.feed(b"data: " + payload + b"\r\n\r\n")
    assert not relay.began


def test_what_has_begun_is_told_by_what_passes() -> None:
    relay = WIRE.relay(ask())
    relay.feed(events({"usageMetadata": {"promptTokenCount": 3}}, chunk({"text": ""})))
    assert not relay.began
    relay.feed(events(chunk({"inlineData": {"mimeType": "image/png", "data": "QUI="}})))
    assert relay.began
    assert relay.text_bytes == 0


def test_a_refused_prompt_is_a_whole_answer() -> None:
    relay = WIRE.relay(ask())
    passed(relay, [events({"promptFeedback": {"blockReason": "SAFETY"}})])
    assert (relay.ended, relay.began, relay.finish) == (True, True, "SAFETY")


def test_every_choice_has_to_end() -> None:
    first, second = chunk({"text": "a"}, finish="STOP", index=0), chunk({"text": "b"}, index=1)
    with pytest.raises(StreamCut):
        passed(WIRE.relay(ask(choices=2)), [events(first, second)])
    relay = WIRE.relay(ask(choices=2))
    passed(relay, [events(first, second, chunk(finish="MAX_TOKENS", index=1))])
    assert (relay.ended, relay.finish, relay.text_bytes) == (True, "STOP", 2)


def test_a_chunk_on_several_lines_goes_on_as_one() -> None:
    body = b"".join(b"data: " + line + b"\n" for line in json.dumps(ANSWER[3], indent=1).encode().split(b"\n")) + b"\n"
    out = passed(WIRE.relay(ask()), [body])
    assert chunks(out) == [ANSWER[3]]
    assert out.count(b"\n") == 2


def test_a_whole_answer_passes_and_is_read() -> None:
    answer = chunk({"text": "é"}, finish="STOP", usageMetadata={"promptTokenCount": 5, "candidatesTokenCount": 7})
    answer["candidates"].append({"content": {"parts": [{"text": "b"}]}, "index": 1, "finishReason": "STOP"})
    body = json.dumps(answer, indent=2).encode()
    found = WIRE.pass_reply(body)
    assert (found.body, found.usage, found.finish, found.text_bytes) == (body, Usage(5, 7), "STOP", 3)
    assert WIRE.pass_reply(b'{"promptFeedback":{"blockReason":"OTHER"}}').finish == "OTHER"
    for raw in (b"{}", b"[]", b"", b'{"error": {"code": 503, "message": "no"}}'):
        with pytest.raises(OwnkeyError):
            WIRE.pass_reply(raw)


def test_an_image_of_several_MiB_passes_in_one_event() -> None:
    data = "QUI=" * (3 << 20)
    image = chunk({"inlineData": {"mimeType": "image/png", "data": data}}, finish="STOP")
    body = events(image)
    relay = WIRE.relay(ask(sse=False))
    assert json.loads(passed(relay, (body[at : at + 65_536] for at in range(0, len(body), 65_536)))) == [image]
