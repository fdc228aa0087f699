"""Recorded answers of Gemini and Vertex AI, read by the wire and by plain `json` side by side."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from msgspec.structs import replace

from oracle_gemini import chunks, parts, said, streamed, whole
from ownkey.catalog.manifest import Quirks, ThinkingRules
from ownkey.talk.chat import Chat, Image, Message, Opaque, ToolCall, ToolResult, user
from ownkey.talk.errors import ProviderError, RequestError, StreamCut
from ownkey.talk.reply import Event, Reply, collect
from ownkey.wires.gemini.said import camel
from ownkey.wires.gemini.wire import Gemini
from ownkey.wires.wire import Ask, Named
from recordings import ABSENT, Record, records

WHOLE = records(endpoint="generateContent")
STREAMED = records(endpoint="streamGenerateContent")
COUNTED = records(endpoint="countTokens")
if not WHOLE:
    pytest.skip(ABSENT, allow_module_level=True)

CODES = {
    400: {"upstream_auth", "context_length_exceeded", "upstream_refused"},
    404: {"model_not_available"},
    429: {"rate_limited", "quota_exceeded"},
    503: {"upstream_unavailable"},
}


def named(record: Record) -> str:
    return f"{record.provider}-{record.id}"


def good(found: Iterable[Record]) -> list[Record]:
    return [record for record in found if record.status == 200]


def read(pieces: Iterable[bytes]) -> list[Event]:
    reader = Gemini().reader()
    return [event for piece in pieces for event in reader.feed(piece)] + reader.close()


@pytest.mark.parametrize("record", good(WHOLE), ids=named)
def test_a_recorded_answer_is_read_as_it_says(record: Record) -> None:
    reply = Gemini().read_reply(record.response_body)
    assert said(reply) == whole(record.response_body)
    assert len({call.id for call in reply.tool_calls}) == len(reply.tool_calls)


@pytest.mark.parametrize("record", good(STREAMED), ids=named)
def test_U08_a_recorded_stream_is_read_as_it_says_whole_and_byte_by_byte(record: Record) -> None:
    body = record.response_body
    events = read([body])
    assert said(collect(events)) == streamed(body)
    assert read(body[at : at + 1] for at in range(len(body))) == events


@pytest.mark.parametrize("record", good(STREAMED), ids=named)
def test_a_recorded_stream_that_breaks_off_is_cut(record: Record) -> None:
    """Truncated by the bytes around each event's end and by some in between; only line ends may be missing."""
    body = record.response_body
    ends = [at for at, byte in enumerate(body) if byte == 0x0A]
    whole = read([body])
    for at in {near for end in ends for near in (end - 1, end, end + 1)} | set(range(0, len(body), 997)):
        if body[:at].strip() == body.strip():
            assert read([body[:at]]) == whole
        else:
            with pytest.raises(StreamCut):
                read([body[:at]])


@pytest.mark.parametrize("record", [one for one in [*WHOLE, *STREAMED] if one.status != 200], ids=named)
def test_a_recorded_refusal_is_an_error_with_its_own_words(record: Record) -> None:
    found = Gemini().read_error(record.status, {}, record.response_body)
    assert isinstance(found, ProviderError)
    assert found.status == record.status
    told = chunks(record.response_body)[0]["error"]
    words = " ".join(told["message"].split())
    assert words[:60] in found.message
    assert found.code in CODES.get(record.status, {found.code})
    delays = [detail["retryDelay"] for detail in told.get("details", []) if "retryDelay" in detail]
    assert found.retry_after_s == (min(float(delays[0].rstrip("s")), 3600.0) if delays else None)


@pytest.mark.parametrize("record", good([*WHOLE, *STREAMED]), ids=named)
def test_no_part_of_a_recorded_answer_is_lost_on_its_way_back(record: Record) -> None:
    """What is read is written again as the same parts, but for neighbours of plain text, which may be joined."""
    found = chunks(record.response_body)
    reply = collect(read([record.response_body])) if record.streaming else Gemini().read_reply(record.response_body)
    chat = Chat((user("Go"), Message("assistant", reply.parts)))
    older = Quirks(thinking=ThinkingRules("budget"))
    body = Gemini().write_request(chat, "gemini-2.5-flash", stream=False, max_output=None, quirks=older).body
    back = [part for content in json.loads(body)["contents"][1:] for part in content["parts"]]
    assert joined(back) == joined(parts(found))


