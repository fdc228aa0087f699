"""What goes back to the client: passed on as it came, or written anew."""

from __future__ import annotations

import json
from typing import Any

import pytest

from openai_samples import DELTAS, STREAM, WIRE, answer, read, streamed
from ownkey.talk.chat import Image, Reasoning, Refusal, Text, ToolCall
from ownkey.talk.errors import (
    InvalidRequest,
    InvalidToken,
    OwnkeyError,
    ProviderError,
    QuotaExceeded,
    RateLimitExceeded,
    StreamCut,
    VaultSealed,
)
from ownkey.talk.reply import (
    Event,
    Finish,
    Notice,
    ReasoningDelta,
    ReasoningSeal,
    RefusalDelta,
    Reply,
    Start,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
    UsageReport,
    WholePart,
)
from ownkey.wires.wire import Ask, Relay


def ask(*, usage: bool = True, n: int = 1) -> Ask:
    fields = {"model": "m", "stream": True, "n": n, "stream_options": {"include_usage": usage}, "messages": [{}]}
    return WIRE.read_ask(json.dumps(fields).encode())


def data(stream: bytes) -> list[Any]:
    assert stream.endswith(b"\n\n")
    lines = stream.decode().removesuffix("\n\n").split("\n\n")
    assert all(line.startswith("data: ") for line in lines)
    return [line[6:] if line == "data: [DONE]" else json.loads(line[6:]) for line in lines]


def relayed(stream: bytes, relay: Relay) -> bytes:
    return relay.feed(stream) + relay.close()


USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\n'


def test_a_stream_passes_as_it_came_and_is_read_in_passing() -> None:
    relay = WIRE.relay(ask())
    out = relayed(STREAM, relay)
    events = data(STREAM.replace(b": PROCESSING\n\n", b"").replace(b"\r\n", b"\n"))
    assert data(out) == events
    assert (relay.began, relay.ended, relay.finish, relay.usage) == (True, True, "tool_calls", Usage(3, 4))
    reply = read(STREAM)
    written = reply.text + reply.reasoning + "".join(call.name + call.arguments for call in reply.tool_calls)
    assert relay.text_bytes == len(written.encode())


def test_U08_a_relayed_stream_cut_at_every_byte_is_the_same() -> None:
    whole = relayed(STREAM, WIRE.relay(ask()))
    for at in range(len(STREAM)):
        relay = WIRE.relay(ask())
        assert relay.feed(STREAM[:at]) + relay.feed(STREAM[at:]) + relay.close() == whole


def test_U10_a_relayed_stream_that_ends_early_is_never_whole() -> None:
    finished = STREAM.index(b'"finish_reason": "tool_calls"}]}') + len(b'"finish_reason": "tool_calls"}]}')
    for at in range(finished):
        relay = WIRE.relay(ask())
        out = relay.feed(STREAM[:at])
        assert b"[DONE]" not in out
        assert not out or out.endswith(b"}\n\n"), "whole events only"
        with pytest.raises(StreamCut):
            relay.close()
        assert not relay.ended


def test_the_chunk_that_only_tells_the_usage_is_for_those_who_asked() -> None:
    stream = streamed({"content": "a"}, done=False) + USAGE + b"data: [DONE]\n\n"
    relay = WIRE.relay(ask(usage=False))
    assert relayed(stream, relay) == stream.replace(USAGE, b"")
    assert relay.usage == Usage(3, 4)
    beside = b'data: {"choices":[{"delta":{"content":"b"}}],"usage":{"prompt_tokens":3}}\n\n'
    assert beside in relayed(beside + stream, WIRE.relay(ask(usage=False)))


@pytest.mark.parametrize("after", [b"", b"data: [DONE]\n\n", b"data: nonsense\n\n", streamed({"content": "b"})])
def test_U11_the_client_sees_one_end(after: bytes) -> None:
    stream = streamed({"content": "a"})
    assert relayed(stream + after, WIRE.relay(ask())) == stream
    relay = WIRE.relay(ask())
    assert relay.feed(stream) + relay.feed(after) + relay.close() == stream


@pytest.mark.parametrize("end", [b"", b"\n", b"data: [DONE]", b"data: [DONE]\n", b": bye"])
def test_U11_an_end_that_was_left_out_is_supplied(end: bytes) -> None:
    stream = streamed({"content": "a"}, done=False)
    relay = WIRE.relay(ask())
    assert relayed(stream + end, relay) == stream + b"data: [DONE]\n\n"
    assert relay.ended


