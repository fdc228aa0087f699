"""The application as a server sees it: a table of paths, and the life of the house around it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from ownkey.app.house import House
from ownkey.engine.request import new_id
from ownkey.server.gateway import Gateway
from ownkey.server.guard import LOOPBACK, HeaderList, caller_of, host_allowed
from ownkey.server.problems import headers_of
from ownkey.server.respond import Receive, Send, respond_json
from ownkey.talk.errors import InvalidRequest, OwnkeyError
from ownkey.wires.wire import Door, wire

Scope = dict[str, Any]
Handler = Callable[[HeaderList, Receive, Send], Awaitable[None]]

ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104


class App:
    """An ASGI application over a house. `allowed_hosts`: None where every Host header is taken."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._hosts = _allowed_hosts(house.settings.host)
        door = wire("openai-chat")
        assert isinstance(door, Door)
        self._door = door
        self._gateway = Gateway(house.engine, house.tokens, door)
        self._routes: dict[tuple[str, str], Handler] = {
            ("POST", "/v1/chat/completions"): self._gateway.serve,
            ("GET", "/v1/models"): self._models,
            ("GET", "/health"): _health,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            # Told to stop a second time, the server waits for nothing: what is held then, the next start ends.
            with contextlib.suppress(asyncio.CancelledError):
                await self._live(receive, send)
            return
        if scope["type"] != "http":
            return
        headers: HeaderList = scope["headers"]
        handler = self._routes.get((scope["method"], scope["path"]))
        if handler is None or (self._hosts is not None and not host_allowed(headers, self._hosts)):
            await self._no_route(scope, send, known=handler is not None)
            return
        try:
            await handler(headers, receive, send)
        except OwnkeyError as error:
            await self._gateway.refuse(send, error, new_id())

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    await self._house.start()
                except OwnkeyError as error:
                    print(error, file=sys.stderr)  # noqa: T201
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                await send({"type": "lifespan.startup.complete"})
            else:
                await self._house.aclose()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _models(self, headers: HeaderList, receive: Receive, send: Send) -> None:
        caller = caller_of(headers, self._house.tokens)
        listed = self._house.engine.listed(caller.owner if caller else "", demo_only=caller is None)
        data = [{"id": name, "object": "model", "created": 0, "owned_by": name.partition("/")[0]} for name in listed]
        await respond_json(send, 200, {"object": "list", "data": data}, [])

    async def _no_route(self, scope: Scope, send: Send, *, known: bool) -> None:
        if known:
            status, error = 421, InvalidRequest("This server does not answer for that host.", "Ask for 127.0.0.1.")
        elif any(path == scope["path"] for _, path in self._routes):
            status, error = 405, InvalidRequest(f"{scope['path']} does not take {scope['method']}.")
        else:
            status, error = 404, InvalidRequest("There is nothing at this path.", "Clients speak to /v1.")
        await respond_json(send, status, self._door.write_error(error), headers_of(error))


async def _health(headers: HeaderList, receive: Receive, send: Send) -> None:
    await respond_json(send, 200, {"status": "ok"}, [])


def _allowed_hosts(host: str) -> frozenset[bytes] | None:
    if host in ANY_ADDRESS:
        return None
    name = f"[{host}]" if ":" in host else host
    return LOOPBACK | {name.lower().encode("ascii", "ignore")}
