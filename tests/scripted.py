"""A server that says exactly the bytes it is told to, when it is told to, and remembers what it heard.

    async def script(peer):
        request = await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\n", b"ok")

    async with serve(script) as server:
        ...server.port, server.peers[0].requests

The script runs once for each connection; when it returns, the connection is closed. What goes wrong in a script other
than a broken connection is raised when the server closes.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from socket import SO_LINGER, SOL_SOCKET


@dataclass
class Request:
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    head: bytes

    def header(self, name: str) -> str | None:
        """The value of the header that has this name in lower case, where it came once."""
        values = [value for key, value in self.headers if key.lower() == name]
        return values[0] if len(values) == 1 else None


@dataclass
class Peer:
    """One connection, `number` counted from 0. `gone` is set when the other side has closed it."""

    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    requests: list[Request] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def request(self) -> Request:
        """The next request, whole. Raises ConnectionError where the connection ends instead."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")[:-2]
            headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
            length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
            body = await self.reader.readexactly(length)
        except asyncio.IncompleteReadError as error:
            raise ConnectionError("closed") from error
        method, target, _ = first.split(" ")
        self.requests.append(Request(method, target, headers, body, head))
        return self.requests[-1]

    async def send(self, *steps: bytes | float) -> None:
        """Bytes are written at once, a number is a pause in seconds."""
        for step in steps:
            if isinstance(step, bytes):
                self.writer.write(step)
                await self.writer.drain()
            else:
                await asyncio.sleep(step)

    async def until_gone(self) -> None:
        """Until the other side closes the connection; what it sends is dropped."""
        try:
            while await self.reader.read(65_536):
                pass
        finally:
            self.gone.set()

    def reset(self) -> None:
        """Close with a TCP reset."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


@dataclass
class Server:
    port: int
    peers: list[Peer] = field(default_factory=list)

    @property
    def requests(self) -> list[Request]:
        return [request for peer in self.peers for request in peer.requests]


@asynccontextmanager
async def serve(
    script: Script, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Server]:
    running: set[asyncio.Task[None]] = set()
    errors: list[BaseException] = []

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        peer = Peer(len(server.peers), reader, writer)
        server.peers.append(peer)
        try:
            await script(peer)
        except (ConnectionError, asyncio.CancelledError, ssl.SSLError):
            pass
        except BaseException as error:  # noqa: BLE001 - raised again when the server closes
            errors.append(error)
        finally:
            peer.gone.set()
            writer.close()
            running.discard(task)

    listening = await asyncio.start_server(one, host, port, ssl=tls)
    server = Server(listening.sockets[0].getsockname()[1])
    try:
        yield server
    finally:
        listening.close()
        for task in list(running):
            task.cancel()
        if running:
            await asyncio.wait(list(running), timeout=1)
        await asyncio.sleep(0)
    if errors:
        raise errors[0]


def answer(body: bytes = b"", status: int = 200, *headers: str) -> bytes:
    """A whole answer with its length."""
    lines = [f"HTTP/1.1 {status} Status", f"content-length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def always(peer: Peer, reply: bytes = answer(b"ok")) -> None:
    """A script that gives every request the same answer."""
    while True:
        await peer.request()
        await peer.send(reply)
