"""What comes back: whole, or as a stream that owns its socket and its hold."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

from msgspec import Struct, structs

from ownkey.engine.attempt import Attempt, is_answer
from ownkey.engine.target import Target
from ownkey.talk.errors import OwnkeyError, ProviderTimeout, StreamCut, UnexpectedResponse
from ownkey.talk.reply import (
    Collector,
    Event,
    Finish,
    ReasoningDelta,
    Receipt,
    RefusalDelta,
    Reply,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
    UsageReport,
    WholePart,
)
from ownkey.transport import Incoming
from ownkey.wires.wire import Reader

LET_END_S = 1.0
"""How long the end of a body is waited for once the answer is whole: its connection can be used again then."""

Piece = TypeVar("Piece", bytes, list[Event])
Given = TypeVar("Given", bytes, list[Event], covariant=True)


class Whole(Struct, frozen=True):
    """A whole answer: `body` in the client's wire where it passed through, else `reply`."""

    receipt: Receipt
    body: bytes | None = None
    reply: Reply | None = None
    warnings: tuple[str, ...] = ()


class Tap(Protocol[Given]):
    """Turns a provider's bytes into what the caller gets, and reads what passes."""

    began: bool
    usage: Usage
    finish: str | None
    text_bytes: int

    @property
    def ended(self) -> bool: ...

    def feed(self, data: bytes) -> Given: ...

    def close(self) -> Given: ...


class EventTap:
    """Bytes to events, for a caller whose wire is another one, or none."""

    __slots__ = ("_reader", "began", "finish", "text_bytes", "told", "usage")

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.began = False
        self.told = False
        """Whether it has said why it ended: what may still come are counts."""
        self.usage = Usage()
        self.finish: str | None = None
        self.text_bytes = 0

    @property
    def ended(self) -> bool:
        return self._reader.ended

    def feed(self, data: bytes) -> list[Event]:
        return self._seen(self._reader.feed(data))

    def close(self) -> list[Event]:
        return self._seen(self._reader.close())

    def _seen(self, events: list[Event]) -> list[Event]:
        for event in events:
            match event:
                case TextDelta(text=text) | ReasoningDelta(text=text) | RefusalDelta(text=text):
                    self.began = True
                    self.text_bytes += len(text.encode())
                case ToolCallDelta(arguments=arguments):
                    self.text_bytes += len(arguments.encode())
                case ToolCallStart() | WholePart():
                    self.began = True
                case UsageReport(usage=usage):
                    self.usage = self.usage.merged(usage)
                case Finish(raw=raw):
                    self.told = True
                    self.finish = raw
                case _:
                    pass
        return events


