"""The simulator on a port: HTTP/1.1 with keep-alive, on plain sockets, so that every fault is exact."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import httptools

from ownkey.simulate import anthropic_batches, batches
from ownkey.simulate.answers import Request, answer
from ownkey.simulate.faults import HEADER, HEALTHY, Fault, Turns, read, split
from ownkey.simulate.script import End, Step, plain, script, unreadable
from ownkey.talk.errors import BadConfiguration

_CACHED_BODY_BYTES = 16_384
_CACHED_ANSWERS = 256
_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
# What an answer depends on; with the method, the target and the body it names a prepared one.
_MATTER = (b"authorization", b"api-key", b"x-api-key", b"x-goog-api-key", b"anthropic-version")


@dataclass(slots=True)
class Seen:
    """A request that came. Times are the monotonic clock's; `ended_at_s` is None while the answer is under way.

    `closed_early`: the client went before the simulator had sent what it was going to send.
    `connection` counts connections from 1. Keys stand in `headers` as they came, so they are not shown.
    """

    method: str
    path: str
    headers: tuple[tuple[bytes, bytes], ...] = field(repr=False)
    body: bytes = field(repr=False)
    connection: int
    at_s: float
    ended_at_s: float | None = None
    closed_early: bool = False

    def header(self, name: str) -> str | None:
        """The value of the first header of that name, in any case."""
        wanted = name.lower().encode()
        return next((value.decode("latin-1") for key, value in self.headers if key.lower() == wanted), None)


class Server:
    """A running simulator: where it listens, what it saw, and how to end it."""

    def __init__(self, default: Fault, keys: bool, log_limit: int) -> None:
        self.log: deque[Seen] = deque(maxlen=log_limit)
        self.connections: set[Connection] = set()
        self.connected = 0
        self.host, self.port = "", 0
        self._listening: asyncio.Server | None = None
        self._default = default
        self._keys = keys
        self._turns = Turns()
        self._ready: dict[tuple[object, ...], bytes] = {}
        self._faults: dict[str, Fault] = {}
        self._batches = batches.Batches(keys=keys)
        self._message_batches = anthropic_batches.MessageBatches(keys=keys)
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    async def listen(self, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(lambda: Connection(self, loop), host, port, backlog=4096)
        self.host, self.port = self._listening.sockets[0].getsockname()[:2]

    async def idle(self) -> None:
        """Waits until no connection is open."""
        await self._empty.wait()

    async def aclose(self) -> None:
        """Ends every connection at once, and waits until they are gone."""
        if self._listening is not None:
            self._listening.close()
            for connection in tuple(self.connections):
                connection.abort()
            await self.idle()
            await self._listening.wait_closed()

    def joined(self, connection: Connection) -> int:
        """Counts it in; the connection's number, from 1."""
        self.connected += 1
        self.connections.add(connection)
        self._empty.clear()
        return self.connected

    def left(self, connection: Connection) -> None:
        self.connections.discard(connection)
        if not self.connections:
            self._empty.set()

    def steps(self, seen: Seen) -> bytes | tuple[Step, ...]:
        """What to do for a request: bytes to send at once, or steps."""
        headers = {name.lower(): value for name, value in seen.headers}
        asked, target = split(seen.path)
        asked = headers[HEADER].decode("latin-1") if HEADER in headers else asked
        try:
            fault = self._default if asked is None else self._fault(asked)
        except BadConfiguration as wrong:
            return unreadable(str(wrong))
        request = Request(seen.method, target, headers, seen.body)
        messages = anthropic_batches.concerns(target)
        if messages or batches.concerns(target):
            healthy = partial((self._message_batches if messages else self._batches).answer, request, fault)
            struck = fault != HEALTHY and self._turns.strikes(fault, time.monotonic())
            return script(request, fault, keys=self._keys, healthy=healthy) if struck else plain(healthy())
        if fault == HEALTHY or not self._turns.strikes(fault, time.monotonic()):
            return self._healthy(request)
        return script(request, fault, keys=self._keys)

    def _fault(self, text: str) -> Fault:
        if text not in self._faults:
            self._faults[text] = read(text)
        return self._faults[text]

    def _healthy(self, request: Request) -> bytes:
        if len(request.body) > _CACHED_BODY_BYTES:
            return plain(answer(request, keys=self._keys))
        name = (request.method, request.target, request.body, *map(request.headers.get, _MATTER))
        ready = self._ready.get(name)
        if ready is None:
            if len(self._ready) >= _CACHED_ANSWERS:
                self._ready.clear()
            ready = self._ready[name] = plain(answer(request, keys=self._keys))
        return ready


