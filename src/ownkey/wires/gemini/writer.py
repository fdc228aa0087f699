"""Answers written for clients who speak Gemini's form: whole, or as a stream of chunks in either of its framings.

Source: the Gemini API reference (GenerateContentResponse, Candidate, FinishReason, UsageMetadata).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Raw, Struct, json

from ownkey.talk.chat import File, Image, Opaque, Part, Reasoning, Refusal, Text, ToolCall
from ownkey.talk.errors import OwnkeyError
from ownkey.talk.reply import (
    Event,
    Finish,
    Notice,
    ReasoningDelta,
    ReasoningSeal,
    RefusalDelta,
    Reply,
    Start,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Unified,
    Usage,
    UsageReport,
    WholePart,
)
from ownkey.wires.gemini.contents import inline
from ownkey.wires.gemini.error import error_object
from ownkey.wires.gemini.reply import unified
from ownkey.wires.gemini.usage import write_usage
from ownkey.wires.gemini.values import NAME, UNSEALED, Object
from ownkey.wires.seal import Seal, wrap
from ownkey.wires.wire import Ask

_LINE_ENDS = (("\u2028".encode(), b"\\u2028"), ("\u2029".encode(), b"\\u2029"), ("\x85".encode(), b"\\u0085"))

_LAST_S = 253_402_300_799
"""Of the year 9999: what is later is no date. Some providers tell milliseconds."""

_REASONS: Mapping[Unified, str] = {
    "stop": "STOP",
    "tool_calls": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
    "unknown": "OTHER",
}


def write_reply(reply: Reply, model: str) -> bytes:
    """A GenerateContentResponse of one candidate."""
    made = _Made()
    parts = [one for part in reply.parts if (one := made.part(part)) is not None]
    head = _head(Start(reply.id, created=reply.created), model)
    return json.encode(made.last(parts, reply.finish, reply.usage) | head)


class GeminiWriter:
    """Writes one chunk for each piece, and the reason with the usage last.

    A call is written when its arguments are whole, which is known at the end of the answer; what came after it waits.
    Without `sse` the chunks are the elements of one array. Its first says only who answers, so that an error can
    always follow something: a fresh writer ends a stream that a relay began.
    """

    def __init__(self, ask: Ask, model: str) -> None:
        self._before, self._between, self._after = (b"data: ", b"data: ", b"\r\n\r\n") if ask.sse else (b"[", b",", b"")
        self._sse = ask.sse
        self._model = model
        self._head = _head(Start(), model)
        self._opened = False
        self._made = _Made()
        self._usage = Usage()
        self._finish = Finish("unknown")
        self._waiting: list[_Call | Object] = []
        self._calls: dict[int, _Call] = {}

    def write(self, event: Event) -> bytes:
        match event:
            case Start():
                self._head = _head(event, self._model)
                return self._open()
            case UsageReport(usage=usage):
                self._usage = self._usage.merged(usage)
            case Finish():
                self._finish = event
            case Notice():
                pass
            case ToolCallStart(index=index):
                self._calls[index] = _Call(event)
                self._waiting.append(self._calls[index])
            case ToolCallDelta(index=index, arguments=arguments):
                self._calls[index].arguments.append(arguments)
            case _:
                part = self._made.piece(event)
                if part is not None and self._waiting:
                    self._waiting.append(part)
                elif part is not None:
                    return self._open() + self._chunk(_candidate([part]))
        return b""

    def end(self) -> bytes:
        found = (self._made.part(one.whole()) if isinstance(one, _Call) else one for one in self._waiting)
        parts = [part for part in found if part is not None]
        last = self._made.last(parts or [{"text": ""}], self._finish, self._usage)
        return self._open() + self._chunk(last | self._finish.mark) + (b"" if self._sse else b"]")

    def fail(self, error: OwnkeyError, status: int) -> bytes:
        return self._framed(json.encode(error_object(error, status))) + (b"" if self._sse else b"]")

    def _open(self) -> bytes:
        if self._opened:
            return b""
        self._opened = True
        return b"" if self._sse else self._before + json.encode(self._head)

    def _chunk(self, body: Object) -> bytes:
        return self._framed(json.encode(body | self._head))

    def _framed(self, payload: bytes) -> bytes:
        """Clients that read lines of text, not of bytes, take these characters for ends of a line too."""
        for character, escaped in _LINE_ENDS:
            if character in payload:
                payload = payload.replace(character, escaped)
        return self._between + payload + self._after


class _Call:
    """A call whose arguments are on their way."""

    def __init__(self, start: ToolCallStart) -> None:
        self._start = start
        self.arguments: list[str] = []

    def whole(self) -> ToolCall:
        return ToolCall(self._start.id, self._start.name, "".join(self.arguments), self._start.signature)


class _Made(Struct):
    """Makes the parts of one answer. `broken`: a call that was cut, and is told of in words."""

    called: bool = False
    refused: bool = False
    broken: ToolCall | None = None

    def piece(self, event: Event) -> Object | None:
        """The part of one event of a stream."""
        match event:
            case TextDelta(text=text):
                return {"text": text} if text else None
            case ReasoningDelta(text=text):
                return {"text": text, "thought": True} if text else None
            case ReasoningSeal(signature=signature, sealed=sealed, maker=maker):
                return self.part(Reasoning("", signature, sealed, maker)) if signature or sealed else None
            case RefusalDelta(text=text):
                return self.part(Refusal(text))
            case WholePart(part=part):
                return self.part(part)
            case _:
                return None

    def part(self, part: Part) -> Object | None:
        match part:
            case Text(text=text, signature=signature):
                return {"text": text} | _signed(signature)
            case Refusal(text=text):
                self.refused = True
                return {"text": text}
            case Reasoning(text=text):
                return {"text": text, "thought": True} | _signed(_seal(part))
            case ToolCall():
                return self._call(part)
            case Image() | File():
                return inline(part)
            case Opaque(wire=wire, raw=raw):
                return dict(raw) if wire == NAME else None
            case _:
                return None

    def last(self, parts: list[Object], finish: Finish, usage: Usage) -> Object:
        """The chunk that says why the answer ended, and what it took."""
        body = _candidate(parts)
        body["candidates"][0] |= self._reason(finish)
        counts = write_usage(usage)
        return body | ({"usageMetadata": counts} if counts else {})

    def _reason(self, finish: Finish) -> dict[str, str]:
        """Google's own word where it gave one. A refusal in words, which Google has no part for, is one of safety."""
        raw = finish.raw or ""
        if self.broken is not None:
            said = f"The call of {self.broken.name!r} is not whole: {self.broken.arguments}"
            reason = "MAX_TOKENS" if finish.unified == "length" else "MALFORMED_FUNCTION_CALL"
            return {"finishReason": reason, "finishMessage": said}
        if self.refused and finish.unified in ("stop", "unknown"):
            return {"finishReason": "SAFETY", "finishMessage": "The model refused."}
        if raw.isupper() and finish.unified in (unified(raw), "tool_calls"):
            return {"finishReason": raw}
        if finish.unified != "unknown" or not raw:
            return {"finishReason": _REASONS[finish.unified] if raw or finish.unified != "unknown" else "STOP"}
        return {"finishReason": "OTHER", "finishMessage": raw}

    def _call(self, call: ToolCall) -> Object | None:
        """Arguments are an object. The first call that no Gemini model made bears the word that newer ones take in
        place of its signature, so that the conversation can go on with them."""
        arguments = call.arguments.strip() or "{}"
        try:
            msgspec.json.decode(arguments, type=dict[str, Any])
        except (ValueError, RecursionError):
            self.broken = call
            return None
        signature = call.signature or (None if self.called else UNSEALED)
        self.called = True
        # A line feed can stand in JSON only where a blank can, and would end a line of the stream.
        raw = Raw(arguments.replace("\r", " ").replace("\n", " ").encode())
        named = {"id": call.id} if call.id else {}
        return {"functionCall": {**named, "name": call.name, "args": raw}} | _signed(signature)


def _head(start: Start, model: str) -> Object:
    head: Object = {"modelVersion": model}
    if start.id:
        head["responseId"] = start.id
    if start.created and 0 < start.created <= _LAST_S:
        head["createTime"] = datetime.fromtimestamp(start.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return head


def _candidate(parts: list[Object]) -> Object:
    return {"candidates": [{"content": {"parts": parts, "role": "model"}, "index": 0}]}


def _signed(signature: str | None) -> Object:
    return {"thoughtSignature": signature} if signature else {}


def _seal(part: Reasoning) -> str | None:
    """Gemini's own as it is; another's wrapped, since this field goes back to whoever answers next."""
    value = part.signature or part.sealed
    if value is None or part.maker == NAME:
        return value
    return wrap(Seal(part.maker or "", "signature" if part.signature else "sealed", value))
