"""Streams for clients who speak Anthropic's form, of events in any order."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import pytest

from ownkey.talk.chat import Image, Opaque, Reasoning, Text, ToolCall
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
from ownkey.wires.anthropic_messages.wire import AnthropicMessages

WIRE = AnthropicMessages()
NAME = "anthropic-messages"
ENDS: list[Event] = [Finish("tool_calls", "tool_use"), UsageReport(Usage(10, 7))]
SEARCH = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}}


def pieces(*events: Event) -> list[bytes]:
    ask = WIRE.read_ask(b'{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"Hi"}]}')
    writer = WIRE.writer(ask, "m")
    return [*map(writer.write, [Start("msg_1", "m"), *events, *ENDS]), writer.end()]


def read(data: bytes) -> Reply:
    reader = WIRE.reader()
    return collect([*reader.feed(data), *reader.close()])


def written(*events: Event) -> Reply:
    return read(b"".join(pieces(*events)))


CALL = (ToolCallStart(0, "a", "f"), ToolCallDelta(0, '{"path":'), ToolCallDelta(0, '"/tmp/x"}'))
WHOLE = ToolCall("a", "f", '{"path":"/tmp/x"}')


@pytest.mark.parametrize(
    ("between", "part"),
    [
        (TextDelta("\n"), Text("\n")),
        (RefusalDelta("No."), Text("No.")),
        (ReasoningDelta("Hm."), Reasoning("Hm.")),
        (ReasoningSeal(sealed="s", maker=NAME), Reasoning("", sealed="s", maker=NAME)),
        (WholePart(Opaque(NAME, SEARCH)), Opaque(NAME, SEARCH)),
        (WholePart(Image(url="https://example.com/a.png")), Text("![image](https://example.com/a.png)")),
    ],
)
def test_a_call_is_whole_whatever_comes_between_its_arguments(between: Event, part: Any) -> None:
    for place in (1, 2, 3):
        assert written(*CALL[:place], between, *CALL[place:]).parts == (WHOLE, part)
    assert written(between, *CALL).parts == (part, WHOLE)


def test_calls_that_come_interleaved_with_each_other_and_with_words_are_whole() -> None:
    other = (ToolCallStart(1, "b", "g"), ToolCallDelta(1, '{"y":'), ToolCallDelta(1, "1}"))
    words: tuple[Event, ...] = (TextDelta("Hel"), TextDelta("lo"))
    for order in sorted(set(permutations("cccooott"))):
        left = {"c": iter(CALL), "o": iter(other), "t": iter(words)}
        events = [next(left[one]) for one in order]
        assert written(*events).parts == collect(events).parts, order


def test_the_first_call_goes_out_as_it_comes_and_what_begins_after_it_waits() -> None:
    start, text, call, first, waits, second, finish, usage, end = pieces(
        TextDelta("Well. "), *CALL[:2], TextDelta("So "), CALL[2]
    )
    assert (start, waits, finish, usage) == (b"",) * 4
    assert (b"Well. " in text, b"tool_use" in call, b"path" in first, b"/tmp/x" in second) == (True,) * 4
    told = [json.loads(line[6:]) for line in end.decode().split("\n") if line.startswith("data: ")]
    assert [one["type"] for one in told] == [
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert [one["index"] for one in told[:4]] == [1, 2, 2, 2]