def test_an_answer_of_two_choices_is_whole_when_both_are() -> None:
    def chunk(index: int, finish: str | None) -> bytes:
        choice = {"index": index, "delta": {"content": "a"}, "finish_reason": finish}
        return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"

    relay = WIRE.relay(ask(n=2))
    relay.feed(chunk(0, "stop") + chunk(1, None))
    with pytest.raises(StreamCut):
        relay.close()
    relay.feed(chunk(1, "stop"))
    assert relay.close() == b"data: [DONE]\n\n"
    assert relay.text_bytes == 3


def test_nothing_has_begun_before_something_of_the_answer_passed() -> None:
    relay = WIRE.relay(ask())
    relay.feed(b': hi\n\ndata: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n')
    assert not relay.began
    with pytest.raises(ProviderError):
        relay.feed(b'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: {"error":{"message":"x"}}\n\n')
    assert not relay.began, "nothing of that piece was passed on"
    relay.feed(b'data: {"choices":[{"delta":{"reasoning":"a"}}]}\n\n')
    assert relay.began


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (b"data: {\n\n", "upstream_invalid"),
        (b"data: 5\n\n", "upstream_invalid"),
        (b"data: [DONE]\n\n", "upstream_invalid"),
        (b'data: {"choices":[{"delta":{"content":{}}}]}\n\n', "upstream_invalid"),
        (b'data: {"error":{"message":"x","code":"insufficient_quota"}}\n\n', "quota_exceeded"),
        (b'data: {"object":"error","message":"x","code":503}\n\n', "upstream_unavailable"),
        (b'data: {"choices":[{"delta":{},"finish_reason":"error"}]}\n\n', "upstream_unavailable"),
    ],
)
def test_U17_a_relayed_event_that_tells_of_an_error_is_not_passed_on(event: bytes, code: str) -> None:
    relay = WIRE.relay(ask())
    with pytest.raises(ProviderError) as caught:
        relay.feed(event)
    assert (caught.value.code, relay.ended, relay.began) == (code, False, False)


def test_U21_what_a_model_writes_cannot_become_an_event() -> None:
    evil = 'x\n\ndata: [DONE]\n\nevent: error\rdata: {"error":1}\u2028'
    stream = streamed({"content": evil})
    assert relayed(stream, WIRE.relay(ask())) == stream
    laid_out = (
        b'event: x\nid: 5\ndata: {"choices":\ndata: [{"delta":{"content":"a"},\r\ndata: "finish_reason":"stop"}]}\n\n'
    )
    out = relayed(laid_out, WIRE.relay(ask()))
    assert [line[:6] for line in out.split(b"\n\n")[:-1]] == [b"data: "] * 2
    writer = WIRE.writer(ask(), "m")
    assert data(writer.write(TextDelta(evil)))[1]["choices"][0]["delta"] == {"content": evil}


def test_a_whole_answer_passes_with_its_own_bytes() -> None:
    body = b"\n  " + answer(
        {"content": "\u00fc", "reasoning_content": "r"}, {"prompt_tokens": 3, "completion_tokens": 4}
    )
    passed = WIRE.pass_reply(body)
    assert (passed.body, passed.usage, passed.finish, passed.text_bytes) == (body, Usage(3, 4), "stop", 3)


EVENTS: list[Event] = [
    Start("c1", "other", 5),
    ReasoningDelta("h"),
    ReasoningDelta("m"),
    ReasoningSeal("sig"),
    ReasoningSeal(None, "sealed"),
    TextDelta("Gr\u00fc"),
    TextDelta("\u00dfe"),
    Notice("left out"),
    ToolCallStart(0, "a", "f", "seal"),
    ToolCallDelta(0, '{"x":'),
    ToolCallStart(1, "b", "g"),
    ToolCallDelta(1, "{}"),
    ToolCallDelta(0, "1}"),
    RefusalDelta("no"),
    WholePart(Image(data="QUJD", media_type="image/png")),
    UsageReport(Usage(3)),
    Finish("tool_calls", "tool_use"),
    UsageReport(Usage(None, 4, reasoning_tokens=2)),
]