class Connection(asyncio.Protocol):
    """One client's connection: requests are answered in their order."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._loop = loop
        self._parser: Any = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[Seen, bool]] = deque()
        self._current: Seen | None = None
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._number = 0
        self.on_message_begin()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._socket: socket.socket = transport.get_extra_info("socket")
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._number = self._server.joined(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.left(self)
        self._writable.set()
        if self._current is not None:
            self._current.closed_early = True
            self._end_current()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError:
            raise
        except httptools.HttpParserError:
            self._transport.write(_BAD_REQUEST)
            self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        if any(name.lower() == b"expect" for name, _ in self._headers):
            self._transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        method, target = self._parser.get_method().decode(), self._target.decode("latin-1")
        body = b"".join(self._body)
        seen = Seen(method, target, tuple(self._headers), body, self._number, time.monotonic())
        self._server.log.append(seen)
        self._waiting.append((seen, self._parser.should_keep_alive()))
        self._go_on()

    # Answering.

    def _go_on(self) -> None:
        while self._waiting and self._current is None and not self._transport.is_closing():
            self._current, stays = self._waiting.popleft()
            steps = self._server.steps(self._current)
            if not isinstance(steps, bytes):
                self._task = self._loop.create_task(self._play(steps, stays))
                return
            self._transport.write(steps)
            self._end_current()
            if not stays:
                self._transport.close()

    async def _play(self, steps: tuple[Step, ...], stays: bool) -> None:
        for step in steps:
            if isinstance(step, bytes):
                await self._writable.wait()
                self._transport.write(step)
            elif not isinstance(step, End):
                if step > 0:
                    await asyncio.sleep(step)
            elif step is End.SILENCE:
                await self._loop.create_future()
            else:
                self._end_current()
                self._leave(step)
        self._end_current()
        self._task = None
        if not stays:
            self._transport.close()
        self._go_on()

    def _leave(self, how: End) -> None:
        if how is End.RESET:
            # With a linger time of nothing, closing sends RST and drops what was not sent (socket(7)).
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
        else:
            self._transport.close()

    def _end_current(self) -> None:
        if self._current is not None:
            self._current.ended_at_s = time.monotonic()
            self._current = None


async def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    default_fault: str | Fault = HEALTHY,
    *,
    keys: bool = True,
    log_limit: int = 10_000,
) -> Server:
    """Starts a simulator; port 0 takes a free one. `default_fault` holds where neither header nor path names one.

    `keys`: whether a key is required. Raises BadConfiguration for a fault that cannot be read, and OSError.
    """
    fault = read(default_fault) if isinstance(default_fault, str) else default_fault
    server = Server(fault, keys, log_limit)
    await server.listen(host, port)
    return server


def run(host: str, port: int, fault: str, announce: Callable[[Server], None]) -> None:
    """Serves until interrupted, and keeps no log. `announce` is called once it listens."""

    async def main() -> None:
        server = await serve(host, port, fault, log_limit=0)
        announce(server)
        try:
            await asyncio.Event().wait()
        finally:
            await server.aclose()

    try:
        import uvloop  # absent on Windows
    except ImportError:
        asyncio.run(main())
    else:
        uvloop.run(main())