GOOGLES = ("gs://", "https://generativelanguage.googleapis.com/")
ASKED = [record for record in [*WHOLE, *STREAMED, *COUNTED] if isinstance(record.request_body, dict)]


def refusal(record: Record) -> str | None:
    """What only Google has, or what is wrong, by its place: it is refused where another wire would have to carry it."""
    body = record.request_body.get("generateContentRequest", record.request_body)
    tools = body.get("tools", [])
    for place, tool in enumerate(tools if isinstance(tools, list) else [tools]):
        own = next((camel(name) for name in tool if camel(name) != "functionDeclarations"), None)
        if own is not None:
            return f"tools[{place}].{own}"
    for place, content in enumerate(body["contents"]):
        if content.get("role", "user") not in ("user", "model"):
            return f"contents[{place}].role"
        for number, part in enumerate(content["parts"]):
            result = part.get("functionResponse") or part.get("function_response") or {}
            files = [one.get("file_data") or {} for one in result.get("parts", [])]
            if any(file.get("file_uri", "").startswith(GOOGLES) for file in files):
                return f"contents[{place}].parts[{number}].functionResponse"
    return None


@pytest.mark.parametrize("record", ASKED, ids=named)
def test_a_recorded_request_is_read_and_goes_on_as_it_came(record: Record) -> None:
    whole = record.request_body.get("generateContentRequest", record.request_body)
    body = {name: value for name, value in whole.items() if name != "model"}
    ask = asked(record)
    assert json.loads(Gemini().forward(ask, "m", max_output=None, quirks=Quirks())) == body
    capped = json.loads(Gemini().forward(ask, "m", max_output=77, quirks=Quirks()))
    assert capped["generationConfig"].pop("maxOutputTokens") == 77
    config = body.get("generationConfig", {})
    body["generationConfig"] = {name: value for name, value in config.items() if camel(name) != "maxOutputTokens"}
    assert capped == body


@pytest.mark.parametrize("record", ASKED, ids=named)
def test_a_recorded_request_is_understood_and_written_again_with_the_same_meaning(record: Record) -> None:
    ask = asked(record)
    param = refusal(record)
    if param is not None:
        with pytest.raises(RequestError) as refused:
            Gemini().read_chat(ask)
        assert refused.value.param == param
        return
    chat = Gemini().read_chat(ask)
    given = json.dumps(record.request_body)
    calls = [part for message in chat.messages for part in message.parts if isinstance(part, ToolCall)]
    results = [part for message in chat.messages for part in message.parts if isinstance(part, ToolResult)]
    assert len(calls) == given.count('"functionCall": ') + given.count('"function_call": ')
    assert len(results) == given.count('"functionResponse": ') + given.count('"function_response": ')
    assert {result.call_id for result in results} <= {call.id for call in calls}
    assert json.dumps([tool.name for tool in chat.tools]).count('"') // 2 <= given.count('"name"')
    plain = replace(chat, other={})
    body = Gemini().write_request(plain, "m", stream=False, max_output=None, quirks=Quirks()).body
    again = Gemini().read_chat(Gemini().read_ask(body, Named("m", stream=False)))
    assert told(again) == told(plain)
    assert replace(again, messages=(), thinking=None) == replace(
        plain, messages=(), thinking=None, max_output_tokens=None
    )


