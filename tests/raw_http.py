"""A client that tells exactly what came over a connection, and how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass, field
from typing import Any, Literal

import httptools

from canaries import canary

KEY = canary("raw")
KEYS = {
    "authorization": f"Bearer {KEY}",
    "x-api-key": KEY,
    "x-goog-api-key": KEY,
    "anthropic-version": "2023-06-01",
}


@dataclass
class Came:
    """`ended`: `whole` as HTTP wants it, `closed` or `reset` before that, `silent` when patience ran out.

    `chunks` are those of a chunked body; `times_s` when each came, after the request was sent.
    """

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    chunks: list[bytes] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    head_s: float = 0
    ended: Literal["whole", "closed", "reset", "silent"] = "closed"

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[Any]:
        """The data of every server-sent event that is JSON."""
        lines = self.body.decode().replace("\r\n", "\n").split("\n")
        data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
        return [json.loads(each) for each in data if each != "[DONE]"]


class _Reader:
    def __init__(self) -> None:
        self.came = Came()
        self.done = False
        self.start_s = time.monotonic()
        self.parser = httptools.HttpResponseParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.came.headers[name.decode().lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.came.status = self.parser.get_status_code()
        self.came.head_s = time.monotonic() - self.start_s

    def on_body(self, body: bytes) -> None:
        self.came.body += body
        self.came.times_s.append(time.monotonic() - self.start_s)

    def on_chunk_header(self) -> None:
        self._from = len(self.came.body)

    def on_chunk_complete(self) -> None:
        if chunk := self.came.body[self._from :]:
            self.came.chunks.append(chunk)

    def on_message_complete(self) -> None:
        self.done = True


class Line:
    """One connection, for as many requests as it lives."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def to(cls, port: int) -> Line:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    def send(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> None:
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", "host: localhost", f"content-length: {len(content)}"]
        lines += [f"{name}: {value}" for name, value in (KEYS if headers is None else headers).items()]
        self._writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)

    def send_raw(self, data: bytes) -> None:
        self._writer.write(data)

    async def read(self, patience_s: float = 10) -> Came:
        reader = _Reader()
        try:
            async with asyncio.timeout(patience_s):
                while not reader.done and (data := await self._reader.read(1 << 16)):
                    reader.parser.feed_data(data)
        except TimeoutError:
            reader.came.ended = "silent"
        except ConnectionResetError:
            reader.came.ended = "reset"
        if reader.done:
            reader.came.ended = "whole"
        return reader.came

    async def rest(self) -> bytes:
        """Every byte until the connection ends."""
        return await asyncio.wait_for(self._reader.read(), 10)

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


async def ask(
    port: int,
    path: str,
    body: Any = None,
    headers: dict[str, str] | None = None,
    *,
    method: str | None = None,
    patience_s: float = 10,
) -> Came:
    """One request on a connection of its own."""
    line = await Line.to(port)
    line.send(method or ("GET" if body is None else "POST"), path, body, headers)
    try:
        return await line.read(patience_s)
    finally:
        await line.close()
