"""An ASGI application behind an exchange: whole requests in; answers out, whole or in pieces."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote

from ownkey.server.exchange import Exchange, Header

Message = MutableMapping[str, Any]
Application = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]


async def pass_on(application: Application, exchange: Exchange, state: dict[str, Any], *headers: Header) -> None:
    """Answers with what the application answers, and `headers`: whole, or piece by piece where it comes so. Raises what
    it raises."""
    begin: Message = {}
    pieces: list[bytes] = []
    received = [{"type": "http.request", "body": exchange.body, "more_body": False}]
    streams = False

    async def receive() -> Message:
        return received.pop() if received else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal begin, streams
        if message["type"] == "http.response.start":
            begin = message
            return
        piece, more = message.get("body", b""), message.get("more_body", False)
        if more and not streams and begin["status"] == 200:
            streams = True
            exchange.start([*_own(begin), *headers])
        if not streams:
            pieces.append(piece)
        elif more and piece:
            await exchange.write(piece)
        elif not more:
            exchange.end(piece)

    await application(_scope(exchange, state), receive, send)
    if not streams:
        own = _own(begin)
        kind = next((one for one in own if one[0] == b"content-type"), None)
        kept = [one for one in own if one[0] != b"content-type"]
        exchange.answer(begin["status"], b"".join(pieces), [*kept, *headers], kind)


def _own(begin: Message) -> list[Header]:
    return [one for one in begin.get("headers", ()) if one[0] != b"content-length"]


def _scope(exchange: Exchange, state: dict[str, Any]) -> Message:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": exchange.method,
        "scheme": "http",
        "path": unquote(exchange.path),
        "raw_path": exchange.path.encode("ascii", "replace"),
        "query_string": exchange.query.encode("ascii", "replace"),
        "root_path": "",
        "headers": exchange.headers,
        "client": (exchange.peer, 0),
        "server": None,
        "state": state,
    }
