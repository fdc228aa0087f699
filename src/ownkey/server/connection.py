"""The server's end of a connection: HTTP/1.1, read by llhttp in its strict mode.

It stands in for uvicorn's own protocol, which hands each request to an ASGI application: what that costs is a fifth of
all that a request costs here (docs/decisions). uvicorn still listens, stops and waits.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from asyncio import AbstractEventLoop, Future, Task, TimerHandle, Transport
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from ownkey.server.exchange import Exchange, Header
from ownkey.talk.errors import InvalidRequest, OwnkeyError, TooLarge

MAX_BODY_BYTES = 10 << 20
MAX_HEAD_BYTES = 64 << 10
MAX_HEADERS = 100
MAX_WAITING = 8
HIGH_WATER_BYTES = 256 << 10

IDLE_S = 75.0
REQUEST_S = 30.0
"""How long a client may take to send a request."""
ROOM_S = 60.0
"""How long a client may take nothing of an answer."""


class Served(Protocol):
    """What the connections of one server share; uvicorn's `ServerState` is one."""

    connections: set[asyncio.Protocol]
    tasks: set[Task[None]]


class Handler(Protocol):
    async def serve(self, exchange: Exchange) -> None: ...

    def refuse(self, exchange: Exchange, error: OwnkeyError) -> None: ...


class Connection(asyncio.Protocol):
    """Requests are answered one after the other, in the order in which they came."""

    def __init__(self, handler: Handler, served: Served, loop: AbstractEventLoop) -> None:
        self._handler = handler
        self._served = served
        self._loop = loop
        self._transport: Transport | None = None
        self._parser = HttpRequestParser(self)
        self._exchange: Exchange | None = None
        self._waiting: deque[tuple[Exchange, OwnkeyError | None]] = deque()
        self._room: Future[None] | None = None
        self._timer: TimerHandle | None = None
        self._since = loop.time()
        self._receiving = False
        self._start_message()

    def _start_message(self) -> None:
        self._url = b""
        self._headers: list[Header] = []
        self._head_bytes = 0
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._error: OwnkeyError | None = None

    # What the server calls.

    def shutdown(self) -> None:
        """No further request; one under way is answered."""
        if self._exchange is None and self._transport is not None:
            self._transport.close()
        elif self._exchange is not None:
            self._exchange.keep = False

    # What the loop calls.

    def connection_made(self, transport: object) -> None:
        self._transport = cast("Transport", transport)
        self._transport.set_write_buffer_limits(high=HIGH_WATER_BYTES)
        self._served.connections.add(self)
        self._timer = self._loop.call_later(REQUEST_S, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        self._served.connections.discard(self)
        self._transport = None
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
        self.resume_writing()
        if self._exchange is not None:
            self._exchange.lost()

    def data_received(self, data: bytes) -> None:
        if self._transport is None:
            return
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self._end_badly(InvalidRequest("This server does not switch protocols.", "Send a plain HTTP/1.1 request."))
        except HttpParserError:
            self._end_badly(InvalidRequest("This is not a request in HTTP/1.1.", "Look at what the client sends."))

    def pause_writing(self) -> None:
        self._room = self._loop.create_future()

    def resume_writing(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._receiving = True
        self._since = self._loop.time()
        self._start_message()

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._head_bytes += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        if len(self._headers) < MAX_HEADERS and self._head_bytes <= MAX_HEAD_BYTES:
            self._headers.append((name.lower(), value))
        elif self._error is None:
            self._error = TooLarge("The headers are too many or too large.", "Send at most 100, and 64 KiB.")

    def on_headers_complete(self) -> None:
        for name, value in self._headers:
            if name == b"expect" and value.lower() == b"100-continue" and self._exchange is None:
                self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes <= MAX_BODY_BYTES:
            self._body.append(body)
        elif self._error is None:
            self._body.clear()
            self._error = TooLarge(f"The body is over {MAX_BODY_BYTES >> 20} MiB.", "Send less in one request.")

    def on_message_complete(self) -> None:
        self._receiving = False
        parser = self._parser
        body = self._body
        exchange = Exchange(
            self,
            parser.get_method().decode("ascii"),
            self._url.partition(b"?")[0].decode("ascii", "replace"),
            self._headers,
            body[0] if len(body) == 1 else b"".join(body),
            keep=parser.should_keep_alive() and self._error is None,
            chunked=parser.get_http_version() != "1.0",
        )
        if self._exchange is None:
            self._begin(exchange, self._error)
            return
        self._waiting.append((exchange, self._error))
        if len(self._waiting) >= MAX_WAITING and self._transport is not None:
            self._transport.pause_reading()

    # What an exchange calls.

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    async def room(self) -> None:
        if self._room is not None:
            async with asyncio.timeout(ROOM_S):
                await asyncio.shield(self._room)

    # The rest is its own.

    def _begin(self, exchange: Exchange, error: OwnkeyError | None) -> None:
        self._exchange = exchange
        if error is not None:
            self._handler.refuse(exchange, error)
            self._finish(exchange)
            return
        task = self._loop.create_task(self._serve(exchange))
        self._served.tasks.add(task)
        task.add_done_callback(self._served.tasks.discard)

    async def _serve(self, exchange: Exchange) -> None:
        try:
            await self._handler.serve(exchange)
        except Exception:  # noqa: BLE001  a defect here must not take the server with it
            traceback.print_exc(file=sys.stderr)
        finally:
            self._finish(exchange)

    def _finish(self, exchange: Exchange) -> None:
        self._exchange = None
        self._since = self._loop.time()
        transport = self._transport
        if transport is None:
            return
        if not exchange.ended:
            transport.abort()
        elif not exchange.keep:
            transport.close()
        elif self._waiting:
            transport.resume_reading()
            self._begin(*self._waiting.popleft())

    def _end_badly(self, error: OwnkeyError) -> None:
        """What follows cannot be read: after the answers that are under way the connection ends."""
        if self._exchange is not None:
            self._exchange.keep = False
            self._waiting.clear()
            if self._transport is not None:
                self._transport.pause_reading()
            return
        self._begin(Exchange(self, "", "", [], b"", keep=False, chunked=True), error)

    def _look(self) -> None:
        """One timer serves both limits, and looks what is due when it fires."""
        now = self._loop.time()
        limit = REQUEST_S if self._receiving else IDLE_S
        due = self._since + limit
        if self._transport is None:
            return
        if self._exchange is None and now >= due:
            self._transport.close()
            return
        self._timer = self._loop.call_later(max(due - now, 1.0), self._look)


MakeConnection = Callable[..., asyncio.Protocol]
Serve = Callable[[Exchange], Awaitable[None]]
