"""Sealed reasoning in chat completions: shown to a client, kept by it, and sent to none but those who can read it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from openai_samples import WIRE
from ownkey.catalog.manifest import Quirks
from ownkey.talk.chat import Chat, Message, Part, Reasoning, Text, ToolCall
from ownkey.talk.reply import Event, Finish, ReasoningDelta, ReasoningSeal, Reply, Usage, WholePart, collect
from ownkey.wires.seal import MARK

ASK = WIRE.read_ask(b'{"model":"m","messages":[{"role":"user","content":"hi"}]}')
CLAUDE, GOOGLE, OPENAI = "anthropic-claude-v1", "google-gemini-v1", "openai-responses-v1"


def kept(message: dict[str, Any]) -> tuple[Part, ...]:
    """What a client's history says."""
    body = json.dumps({"model": "m", "messages": [{"role": "assistant", **message}]}).encode()
    return WIRE.read_chat(WIRE.read_ask(body)).messages[0].parts


def shown(parts: tuple[Part, ...]) -> dict[str, Any]:
    return json.loads(WIRE.write_reply(Reply(parts, Finish("stop"), Usage()), "m"))["choices"][0]["message"]


def sent(*parts: Part, **quirks: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    chat = Chat((Message("assistant", parts),))
    written = WIRE.write_request(chat, "m", stream=False, max_output=None, quirks=Quirks(**quirks))
    return json.loads(written.body)["messages"][0], written.warnings


SEALED: list[tuple[Part, ...]] = [
    (Reasoning("hm", "sig", None, "anthropic-messages"), Text("a")),
    (Reasoning("", None, "data", "anthropic-messages"), Text("a")),
    (Reasoning("hm", None, "data", "openai-responses"), Text("a")),
    (Reasoning("one", "s1", None, "anthropic-messages"), Reasoning("two", "s2", None, "anthropic-messages"), Text("a")),
    (Reasoning("hm"), Text("a"), ToolCall("c", "f", "{}", "sig")),
    (Text("a", "sig"),),
    (Text("", "sig"),),
    (Text("a", "sig"), ToolCall("c", "f", "{}", "sig2")),
    (Reasoning("hm", "sig", None, "another-wire"), Text("a")),
    (Reasoning("hm", None, "data", "another-wire"), Text("a")),
]


@pytest.mark.parametrize("parts", SEALED)
def test_a_client_that_keeps_an_answer_gives_every_seal_back_with_its_maker(parts: tuple[Part, ...]) -> None:
    assert kept(shown(parts)) == parts


@pytest.mark.parametrize(
    ("maker", "format"), [("anthropic-messages", CLAUDE), ("gemini", GOOGLE), ("openai-responses", OPENAI)]
)
def test_the_format_names_the_maker(maker: str, format: str) -> None:
    details = shown((Reasoning("hm", "sig", None, maker),))["reasoning_details"]
    assert details == [{"type": "reasoning.text", "text": "hm", "signature": "sig", "format": format}]
    assert WIRE.read_reply(
        WIRE.write_reply(Reply((Reasoning("hm", "sig", None, maker),), Finish("stop"), Usage()), "m")
    ).parts[0] == Reasoning("hm", "sig", None, maker)


@pytest.mark.parametrize("format", [None, "unknown", "xai-responses-v1", 5])
def test_a_seal_of_nobody_known_has_no_maker_and_is_sent_to_nobody(format: Any) -> None:
    detail = {"type": "reasoning.encrypted", "data": "sealed", "format": format}
    parts = kept({"content": "a", "reasoning_details": [detail]})
    assert parts == (Reasoning("", None, "sealed"), Text("a"))
    for seals in (True, False):
        message, warnings = sent(*parts, seals=seals)
        assert "sealed" not in json.dumps(message)
        assert len(warnings) == 1


def test_a_streamed_seal_is_kept_with_its_text_however_the_client_gathers_it() -> None:
    pieces = [
        {"type": "reasoning.text", "text": "I th", "format": CLAUDE, "index": 0},
        {"type": "reasoning.text", "text": "ink", "format": CLAUDE, "index": 0},
        {"type": "reasoning.text", "signature": "sig", "format": CLAUDE, "index": 0},
    ]
    assert kept({"content": "a", "reasoning_details": pieces})[0] == Reasoning(
        "I think", "sig", None, "anthropic-messages"
    )
    summed = [{"type": "reasoning.summary", "summary": "S", "format": OPENAI}]
    summed += [{"type": "reasoning.encrypted", "data": "d", "format": OPENAI, "id": "rs_1"}]
    assert kept({"content": "a", "reasoning_details": summed})[0] == Reasoning("S", None, "d", "openai-responses")
    plainly = {"reasoning": "S", "reasoning_details": summed[1:]}
    assert kept({"content": "a", **plainly})[0] == Reasoning("S", None, "d", "openai-responses")


def test_what_gemini_sealed_on_a_call_goes_by_the_calls_id() -> None:
    call = {"type": "function", "function": {"name": "f", "arguments": "{}"}}
    details = [{"type": "reasoning.encrypted", "data": "sig", "id": "b", "format": GOOGLE}]
    message = {"content": None, "tool_calls": [{"id": "a", **call}, {"id": "b", **call}], "reasoning_details": details}
    parts = kept(message)
    assert parts == (ToolCall("a", "f", "{}"), ToolCall("b", "f", "{}", "sig"))
    assert sent(*parts, seals=True)[0]["reasoning_details"] == details
    apart = (Reasoning("hm", None, "sig", "gemini"), ToolCall("b", "f", "{}"))
    assert sent(*apart, seals=True)[0]["reasoning_details"][-1] == details[0]


def test_seals_go_back_where_the_provider_takes_them() -> None:
    thoughts = (Reasoning("hm", "sig", None, "anthropic-messages"), Reasoning("", None, "data", "openai-responses"))
    message, warnings = sent(*thoughts, Text("a"), seals=True)
    assert message["reasoning_details"] == [
        {"type": "reasoning.text", "text": "hm", "signature": "sig", "format": CLAUDE},
        {"type": "reasoning.encrypted", "data": "data", "format": OPENAI},
    ]
    assert warnings == ()


@pytest.mark.parametrize("parts", SEALED)
def test_where_no_seals_are_taken_none_is_sent_and_it_is_said_once(parts: tuple[Part, ...]) -> None:
    message, warnings = sent(*parts)
    assert message.keys() <= {"role", "content", "tool_calls"}
    assert not any(word in json.dumps(message) for word in ("sig", "s1", "s2", "data"))
    assert len(warnings) == 1


def test_a_seal_of_a_maker_without_a_format_is_sent_to_nobody() -> None:
    message, warnings = sent(Reasoning("hm", "sig", None, "another-wire"), Text("a"), seals=True)
    assert ("reasoning_details" in message, len(warnings)) == (False, 1)


def test_a_stream_shows_the_same_seals_as_a_whole_answer() -> None:
    events: list[Event] = [
        ReasoningDelta("h"),
        ReasoningDelta("m"),
        ReasoningSeal("sig", None, "anthropic-messages"),
        ReasoningDelta("so"),
        ReasoningSeal(None, "data", "openai-responses"),
        WholePart(Text("a", "sealed")),
        Finish("stop"),
    ]
    writer = WIRE.writer(ASK, "m")
    out = b"".join(writer.write(event) for event in events) + writer.end()
    chunks = [json.loads(line[6:]) for line in out.splitlines() if line.startswith(b"data: {")]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    gathered = [detail for delta in deltas for detail in delta.get("reasoning_details", ())]
    whole = collect(events)
    assert gathered == shown(whole.parts)["reasoning_details"]
    assert kept({"content": "a", "reasoning_details": gathered}) == whole.parts


def test_a_wrapped_seal_stays_behind_when_a_request_is_passed_on_and_all_else_keeps_its_bytes() -> None:
    mine = shown((Text("a", "sig"),))
    theirs = {"type": "reasoning.text", "text": f"of {MARK}", "signature": "sig", "format": CLAUDE}
    both = {**mine, "reasoning_details": [*mine["reasoning_details"], theirs]}
    odd = f'{{"role":"user",  "content":"{MARK}\\u00e9", "new":1.50}}'
    messages = f'[{odd},5,"{MARK}",{json.dumps(mine)},{json.dumps(both)}]'
    ask = WIRE.read_ask(f'{{"model":"m","messages":{messages}}}'.encode())
    out = WIRE.forward(ask, "m", max_output=None, quirks=Quirks())
    passed = json.loads(out)["messages"]
    assert odd.encode() in out
    assert passed[1:3] == [5, MARK]
    assert passed[3] == {name: value for name, value in mine.items() if name != "reasoning_details"}
    assert passed[4]["reasoning_details"] == [theirs]
