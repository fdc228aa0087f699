"""What a provider answers: status and headers at once, the body as it comes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from asyncio import Future, get_running_loop
from typing import TYPE_CHECKING

from ownkey.talk.errors import OwnkeyError, StreamCut, UnexpectedResponse

if TYPE_CHECKING:
    from ownkey.transport.connection import Connection

# More than this unread, and the provider is no longer read from until it is taken.
HIGH_WATER_BYTES = 256 * 1024


class Incoming(ABC):
    """An answer. Header names are in lower case; where one came more than once its values are joined with a comma."""

    __slots__ = ("headers", "status")

    status: int
    headers: dict[bytes, bytes]

    @abstractmethod
    async def next(self) -> bytes:
        """The next piece of the body, all that is there; empty at its end.

        Raises StreamCut where it ends too early, ProviderTimeout, UnexpectedResponse. One caller at a time.
        """

    @abstractmethod
    def close(self) -> None:
        """No more of it is wanted. A connection with an unfinished body is aborted."""

    async def read(self, limit: int) -> bytes:
        """The rest of the body. Raises UnexpectedResponse, and closes, where it is more than `limit` bytes."""
        pieces: list[bytes] = []
        size = 0
        while piece := await self.next():
            size += len(piece)
            if size > limit:
                self.close()
                raise UnexpectedResponse(f"The answer is larger than {limit:,} bytes.", status=self.status)
            pieces.append(piece)
        return b"".join(pieces)


class Received(Incoming):
    """An answer that comes over a connection, which it lets go of when the last byte is in."""

    __slots__ = ("_connection", "_ended", "_error", "_pieces", "_waiter", "stale", "unread_bytes")

    def __init__(self, connection: Connection) -> None:
        self.status = 0
        self.headers = {}
        self.stale = False
        self.unread_bytes = 0
        self._connection: Connection | None = connection
        self._pieces: list[bytes] = []
        self._waiter: Future[None] | None = None
        self._ended = False
        self._error: OwnkeyError | None = None

    @property
    def awaited(self) -> bool:
        return self._waiter is not None

    async def begin(self) -> None:
        """Until status and headers are in hand; `stale` says that the connection had been closed before."""
        while not self.status and not self.stale:
            if self._error:
                raise self._error
            await self._wait()

    async def next(self) -> bytes:
        while not self._pieces:
            if self._error:
                raise self._error
            if self._ended:
                return b""
            await self._wait()
        data = b"".join(self._pieces)
        self._pieces.clear()
        if self.unread_bytes > HIGH_WATER_BYTES and self._connection is not None:
            self._connection.resume()
        self.unread_bytes = 0
        return data

    def close(self) -> None:
        closed = StreamCut("The answer was closed before its end.", status=self.status or None)
        if self._connection is not None:
            self._connection.fail(closed)
        elif self._pieces:
            self._error = closed
        self._pieces.clear()

    def add(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self.unread_bytes += len(piece)

    def end(self) -> None:
        self._ended = True
        self._connection = None
        self.wake()

    def fail(self, error: OwnkeyError) -> None:
        """`error` is raised when the pieces that came before it are taken."""
        self._error = error
        self._connection = None
        self.wake()

    def wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def _wait(self) -> None:
        if self._connection is None or self._waiter is not None:
            raise RuntimeError("an answer is read by one caller at a time")
        waiter = self._waiter = get_running_loop().create_future()
        if self.status:
            self._connection.expect_bytes()
        try:
            await waiter
        except BaseException:
            self.close()
            raise
        finally:
            self._waiter = None
