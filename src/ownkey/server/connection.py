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
from typing import Any, Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from ownkey.server.exchange import Exchange, Header
from ownkey.server.refusal import (
    Limits,
    Refusal,
    body_too_large,
    crowded,
    defect,
    head_too_large,
    no_proxy,
    too_slow,
    unreadable,
)
from ownkey.talk.errors import OwnkeyError

HIGH_WATER_BYTES = 256 << 10

_NOTED = frozenset((b"content-length", b"expect", b"upgrade"))
_LIMITS = Limits()

_TOLD_THAT_IT_IS_FULL = 64
"""Connections that come when all are taken and are told so; those beyond are closed without a word."""


class Served(Protocol):
    """What the connections of one server share; uvicorn's `ServerState` is one."""

    connections: set[Any]
    tasks: set[Task[None]]


class Handler(Protocol):
    async def serve(self, exchange: Exchange) -> None: ...

    def refuse(self, exchange: Exchange, error: OwnkeyError, status: int | None = None) -> None:
        """`status` where it is not the error's own."""
        ...


class Connection(asyncio.Protocol):
    """Requests are answered one after the other, in the order in which they came."""

    def __init__(self, handler: Handler, served: Served, loop: AbstractEventLoop, limits: Limits = _LIMITS) -> None:
        self._handler = handler
        self._served = served
        self._loop = loop
        self._limits = limits
        self._transport: Transport | None = None
        self._parser: HttpRequestParser | None = HttpRequestParser(self)
        self._exchange: Exchange | None = None
        self._waiting: deque[tuple[Exchange, Refusal | None]] = deque()
        self._room: Future[None] | None = None
        self._timer: TimerHandle | None = None
        self._since = loop.time()
        self._unsent_bytes = 0
        self._receiving = False
        self._start_message()

    def _start_message(self) -> None:
        self._url = b""
        self._headers: list[Header] = []
        self._in_head = True
        self._head_bytes = 0
        self._bodiless_bytes = 0
        self._body: bytes | bytearray = b""
        self._continue = False
        self._upgrade = False

    # What the server calls.

    def shutdown(self) -> None:
        """No further request; one under way is answered."""
        if self._exchange is None and self._transport is not None:
            self._transport.close()
        elif self._exchange is not None:
            self._exchange.keep = False
            if self._exchange.on_stop is not None:
                self._exchange.on_stop()

    # What the loop calls.

    def connection_made(self, transport: object) -> None:
        self._transport = cast("Transport", transport)
        self._transport.set_write_buffer_limits(high=HIGH_WATER_BYTES)
        others = len(self._served.connections)
        self._served.connections.add(self)
        if others >= self._limits.connections + _TOLD_THAT_IT_IS_FULL:
            self._transport.abort()
            return
        self._timer = self._loop.call_later(self._limits.request_s, self._look)
        if others >= self._limits.connections:
            self._end_badly(crowded())

    def connection_lost(self, exc: Exception | None) -> None:
        self._served.connections.discard(self)
        self._transport = self._parser = None
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
        self.resume_writing()
        if self._exchange is not None:
            self._exchange.lost()

    def eof_received(self) -> bool:
        """A client that sends no more and one that is gone look alike. Only a whole answer under way is still given."""
        exchange = self._exchange
        if exchange is None or exchange.on_gone is not None or self._waiting:
            if exchange is not None:
                exchange.lost()
            return False
        exchange.keep = False
        return True

    def data_received(self, data: bytes) -> None:
        parser = self._parser
        if parser is None:
            return
        self._bodiless_bytes += len(data)
        try:
            parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            self._decline_upgrade(data[upgrade.args[0] :])
        except HttpParserError as error:
            reason = error.__context__
            self._end_badly(reason.refusal if isinstance(reason, _Refused) else unreadable())
        else:
            if self._receiving and self._bodiless_bytes > self._limits.head_bytes:
                self._end_badly(head_too_large(self._limits))

    def pause_writing(self) -> None:
        self._room = self._loop.create_future()

    def resume_writing(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)
        if self._waiting and self._exchange is None:
            self._begin_next()

    # What the parser calls.

    def on_message_begin(self) -> None:
        received = self._bodiless_bytes
        self._receiving = True
        self._since = self._loop.time()
        self._start_message()
        self._bodiless_bytes = received

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._head_bytes += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # after the body, where nothing may be said of the request itself (RFC 9110 section 6.5.1)
        name = name.lower()
        self._head_bytes += len(name) + len(value)
        self._headers.append((name, value))
        if name in _NOTED:
            self._note(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._head_bytes > self._limits.head_bytes or len(self._headers) > self._limits.headers:
            raise _Refused(head_too_large(self._limits))
        if self._upgrade and self._parser is not None:
            self._upgrade = self._parser.should_upgrade()
        if self._continue and not self._upgrade and self._exchange is None and not self._waiting:
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._bodiless_bytes = 0
        if not self._body:
            self._body = body
        else:
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)
            self._body += body
        if len(self._body) > self._limits.body_bytes_at(self._url):
            raise _Refused(body_too_large(self._limits.body_bytes_at(self._url)))

    def on_message_complete(self) -> None:
        parser = self._parser
        assert parser is not None
        method = parser.get_method()
        if self._upgrade or method == b"CONNECT":
            return
        self._receiving = False
        self._bodiless_bytes = 0
        path, query = self._asked
        exchange = Exchange(
            self,
            method.decode("ascii"),
            path,
            self._headers,
            bytes(self._body),
            keep=parser.should_keep_alive(),
            chunked=parser.get_http_version() == "1.1",
            query=query,
        )
        self._take(exchange, None)

    # What an exchange calls.

    @property
    def peer(self) -> str:
        transport = self._transport
        name: tuple[Any, ...] | None = transport.get_extra_info("peername") if transport is not None else None
        return str(name[0]) if name else ""

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    async def room(self) -> None:
        if self._room is not None:
            async with asyncio.timeout(self._limits.room_s):
                await asyncio.shield(self._room)

    # The rest is its own.

    def _note(self, name: bytes, value: bytes) -> None:
        if name == b"content-length":
            most_bytes = self._limits.body_bytes_at(self._url)
            if len(value) > 7 and value.isdigit() and int(value[:20]) > most_bytes:
                raise _Refused(body_too_large(most_bytes))
        elif name == b"expect":
            self._continue = value.lower() == b"100-continue"
        else:
            self._upgrade = True

    def _take(self, exchange: Exchange, refusal: Refusal | None) -> None:
        if self._exchange is None and not self._waiting and self._room is None:
            self._begin(exchange, refusal)
            return
        self._waiting.append((exchange, refusal))
        if len(self._waiting) >= self._limits.waiting and self._transport is not None:
            self._transport.pause_reading()

    def _begin(self, exchange: Exchange, refusal: Refusal | None) -> None:
        self._exchange = exchange
        if refusal is not None:
            self._handler.refuse(exchange, refusal.error, refusal.status)
            self._finish(exchange)
            return
        task = self._loop.create_task(self._serve(exchange))
        self._served.tasks.add(task)
        task.add_done_callback(self._served.tasks.discard)

    async def _serve(self, exchange: Exchange) -> None:
        try:
            if not exchange.gone:
                await self._handler.serve(exchange)
        except Exception as error:  # noqa: BLE001  a defect here must not take the server with it
            if not (exchange.begun and isinstance(error, TimeoutError)):
                _report(error)
            if not exchange.begun:
                self._handler.refuse(exchange, defect())
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
            self._hang_up(transport)
        elif self._waiting:
            self._begin_next()

    def _begin_next(self) -> None:
        transport = self._transport
        if self._room is None and transport is not None and not transport.is_closing():
            transport.resume_reading()
            self._begin(*self._waiting.popleft())

    def _hang_up(self, transport: Transport) -> None:
        """Where the client may still be sending, a close at once would take from it what it has not yet read."""
        if self._parser is not None or transport.is_closing():
            transport.close()
            return
        transport.write_eof()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(self._limits.linger_s, transport.abort)

    @property
    def _asked(self) -> tuple[str, str]:
        """The path and the query of what comes in, as far as they have come."""
        path, _, query = self._url.partition(b"?")
        return path.decode("ascii", "replace"), query.decode("ascii", "replace")

    def _end_badly(self, refusal: Refusal) -> None:
        """What follows is not read: after the answers that are under way the connection ends."""
        path = self._asked[0] if self._receiving else ""
        self._parser = None
        self._receiving = False
        self._body = b""
        self._take(Exchange(self, "", path, [], b"", keep=False, chunked=True), refusal)

    def _decline_upgrade(self, rest: bytes) -> None:
        """It may be ignored (RFC 9110 section 7.8), but the parser would take the body for the other protocol."""
        assert self._parser is not None
        method, version = self._parser.get_method(), self._parser.get_http_version()
        if method == b"CONNECT":
            self._end_badly(no_proxy())
            return
        lines = [b"%b: %b\r\n" % header for header in self._headers if header[0] != b"upgrade"]
        head = b"%b %b HTTP/%b\r\n%b\r\n" % (method, self._url, version.encode("ascii"), b"".join(lines))
        self._parser = HttpRequestParser(self)
        self._bodiless_bytes = 0
        self.data_received(head + rest)

    def _look(self) -> None:
        """One timer serves all limits, and looks what is due when it fires."""
        transport, now = self._transport, self._loop.time()
        if transport is None:
            return
        limits = self._limits
        unsent = transport.get_write_buffer_size()
        if unsent != self._unsent_bytes:
            self._unsent_bytes, self._since = unsent, max(self._since, now)
        limit = limits.room_s if unsent else limits.request_s if self._receiving else limits.idle_s
        due = self._since + limit
        if self._exchange is not None or now < due:
            self._timer = self._loop.call_later(due - now if now < due else 1.0, self._look)
        elif self._receiving and not unsent:
            self._end_badly(too_slow())
        else:
            transport.abort()


def _report(error: Exception) -> None:
    """Where it happened. What an error quotes may be a secret."""
    sys.stderr.write(f"Ownkey failed: {type(error).__name__}\n{''.join(traceback.format_tb(error.__traceback__))}")


class _Refused(Exception):
    """Raised through the parser, which then stops."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.error.message)
        self.refusal = refusal