class Stream(Generic[Piece]):
    """An answer on its way. `next` gives what has come, empty at the end; `close` ends it wherever it is.

    It settles itself: at its end, when it breaks, or when it is closed.
    """

    __slots__ = ("_attempt", "_done", "_head", "_incoming", "_tap", "attempts", "target", "warnings")

    def __init__(
        self,
        target: Target,
        attempt: Attempt,
        incoming: Incoming,
        tap: Tap[Piece],
        attempts: int,
        warnings: tuple[str, ...] = (),
    ) -> None:
        self.target = target
        self.attempts = attempts
        self.warnings = warnings
        self._attempt = attempt
        self._incoming = incoming
        self._tap = tap
        self._head: list[Piece] = []
        self._done = False

    async def begin(self, within_s: float | None = None) -> None:
        """Wait until the answer itself has begun. Raises ProviderTimeout where it has not within that time."""
        if within_s is None:
            await self._first()
        else:
            try:
                async with asyncio.timeout(within_s):
                    await self._first()
            except TimeoutError:
                error = ProviderTimeout("It said no first word in time.", perhaps_billed=True)
                self._broke(error)
                raise error from None
        self._attempt.first()

    async def next(self) -> Piece | None:
        """The next piece, or None at the end. Raises ProviderError where the answer breaks off."""
        if self._head:
            return self._head.pop(0)
        while not self._done:
            piece = await self._take()
            if piece:
                return piece
        return None

    async def _first(self) -> None:
        while not (self._tap.began or self._done):
            piece = await self._take()
            if piece:
                self._head.append(piece)

    async def _take(self) -> Piece | None:
        if self._tap.ended:
            await self._let_end()
            return None
        piece: Piece | None = None
        try:
            data = await self._incoming.next()
            if data:
                piece = self._tap.feed(data)
            else:
                self._done = True
                piece = self._tap.close()
        except OwnkeyError as error:
            if not self._is_whole:
                error = self._read_as(error)
                self._broke(error)
                raise error from None
            self._done = True
            self._incoming.close()
        if self._tap.ended or self._done:
            self._settle()
        return piece

    async def _let_end(self) -> None:
        """What still comes is no part of the answer; a body that is held open is left."""
        self._done = True
        with suppress(OwnkeyError, TimeoutError):
            async with asyncio.timeout(LET_END_S):
                while await self._incoming.next():
                    pass
        self._incoming.close()

    def close(self) -> None:
        """End it here: what was given is charged, all that was held where nothing was, and the provider's connection is
        closed if it was not at its end."""
        tap = self._tap
        if tap.ended:
            self._settle()
        elif tap.began or self._is_whole:
            self._attempt.cut(tap.usage, tap.finish, None, text_bytes=tap.text_bytes)
        else:
            self._attempt.abandoned()
        self._done = True
        self._incoming.close()

    @property
    def charged(self) -> Usage:
        """The usage that it was charged for, once it has ended."""
        return self._attempt.charged

    @property
    def in_events(self) -> bool:
        """Whether it gives events, to be written in the client's wire; else it gives that wire's own bytes."""
        return isinstance(self._tap, EventTap)

    def receipt(self) -> Receipt:
        """What is known so far; the cost once it has ended."""
        hold = self._attempt.hold
        return Receipt(hold.request_id, hold.provider, hold.model, self.attempts, self._attempt.cost)

    @property
    def _is_whole(self) -> bool:
        """Whether all of the answer has come, whatever may break off now."""
        return self._tap.ended or (isinstance(self._tap, EventTap) and self._tap.told)

    def _settle(self) -> None:
        # All of it may have come in one piece.
        self._attempt.first()
        self._attempt.answered(self._tap.usage, self._tap.finish, text_bytes=self._tap.text_bytes)

    def _read_as(self, error: OwnkeyError) -> OwnkeyError:
        """No stream that broke off, but a page of somebody's in between: of a portal, or of a wrong address."""
        is_page = self._incoming.headers.get(b"content-type", b"").lower().startswith(b"text/html")
        if not (isinstance(error, StreamCut) and is_page) or self._tap.began:
            return error
        return UnexpectedResponse(
            "A web page came in place of an answer.",
            "Check the provider's address, and whether the network here wants you to sign in first.",
        )

    def _broke(self, error: OwnkeyError) -> None:
        tap = self._tap
        self._done = True
        if tap.began or is_answer(error):
            self._attempt.cut(tap.usage, tap.finish, error, text_bytes=tap.text_bytes)
        else:
            self._attempt.failed(error)
        self._incoming.close()


async def gathered(stream: EventStream) -> Whole:
    """All of it, as one answer. Raises where it breaks off."""
    collector = Collector()
    try:
        while (events := await stream.next()) is not None:
            for event in events:
                collector.add(event)
    finally:
        stream.close()
    reply, receipt = collector.reply(), stream.receipt()
    return Whole(receipt, reply=structs.replace(reply, warnings=(*reply.warnings, *stream.warnings), receipt=receipt))


class AnyStream(Protocol):
    """An answer on its way, whoever gives it: its pieces as `Stream` has them."""

    @property
    def target(self) -> Target: ...
    @property
    def attempts(self) -> int: ...
    @property
    def warnings(self) -> tuple[str, ...]: ...
    @property
    def in_events(self) -> bool: ...
    async def next(self) -> bytes | list[Event] | None: ...
    def close(self) -> None: ...
    def receipt(self) -> Receipt: ...


ByteStream = Stream[bytes]
EventStream = Stream[list[Event]]
Answer = Whole | ByteStream | EventStream
