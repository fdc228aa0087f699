"""What a client got, noted as it passes."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct, structs

from ownkey.engine.answer import AnyStream, Whole
from ownkey.engine.target import Target
from ownkey.talk.errors import OwnkeyError
from ownkey.talk.reply import Collector, Event, Receipt, Reply, Usage
from ownkey.wires.wire import Door

MOST_BYTES = 8 << 20
"""Of one answer, as it passes: of a longer one the rest is not noted."""
_EVENT_BYTES = 64


class Taken(Struct):
    """`passed`: pieces in the client's wire; `events`, or `reply`, in words. `whole`: it came to its end; else `error`
    is the code of what it broke off with, if it did. `usage`: what it was charged for, where that is known."""

    receipt: Receipt
    target: str = ""
    passed: list[bytes] | None = None
    events: list[Event] | None = None
    reply: Reply | None = None
    streamed: bool = False
    whole: bool = True
    error: str | None = None
    usage: Usage | None = None
    size: int = 0

    def read(self, door: Door | None) -> Reply:
        """In words, as far as it can be read."""
        if self.reply is not None:
            return self.reply
        collector = Collector()
        try:
            if self.events is not None:
                for event in self.events:
                    collector.add(event)
            elif door is not None and not self.streamed:
                return door.read_reply(self.body)
            elif door is not None:
                reader = door.reader()
                for piece in self.passed or ():
                    for event in reader.feed(piece):
                        collector.add(event)
                for event in reader.close() if self.whole else ():
                    collector.add(event)
        except OwnkeyError as error:
            self.whole, self.error = False, self.error or error.code
        reply = collector.reply()
        if self.usage is not None and not reply.usage.known:
            reply = structs.replace(reply, usage=reply.usage.merged(self.usage))
        return reply

    @property
    def body(self) -> bytes:
        return b"".join(self.passed or ())


def taken_whole(answer: Whole) -> Taken:
    passed = None if answer.body is None else [answer.body]
    size = len(answer.body or b"") if answer.reply is None else sum(map(_size, answer.reply.parts))
    return Taken(answer.receipt, passed=passed, reply=answer.reply, size=size)


class Watched:
    """A stream that is noted as it passes; `done` is told of it when it is closed.

    `missed`: the cache did not have it.
    """

    def __init__(self, stream: AnyStream, done: Callable[[Taken], None], *, missed: bool) -> None:
        self._stream = stream
        self._missed = missed
        self._done: Callable[[Taken], None] | None = done
        self._taken = Taken(stream.receipt(), stream.target.name, streamed=True, whole=False)
        if stream.in_events:
            self._taken.events = []
        else:
            self._taken.passed = []

    @property
    def target(self) -> Target:
        return self._stream.target

    @property
    def attempts(self) -> int:
        return self._stream.attempts

    @property
    def warnings(self) -> tuple[str, ...]:
        return self._stream.warnings

    @property
    def in_events(self) -> bool:
        return self._stream.in_events

    async def next(self) -> bytes | list[Event] | None:
        taken = self._taken
        try:
            piece = await self._stream.next()
        except OwnkeyError as error:
            taken.error = error.code
            raise
        if piece is None:
            taken.whole = taken.error is None
        else:
            self._note(piece)
        return piece

    def close(self) -> None:
        self._stream.close()
        done, self._done = self._done, None
        if done is not None:
            self._taken.receipt = self._stream.receipt()
            charged = getattr(self._stream, "charged", None)
            self._taken.usage = charged if isinstance(charged, Usage) else None
            done(self._taken)

    def receipt(self) -> Receipt:
        told = self._stream.receipt()
        return structs.replace(told, cache="miss") if self._missed else told

    def _note(self, piece: bytes | list[Event]) -> None:
        taken = self._taken
        taken.size += len(piece) if isinstance(piece, bytes) else sum(map(_size, piece))
        if taken.size > MOST_BYTES:
            taken.error = taken.error or "too_long"
        elif isinstance(piece, bytes):
            assert taken.passed is not None
            taken.passed.append(piece)
        else:
            assert taken.events is not None
            taken.events += piece


def _size(one: object) -> int:
    return _EVENT_BYTES + len(getattr(one, "text", "")) + len(getattr(one, "arguments", ""))
