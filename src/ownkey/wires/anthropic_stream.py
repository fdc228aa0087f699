"""Streams of the Anthropic Messages wire, as Anthropic's streaming reference has them.

`message_start`, then for each block `content_block_start`, its deltas and `content_block_stop`, then `message_delta`
with the stop reason and the usage, then `message_stop`. `ping` and what is unknown are passed over.
"""

from __future__ import annotations

from typing import Any, cast

from msgspec import Raw, Struct
from msgspec.json import Decoder, decode

from ownkey.talk.chat import Opaque
from ownkey.talk.errors import ProviderError, StreamCut
from ownkey.talk.reply import (
    Event,
    Notice,
    ReasoningDelta,
    ReasoningSeal,
    RefusalDelta,
    Start,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    UsageReport,
    WholePart,
)
from ownkey.wires.anthropic_reply import (
    CITED,
    NAME,
    UNREADABLE,
    Block,
    StopDetails,
    arguments,
    counts,
    error_in,
    finish,
    read_block,
    unreadable,
    usage_of,
)
from ownkey.wires.sse import Splitter


class _Delta(Struct, gc=False):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    signature: str | None = None
    stop_reason: str | None = None
    stop_details: StopDetails | None = None


class _Head(Struct):
    id: str | None = None
    model: str | None = None
    usage: Raw = Raw(b"{}")


class _Said(Struct):
    """One event's data."""

    type: str = ""
    index: int = 0
    delta: _Delta | None = None
    content_block: Raw = Raw()
    message: _Head | None = None
    usage: Raw = Raw(b"{}")
    error: Raw = Raw()


_said = Decoder(_Said)

_EVENTS = frozenset(
    {"message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta"}
    | {"message_stop", "error"}
)


class _Open:
    """A block that has begun: a tool call (`call` is its number), reasoning, or something opaque (`raw`)."""

    __slots__ = ("block", "call", "raw", "written")

    def __init__(self, *, block: Block | None = None, call: int = 0, raw: dict[str, Any] | None = None) -> None:
        self.block = block
        self.call = call
        self.raw = raw
        self.written: list[str] = []


