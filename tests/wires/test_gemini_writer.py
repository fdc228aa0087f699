"""Answers for Gemini's clients: whole, and as a stream in both framings."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from oracle_gemini import chunks
from ownkey.talk.chat import Image, Opaque, Reasoning, Refusal, Text, ToolCall
from ownkey.talk.errors import (
    ConsentRequired,
    ContextTooLong,
    InvalidToken,
    OwnkeyError,
    ProviderTimeout,
    RateLimitExceeded,
    StreamCut,
    UnknownModel,
    Unsupported,
)
from ownkey.talk.reply import (
    Event,
    Finish,
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
    collect,
)
from ownkey.wires.gemini.wire import Gemini
from ownkey.wires.seal import Seal, unwrap
from ownkey.wires.wire import Ask, Named

WIRE = Gemini()
UNSEALED = "skip_thought_signature_validator"
Json = dict[str, Any]
SSE = pytest.mark.parametrize("sse", [True, False], ids=["sse", "array"])


def ask(sse: bool = True) -> Ask:
    return WIRE.read_ask(b'{"contents":[{"parts":[{"text":"hi"}]}]}', Named("m", stream=True, sse=sse))


def streamed(events: list[Event], sse: bool = True) -> bytes:
    writer = WIRE.writer(ask(sse), "m")
    return b"".join(map(writer.write, events)) + writer.end()


def whole(*parts: Any, finish: Finish | None = None, usage: Usage | None = None, **more: Any) -> Json:
    reply = Reply(parts, finish or Finish("stop", "STOP"), usage or Usage(), **more)
    return json.loads(WIRE.write_reply(reply, "m"))


def written(*parts: Any) -> list[Json]:
    return whole(*parts)["candidates"][0]["content"]["parts"]


def read(data: bytes) -> Reply:
    reader = WIRE.reader()
    return collect([*reader.feed(data), *reader.close()])


IMAGE = Image("QUI=", "image/png")
EVENTS: list[Event] = [
    Start("r1", "m", 1_700_000_000),
    ReasoningDelta("I th"),
    ReasoningDelta("ink"),
    ReasoningSeal("s0", maker="gemini"),
    TextDelta("Hel"),
    TextDelta("lo é\u2028"),
    WholePart(Text("!", "s1")),
    WholePart(IMAGE),
    WholePart(Opaque("gemini", {"executableCode": {"language": "PYTHON", "code": "1"}})),
    ToolCallStart(0, "a", "f", "s2"),
    ToolCallStart(1, "b", "g"),
    ToolCallDelta(1, '{"y":'),
    ToolCallDelta(0, '{"x":1.0'),
    ToolCallDelta(1, '"\\n"}'),
    TextDelta("after"),
    ToolCallDelta(0, "}"),
    Finish("tool_calls", "STOP"),
    UsageReport(Usage(10, 7, 4, None, 2, 3, 1, None, 2)),
]


@SSE
def test_a_stream_that_was_written_is_read_as_it_was(sse: bool) -> None:
    found, expected = read(streamed(EVENTS, sse)), collect(EVENTS)
    pieces = [Reasoning("I think", "s0", maker="gemini") if isinstance(p, Reasoning) else p for p in found.parts]
    assert replace(found, parts=tuple(p for p in pieces if p != Text(""))) == expected


def test_a_whole_answer_that_was_written_is_read_as_it_was() -> None:
    reply = collect(EVENTS)
    assert WIRE.read_reply(WIRE.write_reply(reply, "m")) == reply


@SSE
def test_pieces_go_out_as_they_come_and_calls_when_they_are_whole(sse: bool) -> None:
    writer = WIRE.writer(ask(sse), "m")
    out = [writer.write(event) for event in EVENTS]
    assert [
        chunks(b"[{}" * (not sse) + piece + b"]" * (not sse))[-1]["candidates"][0]["content"]["parts"]
        for piece in out[1:7]
    ] == [
        [{"text": "I th", "thought": True}],
        [{"text": "ink", "thought": True}],
        [{"text": "", "thought": True, "thoughtSignature": "s0"}],
        [{"text": "Hel"}],
        [{"text": "lo é\u2028"}],
        [{"text": "!", "thoughtSignature": "s1"}],
    ]
    assert not any(out[9:]), "text after a call waits for it"
    assert b"functionCall" in writer.end()


def test_the_framing_of_events() -> None:
    data = streamed(EVENTS)
    assert data.endswith(b"\r\n\r\n")
    blocks = data.split(b"\r\n\r\n")[:-1]
    assert all(block.startswith(b"data: {") and len(block.decode().splitlines()) == 1 for block in blocks)
    last = json.loads(blocks[-1][6:])
    assert last["usageMetadata"] == {
        "promptTokenCount": 10,
        "cachedContentTokenCount": 4,
        "candidatesTokenCount": 5,
        "thoughtsTokenCount": 2,
        "totalTokenCount": 17,
        "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 3}],
        "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 1}],
        "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 2}],
    }
    assert (last["responseId"], last["modelVersion"], last["createTime"]) == ("r1", "m", "2023-11-14T22:13:20Z")
    assert last["candidates"][0]["finishReason"] == "STOP"
    assert [part for part in last["candidates"][0]["content"]["parts"] if "functionCall" in part] == [
        {"functionCall": {"id": "a", "name": "f", "args": {"x": 1.0}}, "thoughtSignature": "s2"},
        {"functionCall": {"id": "b", "name": "g", "args": {"y": "\n"}}},
    ]


@pytest.mark.parametrize("created", [253_402_300_800, 1_700_000_000_000, 2**53 - 1, 10**30, 0, -62_135_596_800, None])
def test_a_time_that_is_no_date_is_left_out(created: int | None) -> None:
    found = [*chunks(streamed([Start("r1", "m", created), TextDelta("a")])), whole(Text("a"), id="r1", created=created)]
    assert [(one["responseId"], "createTime" in one) for one in found] == [("r1", False)] * 3
    assert whole(Text("a"), created=253_402_300_799)["createTime"] == "9999-12-31T23:59:59Z"


def test_the_other_framing_is_one_array() -> None:
    found = json.loads(streamed(EVENTS, sse=False))
    assert all(one["modelVersion"] == "m" for one in found)
    assert found[-1]["candidates"][0]["finishReason"] == "STOP"
    assert json.loads(streamed([], sse=False))[-1]["candidates"][0]["content"]["parts"] == [{"text": ""}]


@SSE
@pytest.mark.parametrize("count", [1, 2, 5, 12])
def test_a_stream_that_breaks_ends_with_the_error_and_no_reason(sse: bool, count: int) -> None:
    writer = WIRE.writer(ask(sse), "m")
    data = b"".join(map(writer.write, EVENTS[:count])) + writer.fail(StreamCut("It broke.", "Again."), 502)
    *_, last = chunks(data)
    assert last["error"]["status"] == "UNAVAILABLE"
    assert b"finishReason" not in data
    with pytest.raises(OwnkeyError, match="It broke"):
        read(data)


@SSE
def test_a_fresh_writer_ends_what_a_relay_began(sse: bool) -> None:
    found = ask(sse)
    began = WIRE.relay(found).feed(b'data: {"candidates":[{"content":{"parts":[{"text":"a"}]}}]}\r\n\r\n')
    whole = chunks(began + WIRE.writer(found, "m").fail(StreamCut("It broke."), 502))
    assert [list(one) for one in whole] == [["candidates"], ["error"]]


@pytest.mark.parametrize(
    ("part", "made"),
    [
        (Text("a"), {"text": "a"}),
        (Text("a", "s"), {"text": "a", "thoughtSignature": "s"}),
        (Reasoning("a"), {"text": "a", "thought": True}),
        (Reasoning("a", "s", maker="gemini"), {"text": "a", "thought": True, "thoughtSignature": "s"}),
        (IMAGE, {"inlineData": {"mimeType": "image/png", "data": "QUI="}}),
        (Image(url="data:image/webp;base64,QUI="), {"inlineData": {"mimeType": "image/webp", "data": "QUI="}}),
        (Image(url="https://example.com/a.png"),
         {"fileData": {"mimeType": "image/png", "fileUri": "https://example.com/a.png"}}),
        (Opaque("gemini", {"executableCode": {"code": "1"}}), {"executableCode": {"code": "1"}}),
        (ToolCall("1", "f", '{\n "x": 12345678901234567890123}', "s"),
         {"functionCall": {"id": "1", "name": "f", "args": {"x": 12345678901234567890123}}, "thoughtSignature": "s"}),
    ],
)  # fmt: skip
def test_every_piece_has_its_part(part: Any, made: Json) -> None:
    assert written(part) == [made]


@pytest.mark.parametrize(
    ("part", "seal"),
    [
        (Reasoning("a", "s", maker="anthropic-messages"), Seal("anthropic-messages", "signature", "s")),
        (Reasoning("", sealed="x", maker="openai-responses"), Seal("openai-responses", "sealed", "x")),
        (Reasoning("a", "s"), Seal("", "signature", "s")),
    ],
)
def test_another_providers_seal_is_wrapped(part: Reasoning, seal: Seal) -> None:
    (made,) = written(part)
    assert unwrap(made["thoughtSignature"]) == seal
    events = [ReasoningDelta("a"), ReasoningSeal(part.signature, part.sealed, part.maker), Finish("stop")]
    assert unwrap(chunks(streamed(events))[1]["candidates"][0]["content"]["parts"][0]["thoughtSignature"]) == seal


def test_only_the_first_call_that_nobody_signed_bears_the_word_for_it() -> None:
    calls = [ToolCall("1", "f", ""), ToolCall("2", "g", "{}")]
    assert [part.get("thoughtSignature") for part in written(*calls)] == [UNSEALED, None]
    assert [part.get("thoughtSignature") for part in written(replace(calls[0], signature="s"), calls[1])] == ["s", None]


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        (Finish("stop", "stop"), "STOP"),
        (Finish("stop", "end_turn"), "STOP"),
        (Finish("stop", "STOP"), "STOP"),
        (Finish("tool_calls", "tool_use"), "STOP"),
        (Finish("length", "max_tokens"), "MAX_TOKENS"),
        (Finish("content_filter", "content_filter"), "SAFETY"),
        (Finish("content_filter", "RECITATION"), "RECITATION"),
        (Finish("unknown"), "STOP"),
        (Finish("unknown", "pause_turn"), "OTHER"),
        (Finish("unknown", "OTHER"), "OTHER"),
        (Finish("unknown", "MALFORMED_FUNCTION_CALL"), "MALFORMED_FUNCTION_CALL"),
    ],
)
def test_the_reason_is_one_of_googles(finish: Finish, reason: str) -> None:
    found = whole(Text("a"), finish=finish)["candidates"][0]
    assert found["finishReason"] == reason
    assert found.get("finishMessage") == ("pause_turn" if finish.raw == "pause_turn" else None)


def test_a_refusal_is_told_as_one() -> None:
    found = whole(Refusal("I won't."), finish=Finish("stop", "stop"))["candidates"][0]
    assert (found["content"]["parts"], found["finishReason"]) == ([{"text": "I won't."}], "SAFETY")
    data = streamed([RefusalDelta("I "), RefusalDelta("won't."), Finish("stop", "stop")])
    reply = read(data)
    assert (reply.text, reply.finish) == ("I won't.", Finish("content_filter", "SAFETY"))


@pytest.mark.parametrize(("unified", "reason"), [("length", "MAX_TOKENS"), ("tool_calls", "MALFORMED_FUNCTION_CALL")])
def test_a_call_that_is_not_whole_is_told_of_and_not_made(unified: Any, reason: str) -> None:
    call = ToolCall("1", "f", '{"x": "a')
    found = whole(Text("a"), call, finish=Finish(unified, "x"))["candidates"][0]
    assert (found["content"]["parts"], found["finishReason"]) == ([{"text": "a"}], reason)
    assert "'f'" in found["finishMessage"]
    events = [ToolCallStart(0, "1", "f"), ToolCallDelta(0, '{"x": "a'), Finish(unified, "x")]
    assert read(streamed(events)).finish.raw == reason


def test_counts_that_are_not_known_are_not_told() -> None:
    assert "usageMetadata" not in whole(Text("a"))
    assert whole(Text("a"), usage=Usage(output_tokens=3))["usageMetadata"] == {"candidatesTokenCount": 3}


@pytest.mark.parametrize(
    ("error", "status", "name"),
    [
        (Unsupported("No.", param="tools"), 422, "INVALID_ARGUMENT"),
        (ContextTooLong("No."), 400, "INVALID_ARGUMENT"),
        (InvalidToken("No."), 401, "UNAUTHENTICATED"),
        (OwnkeyError("No."), 402, "RESOURCE_EXHAUSTED"),
        (OwnkeyError("No."), 403, "PERMISSION_DENIED"),
        (UnknownModel("No."), 404, "NOT_FOUND"),
        (OwnkeyError("No."), 405, "UNIMPLEMENTED"),
        (ConsentRequired("No."), 409, "FAILED_PRECONDITION"),
        (OwnkeyError("No."), 413, "INVALID_ARGUMENT"),
        (RateLimitExceeded("No.", retry_after_s=2.5), 429, "RESOURCE_EXHAUSTED"),
        (OwnkeyError("No."), 500, "INTERNAL"),
        (OwnkeyError("No."), 503, "UNAVAILABLE"),
        (ProviderTimeout("No."), 504, "DEADLINE_EXCEEDED"),
    ],
)
def test_an_error_has_googles_form(error: OwnkeyError, status: int, name: str) -> None:
    told: Any = WIRE.write_error(error, status)["error"]
    assert (told["code"], told["status"], told["message"]) == (status, name, str(error))
    kinds = {detail["@type"].rpartition(".")[2]: detail for detail in told["details"]}
    assert kinds["ErrorInfo"]["reason"] == error.code.upper()
    assert [one["field"] for one in kinds.get("BadRequest", {}).get("fieldViolations", [])] == (
        [error.param] if error.param else []
    )
    if isinstance(error, RateLimitExceeded):
        assert kinds["RetryInfo"]["retryDelay"] == "2.5s"
        again = WIRE.read_error(status, {}, json.dumps({"error": told}).encode())
        assert (type(again), again.retry_after_s) == (RateLimitExceeded, 2.5)
