"""Providers in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from asking import asking
from ownkey.talk.errors import EndpointNotAllowed, ProviderTimeout, UnexpectedResponse
from ownkey.talk.origin import Origin
from ownkey.transport import Deadlines, Transport


@dataclass
class Said:
    chunks: AsyncIterator[bytes]
    status: int = 200
    headers: dict[bytes, bytes] = field(default_factory=lambda: {b"content-type": b"text/plain"})


DEMO = Origin.parse("inside://demo")[0]


async def demo(method: bytes, target: bytes, body: bytes) -> Said:
    async def chunks() -> AsyncIterator[bytes]:
        for piece in (method, b"", target, body):
            yield piece
        if body == b"stall":
            await asyncio.Event().wait()

    if body == b"silence":
        await asyncio.Event().wait()
    return Said(chunks())


def test_a_provider_inside_is_asked_without_a_socket(run) -> None:
    async def main() -> None:
        transport = Transport(inside={"demo": demo})
        incoming = await transport.send(asking(0, origin=DEMO, body=b"hi"))
        assert (incoming.status, incoming.headers) == (200, {b"content-type": b"text/plain"})
        assert [await incoming.next() for _ in range(5)] == [b"POST", b"/v1/chat/completions", b"hi", b"", b""]
        with pytest.raises(UnexpectedResponse):
            await (await transport.send(asking(0, origin=DEMO, body=b"hi"))).read(10)

    run(main())


def test_a_provider_that_is_not_there_is_told(run) -> None:
    async def main() -> None:
        with pytest.raises(EndpointNotAllowed, match="inside://demo"):
            await Transport().send(asking(0, origin=DEMO))

    run(main())


def test_a_provider_inside_has_deadlines_too(run) -> None:
    async def main() -> None:
        transport = Transport(inside={"demo": demo})
        with pytest.raises(ProviderTimeout, match="to the first byte"):
            await transport.send(asking(0, origin=DEMO, body=b"silence"), Deadlines(headers_s=0.02))
        incoming = await transport.send(asking(0, origin=DEMO, body=b"stall"), Deadlines(idle_s=0.02))
        with pytest.raises(ProviderTimeout, match="between bytes") as late:
            await incoming.read(100)
        assert late.value.perhaps_billed
        assert await incoming.next() == b"", "it is over then"

    run(main())
