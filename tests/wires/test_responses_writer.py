"""Answers written for clients of OpenAI's responses, read by the official client and its own models."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import AsyncOpenAI
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from ownkey.talk.chat import Image, Opaque, Part, Reasoning, Refusal, Text, ToolCall
from ownkey.talk.errors import (
    ContentRefused,
    ContextTooLong,
    OwnkeyError,
    ProviderError,
    QuotaExceeded,
    RateLimitExceeded,
    RequestRefused,
    StreamCut,
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
    Unified,
    Usage,
    UsageReport,
    WholePart,
    collect,
)
from ownkey.wires.openai_responses.wire import OpenAIResponses
from scripted import Peer, serve
from scripted import answer as http_answer

WIRE = OpenAIResponses()
ASK = WIRE.read_ask(b'{"model":"m","stream":true,"input":"Hi"}')
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)

Json = dict[str, Any]


def written(events: Iterable[Event]) -> bytes:
    writer = WIRE.writer(ASK, "p/m")
    return b"".join(map(writer.write, events)) + writer.end()


def data(stream: bytes) -> list[Json]:
    """The events, each of which OpenAI's own model takes, under its name and in its turn."""
    found: list[Json] = []
    for number, block in enumerate(stream.decode().removesuffix("\n\n").split("\n\n")):
        name, line = block.split("\n")
        event = json.loads(line.removeprefix("data: "))
        assert (name, event["sequence_number"]) == (f"event: {event['type']}", number)
        if event["type"] != "response.failed":
            EVENT.validate_python(event)
        found.append(event)
    return found


def final(stream: bytes) -> Json:
    response = data(stream)[-1]["response"]
    Response.model_validate(response)
    return response


def read_back(response: Json) -> tuple[Part, ...]:
    """What the next turn says this answer was."""
    body = json.dumps({"model": "m", "input": [*response["output"], {"role": "user", "content": "go on"}]}).encode()
    *answer, last = WIRE.read_chat(WIRE.read_ask(body)).messages
    assert last.role == "user"
    return tuple(part for message in answer for part in message.parts)


EVENTS: list[Event] = [
    Start("msg_01", "claude", 5),
    ReasoningDelta("h"),
    ReasoningDelta("m"),
    ReasoningSeal("sig", None, "anthropic-messages"),
    ReasoningSeal(None, "gAA", "openai-responses"),
    TextDelta("Gr\u00fc"),
    Notice("left out"),
    TextDelta("\u00dfe"),
    WholePart(Text("sealed", "gemini's")),
    ToolCallStart(0, "a", "f", "gemini's"),
    ToolCallDelta(0, '{"x":'),
    ToolCallStart(1, "b", "g"),
    ToolCallDelta(1, "{}"),
    ToolCallDelta(0, "1}"),
    RefusalDelta("no"),
    WholePart(Image(data="QUJD", media_type="image/webp")),
    UsageReport(Usage(3, cached_tokens=1)),
    Finish("tool_calls", "tool_use"),
    UsageReport(Usage(None, 4, reasoning_tokens=2)),
]
PARTS: tuple[Part, ...] = (
    Reasoning("hm", "sig", None, "anthropic-messages"),
    Reasoning("", None, "gAA", "openai-responses"),
    Text("Gr\u00fc\u00dfe"),
    Text("sealed", "gemini's"),
    ToolCall("a", "f", '{"x":1}', "gemini's"),
    ToolCall("b", "g", "{}"),
    Refusal("no"),
    Image(data="QUJD", media_type="image/webp"),
)


def test_a_stream_ends_with_the_whole_answer() -> None:
    response = final(written(EVENTS))
    assert (response["id"], response["model"], response["created_at"]) == ("resp_msg_01", "p/m", 5)
    assert (response["status"], response["incomplete_details"], response["error"]) == ("completed", None, None)
    assert read_back(response) == PARTS == collect(EVENTS).parts
    assert response["usage"] == {
        "input_tokens": 3,
        "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 0},
        "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 7,
    }


def test_a_whole_answer_says_what_the_stream_said() -> None:
    body = WIRE.write_reply(collect(EVENTS), "p/m")
    response = json.loads(body)
    Response.model_validate(response)
    streamed = final(written(EVENTS))
    assert sorted(response) == sorted(streamed)
    assert [without_id(item) for item in response["output"]] == [without_id(item) for item in streamed["output"]]
    assert {**response, "output": []} == {**streamed, "output": []}
    assert read_back(response) == PARTS


def without_id(item: Json) -> Json:
    assert item["id"]
    return {name: value for name, value in item.items() if name != "id"}


def test_our_own_reader_reads_what_was_written() -> None:
    reader = WIRE.reader()
    reply = collect(reader.feed(written(EVENTS)))
    assert reader.ended
    assert (reply.text, reply.refusal, reply.reasoning) == ("Gr\u00fc\u00dfesealed", "no", "hm")
    assert [(call.id, call.name, call.arguments) for call in reply.tool_calls] == [
        ("a", "f", '{"x":1}'),
        ("b", "g", "{}"),
    ]
    assert (reply.finish.unified, reply.usage) == ("tool_calls", Usage(3, 4, 1, 0, 2))


