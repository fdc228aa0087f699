"""Recorded answers of Gemini and Vertex AI, read by the wire and by plain `json` side by side."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from oracle_gemini import chunks, parts, said, streamed, whole
from ownkey.catalog.manifest import Quirks, ThinkingRules
from ownkey.talk.chat import Chat, Message, user
from ownkey.talk.errors import ProviderError, StreamCut
from ownkey.talk.reply import Event, collect
from ownkey.wires.gemini.wire import Gemini
from recordings import ABSENT, Record, records

WHOLE = records(endpoint="generateContent")
STREAMED = records(endpoint="streamGenerateContent")
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
    assert found.retry_after_s == (min(float(delays[0].rstrip("s")), 60.0) if delays else None)


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
