"""A stream of chunks passed on to a client who speaks the same form: whole events only, and read in passing."""

from __future__ import annotations

import re

from ownkey.talk.reply import Usage
from ownkey.wires.openai_chat import form as form
from ownkey.wires.openai_chat.stream import DONE, cut, last_of
from ownkey.wires.openai_chat.usage import failed, usage_of
from ownkey.wires.openai_error import unreadable
from ownkey.wires.sse import Splitter
from ownkey.wires.wire import Ask

_LAST = b"data: [DONE]\n\n"

_CONTENT = b'"content":"'
# A JSON string of these characters is its own text: nothing is escaped, and nothing may not stand there.
_plain = re.compile(rb"[ !#-\[\]-~]+").fullmatch
_LESSONS = 4


class ChatRelay:
    """Each event goes on as one `data:` line of its own bytes; comments and event names stay behind.

    Where one event of several fed at once tells of an error, none of them goes on, and `began` stays as it was.

    Most events of a stream differ in their text only. What stands around it is learnt from events that were decoded;
    an event that has the same around it, and plain text in it, is as good as decoded.
    """

    __slots__ = (
        "_choices",
        "_done",
        "_head",
        "_lessons",
        "_opened",
        "_splitter",
        "_tail",
        "_wants_usage",
        "began",
        "ended",
        "finish",
        "text_bytes",
        "usage",
    )

    def __init__(self, ask: Ask) -> None:
        self.began = False
        self.ended = False
        self.usage = Usage()
        self.finish: str | None = None
        self.text_bytes = 0
        self._wants_usage = ask.usage_in_stream
        self._choices = ask.choices
        self._opened = False
        self._done: set[int] = set()
        self._splitter = Splitter()
        self._head = self._tail = b""
        self._lessons = _LESSONS

    def feed(self, data: bytes) -> bytes:
        if self.ended:
            return b""
        began = self.began
        kept: list[bytes] = []
        decode, written = form.passing.decode, form.written
        head, tail = self._head, self._tail
        for payload in self._splitter.feed(data):
            if head and payload.startswith(head) and payload.endswith(tail):
                text = payload[len(head) : -len(tail)]
                if _plain(text):
                    self.text_bytes += len(text)
                    began = True
                    kept.append(payload)
                    continue
            if payload.startswith(DONE):
                if not self._opened:
                    raise unreadable("it holds no choice")
                self.ended = True
                kept.append(DONE)
                break
            try:
                chunk = decode(payload)
            except (ValueError, RecursionError):
                raise form.broken(payload) from None
            choices = chunk.choices
            if (choices is None or chunk.error) and (told := form.fault(payload)) is not None:
                raise told
            for choice in choices or ():
                self._opened = True
                said = choice.delta
                if said is not None and (size := written(said)):
                    self.text_bytes += size
                    began = True
                    if self._lessons and len(choices or ()) == 1:
                        head, tail = self._learn(payload, said.content)
                if choice.finish_reason or choice.error:
                    self._finish(choice)
                    began = True
            if chunk.usage is not None or chunk.x_groq is not None:
                self.usage = self.usage.merged(usage_of(chunk.usage, chunk.x_groq, chunk.service_tier))
                if not (choices or self._wants_usage or chunk.usage is None):
                    continue
            # A line feed can stand in JSON only where a blank can, and would begin another line of the stream.
            kept.append(payload.replace(b"\n", b" ") if b"\n" in payload else payload)
        self.began = began
        return b"data: " + b"\n\ndata: ".join(kept) + b"\n\n" if kept else b""

    def close(self) -> bytes:
        if self.ended:
            return b""
        last = last_of(self._splitter, self.feed)
        if self.ended:
            return last
        if len(self._done) < self._choices:
            raise cut()
        self.ended = True
        return last + _LAST

    def _learn(self, payload: bytes, content: object) -> tuple[bytes, bytes]:
        """What stands around the text of this event. A stream that differs elsewhere too is given up on."""
        text = content.encode() if isinstance(content, str) else b""
        start = payload.find(_CONTENT) + len(_CONTENT)
        end = start + len(text)
        if _plain(text) and payload[start:end] == text and payload[end : end + 1] == b'"':
            self._head, self._tail = payload[:start], payload[end:]
        self._lessons -= 1
        return self._head, self._tail

    def _finish(self, choice: form.Choice) -> None:
        if choice.error or failed(choice.finish_reason):
            raise form.broke_off(choice)
        self._done.add(choice.index or 0)
        if self.finish is None:
            self.finish = choice.finish_reason
