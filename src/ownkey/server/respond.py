"""Answers of one piece."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

JSON = (b"content-type", b"application/json")
PRIVATE = (b"cache-control", b"no-store")


async def respond(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    """One whole JSON answer; nothing of it may be kept by a cache."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [JSON, PRIVATE, length, *headers]})
    await send({"type": "http.response.body", "body": body})


async def respond_json(send: Send, status: int, value: object, headers: list[tuple[bytes, bytes]]) -> None:
    await respond(send, status, msgspec.json.encode(value), headers)


async def read_body(receive: Receive, limit: int) -> bytes | None:
    """The whole body; None where it is longer than `limit` bytes or the client went away."""
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body") and message["type"] == "http.request":
        return body if len(body) <= limit else None
    pieces, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] != "http.request":
            return None
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > limit:
            return None
    return b"".join(pieces)
