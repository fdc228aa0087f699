"""Streams of the Anthropic Messages wire, as Anthropic's streaming reference has them.

`message_start`, then for each block `content_block_start`, its deltas and `content_block_stop`, then `message_delta`
with the stop reason and the usage, then `message_stop`. `ping` and what is unknown are passed over.
"""

from __future__ import annotations

from typing import Any

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
from ownkey.wires.anthropic_messages.event import Delta, Head, Said, merge, said_in, unwrapped, whole
from ownkey.wires.anthropic_messages.reply import (
    CITED,
    NAME,
    Block,
    arguments,
    error_in,
    explanation,
    finish,
    read_block,
    unreadable,
)
from ownkey.wires.anthropic_messages.usage import UNREADABLE, counts, usage_of
from ownkey.wires.sse import Splitter


class _Open:
    """A block that has begun: a tool call, reasoning, or something opaque.

    `call` is the number of a tool call, `input` what it began with, `filled` whether any arguments followed.
    `raw` is an opaque block as it began. `pieces` are texts that grow: a signature, or fields of an opaque block.
    """

    __slots__ = ("call", "filled", "input", "pieces", "raw")

    def __init__(self, *, call: int | None = None, input: str = "", raw: dict[str, Any] | None = None) -> None:
        self.call = call
        self.input = input
        self.filled = False
        self.raw = raw
        self.pieces: dict[str, list[str]] = {}


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
        self._stop_sequence: str | None = None
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
            said = said_in(payload)
        except UNREADABLE:
            inner = unwrapped(payload)
            if inner is None:
                return
            try:
                said = said_in(payload := inner)
            except UNREADABLE as error:
                raise unreadable() from error
        delta = said.delta
        if said.type == "content_block_delta" and delta is not None:
            block = self._open.get(said.index)
            if block is None or block.raw is None:
                self._extend(block, delta, events)
            else:
                merge(block.raw, block.pieces, payload)
        else:
            self._step(said, payload, events)

    def _extend(self, block: _Open | None, delta: Delta, events: list[Event]) -> None:
        kind = delta.type
        if kind == "text_delta":
            if delta.text:
                events.append(TextDelta(delta.text))
        elif kind == "thinking_delta":
            if delta.thinking:
                events.append(ReasoningDelta(delta.thinking))
        elif kind == "input_json_delta":
            if block is None or block.call is None:
                raise unreadable()
            if delta.partial_json:
                block.filled = True
                events.append(ToolCallDelta(block.call, delta.partial_json))
        elif kind == "signature_delta":
            if block is not None and delta.signature:
                block.pieces.setdefault("signature", []).append(delta.signature)
        elif kind == "citations_delta":
            self._cite(events)

    def _step(self, said: Said, payload: bytes, events: list[Event]) -> None:
        match said.type:
            case "message_start":
                self._begin(said.message or Head(), events)
            case "content_block_start":
                if not self._began:
                    # llama.cpp leaves `message_start` out where the first token is half a character.
                    self._begin(Head(), events)
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

    def _begin(self, message: Head, events: list[Event]) -> None:
        self._began = True
        events.append(Start(message.id, message.model))
        # What is called output here is a placeholder: its count comes with `message_delta`.
        said = {name: value for name, value in counts(message.usage).items() if name != "output_tokens"}
        self._report(said, events)

    def _begin_block(self, said: Said, events: list[Event]) -> None:
        self._end_block(said.index, events)
        try:
            block = read_block(said.content_block)
            input = arguments(block) if isinstance(block, Block) else ""
        except UNREADABLE as error:
            raise unreadable() from error
        if not isinstance(block, Block):
            self._open[said.index] = _Open(raw=block)
        elif block.type == "text":
            if block.text:
                events.append(TextDelta(block.text))
            if block.citations:
                self._cite(events)
        elif block.type == "redacted_thinking":
            events.append(ReasoningSeal(sealed=block.data, maker=NAME))
        elif block.type == "thinking":
            self._open[said.index] = opened = _Open()
            if block.thinking:
                events.append(ReasoningDelta(block.thinking))
            if block.signature:
                opened.pieces["signature"] = [block.signature]
        else:
            self._open[said.index] = _Open(call=self._calls, input=input)
            events.append(ToolCallStart(self._calls, block.id, block.name))
            self._calls += 1

    def _end_block(self, index: int, events: list[Event]) -> None:
        block = self._open.pop(index, None)
        if block is None:
            return
        if block.raw is not None:
            events.append(WholePart(Opaque(NAME, whole(block.raw, block.pieces))))
        elif block.call is None:
            if block.pieces:
                events.append(ReasoningSeal("".join(block.pieces["signature"]), maker=NAME))
        elif not block.filled:
            events.append(ToolCallDelta(block.call, block.input))

    def _note(self, said: Said, events: list[Event]) -> None:
        if said.delta is not None:
            self._stop_reason = said.delta.stop_reason or self._stop_reason
            self._stop_sequence = said.delta.stop_sequence or self._stop_sequence
            self._refusal = explanation(said.delta.stop_details) or self._refusal
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
        events.append(finish(self._stop_reason, self._stop_sequence))
        self.ended = True

    def _cite(self, events: list[Event]) -> None:
        if not self._cited:
            self._cited = True
            events.append(Notice(CITED))
