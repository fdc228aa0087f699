"""Providers that live in this process: the demo, and those of tests. No socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

from ownkey.talk.origin import Origin
from ownkey.transport.answer import Incoming
from ownkey.transport.connection import too_slow
from ownkey.transport.request import Deadlines, Outgoing


class InsideAnswer(Protocol):
    """`headers` with names in lower case; `chunks` is the body."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> dict[bytes, bytes]: ...
    @property
    def chunks(self) -> AsyncIterator[bytes]: ...


Inside = Callable[[bytes, bytes, bytes], Awaitable[InsideAnswer]]
"""Method, target and body to an answer."""


async def ask(provider: Inside, out: Outgoing, deadlines: Deadlines) -> Incoming:
    try:
        async with asyncio.timeout(deadlines.headers_s):
            answer = await provider(out.method, out.target, out.body)
    except TimeoutError:
        raise too_slow(out.origin, f"to the first byte, {deadlines.headers_s:g} s", asked=True) from None
    return _Given(answer, out.origin, deadlines)


class _Given(Incoming):
    __slots__ = ("_chunks", "_deadlines", "_origin")

    def __init__(self, answer: InsideAnswer, origin: Origin, deadlines: Deadlines) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self._chunks: AsyncIterator[bytes] | None = answer.chunks
        self._origin = origin
        self._deadlines = deadlines

    async def next(self) -> bytes:
        if self._chunks is None:
            return b""
        try:
            async with asyncio.timeout(self._deadlines.idle_s):
                async for chunk in self._chunks:
                    if chunk:
                        return chunk
        except TimeoutError:
            self.close()
            raise too_slow(
                self._origin, f"between bytes, {self._deadlines.idle_s:g} s", self.status, asked=True
            ) from None
        self.close()
        return b""

    def close(self) -> None:
        self._chunks = None