def sdk(stream: bytes) -> tuple[list[Any], Any]:
    """The events and the final response that the official client makes of these bytes, over a socket."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(http_answer(stream, 200, "content-type: text/event-stream"))

    async def main() -> tuple[list[Any], Any]:
        async with (
            serve(script) as server,
            AsyncOpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key="k", max_retries=0) as client,
            client.responses.stream(model="m", input="Hi") as events,
        ):
            found = [event async for event in events]
            return found, await events.get_final_response()

    return asyncio.run(main())


def test_the_official_client_follows_every_event() -> None:
    found, response = sdk(written(EVENTS))
    kinds = [event.type for event in found]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    assert response.output_text == "Gr\u00fc\u00dfesealed"
    deltas = [event for event in found if event.type == "response.output_text.delta"]
    assert "".join(event.delta for event in deltas) == response.output_text
    calls = {item.call_id: (item.name, item.arguments) for item in response.output if item.type == "function_call"}
    assert calls == {"a": ("f", '{"x":1}'), "b": ("g", "{}")}
    snapshots = [event.snapshot for event in found if event.type == "response.function_call_arguments.delta"]
    assert snapshots == ['{"x":', "{}", '{"x":1}'], "each delta is added to its own call"


CALL: list[Event] = [ToolCallStart(0, "a", "f"), ToolCallDelta(0, '{"x":')]


@pytest.mark.parametrize(("unified", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")])
@pytest.mark.parametrize(("last", "kind"), [([TextDelta("b")], "message"), (CALL, "function_call")])
def test_an_answer_that_was_cut_short_says_where(unified: Unified, reason: str, last: list[Event], kind: str) -> None:
    events: list[Event] = [ToolCallStart(5, "z", "g"), ToolCallDelta(5, "{}"), *last, Finish(unified)]
    stream = written(events)
    assert data(stream)[-1]["type"] == "response.incomplete"
    for response in (final(stream), json.loads(WIRE.write_reply(collect(events), "m"))):
        Response.model_validate(response)
        assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": reason})
        assert [(item["type"], item["status"]) for item in response["output"]] == [
            ("function_call", "completed"),
            (kind, "incomplete"),
        ]
    told = [event["item"] for event in data(stream) if event["type"] == "response.output_item.done"]
    assert [item["status"] for item in told] == ["completed", "incomplete"]


@pytest.mark.parametrize("unified", ["stop", "tool_calls", "unknown"])
def test_an_answer_that_ended_by_itself_is_completed(unified: Unified) -> None:
    response = final(written([TextDelta("a"), Finish(unified)]))
    assert (response["status"], response["output"][0]["status"]) == ("completed", "completed")


def test_an_answer_without_a_word_is_an_answer() -> None:
    for events in ([], [Start("a")], [TextDelta(""), ReasoningDelta(""), RefusalDelta(""), Finish("stop")]):
        response = final(written(events))
        assert (response["output"], response["status"]) == ([], "completed")
        assert response["usage"]["total_tokens"] == 0


def test_a_second_start_changes_no_name() -> None:
    stream = written([Start("a", created=1), TextDelta("x"), Start("b", created=2), TextDelta("y"), Finish("stop")])
    assert {event["response"]["id"] for event in data(stream) if "response" in event} == {"resp_a"}
    assert [item["content"][0]["text"] for item in final(stream)["output"]] == ["xy"]


@pytest.mark.parametrize("part", [Text("whole", "sig"), Text("whole"), Image(url="https://e/a.png")])
def test_text_that_comes_at_once_reaches_clients_who_read_deltas(part: Text | Image) -> None:
    events = data(written([TextDelta("a"), WholePart(part), TextDelta("b"), Finish("stop")]))
    deltas = [event["delta"] for event in events if event["type"] == "response.output_text.delta"]
    assert deltas == ["a", part.text if isinstance(part, Text) else "![image](https://e/a.png)", "b"]


def test_an_item_of_openais_own_goes_through() -> None:
    raw = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}}
    response = final(written([WholePart(Opaque("openai-responses", raw)), TextDelta("a"), Finish("stop")]))
    assert response["output"][0] == raw


@pytest.mark.parametrize("id", [None, "", "resp_1", "chatcmpl-1", "a:b/c d\u00fc", "x" * 500])
def test_ids_are_such_as_openai_takes(id: str | None) -> None:
    for response in (
        final(written([Start(id), *EVENTS[1:]])),
        json.loads(WIRE.write_reply(Reply(PARTS, Finish("stop"), Usage(), id), "m")),
    ):
        ids = [response["id"], *(item["id"] for item in response["output"])]
        assert len(set(ids)) == len(ids)
        for one in ids:
            assert len(one) <= 64
            assert one.replace("-", "_").replace("_", "").isalnum()
            assert one.isascii()


@pytest.mark.parametrize("maker", ["gemini", "anthropic-messages", "somebody-else", None])
def test_a_seal_of_another_is_never_shown_as_openais(maker: str | None) -> None:
    events: list[Event] = [ReasoningDelta("a"), ReasoningSeal(None, "theirs", maker), TextDelta("b"), Finish("stop")]
    response = final(written(events))
    assert response["output"][0]["encrypted_content"] != "theirs"
    assert read_back(response) == (Reasoning("a", None, "theirs", maker), Text("b"))


FAILURES: list[tuple[OwnkeyError, str]] = [
    (StreamCut("It was cut.", "Try again."), "server_error"),
    (RateLimitExceeded("Wait."), "rate_limit_exceeded"),
    (QuotaExceeded("Empty."), "insufficient_quota"),
    (ContextTooLong("Too long."), "context_length_exceeded"),
    (RequestRefused("Wrong."), "invalid_prompt"),
    (ContentRefused("No."), "invalid_prompt"),
]


@pytest.mark.parametrize(("error", "code"), FAILURES)
@pytest.mark.parametrize("begun", [True, False])
def test_a_stream_that_broke_ends_with_its_error(error: OwnkeyError, code: str, begun: bool) -> None:
    writer = WIRE.writer(ASK, "m")
    stream = (writer.write(TextDelta("a")) if begun else b"") + writer.fail(error, 502)
    *_, told, failed = data(stream)
    assert (told["type"], failed["type"]) == ("error", "response.failed")
    assert (told["code"], told["message"], told["error"]["code"]) == (error.code, str(error), error.code)
    assert failed["response"]["status"] == "failed"
    assert failed["response"]["error"] == {"code": code, "message": str(error)}
    assert b"response.completed" not in stream
    with pytest.raises(openai.APIError) as raised:
        sdk(stream)
    assert raised.value.message == str(error)
    reader = WIRE.reader()
    assert not any(isinstance(event, Finish) for event in (reader.feed(stream) if begun else []))
    with pytest.raises(ProviderError):
        reader.feed(stream)


def test_U21_what_a_model_writes_cannot_become_an_event() -> None:
    evil = 'x\n\ndata: [DONE]\n\nevent: error\rdata: {"error":1}\u2028\u0085'
    events: list[Event] = [
        ReasoningDelta(evil),
        TextDelta(evil),
        RefusalDelta(evil),
        ToolCallStart(0, evil, evil),
        ToolCallDelta(0, evil),
        Finish("stop"),
    ]
    assert read_back(final(written(events))) == collect(events).parts


words = st.text(min_size=1, max_size=4)
seals = st.one_of(
    st.builds(ReasoningSeal, words, st.none(), st.sampled_from(["anthropic-messages", "gemini"])),
    st.builds(ReasoningSeal, st.none(), words, st.just("anthropic-messages")),
    st.builds(ReasoningSeal, st.none(), words.map("gA{}".format), st.just("openai-responses")),
)
said = st.one_of(
    st.builds(TextDelta, words),
    st.builds(ReasoningDelta, words),
    st.builds(RefusalDelta, words),
    seals,
    st.builds(WholePart, st.builds(Text, words, words)),
    st.builds(WholePart, st.builds(Image, words, st.just("image/png"))),
    st.builds(ToolCallStart, st.just(0), words, words, st.none() | words),
    st.builds(ToolCallDelta, st.integers(0, 3), words),
)


def in_order(events: list[Event]) -> list[Event]:
    """With calls counted, and no arguments for a call that has not begun."""
    made: list[Event] = []
    calls = 0
    for event in events:
        if isinstance(event, ToolCallStart):
            made.append(ToolCallStart(calls, f"{calls}{event.id}", event.name, event.signature))
            calls += 1
        elif not isinstance(event, ToolCallDelta) or event.index < calls:
            made.append(event)
    return made


def as_read(part: Part) -> Part:
    return ToolCall(part.id, part.name, part.arguments or "{}", part.signature) if isinstance(part, ToolCall) else part


@given(st.lists(said, max_size=14).map(in_order), st.sampled_from(["stop", "length"]))
def test_any_events_are_written_as_the_answer_they_add_up_to(events: list[Event], unified: Unified) -> None:
    events = [Start("a"), *events, Finish(unified)]
    reply = collect(events)
    stream = written(events)
    response = final(stream)
    expected = tuple(map(as_read, reply.parts))
    assert read_back(response) == expected if expected else response["output"] == []
    whole = json.loads(WIRE.write_reply(reply, "p/m"))
    Response.model_validate(whole)
    assert [without_id(item) for item in whole["output"]] == [without_id(item) for item in response["output"]]
    done = {event["output_index"]: event["item"] for event in data(stream) if event["type"].endswith("item.done")}
    assert [done[place] for place in sorted(done)] == response["output"]
