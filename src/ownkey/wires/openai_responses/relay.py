"""A stream of typed events passed on to a client who speaks the same form: whole events only, and read in passing."""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct
from msgspec.json import Decoder

from ownkey.talk.errors import ProviderError, UnexpectedResponse
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
_BROKEN = frozenset({"error", "response.failed", "response.cancelled"})
_BEFORE = frozenset({"response.created", "response.in_progress", "response.queued"})
# Anything else in a type would begin another line of the stream.
_is_name = re.compile(r"[\w.:-]+", re.ASCII).fullmatch


class ResponsesRelay:
    """Each event goes on with its own bytes and its name. Where one event of several fed at once tells of an error,
    none of them goes on, and `began` stays as it was."""

    __slots__ = ("_splitter", "began", "ended", "finish", "text_bytes", "usage")

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
                raise _failed(payload)
            if not _is_name(said.type):
                raise fault(payload) or unreadable("an event of its stream has no type")
            began = began or said.type not in _BEFORE
            delta = said.delta
            if isinstance(delta, str):
                self.text_bytes += len(delta) if delta.isascii() else len(delta.encode())
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
        """Of a provider that tells its items only with the whole response, they are what was written."""
        self.usage = usage_of(response.usage, response.service_tier)
        self.finish = finish_of(response, called=False).raw
        self.text_bytes = self.text_bytes or sum(len(bytes(item)) for item in response.output or ())
        self.ended = True


def _failed(payload: bytes) -> ProviderError:
    told = fault(payload)
    try:
        response = _ended(payload).response
    except UNREADABLE:
        response = None
    if response is None and told is not None:
        return told
    return failed(response or Response())
