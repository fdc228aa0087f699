"""What stands at which path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ownkey.app.house import House
from ownkey.engine.request import new_id
from ownkey.server.exchange import Exchange, Header
from ownkey.server.gateway import NOBODY, Gateway
from ownkey.server.guard import LOOPBACK, Head, caller_of, host_allowed, read_head
from ownkey.server.problems import headers_of
from ownkey.talk.errors import InvalidRequest, OwnkeyError
from ownkey.wires.wire import Door, wire

Handler = Callable[[Exchange, Head], Awaitable[None]]

ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104


class Site:
    """A table of paths over a house. Errors outside a door's own paths are in OpenAI's form too."""

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

    async def serve(self, exchange: Exchange) -> None:
        """Answers any request."""
        try:
            head = read_head(exchange.headers)
            handler = self._routes.get((exchange.method, exchange.path))
            if self._hosts is not None and not host_allowed(head.host, self._hosts):
                self._no_route(exchange, 421, "This server does not answer for that host.", "Ask for 127.0.0.1.")
            elif handler is None:
                self._not_found(exchange)
            else:
                await handler(exchange, head)
        except OwnkeyError as error:
            self.refuse(exchange, error)

    def refuse(self, exchange: Exchange, error: OwnkeyError, status: int | None = None) -> None:
        self._gateway.refuse(exchange, error, new_id(), status)

    async def _models(self, exchange: Exchange, head: Head) -> None:
        caller = caller_of(head, self._house.tokens)
        listed = self._house.engine.listed(caller.owner if caller else NOBODY, demo_only=caller is None)
        data = [{"id": name, "object": "model", "created": 0, "owned_by": name.partition("/")[0]} for name in listed]
        exchange.answer_json(200, {"object": "list", "data": data}, [])

    def _not_found(self, exchange: Exchange) -> None:
        allowed = [method for method, path in self._routes if path == exchange.path]
        if allowed:
            says = f"{exchange.path} does not take {exchange.method}."
            self._no_route(exchange, 405, says, "", (b"allow", ", ".join(allowed).encode("ascii")))
        else:
            self._no_route(exchange, 404, "There is nothing at this path.", "Clients speak to /v1.")

    def _no_route(self, exchange: Exchange, status: int, message: str, hint: str, *headers: Header) -> None:
        error = InvalidRequest(message, hint)
        exchange.answer_json(status, self._door.write_error(error, status), [*headers_of(error), *headers])


async def _health(exchange: Exchange, head: Head) -> None:
    exchange.answer_json(200, {"status": "ok"}, [])


def _allowed_hosts(host: str) -> frozenset[bytes] | None:
    if host in ANY_ADDRESS:
        return None
    name = f"[{host}]" if ":" in host else host
    return LOOPBACK | {name.lower().encode("ascii", "ignore")}
