"""What Ollama answers: one object, or a line for each piece (NDJSON).

Source: Ollama's API reference (Generate a chat completion, Streaming, Errors) and recorded answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2s
from typing import Any

from msgspec import Struct, json

from ownkey.catalog.manifest import Model
from ownkey.talk.errors import ModelNotAvailable, ProviderError, StreamCut, UnexpectedResponse
from ownkey.talk.reply import (
    Event,
    Finish,
    ReasoningDelta,
    Reply,
    Start,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Unified,
    Usage,
    UsageReport,
    collect,
)
from ownkey.wires.sse import EVENT_BYTES
from ownkey.wires.status import by_status
from ownkey.wires.wire import Listed

_FINISHES: Mapping[str, Unified] = {"stop": "stop", "length": "length"}
_UNREADABLE = (ValueError, RecursionError)


class _Function(Struct):
    name: str
    arguments: Any = None


class _Call(Struct):
    function: _Function
    id: str | None = None


class _Message(Struct):
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[_Call] | None = None


class _Answer(Struct):
    message: _Message | None = None
    model: str | None = None
    created_at: str | None = None
    done: bool | None = None
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    error: Any = None


class _Listed(Struct):
    models: list[dict[str, Any]]


_answer = json.Decoder(_Answer).decode
_listed = json.Decoder(_Listed).decode


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
        events: list[Event] = []
        *lines, rest = (bytes(self._pending) + data if self._pending else data).split(b"\n")
        self._pending[:] = rest
        if len(self._pending) > EVENT_BYTES:
            raise _unreadable("sent one line of over 32 MiB")
        try:
            for line in lines:
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
        events = self.feed(b"\n")
        if not self.ended:
            raise self._error or StreamCut(
                "The provider's answer broke off before its end.", "Try again, or use another provider."
            )
        return events

    def _line(self, line: bytes, events: list[Event]) -> None:
        said = _read(line)
        if not self._begun:
            self._begun = True
            events.append(Start(model=said.model))
        message = said.message or _Message()
        if message.thinking:
            events.append(ReasoningDelta(message.thinking))
        if message.content:
            events.append(TextDelta(message.content))
        for call in message.tool_calls or ():
            events += self._called(call, said.created_at)
        if said.done:
            events.append(UsageReport(Usage(said.prompt_eval_count, said.eval_count)))
            events.append(self._finish(said.done_reason))
            self.ended = True

    def _called(self, call: _Call, made: str | None) -> list[Event]:
        place, self._calls = self._calls, self._calls + 1
        id = call.id or "call_" + blake2s(f"{made}/{place}".encode(), digest_size=9).hexdigest()
        given = call.function.arguments
        arguments = given if isinstance(given, str) else json.encode(given or {}).decode()
        return [ToolCallStart(place, id, call.function.name), ToolCallDelta(place, arguments)]

    def _finish(self, raw: str | None) -> Finish:
        unified = _FINISHES.get(raw or "", "unknown")
        return Finish("tool_calls" if self._calls and unified == "stop" else unified, raw)


def read_reply(body: bytes) -> Reply:
    """Raises UnexpectedResponse, or the error that the body tells of."""
    reader = OllamaReader()
    try:
        events = reader.feed(body.replace(b"\n", b" ") + b"\n")
    except StreamCut:
        raise _unreadable("is not whole") from None
    if not reader.ended:
        raise _unreadable("is not whole")
    return collect(events)


def read_error(status: int, headers: Mapping[bytes, bytes], body: bytes) -> ProviderError:
    """`{"error": "text"}`. A model that was not pulled is told with how to pull it."""
    text = error_text(body)
    error = by_status(status, headers, code=None, text=text)
    if isinstance(error, ModelNotAvailable):
        error.hint = "Pull it where Ollama runs: `ollama pull MODEL`. `ollama list` shows those there are."
    return error


def error_text(body: bytes) -> str | None:
    try:
        said = json.decode(body, type=dict[str, Any]).get("error")
    except _UNREADABLE:
        return None
    return said if isinstance(said, str) else None


def read_models(body: bytes) -> Listed:
    try:
        models = _listed(body).models
    except _UNREADABLE:
        raise _unreadable("is not a list of models") from None
    names = [name for model in models if isinstance(name := model.get("model") or model.get("name"), str)]
    return Listed(tuple(Model(name) for name in names))


def _read(line: bytes) -> _Answer:
    try:
        said = _answer(line)
    except _UNREADABLE:
        raise _unreadable("is not the JSON it should be") from None
    if said.error:
        raise by_status(200, {}, code=None, text=said.error if isinstance(said.error, str) else None)
    if said.message is None and not said.done:
        raise _unreadable("holds no message")
    return said


def _unreadable(what: str) -> UnexpectedResponse:
    return UnexpectedResponse(f"The provider's answer {what}.", "Check the provider's address.")
