"""One request and its answer."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Protocol

import msgspec

Header = tuple[bytes, bytes]

JSON = (b"content-type", b"application/json")
PRIVATE = (b"cache-control", b"no-store")

_REASONS = {status.value: status.phrase.encode("ascii") for status in HTTPStatus}


class Line(Protocol):
    """Where an answer is written to. `peer` is the client's address."""

    @property
    def peer(self) -> str: ...

    def write(self, data: bytes) -> None: ...

    async def room(self) -> None:
        """Returns when the client has taken enough of what was written. Raises TimeoutError where it does not."""
        ...


class Exchange:
    """A whole request; its answer is given once, either by `answer`, or by `start`, `write` and `end`.

    `on_gone` is called when the client goes away before the answer has ended; what is written then goes nowhere.
    `on_stop`: when the server stops, which waits for answers that end by themselves.
    """

    __slots__ = (
        "_chunked",
        "_head",
        "_line",
        "_started",
        "body",
        "client",
        "ended",
        "gone",
        "headers",
        "keep",
        "method",
        "on_gone",
        "on_stop",
        "path",
        "query",
    )

    def __init__(
        self,
        line: Line,
        method: str,
        path: str,
        headers: list[Header],
        body: bytes,
        *,
        keep: bool,
        chunked: bool,
        query: str = "",
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.client: str | None = None
        self.keep = keep
        self.ended = False
        self.gone = False
        self.on_gone: Callable[[], object] | None = None
        self.on_stop: Callable[[], object] | None = None
        self._line = line
        self._chunked = chunked
        self._head = b""
        self._started = False

    @property
    def peer(self) -> str:
        """The client's address: `client`, where a proxy that is trusted has said it; else that which the connection is
        from, whatever a header says. Empty where it is not known."""
        return self._line.peer if self.client is None else self.client

    @property
    def begun(self) -> bool:
        """Whether something of an answer has been written."""
        return self.ended or (self._started and not self._head)

    def answer(
        self, status: int, body: bytes, headers: list[Header], kind: Header | None = JSON, kept: Header = PRIVATE
    ) -> None:
        """A whole answer, in JSON where no other `kind` is said; nothing of it may be kept by a cache, unless `kept`
        says for how long. To HEAD, and where a client has it already, the body is only measured (RFC 9110 section
        15.4.5)."""
        head = self._lines(status, [*([] if kind is None else [kind]), kept, *headers])
        self.ended = True
        shown = b"" if self.method == "HEAD" or status == 304 else body
        self._line.write(b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), shown))

    def answer_json(self, status: int, value: object, headers: list[Header]) -> None:
        self.answer(status, msgspec.json.encode(value), headers)

    def start(self, headers: list[Header]) -> None:
        """Status and headers of a stream; they leave with its first piece."""
        framing = b"transfer-encoding: chunked\r\n\r\n" if self._chunked else b"\r\n"
        self.keep = self.keep and self._chunked
        self._started = True
        self._head = self._lines(200, [PRIVATE, *headers]) + framing

    async def write(self, data: bytes) -> None:
        """A piece of a stream, not empty. Waits while the client is slow; raises TimeoutError where it is too slow."""
        self._line.write(self._head + self._framed(data))
        self._head = b""
        await self._line.room()

    def end(self, data: bytes = b"") -> None:
        """The end of a stream, with its last piece."""
        last = self._framed(data) if data else b""
        self.ended = True
        self._line.write(self._head + last + (b"0\r\n\r\n" if self._chunked else b""))

    def lost(self) -> None:
        """The client is gone."""
        if self.on_gone is not None and not (self.ended or self.gone):
            self.on_gone()
        self.gone = True

    def _framed(self, data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data

    def _lines(self, status: int, headers: list[Header]) -> bytes:
        first = b"HTTP/1.1 %d %b" % (status, _REASONS.get(status, b""))
        plain = self.keep and self._chunked
        lines = [first, *[b"%b: %b" % header for header in headers], b"" if plain else self._kept()]
        return b"\r\n".join(lines)

    def _kept(self) -> bytes:
        """A client of HTTP/1.0 waits for the end of the connection where it is not told that it is kept."""
        return b"connection: keep-alive\r\n" if self.keep else b"connection: close\r\n"