def test_events_are_written_so_that_a_client_reads_the_same_answer() -> None:
    writer = WIRE.writer(ask(), "p/m")
    out = b"".join(writer.write(event) for event in EVENTS) + writer.end()
    assert {(chunk["id"], chunk["model"], chunk["created"]) for chunk in data(out)[:-1]} == {("c1", "p/m", 5)}
    assert data(out)[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    reply = read(out)
    assert reply.parts == (
        Reasoning("hm", "sig"),
        Reasoning("", None, "sealed"),
        Text("Gr\u00fc\u00dfe"),
        ToolCall("a", "f", '{"x":1}', "seal"),
        ToolCall("b", "g", "{}"),
        Refusal("no"),
        Image(data="QUJD", media_type="image/png"),
    )
    assert (reply.usage, reply.finish) == (Usage(3, 4, reasoning_tokens=2), Finish("tool_calls", "tool_calls"))


def test_a_reply_is_written_so_that_a_client_reads_the_same_answer() -> None:
    reply = Reply(
        (Reasoning("hm", "sig"), Text("a"), ToolCall("c", "f", "{}", "seal")), Finish("tool_calls"), Usage(3, 4), "c1"
    )
    body = WIRE.write_reply(reply, "p/m")
    again = WIRE.read_reply(body)
    assert (again.parts, again.usage, again.finish.unified) == (reply.parts, reply.usage, "tool_calls")
    assert json.loads(body)["usage"]["total_tokens"] == 7
    history = json.dumps({"model": "m", "messages": [json.loads(body)["choices"][0]["message"]]}).encode()
    assert WIRE.read_chat(WIRE.read_ask(history)).messages[0].parts == reply.parts


def test_usage_that_is_not_known_is_not_written_as_0() -> None:
    unknown = Reply((Text("a"),), Finish("stop"), Usage())
    assert "usage" not in json.loads(WIRE.write_reply(unknown, "m"))
    half = Reply((Text("a"),), Finish("stop"), Usage(3))
    assert json.loads(WIRE.write_reply(half, "m"))["usage"] == {"prompt_tokens": 3}
    for usage, wanted in ((Usage(), True), (Usage(3), True), (Usage(3, 4), False)):
        writer = WIRE.writer(ask(usage=wanted), "m")
        out = writer.write(TextDelta("a")) + writer.write(UsageReport(usage)) + writer.write(Finish("stop"))
        assert b"usage" not in out + writer.end()


@pytest.mark.parametrize(("called", "reason"), [(False, "stop"), (True, "tool_calls")])
def test_a_reason_that_nobody_knows_is_said_as_the_answer_shows(called: bool, reason: str) -> None:
    calls: list[Event] = [ToolCallStart(0, "a", "f")] if called else []
    writer = WIRE.writer(ask(), "m")
    out = b"".join(writer.write(event) for event in [*calls, Finish("unknown", "odd")]) + writer.end()
    assert read(out).finish.raw == reason
    reply = Reply((ToolCall("a", "f", "{}"),) if called else (Text("a"),), Finish("unknown"), Usage())
    assert WIRE.read_reply(WIRE.write_reply(reply, "m")).finish.raw == reason


def test_a_stream_that_broke_ends_with_one_error_and_no_end() -> None:
    writer = WIRE.writer(ask(), "m")
    out = writer.write(TextDelta("a")) + writer.fail(StreamCut("It was cut.", "Try again."), 502)
    assert data(out)[-1]["error"]["code"] == "upstream_cut"
    assert out.count(b'"error"') == 1
    assert b"[DONE]" not in out
    with pytest.raises(ProviderError):
        read(out)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (InvalidRequest("Wrong.", param="top_p"), "invalid_request_error"),
        (InvalidToken("No."), "authentication_error"),
        (RateLimitExceeded("Wait."), "rate_limit_error"),
        (QuotaExceeded("Empty."), "insufficient_quota"),
        (StreamCut("Cut."), "upstream_error"),
        (VaultSealed("Sealed."), "server_error"),
    ],
)
def test_an_error_is_written_in_openais_form(error: OwnkeyError, kind: str) -> None:
    expected = {"message": str(error), "type": kind, "code": error.code, "param": error.param}
    told = WIRE.write_error(error, 400)["error"]
    assert {name: told[name] for name in expected} == expected
    assert set(told) - set(expected) <= {"kind", "provider", "status", "notice", "action"}


@pytest.mark.parametrize("dialect", DELTAS)
def test_tool_calls_of_every_dialect_reach_the_client_as_openais(dialect: str) -> None:
    reader, writer = WIRE.reader(), WIRE.writer(ask(), "m")
    stream = streamed(*({"tool_calls": [delta]} for delta in DELTAS[dialect]), finish="tool_calls")
    out = b"".join(writer.write(event) for event in reader.feed(stream)) + writer.end()
    assert read(out).tool_calls == (ToolCall("a", "f", '{"x":1}'), ToolCall("b", "g", "{}"))
