"""Every recorded chat completion, read and compared with what plain `json` finds in the same bytes."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from oracle_openai import chunks, fails, said, streamed, texts, whole
from ownkey.catalog.manifest import Quirks
from ownkey.talk.errors import InvalidRequest, ProviderError, RequestRefused, Unsupported
from ownkey.talk.reply import Event, collect
from ownkey.wires.members import REFUSED
from ownkey.wires.openai_chat.wire import OpenAIChat
from recordings import ABSENT, Record, records

WIRE = OpenAIChat()
FOUND = records(endpoint="chat/completions")
if not FOUND:
    pytest.skip(ABSENT, allow_module_level=True)


def named(found: list[Record]) -> Any:
    return pytest.mark.parametrize("record", found, ids=[f"{record.provider}-{record.id}" for record in found])


GOOD = [record for record in FOUND if record.status == 200]
WHOLE = [record for record in GOOD if not record.streaming and record.response_body.strip()]
STREAMS = [record for record in GOOD if record.streaming]
ANSWERED = [record for record in WHOLE if not fails(record.response_body, streaming=False)]
TOLD = [record for record in STREAMS if not fails(record.response_body, streaming=True)]


@named(ANSWERED)
def test_a_whole_answer_is_read_as_its_json_says(record: Record) -> None:
    reply = WIRE.read_reply(record.response_body)
    assert said(reply) == whole(record.response_body)
    assert len({call.id for call in reply.tool_calls}) == len(reply.tool_calls)
    passed = WIRE.pass_reply(record.response_body)
    assert (passed.body, passed.usage, passed.finish) == (record.response_body, reply.usage, reply.finish.raw)


@named([record for record in WHOLE if record not in ANSWERED])
def test_an_error_in_a_good_answer_is_its_error(record: Record) -> None:
    for read in (WIRE.read_reply, WIRE.pass_reply):
        with pytest.raises(ProviderError) as caught:
            read(record.response_body)
        assert caught.value.code == "content_refused"


@named([record for record in GOOD if not record.response_body.strip()])
def test_an_empty_body_is_no_answer(record: Record) -> None:
    for read in (WIRE.read_reply, WIRE.pass_reply):
        with pytest.raises(ProviderError) as caught:
            read(record.response_body)
        assert caught.value.code == "upstream_invalid"


@named(TOLD)
def test_U08_a_stream_is_read_as_its_json_says_however_it_is_cut(record: Record) -> None:
    body = record.response_body
    reader = WIRE.reader()
    events = reader.feed(body)
    events += reader.close()
    assert reader.ended
    by_byte = WIRE.reader()
    singly: list[Event] = [event for at in range(len(body)) for event in by_byte.feed(body[at : at + 1])]
    assert singly + by_byte.close() == events
    assert said(collect(events)) == streamed(body)


@named(TOLD)
def test_U08_a_stream_is_passed_on_as_it_came_however_it_is_cut(record: Record) -> None:
    body = record.response_body
    ask = WIRE.read_ask(b'{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{}]}')
    relay, by_byte = WIRE.relay(ask), WIRE.relay(ask)
    out = relay.feed(body) + relay.close()
    assert b"".join(by_byte.feed(body[at : at + 1]) for at in range(len(body))) + by_byte.close() == out
    assert chunks(out) == chunks(body)
    assert out.endswith(b"data: [DONE]\n\n")
    assert out.count(b"[DONE]") == 1
    reply = collect(WIRE.reader().feed(out))
    assert (relay.ended, relay.began, relay.finish) == (True, True, reply.finish.raw)
    assert relay.usage == reply.usage
    calls = "".join(call.name + call.arguments for call in reply.tool_calls)
    written = reply.text + reply.reasoning + (reply.refusal or "") + calls
    names = len("".join(call.name for call in reply.tool_calls).encode())
    assert 0 <= relay.text_bytes - len(written.encode()) <= names, "a name may come twice"


@named([record for record in STREAMS if record not in TOLD])
def test_U17_an_error_within_a_stream_is_its_error(record: Record) -> None:
    ask = WIRE.read_ask(b'{"model":"m","stream":true,"messages":[{}]}')
    for side in (WIRE.reader(), WIRE.relay(ask)):
        with pytest.raises(RequestRefused) as caught:
            side.feed(record.response_body)
        assert caught.value.status == 400
        assert not side.ended


CODES = {400: "upstream_refused", 401: "upstream_auth", 404: "model_not_available", 500: "upstream_unavailable"}


@named([record for record in FOUND if record.status != 200])
def test_U02_a_refusal_is_told_by_its_status(record: Record) -> None:
    headers = {name.encode(): value.encode() for name, value in record.response_headers.items()}
    error = WIRE.read_error(record.status, headers, record.response_body)
    expected = CODES[record.status]
    if b"context length" in record.response_body or b"too_many_prompt_tokens" in record.response_body:
        expected = "context_length_exceeded"
    assert (error.code, error.status) == (expected, record.status)


def request(record: Record) -> bytes:
    body = record.request_body
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


ASKED = [record for record in FOUND if record.request_body is not None and "messages" in str(record.request_body)]


def well_formed(body: dict[str, Any]) -> bool:
    caps = [body[name] for name in ("max_tokens", "max_completion_tokens") if body.get(name) is not None]
    return all(type(cap) is int and cap > 0 for cap in caps) and bool(body["messages"]) and not REFUSED & body.keys()


@named(ASKED)
def test_a_recorded_request_is_read_forwarded_and_understood(record: Record) -> None:
    body = json.loads(request(record))
    if not well_formed(body):
        with pytest.raises(InvalidRequest):
            WIRE.read_ask(request(record))
        return
    ask = WIRE.read_ask(request(record))
    assert (ask.model, ask.stream) == (body["model"], bool(body.get("stream")))
    sent = json.loads(WIRE.forward(ask, "another", max_output=None, quirks=Quirks(usage_in_stream="never")))
    streams = {"stream_options"} if ask.stream else set()
    assert sent == {name: value for name, value in body.items() if name not in streams} | {"model": "another"}
    if isinstance(body.get("temperature"), str):
        with pytest.raises(InvalidRequest, match="temperature"):
            WIRE.read_chat(ask)
        return
    if any("function" not in tool for tool in body.get("tools") or []):
        with pytest.raises(Unsupported, match="functions"):
            WIRE.read_chat(ask)
        return
    chat = WIRE.read_chat(ask)
    assert len(chat.messages) == len(body["messages"])
    for message, given in zip(chat.messages, body["messages"], strict=True):
        if message.role != "tool":
            assert message.text == texts(given.get("content"), "text")
        assert [part.id for part in message.parts if part.__class__.__name__ == "ToolCall"] == [
            call["id"] for call in given.get("tool_calls") or []
        ]
    assert [tool.name for tool in chat.tools] == [tool["function"]["name"] for tool in body.get("tools") or []]
    again = msgspec.json.decode(again_written(chat)) if not chat.other else None
    if again is not None and all(isinstance(said.get("content"), str | None) for said in body["messages"]):
        assert [said["role"] for said in again["messages"]] == [
            "system" if said["role"] == "developer" else said["role"] for said in body["messages"]
        ]


def again_written(chat: Any) -> bytes:
    return WIRE.write_request(chat, "m", stream=False, max_output=None, quirks=Quirks(file_urls=True)).body
