"""Requests of `Transport` to a scripted server on this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from canaries import canary
from ownkey.talk.origin import Origin
from ownkey.transport import Incoming, Outgoing, Transport
from scripted import Script, Server, serve

KEY = canary("asking").encode()


def asking(
    port: int, *, host: str = "127.0.0.1", scheme: str = "http", pool: str = "key-1", **changes: Any
) -> Outgoing:
    fields: dict[str, Any] = {
        "method": b"POST",
        "origin": Origin(scheme, host, port),
        "target": b"/v1/chat/completions",
        "headers": ((b"authorization", b"Bearer " + KEY), (b"content-type", b"application/json")),
        "body": b'{"model":"m"}',
        "pool": pool,
    }
    return Outgoing(**fields | changes | {"headers": tuple(changes.get("headers", fields["headers"]))})


@asynccontextmanager
async def at(script: Script, **options: Any) -> AsyncIterator[tuple[Server, Transport]]:
    """A server with that script, and a transport that may go there."""
    async with serve(script) as server:
        transport = Transport(allow_private=[("127.0.0.1", server.port)], **options)
        try:
            yield server, transport
        finally:
            await transport.aclose()


async def once(raw: bytes, **options: Any) -> tuple[Incoming, bytes]:
    """The answer that a server gives which says `raw` to the first request and then hangs up."""

    async def script(peer: Any) -> None:
        await peer.request()
        await peer.send(raw)

    async with at(script, **options) as (server, transport):
        incoming = await transport.send(asking(server.port))
        return incoming, await incoming.read(1 << 30)