@pytest.mark.parametrize("record", good(STREAMED), ids=named)
@pytest.mark.parametrize("sse", [True, False], ids=["events", "array"])
def test_U08_a_recorded_stream_passes_with_the_same_chunks_wherever_it_is_cut(record: Record, sse: bool) -> None:
    body = record.response_body
    ask = Gemini().read_ask(b'{"contents":[{"parts":[]}]}', Named("m", stream=True, sse=sse))
    relay, singly = Gemini().relay(ask), Gemini().relay(ask)
    out = relay.feed(body) + relay.close()
    assert chunks(out) == chunks(body)
    assert b"".join(singly.feed(body[at : at + 1]) for at in range(len(body))) + singly.close() == out
    reply = collect(read([body]))
    assert read([out]) == read([body])
    for one in (relay, singly):
        assert (one.ended, one.began, one.usage, one.finish) == (True, True, reply.usage, reply.finish.raw)
    pieces = parts(chunks(body))
    shown = sum(len(part["text"].encode()) for part in pieces if "text" in part)
    made = sum(len(call.name) + len(call.arguments.encode()) for call in reply.tool_calls)
    code = sum(len(json.dumps(part["executableCode"])) for part in pieces if "executableCode" in part)
    assert shown <= relay.text_bytes
    # Arguments in pieces come with their places, and JSON may be written in escapes.
    assert b"partialArgs" in body or b"\\u" in body or relay.text_bytes <= shown + made + code


@pytest.mark.parametrize("record", good(WHOLE), ids=named)
def test_a_recorded_answer_passes_and_is_read(record: Record) -> None:
    passed, reply = Gemini().pass_reply(record.response_body), Gemini().read_reply(record.response_body)
    assert (passed.body, passed.usage, passed.finish) == (record.response_body, reply.usage, reply.finish.raw)
    assert passed.text_bytes >= len((reply.text + reply.reasoning).encode())


@pytest.mark.parametrize("record", good(WHOLE), ids=named)
def test_a_recorded_answer_that_is_written_again_says_the_same(record: Record) -> None:
    reply = Gemini().read_reply(record.response_body)
    assert meant(Gemini().read_reply(Gemini().write_reply(reply, reply.model or "m"))) == meant(reply)


@pytest.mark.parametrize("record", good(STREAMED), ids=named)
@pytest.mark.parametrize("sse", [True, False], ids=["events", "array"])
def test_a_recorded_stream_that_is_written_again_says_the_same(record: Record, sse: bool) -> None:
    events = read([record.response_body])
    ask = Gemini().read_ask(b'{"contents":[{"parts":[]}]}', Named("m", stream=True, sse=sse))
    writer = Gemini().writer(ask, collect(events).model or "m")
    again = read([b"".join(map(writer.write, events)) + writer.end()])
    assert meant(collect(again)) == meant(collect(events))


def meant(reply: Reply) -> list[object]:
    usage = reply.usage
    calls = [(one.id, one.name, one.arguments) for one in reply.tool_calls]
    others = [part for part in reply.parts if isinstance(part, Opaque | Image)]
    # A reason that came by its number goes by its name; none at all is told as the usual one.
    reason = reply.finish.unified if reply.finish.raw else "stop"
    counts = (usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.reasoning_tokens)
    return [reply.id, reply.created, reply.text, reply.reasoning, calls, others, reason, counts]


@pytest.mark.parametrize("record", good(COUNTED), ids=named)
def test_a_recorded_count_is_read(record: Record) -> None:
    assert Gemini().read_count(record.response_body) == json.loads(record.response_body)["totalTokens"]


def asked(record: Record) -> Ask:
    read_ask = Gemini().read_count_ask if record in COUNTED else Gemini().read_ask
    return read_ask(json.dumps(record.request_body).encode(), Named("m", record.streaming))


def told(chat: Chat) -> list[tuple[str, object]]:
    """Every piece with who said it: neighbours of one role may have become one message."""
    return [(message.role, part) for message in chat.messages for part in message.parts]


def joined(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    for part in found:
        if "functionCall" in part:
            call = part["functionCall"]
            part = part | {"functionCall": (call["name"], call.get("args", {}))}
        if not part.keys() - {"text", "thought"}:
            if not part.get("text"):
                continue
            if out and out[-1].keys() == part.keys():
                out[-1] = {**part, "text": out[-1]["text"] + part["text"]}
                continue
        out.append(part)
    return out
