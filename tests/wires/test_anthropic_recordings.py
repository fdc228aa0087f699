"""Every recorded answer of the Anthropic Messages wire, read by it and by plain `json`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ownkey.talk.chat import Opaque, Reasoning, Refusal, Text, ToolCall
from ownkey.talk.errors import OwnkeyError, StreamCut
from ownkey.talk.reply import Event, Finish, Reply, collect
from ownkey.wires.wire import wire
from recordings import ABSENT, Record, records

WIRE = wire("anthropic-messages")

RECORDS = records(endpoint="messages")
GOOD = [record for record in RECORDS if record.status == 200]
WHOLE = [record for record in GOOD if not record.streaming]
STREAMS = [record for record in GOOD if record.streaming]
BAD = [record for record in RECORDS if record.status != 200]

pytestmark = pytest.mark.skipif(not RECORDS, reason=ABSENT)


def named(record: Record) -> str:
    return f"{record.provider}-{record.id}"


def pieces(reply: Reply) -> dict[str, Any]:
    """What an answer says, in plain data. Neighbouring texts are one: a stream does not keep them apart."""
    return {
        "id": reply.id,
        "model": reply.model,
        "text": "".join(part.text for part in reply.parts if isinstance(part, Text)),
        "reasoning": [(part.text, part.signature, part.sealed) for part in reply.parts if isinstance(part, Reasoning)],
        "calls": [
            (part.id, part.name, json.loads(part.arguments)) for part in reply.parts if isinstance(part, ToolCall)
        ],
        "opaque": [part.raw for part in reply.parts if isinstance(part, Opaque)],
        "refusal": "".join(part.text for part in reply.parts if isinstance(part, Refusal)) or None,
        "finish": reply.finish.raw,
        "usage": [
            reply.usage.input_tokens,
            reply.usage.output_tokens,
            reply.usage.cached_tokens,
            reply.usage.cache_write_tokens,
            reply.usage.reasoning_tokens,
            reply.usage.cache_write_1h_tokens,
        ],
    }


def expected(message: dict[str, Any]) -> dict[str, Any]:
    """The same from a plain message object."""
    known = ("text", "thinking", "redacted_thinking", "tool_use")
    blocks = message["content"]
    usage = {name: value for name, value in message["usage"].items() if value is not None}
    extra = [entry for entry in usage.get("iterations", []) if entry["type"] == "compaction"]
    reads, writes = usage.get("cache_read_input_tokens"), usage.get("cache_creation_input_tokens")
    hour = (usage.get("cache_creation") or {}).get("ephemeral_1h_input_tokens")
    for entry in extra:
        reads = (reads or 0) + entry["cache_read_input_tokens"]
        writes = (writes or 0) + entry["cache_creation_input_tokens"]
        hour = (hour or 0) + entry["cache_creation"]["ephemeral_1h_input_tokens"]
    fresh = usage.get("input_tokens")
    total = None if fresh is None else fresh + (reads or 0) + (writes or 0) + sum(e["input_tokens"] for e in extra)
    output = usage.get("output_tokens")
    if output is not None:
        output += sum(entry["output_tokens"] for entry in extra)
    return {
        "id": message["id"],
        "model": message["model"],
        "text": "".join(block["text"] for block in blocks if block["type"] == "text"),
        "reasoning": [
            (block.get("thinking", ""), block.get("signature") or None, block.get("data"))
            for block in blocks
            if block["type"] in ("thinking", "redacted_thinking")
        ],
        "calls": [(block["id"], block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"],
        "opaque": [block for block in blocks if block["type"] not in known],
        "refusal": (message.get("stop_details") or {}).get("explanation"),
        "finish": message["stop_reason"],
        "usage": [
            total,
            output,
            reads,
            writes,
            (usage.get("output_tokens_details") or {}).get("thinking_tokens"),
            hour,
        ],
    }


def data_of(body: bytes) -> list[dict[str, Any]]:
    """Every event's data; a relay's doubled `data:` is taken off."""
    found: list[dict[str, Any]] = []
    for line in body.decode().splitlines():
        while line.startswith("data:"):
            line = line[5:].strip()
        if line.startswith("{"):
            found.append(json.loads(line))
    return found


def put_together(body: bytes) -> dict[str, Any]:
    """The message that a stream's events build, by Anthropic's description of them, up to the first end: one record
    holds the streams of two requests."""
    message: dict[str, Any] = {}
    blocks: dict[int, dict[str, Any]] = {}
    inputs: dict[int, str] = {}
    for said in data_of(body):
        match said["type"]:
            case "message_start":
                message = dict(said["message"])
            case "content_block_start":
                blocks[said["index"]] = dict(said["content_block"])
            case "content_block_delta":
                block, delta = blocks[said["index"]], said["delta"]
                match delta["type"]:
                    case "input_json_delta":
                        inputs[said["index"]] = inputs.get(said["index"], "") + delta["partial_json"]
                    case "citations_delta":
                        pass
                    case _:
                        for name, value in delta.items():
                            if name != "type":
                                block[name] = (block.get(name) or "") + value
            case "message_delta":
                message |= said["delta"]
                message["usage"] = message["usage"] | said.get("usage", {})
            case "message_stop":
                break
            case _:
                pass
    for index, text in inputs.items():
        if text:
            blocks[index]["input"] = json.loads(text)
    return message | {"content": [blocks[index] for index in sorted(blocks)]}


def events_of(body: bytes, size: int) -> list[Event]:
    reader = WIRE.reader()
    events = [event for at in range(0, len(body), size) for event in reader.feed(body[at : at + size])]
    assert reader.ended
    return events + reader.close()


@pytest.mark.parametrize("record", WHOLE, ids=named)
def test_a_recorded_answer_is_read_as_plain_json_reads_it(record: Record) -> None:
    assert pieces(WIRE.read_reply(record.response_body)) == expected(json.loads(record.response_body))


@pytest.mark.parametrize("record", STREAMS, ids=named)
def test_U08_a_recorded_stream_is_read_the_same_in_one_piece_and_byte_by_byte(record: Record) -> None:
    events = events_of(record.response_body, len(record.response_body))
    assert events_of(record.response_body, 1) == events
    assert pieces(collect(events)) == expected(put_together(record.response_body))
    assert [type(event) for event in events].count(Finish) == 1


@pytest.mark.parametrize("record", STREAMS, ids=named)
def test_a_recorded_stream_that_lost_its_last_event_is_cut(record: Record) -> None:
    end = record.response_body.index(b'{"type":"message_stop"')
    for cut in {0, 1, end // 3, end // 2, end - 1, end}:
        reader = WIRE.reader()
        reader.feed(record.response_body[:cut])
        assert not reader.ended
        with pytest.raises(StreamCut):
            reader.close()


@pytest.mark.parametrize("record", BAD, ids=named)
def test_a_recorded_error_keeps_its_status_and_its_words(record: Record) -> None:
    headers = {name.encode(): value.encode() for name, value in record.response_headers.items()}
    error = WIRE.read_error(record.status, headers, record.response_body)
    assert isinstance(error, OwnkeyError)
    assert error.status == record.status
    assert json.loads(record.response_body)["error"]["message"][:200] in error.message


@pytest.mark.parametrize("record", WHOLE, ids=named)
def test_a_recorded_answer_cut_short_is_never_read_as_one(record: Record) -> None:
    body = record.response_body.rstrip()
    for cut in {1, len(body) // 2, len(body) - 1}:
        with pytest.raises(OwnkeyError):
            WIRE.read_reply(body[:cut])
