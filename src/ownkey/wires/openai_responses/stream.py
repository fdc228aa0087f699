"""Streams of typed events, as OpenAI's streaming reference has them (Responses: streaming events)."""

from __future__ import annotations

from msgspec import Raw, Struct
from msgspec.json import Decoder, decode

from ownkey.talk.chat import Opaque
from ownkey.talk.errors import ProviderError, UnexpectedResponse
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
from ownkey.wires.openai_error import unreadable
from ownkey.wires.openai_responses.form import (
    CITED,
    NAME,
    UNREADABLE,
    Response,
    cut,
    failed,
    fault,
    finish_of,
    item_in,
    thought,
    usage_of,
)
from ownkey.wires.sse import Splitter


class _Said(Struct):
    type: str = ""
    output_index: int = 0
    summary_index: int = 0
    delta: Raw = Raw()
    item: Raw = Raw()
    response: Response | None = None


_said = Decoder(_Said).decode
_LAST = frozenset({"response.completed", "response.incomplete"})

MOST_CALLS = 1000


class ResponsesReader:
    """Reads one stream. What follows the last event is passed over."""

    def __init__(self) -> None:
        self.ended = False
        self._splitter = Splitter()
        self._began = False
        self._calls: dict[int, int] = {}
        self._spoken: set[int] = set()
        self._thinks: dict[int, str] = {}
        self._cited = False
        self._told = False
        self._error: ProviderError | None = None

    def feed(self, data: bytes) -> list[Event]:
        """An error that comes with events of the same bytes is raised by the next call: no event is lost to it."""
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
        if self.ended:
            return []
        try:
            events = self.feed(b"\n\n")
        except UnexpectedResponse:
            # What no blank line ended broke off in its middle.
            raise cut() from None
        if not self.ended:
            raise self._error or fault(self._splitter.rest) or cut()
        return events

    def _read(self, payload: bytes, events: list[Event]) -> None:
        if payload == b"[DONE]":
            return
        try:
            said = _said(payload)
            self._step(said, payload, events)
        except UNREADABLE:
            raise fault(payload) or unreadable("an event of its stream is not what it should be") from None

    def _step(self, said: _Said, payload: bytes, events: list[Event]) -> None:
        match said.type:
            case "response.output_text.delta":
                self._say(said, TextDelta, events)
            case "response.function_call_arguments.delta":
                self._argue(said, decode(said.delta, type=str), events)
            case "response.refusal.delta":
                self._say(said, RefusalDelta, events)
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                self._think(said, decode(said.delta, type=str), events)
            case "response.reasoning_summary_part.added":
                if said.summary_index > 0 and said.output_index in self._thinks:
                    events.append(ReasoningDelta("\n\n"))
            case "response.output_text.annotation.added":
                self._cite(True, events)
            case "response.output_item.added":
                self._begin_item(said, events)
            case "response.output_item.done":
                self._end_item(said, events)
            case "error" | "response.failed" | "response.cancelled" | "":
                raise self._failed(said, payload)
            case _ if said.response is not None:
                self._note(said.response, said.type, events)
            case _:
                pass

    def _failed(self, said: _Said, payload: bytes) -> ProviderError:
        if said.response is not None:
            return failed(said.response)
        return fault(payload) or unreadable("an event of its stream has no type")

    def _note(self, response: Response, kind: str, events: list[Event]) -> None:
        if not self._began:
            self._began = True
            events.append(Start(response.id, response.model, response.created))
        if kind in _LAST:
            if not self._told:
                self._tell_all(response, events)
            events.append(UsageReport(usage_of(response.usage, response.service_tier)))
            events.append(finish_of(response, called=bool(self._calls)))
            self.ended = True

    def _tell_all(self, response: Response, events: list[Event]) -> None:
        """Of a provider that tells its items only with the whole response."""
        for place, raw in enumerate(response.output or ()):
            self._end_item(_Said(output_index=place, item=raw), events)

    def _begin_item(self, said: _Said, events: list[Event]) -> None:
        item = item_in(said.item)
        self._told = True
        if item.type != "function_call":
            return
        if not item.name or not item.call_id:
            raise unreadable("it calls a function without a name or an id")
        if len(self._calls) >= MOST_CALLS:
            raise unreadable(f"it holds more than {MOST_CALLS} tool calls")
        index = self._calls[said.output_index] = len(self._calls)
        events.append(ToolCallStart(index, item.call_id, item.name))
        if item.arguments:
            self._argue(said, item.arguments, events)

    def _say(self, said: _Said, kind: type[TextDelta | RefusalDelta], events: list[Event]) -> None:
        self._told = True
        self._spoken.add(said.output_index)
        if text := decode(said.delta, type=str):
            events.append(kind(text))

    def _argue(self, said: _Said, arguments: str, events: list[Event]) -> None:
        index = self._calls.get(said.output_index)
        if index is None:
            raise unreadable("it gives arguments to no call")
        if arguments:
            self._spoken.add(said.output_index)
            events.append(ToolCallDelta(index, arguments))

    def _cite(self, cites: object, events: list[Event]) -> None:
        if cites and not self._cited:
            self._cited = True
            events.append(Notice(CITED))

    def _think(self, said: _Said, text: str, events: list[Event]) -> None:
        """Where an item's reasoning is told both in full and summed up, what began first is taken."""
        if self._thinks.setdefault(said.output_index, said.type) == said.type and text:
            events.append(ReasoningDelta(text))

    def _end_item(self, said: _Said, events: list[Event]) -> None:
        """What was not told in pieces is told now."""
        item = item_in(said.item)
        self._told = True
        if item.type == "function_call":
            if said.output_index not in self._calls:
                self._begin_item(said, events)
            elif said.output_index not in self._spoken:
                self._argue(said, item.arguments or "{}", events)
        elif item.type == "reasoning":
            text = "" if said.output_index in self._thinks else thought(item)
            if text:
                events.append(ReasoningDelta(text))
            if item.encrypted_content:
                events.append(ReasoningSeal(sealed=item.encrypted_content, maker=NAME))
        elif item.type == "message":
            if said.output_index not in self._spoken:
                for piece in item.content or ():
                    events += [TextDelta(piece.text)] if piece.text else []
                    events += [RefusalDelta(piece.refusal)] if piece.refusal else []
                    self._cite(piece.annotations, events)
        else:
            events.append(WholePart(Opaque(NAME, decode(said.item))))
