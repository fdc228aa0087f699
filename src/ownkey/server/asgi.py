"""An ASGI application behind an exchange: whole requests in, whole answers out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote

from ownkey.server.exchange import Exchange, Header

Message = MutableMapping[str, Any]
Application = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]

_FRAMING = frozenset({b"content-length", b"content-type"})


async def pass_on(application: Application, exchange: Exchange, state: dict[str, Any], *headers: Header) -> None:
    """Answers with what the application answers, and `headers`; raises what it raises, having answered nothing."""
    sent: list[Message] = []
    received = [{"type": "http.request", "body": exchange.body, "more_body": False}]

    async def receive() -> Message:
        return received.pop() if received else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await application(_scope(exchange, state), receive, send)
    begin, *rest = sent
    own: list[Header] = list(begin.get("headers", ()))
    kind = next(((name, value) for name, value in own if name == b"content-type"), None)
    body = b"".join(message.get("body", b"") for message in rest)
    kept = [one for one in own if one[0] not in _FRAMING]
    exchange.answer(begin["status"], body, [*kept, *headers], kind)


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