class MessagesReader:
    """Reads one stream. What follows `message_stop` is passed over.

    An error that comes with events of the same bytes is raised by the next call, so that no event is lost to it.
    """

    def __init__(self) -> None:
        self.ended = False
        self._splitter = Splitter()
        self._open: dict[int, _Open] = {}
        self._calls = 0
        self._began = False
        self._cited = False
        self._usage: dict[str, Any] = {}
        self._stop_reason: str | None = None
        self._refusal: str | None = None
        self._error: ProviderError | None = None

    def feed(self, data: bytes) -> list[Event]:
        if self._error is not None:
            raise self._error
        events: list[Event] = []
        if self.ended:
            return events
        try:
            for payload in self._splitter.feed(data):
                self._read(payload, events)
                if self.ended:
                    break
        except ProviderError as error:
            self._error = error
            if not events:
                raise
        return events

    def close(self) -> list[Event]:
        if self._error is not None:
            raise self._error
        if not self.ended:
            raise error_in(self._splitter.rest) or StreamCut(
                "The provider's answer broke off before its end.", "Try again, or use another provider."
            )
        return []

    def _read(self, payload: bytes, events: list[Event]) -> None:
        try:
            said = _said.decode(payload)
        except UNREADABLE as error:
            inner = _unwrapped(payload)
            if inner is None:
                raise unreadable() from error
            if inner:
                self._read(inner, events)
            return
        delta = said.delta
        if said.type == "content_block_delta" and delta is not None:
            block = self._open.get(said.index)
            if block is None or block.raw is None:
                self._extend(block, delta, events)
            else:
                _merge(block, payload)
        else:
            self._step(said, payload, events)

    def _extend(self, block: _Open | None, delta: _Delta, events: list[Event]) -> None:
        kind = delta.type
        if kind == "text_delta":
            if delta.text:
                events.append(TextDelta(delta.text))
        elif kind == "thinking_delta":
            if delta.thinking:
                events.append(ReasoningDelta(delta.thinking))
        elif kind == "input_json_delta":
            if block is None or block.block is None or block.block.type != "tool_use":
                raise unreadable()
            if delta.partial_json:
                block.written.append("")
                events.append(ToolCallDelta(block.call, delta.partial_json))
        elif kind == "signature_delta":
            if block is not None and delta.signature:
                block.written.append(delta.signature)
        elif kind == "citations_delta":
            self._cite(events)

    def _step(self, said: _Said, payload: bytes, events: list[Event]) -> None:
        match said.type:
            case "message_start":
                self._begin(said.message or _Head(), events)
            case "content_block_start":
                self._begin_block(said, events)
            case "content_block_stop":
                self._end_block(said.index, events)
            case "message_delta":
                self._note(said, events)
            case "message_stop":
                self._end(events)
            case "error" | "":
                # Some who speak this wire send `{"error": …}` without a type.
                error = error_in(payload)
                if error is not None or said.type:
                    raise error or unreadable()
            case _:
                pass

    def _begin(self, message: _Head, events: list[Event]) -> None:
        self._began = True
        events.append(Start(message.id, message.model))
        # What is called output here is a placeholder: its count comes with `message_delta`.
        said = {name: value for name, value in counts(message.usage).items() if name != "output_tokens"}
        self._report(said, events)

    def _begin_block(self, said: _Said, events: list[Event]) -> None:
        self._end_block(said.index, events)
        try:
            block = read_block(said.content_block)
        except UNREADABLE as error:
            raise unreadable() from error
        if not isinstance(block, Block):
            self._open[said.index] = _Open(raw=block)
            return
        if block.text:
            events.append(TextDelta(block.text))
        if block.citations:
            self._cite(events)
        if block.type == "redacted_thinking":
            events.append(ReasoningSeal(sealed=block.data))
        elif block.type == "thinking":
            self._open[said.index] = opened = _Open(block=block)
            if block.thinking:
                events.append(ReasoningDelta(block.thinking))
            if block.signature:
                opened.written.append(block.signature)
        elif block.type == "tool_use":
            self._open[said.index] = _Open(block=block, call=self._calls)
            events.append(ToolCallStart(self._calls, block.id, block.name))
            self._calls += 1

    def _end_block(self, index: int, events: list[Event]) -> None:
        opened = self._open.pop(index, None)
        if opened is None:
            return
        if opened.raw is not None:
            events.append(WholePart(Opaque(NAME, _whole(opened.raw, opened.written))))
        elif opened.block is not None and opened.block.type == "thinking":
            if opened.written:
                events.append(ReasoningSeal("".join(opened.written)))
        elif opened.block is not None and not opened.written:
            events.append(ToolCallDelta(opened.call, arguments(opened.block)))

    def _note(self, said: _Said, events: list[Event]) -> None:
        if said.delta is not None:
            self._stop_reason = said.delta.stop_reason or self._stop_reason
            if said.delta.stop_details is not None:
                self._refusal = said.delta.stop_details.explanation
        self._report(counts(said.usage), events)

    def _report(self, said: dict[str, Any], events: list[Event]) -> None:
        """Counts are cumulative; the parts that a later event leaves out keep what an earlier one said."""
        if said:
            self._usage |= said
            events.append(UsageReport(usage_of(self._usage)))

    def _end(self, events: list[Event]) -> None:
        if not self._began:
            raise unreadable()
        for index in list(self._open):
            self._end_block(index, events)
        if self._refusal:
            events.append(RefusalDelta(self._refusal))
        events.append(finish(self._stop_reason))
        self.ended = True

    def _cite(self, events: list[Event]) -> None:
        if not self._cited:
            self._cited = True
            events.append(Notice(CITED))


def _unwrapped(payload: bytes) -> bytes | None:
    """What stands in data that are no event: None where that is an error, nothing where it is to be passed over.

    Some relays put `data:` before every line of a stream that had it already, and end it with OpenAI's `[DONE]`.
    """
    if payload.startswith(b"data:"):
        return payload[5:].lstrip()
    if payload.startswith(b"event:") or payload == b"[DONE]":
        return b""
    try:
        said = decode(payload)
    except UNREADABLE:
        return None
    kind = cast("dict[str, object]", said).get("type") if isinstance(said, dict) else None
    return b"" if isinstance(kind, str) and kind not in _EVENTS else None


def _merge(opened: _Open, payload: bytes) -> None:
    """A delta of an opaque block: its JSON input comes in pieces, any other text grows, the rest is set."""
    delta = cast("dict[str, Any]", decode(payload)["delta"])
    if delta.get("type") == "input_json_delta":
        opened.written.append(str(delta.get("partial_json") or ""))
        return
    raw = opened.raw if opened.raw is not None else {}
    for name, value in delta.items():
        if name != "type":
            before = raw.get(name)
            raw[name] = before + value if isinstance(before, str) and isinstance(value, str) else value


def _whole(raw: dict[str, Any], written: list[str]) -> dict[str, Any]:
    """An answer that ran into its cap may leave the input unfinished: then the one it began with stands."""
    text = "".join(written)
    if not text:
        return raw
    try:
        return {**raw, "input": decode(text)}
    except UNREADABLE:
        return raw
