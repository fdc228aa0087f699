"""A stream of messages passed on to a client who speaks the same form: whole events only, and read in passing."""

from __future__ import annotations

from typing import Any

from msgspec import Raw, Struct
from msgspec.json import Decoder

from ownkey.talk.errors import StreamCut
from ownkey.talk.reply import Usage
from ownkey.wires.anthropic_messages.event import unwrapped
from ownkey.wires.anthropic_messages.reply import error_in, unreadable
from ownkey.wires.anthropic_messages.usage import UNREADABLE, counts, usage_of
from ownkey.wires.sse import Splitter
from ownkey.wires.wire import Passed


class _Delta(Struct, gc=False):
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None


class _Head(Struct):
    usage: Raw = Raw(b"{}")


class _Said(Struct, gc=False):
    type: str = ""
    delta: _Delta | None = None
    message: _Head | None = None
    usage: Raw = Raw(b"{}")


class _Message(Struct):
    content: list[Raw]
    stop_reason: str | None = None
    usage: Raw = Raw(b"{}")


_said = Decoder(_Said).decode
_message = Decoder(_Message).decode


class MessagesRelay:
    """Each event goes on with its own bytes and its name. Where one event of several fed at once tells of an error,
    none of them goes on, and `began` stays as it was."""

    def __init__(self) -> None:
        self.began = False
        self.ended = False
        self.usage = Usage()
        self.finish: str | None = None
        self.text_bytes = 0
        self._splitter = Splitter()
        self._counts: dict[str, Any] = {}

    def feed(self, data: bytes) -> bytes:
        if self.ended:
            return b""
        began = self.began
        kept: list[bytes] = []
        for payload in self._splitter.feed(data):
            try:
                said = _said(payload)
            except UNREADABLE:
                inner = unwrapped(payload)
                if inner is None:
                    continue
                try:
                    said = _said(payload := inner)
                except UNREADABLE:
                    raise unreadable() from None
            delta = said.delta
            match said.type:
                case "content_block_delta":
                    began = True
                    if delta is not None:
                        text = delta.text or delta.thinking or delta.partial_json
                        if text:
                            self.text_bytes += len(text) if text.isascii() else len(text.encode())
                case "content_block_start":
                    began = True
                case "message_start":
                    # What is called output here is a placeholder.
                    head = said.message.usage if said.message is not None else Raw(b"{}")
                    self._count({name: value for name, value in counts(head).items() if name != "output_tokens"})
                case "message_delta":
                    began = True
                    self._count(counts(said.usage))
                    if delta is not None and delta.stop_reason:
                        self.finish = delta.stop_reason
                case "message_stop":
                    self.ended = True
                case "error" | "":
                    error = error_in(payload)
                    if error is not None or said.type:
                        raise error or unreadable()
                case _:
                    pass
            # A line feed can stand in JSON only where a blank can, and would begin another line of the stream.
            kept.append(b"event: %b\ndata: %b\n\n" % (said.type.encode(), payload.replace(b"\n", b" ")))
            if self.ended:
                break
        self.began = began
        return b"".join(kept)

    def close(self) -> bytes:
        if self.ended:
            return b""
        last = self.feed(b"\n\n")
        if self.ended:
            return last
        raise error_in(self._splitter.rest) or StreamCut(
            "The provider's answer broke off before its end.", "Try again, or use another provider."
        )

    def _count(self, said: dict[str, Any]) -> None:
        if said:
            self._counts |= said
            self.usage = usage_of(self._counts)


def pass_reply(body: bytes) -> Passed:
    """A whole answer, read only as far as money and health need it. Raises UnexpectedResponse, or the error told."""
    try:
        message = _message(body)
    except UNREADABLE:
        raise error_in(body) or unreadable() from None
    size = sum(len(bytes(block)) for block in message.content)
    return Passed(body, usage_of(counts(message.usage)), message.stop_reason, text_bytes=size)
