"""A stream of typed events passed on to a client who speaks the same form: whole events only, and read in passing."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from msgspec.json import Decoder

from ownkey.talk.errors import UnexpectedResponse
from ownkey.talk.reply import Usage
from ownkey.wires.openai_error import unreadable
from ownkey.wires.openai_responses.form import UNREADABLE, Response, cut, failed, fault, finish_of, usage_of
from ownkey.wires.sse import Splitter


class _Said(Struct, gc=False):
    type: str = ""
    delta: Any = None


class _Ended(Struct):
    response: Response | None = None


_said = Decoder(_Said).decode
_ended = Decoder(_Ended).decode
_LAST = frozenset({"response.completed", "response.incomplete"})
_BROKEN = frozenset({"error", "response.failed", "response.cancelled", ""})
_BEFORE = frozenset({"response.created", "response.in_progress", "response.queued"})


class ResponsesRelay:
    """Each event goes on with its own bytes and its name. Where one event of several fed at once tells of an error,
    none of them goes on, and `began` stays as it was."""

    def __init__(self) -> None:
        self.began = False
        self.ended = False
        self.usage = Usage()
        self.finish: str | None = None
        self.text_bytes = 0
        self._splitter = Splitter()

    def feed(self, data: bytes) -> bytes:
        if self.ended:
            return b""
        began = self.began
        kept: list[bytes] = []
        for payload in self._splitter.feed(data):
            if payload == b"[DONE]":
                continue
            try:
                said = _said(payload)
                if said.type in _LAST:
                    self._end(_ended(payload).response or Response())
            except UNREADABLE:
                raise fault(payload) or unreadable("an event of its stream is not what it should be") from None
            if said.type in _BROKEN:
                raise self._failed(payload)
            began = began or said.type not in _BEFORE
            if isinstance(said.delta, str):
                self.text_bytes += len(said.delta) if said.delta.isascii() else len(said.delta.encode())
            # A line feed can stand in JSON only where a blank can, and would begin another line of the stream.
            kept.append(b"event: %b\ndata: %b\n\n" % (said.type.encode(), payload.replace(b"\n", b" ")))
            if self.ended:
                break
        self.began = began
        return b"".join(kept)

    def close(self) -> bytes:
        if self.ended:
            return b""
        try:
            last = self.feed(b"\n\n")
        except UnexpectedResponse:
            # What no blank line ended broke off in its middle.
            raise cut() from None
        if self.ended:
            return last
        raise fault(self._splitter.rest) or cut()

    def _end(self, response: Response) -> None:
        self.usage = usage_of(response.usage, response.service_tier)
        self.finish = finish_of(response, called=False).raw
        self.ended = True

    def _failed(self, payload: bytes) -> Exception:
        try:
            response = _ended(payload).response
        except UNREADABLE:
            response = None
        return failed(response) if response is not None else fault(payload) or unreadable("an event has no type")
