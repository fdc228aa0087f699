"""A stream of responses passed on to a client who speaks the same form: whole events only, and read in passing."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field
from msgspec.json import Decoder

from ownkey.talk.errors import ProviderError
from ownkey.talk.reply import Usage
from ownkey.wires.gemini.error import error_of, status_of
from ownkey.wires.gemini.reply import Reading
from ownkey.wires.gemini.usage import read_usage
from ownkey.wires.gemini.values import Object, as_object, cut, decoded, unreadable
from ownkey.wires.sse import Splitter
from ownkey.wires.wire import Passed


class _Part(Struct, gc=False):
    text: str | None = None
    call: Any = field(default=None, name="functionCall")


class _Content(Struct):
    parts: list[_Part] | None = None


class _Candidate(Struct):
    content: _Content | None = None
    finish: str | int | None = field(default=None, name="finishReason")


class _Response(Struct):
    candidates: list[_Candidate] | None = None
    usage: Any = field(default=None, name="usageMetadata")
    feedback: Any = field(default=None, name="promptFeedback")
    error: Any = None


_response = Decoder(_Response).decode


class GeminiRelay:
    """Each response goes on with its own bytes, as an event or as an element of an array, as the client wants it.

    A stream is whole where a reason was given and its body has ended.
    """

    def __init__(self, *, sse: bool) -> None:
        self.began = False
        self.ended = False
        self.usage = Usage()
        self.finish: str | None = None
        self.text_bytes = 0
        self._sse = sse
        self._splitter = Splitter()
        self._written = False

    def feed(self, data: bytes) -> bytes:
        if self.ended:
            return b""
        began, kept = self.began, list[bytes]()
        for payload in self._splitter.feed(data):
            began = self._read(payload) or began
            kept.append(self._framed(payload))
        self.began = began
        return b"".join(kept)

    def close(self) -> bytes:
        if self.ended:
            return b""
        rest = self._splitter.rest.strip()
        last = self.feed(b"\n\n")
        if self.finish is None:
            if rest.startswith((b"{", b"[")):
                raise _told(rest) or cut()
            raise cut()
        self.ended = True
        return last if self._sse else last + b"]"

    def _read(self, payload: bytes) -> bool:
        """Whether something of the answer stands in it."""
        try:
            said = _response(payload)
        except (ValueError, RecursionError):
            raise _told(payload) or unreadable() from None
        if said.error:
            raise _told(payload) or unreadable()
        blocked = as_object(said.feedback).get("blockReason")
        if blocked is not None:
            self.finish = self.finish or str(blocked)
        began = blocked is not None
        for place, candidate in enumerate(said.candidates or ()):
            for part in (candidate.content.parts if candidate.content else None) or ():
                began = True
                self.text_bytes += len((part.text or "").encode())
                if part.call is not None:
                    self.text_bytes += len(str(part.call))
            if candidate.finish is not None:
                began = True
                if place == 0:
                    self.finish = str(candidate.finish)
        if said.usage is not None:
            self.usage = read_usage(as_object(said.usage), self.usage)
        return began

    def _framed(self, payload: bytes) -> bytes:
        # A line feed can stand in JSON only where a blank can, and would begin another line of the stream.
        data = payload.replace(b"\n", b" ")
        if self._sse:
            return b"data: %b\r\n\r\n" % data
        first, self._written = not self._written, True
        return (b"[" if first else b",\r\n") + data


def pass_reply(body: bytes) -> Passed:
    """A whole answer, read only as far as money and health need it. Raises UnexpectedResponse, or the error told."""
    reading = Reading()
    value = decoded(body)
    reading.chunk(value)
    reading.whole()
    relay = GeminiRelay(sse=True)
    relay.feed(b"data: %b\n\n" % body.replace(b"\n", b" ").replace(b"\r", b" "))
    return Passed(body, relay.usage, reading.finish or reading.blocked, relay.text_bytes)


def _told(payload: bytes) -> ProviderError | None:
    try:
        value = decoded(payload)
    except ProviderError:
        return None
    body: Object = as_object(value)
    return error_of(body, status_of(body)) if body.get("error") else None
