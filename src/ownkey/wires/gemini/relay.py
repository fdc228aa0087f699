"""Gemini's answers passed on to a client who speaks the same, read in passing."""

from __future__ import annotations

from typing import Any

from msgspec import Raw, Struct, json

from ownkey.talk.reply import Usage
from ownkey.wires.gemini.error import error_of, status_of
from ownkey.wires.gemini.reply import enum
from ownkey.wires.gemini.stream import Payloads, each
from ownkey.wires.gemini.usage import read_usage
from ownkey.wires.gemini.values import Object, as_object, cut, decoded, unreadable
from ownkey.wires.wire import Ask, Passed

_NOTHING = Raw()


class _Call(Struct, gc=False):
    name: Any = None
    args: Raw = _NOTHING
    partialArgs: Raw = _NOTHING


class _Part(Struct, gc=False):
    text: Any = None
    functionCall: _Call | None = None
    executableCode: Raw = _NOTHING
    inlineData: Raw = _NOTHING


class _Content(Struct, gc=False):
    parts: list[_Part] | None = None


class _Candidate(Struct, gc=False):
    content: _Content | None = None
    finishReason: Any = None
    index: Any = None


class _Chunk(Struct, gc=False):
    candidates: list[_Candidate] | None = None
    usageMetadata: Any = None
    promptFeedback: Any = None
    error: Any = None


_decode = json.Decoder(_Chunk).decode


class GeminiRelay:
    """Each chunk goes on with its own bytes, framed as the client asked for it. Where one of several fed at once tells
    of an error, none of them goes on, and `began` stays as it was."""

    def __init__(self, ask: Ask) -> None:
        self.began = False
        self.ended = False
        self.usage = Usage()
        self.finish: str | None = None
        self.text_bytes = 0
        self._sse = ask.sse
        self._payloads = Payloads()
        self._opened = False
        self._begun = False
        self._told = False
        self._done: dict[object, bool] = {}

    def feed(self, data: bytes) -> bytes:
        if self.ended:
            return b""
        kept = [one for payload in self._payloads.feed(data) for one in self._read(payload)]
        self.began = self._begun
        whole = self._payloads.closed and self._told
        return self._end(kept) if whole else self._framed(kept)

    def close(self) -> bytes:
        if self.ended:
            return b""
        kept = [one for payload in self._payloads.last() for one in self._read(payload, last=True)]
        if self._payloads.open or not self._told or not all(self._done.values()):
            raise cut()
        self.began = self._begun
        return self._end(kept)

    def _read(self, payload: bytes, *, last: bool = False) -> list[bytes]:
        return [self._seen(chunk, raw) for chunk, raw in each(payload, _chunk, last=last)]

    def _seen(self, chunk: _Chunk, payload: bytes) -> bytes:
        for candidate in chunk.candidates or ():
            index = candidate.index or 0
            size = _written(candidate)
            if size is not None:
                self._begun = True
                self.text_bytes += size
            reason = enum(candidate.finishReason)
            if reason is None:
                self._done.setdefault(index, False)
                continue
            self._done[index] = True
            self._begun = self._told = True
            if index == 0:
                self.finish = reason
        if chunk.promptFeedback is not None:
            self._blocked(as_object(chunk.promptFeedback))
        if chunk.usageMetadata is not None:
            self.usage = read_usage(as_object(chunk.usageMetadata), self.usage)
        # A line feed can stand in JSON only where a blank can, and would begin another line of the stream.
        return payload.replace(b"\n", b" ") if b"\n" in payload else payload

    def _blocked(self, feedback: Object) -> None:
        reason = enum(feedback.get("blockReason"))
        if reason is not None:
            self._begun = self._told = True
            self.finish = self.finish or reason

    def _framed(self, kept: list[bytes]) -> bytes:
        if not kept:
            return b""
        if self._sse:
            return b"data: " + b"\r\n\r\ndata: ".join(kept) + b"\r\n\r\n"
        first = b"," if self._opened else b"["
        self._opened = True
        return first + b",".join(kept)

    def _end(self, kept: list[bytes]) -> bytes:
        self.ended = True
        return self._framed(kept) + (b"" if self._sse else b"]")


def pass_reply(body: bytes) -> Passed:
    """A whole answer with all its candidates. Raises UnexpectedResponse, or the error that the body tells of."""
    chunk, _ = _chunk(body)
    candidates = chunk.candidates or []
    blocked = enum(as_object(chunk.promptFeedback).get("blockReason"))
    if not candidates and blocked is None:
        raise unreadable("holds no candidate and no reason why")
    first = next((one for one in candidates if not one.index), None)
    return Passed(
        body=body,
        usage=read_usage(as_object(chunk.usageMetadata), Usage()),
        finish=enum(first.finishReason) if first is not None else blocked,
        text_bytes=sum(_written(candidate) or 0 for candidate in candidates),
    )


def _chunk(payload: bytes) -> tuple[_Chunk, bytes]:
    """Raises UnexpectedResponse where it is no chunk, and the error that it tells of."""
    try:
        chunk = _decode(payload)
    except (ValueError, RecursionError):
        chunk = None
    if chunk is None or chunk.error:
        body = as_object(decoded(payload))
        if body.get("error"):
            raise error_of(body, status_of(body))
        raise unreadable()
    return chunk, payload


def _written(candidate: _Candidate) -> int | None:
    """How much the model wrote here, in UTF-8 bytes; None where it gave nothing at all."""
    content = candidate.content
    size, anything = 0, False
    for part in (content.parts if content is not None else None) or ():
        text, call = part.text, part.functionCall
        if isinstance(text, str):
            size += len(text) if text.isascii() else len(text.encode())
            anything = anything or text != ""
        elif call is not None:
            size += len(call.name) if isinstance(call.name, str) else 0
            size += _size(call.args) + _size(call.partialArgs)
            anything = True
        else:
            size += _size(part.executableCode)
            anything = True
    return size if anything else None


def _size(raw: Raw) -> int:
    """Of JSON without the blanks that the provider put into it."""
    text = bytes(raw)
    return len(json.format(text, indent=-1) if b"\n" in text or b" " in text else text)
