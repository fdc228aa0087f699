"""What Ollama answers, read: a line of JSON for each piece (NDJSON), or one object that is the whole.

Source: Ollama's API reference (Generate a chat completion, Streaming, Errors) and recorded answers.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2s
from typing import Any, cast

from msgspec import Struct, json

from ownkey.talk.chat import Image
from ownkey.talk.errors import ProviderError, StreamCut, UnexpectedResponse
from ownkey.talk.reply import (
    Event,
    Finish,
    ReasoningDelta,
    Start,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Unified,
    Usage,
    UsageReport,
    WholePart,
)
from ownkey.wires.sse import EVENT_BYTES
from ownkey.wires.status import by_status

LARGEST_COUNT = 2**53
"""Beyond it a JSON number is no exact count."""

UNREADABLE = (ValueError, RecursionError)

_FINISHES: dict[str, Unified] = {"stop": "stop", "length": "length"}


class _Function(Struct):
    name: str
    arguments: Any = None


class _Call(Struct):
    function: _Function
    id: Any = None


class _Message(Struct):
    content: str | None = None
    thinking: str | None = None
    images: Any = None
    tool_calls: list[_Call] | None = None


class _Answer(Struct):
    message: _Message | None = None
    model: Any = None
    created_at: Any = None
    done: bool | None = None
    done_reason: str | None = None
    prompt_eval_count: Any = None
    eval_count: Any = None
    error: Any = None


_answer = json.Decoder(_Answer).decode


class OllamaReader:
    """Reads one stream. An answer is whole once a line said that it is done."""

    def __init__(self) -> None:
        self.ended = False
        self._pending = bytearray()
        self._begun = False
        self._calls = 0
        self._error: ProviderError | None = None

    def feed(self, data: bytes) -> list[Event]:
        """An error that comes with events of the same bytes is raised by the next call: no event is lost to it."""
        if self._error is not None:
            raise self._error
        pending = self._pending
        end = data.rfind(b"\n")
        if self.ended or end < 0:
            pending += b"" if self.ended else data
            if len(pending) > EVENT_BYTES:
                raise unreadable("holds a line of over 32 MiB")
            return []
        whole = bytes(pending + data[:end])
        pending[:] = data[end + 1 :]
        events: list[Event] = []
        try:
            for line in whole.split(b"\n"):
                if line.strip() and not self.ended:
                    self._line(line, events)
        except ProviderError as error:
            self._error = error
            if not events:
                raise
        return events

    def close(self) -> list[Event]:
        if self.ended:
            return []
        rest = bytes(self._pending).strip()
        try:
            events = self.feed(b"\n")
        except UnexpectedResponse:
            # A line that is cut is an object that has no end.
            if self._begun and rest.startswith(b"{"):
                raise _cut() from None
            raise
        if not self.ended:
            raise self._error or _cut()
        return events

    def _line(self, line: bytes, events: list[Event]) -> None:
        said = _read(line)
        if not self._begun:
            self._begun = True
            events.append(_start(said))
        message = said.message or _Message()
        if message.thinking:
            events.append(ReasoningDelta(message.thinking))
        if message.content:
            events.append(TextDelta(message.content))
        events += [WholePart(Image(data=data)) for data in _texts(message.images)]
        for call in message.tool_calls or ():
            events += self._called(call, said.created_at)
        if said.done:
            events.append(UsageReport(Usage(_count(said.prompt_eval_count), _count(said.eval_count))))
            events.append(self._finish(said.done_reason))
            self.ended = True

    def _called(self, call: _Call, made: object) -> list[Event]:
        """Older ones give a call no id: one is made that is the same however often this answer is read."""
        place, self._calls = self._calls, self._calls + 1
        given = call.id if isinstance(call.id, str) else None
        id = given or "call_" + blake2s(f"{made}/{place}".encode(errors="replace"), digest_size=9).hexdigest()
        said = call.function.arguments
        arguments = said if isinstance(said, str) else json.encode(said or {}).decode()
        return [ToolCallStart(place, id, call.function.name), ToolCallDelta(place, arguments)]

    def _finish(self, raw: str | None) -> Finish:
        unified = _FINISHES.get(raw or "", "unknown")
        return Finish("tool_calls" if self._calls and unified == "stop" else unified, raw)


def error_text(said: object) -> str | None:
    """The text of `{"error": "text"}`."""
    error = cast("dict[str, object]", said).get("error") if isinstance(said, dict) else said
    return error if isinstance(error, str) and error else None


def unreadable(what: str) -> UnexpectedResponse:
    return UnexpectedResponse(f"The provider's answer {what}.", "Check the provider's address.")


def _read(line: bytes) -> _Answer:
    try:
        said = _answer(line)
    except UNREADABLE:
        raise unreadable("is not the JSON it should be") from None
    if said.error:
        raise by_status(200, {}, code=None, text=error_text(said.error))
    if said.message is None and not said.done:
        raise unreadable("holds no message")
    return said


def _start(said: _Answer) -> Start:
    model, made = said.model, said.created_at
    try:
        created = int(datetime.fromisoformat(made).timestamp()) if isinstance(made, str) else None
    except (ValueError, OverflowError):
        created = None
    return Start(None, model if isinstance(model, str) and model else None, created)


def _count(said: object) -> int | None:
    return said if type(said) is int and 0 <= said <= LARGEST_COUNT else None


def _texts(said: object) -> list[str]:
    return [one for one in cast("list[object]", said) if isinstance(one, str) and one] if isinstance(said, list) else []


def _cut() -> StreamCut:
    return StreamCut("The provider's answer broke off before its end.", "Try again, or use another provider.")
