"""What stands at which path."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import unquote

from ownkey.app.house import House
from ownkey.engine.request import new_id
from ownkey.server.apis import Api
from ownkey.server.batching import Batching
from ownkey.server.consenting import Consenting
from ownkey.server.cross_origin import CrossOrigin
from ownkey.server.doors import Doors
from ownkey.server.events import Events
from ownkey.server.exchange import Exchange, Header
from ownkey.server.gateway import NOBODY, Gateway, no_token
from ownkey.server.guard import LOOPBACK, Head, caller_of, client_of, host_allowed, read_head
from ownkey.server.operations import BATCHED, MEDIA, Operations
from ownkey.server.pages import Pages
from ownkey.server.problems import headers_of
from ownkey.server.quoting import Quoting
from ownkey.server.streams import Streams
from ownkey.talk.errors import InvalidRequest, OwnkeyError, UnknownModel
from ownkey.talk.secret import clean
from ownkey.vault.page_tokens import BEGINS as PAGE_TOKEN
from ownkey.vault.tokens import Caller
from ownkey.wires.embedding import EmbeddingDoor, NamedEmbed
from ownkey.wires.models import FORMS
from ownkey.wires.wire import Door, Named, spoken, wire

Handler = Callable[[Exchange, Head], Awaitable[None]]

ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104

OPENAI, ANTHROPIC, GEMINI = "openai-chat", "anthropic-messages", "gemini"
DOORS: Mapping[str, str] = {
    "/v1/chat/completions": OPENAI,
    "/v1/responses": "openai-responses",
    "/v1/messages": ANTHROPIC,
}
"""The wire that is spoken at each path. Gemini's stands in `_GEMINI`, for there the path names the model."""

_ID_HEADERS: Mapping[str, bytes] = {ANTHROPIC: b"request-id"}
# Some clients leave `models/` out before a name with a slash.
_GEMINI = re.compile(r"/v1(?:beta)?/(?:models/)?(.+):([A-Za-z]+)")
_MODEL = re.compile(r"/v1(beta)?/models(?:/([^:]+))?")
# Google's clients may put a key there. Addresses stand in the logs of whatever passes them on.
_TOKEN = re.compile(r"(?:^|&)(?:key|api[_-]key|token|access_token)=", re.IGNORECASE)
_GATEWAY = "/v1"
"""Where a signed-in browser asks as its person; `/v1beta` too."""
_STREAMS: Mapping[str, bool] = {"generateContent": False, "streamGenerateContent": True}


class Site:
    """A table of paths over a house. Errors are in the form of the wire that is spoken at the path."""

    def __init__(self, house: House, pages: Pages | None = None) -> None:
        self._house = house
        self.doors = Doors(house, house.settings.public_origin)
        self._proxies = house.settings.trusted_proxies
        self._hosts = _allowed_hosts(house.settings.host) | self.doors.hosts
        self._cross_origin = CrossOrigin(house)
        self._api = Api(house, self.doors, self._cross_origin)
        self._pages = Pages() if pages is None else pages
        self._streams = Streams(house.tokens, self.doors.sign_in)
        self._consenting = Consenting(house)
        self._gateways: dict[str, Gateway] = {}
        self._routes: dict[tuple[str, str], Handler] = {
            ("POST", path): self._gateway(name).serve for path, name in DOORS.items()
        }
        self._routes["GET", "/health"] = _health
        self._operations = Operations(house.engine, house.tokens, self._consenting)
        self._routes["POST", "/v1/embeddings"] = self._embed("openai-embeddings")
        self._routes |= {("POST", path): self._media(operation) for path, operation in MEDIA.items()}
        self._batching = Batching(house)
        self._quoting = Quoting(house)
        self._routes["POST", "/api/byok/quote"] = self._quote
        self._routes["GET", "/api/events"] = Events(house, self.doors).serve
        self._routes["POST", "/v1/messages/count_tokens"] = self._count(ANTHROPIC)

    async def serve(self, exchange: Exchange) -> None:
        """Answers any request."""
        try:
            if exchange.query and _TOKEN.search(exchange.query):
                raise _token_in_address()
            head = read_head(exchange.headers)
            if self._proxies:
                exchange.client = client_of(exchange, self._proxies)
            handler = self._routes.get((exchange.method, exchange.path)) or self._with_name(exchange)
            if not host_allowed(head.host, self._hosts):
                self._no_route(exchange, 421, "This server does not answer for that host.", "Ask for 127.0.0.1.")
            elif exchange.method == "OPTIONS" and (told := self._cross_origin.preflight(exchange)) is not None:
                exchange.answer(200, b"", told, None)
            elif handler is None and exchange.path.startswith("/api/"):
                await self._api.serve(exchange, head)
            elif handler is None:
                if not await self._pages.serve(exchange):
                    self._not_found(exchange)
            else:
                if head.cookie is not None and exchange.path.startswith(_GATEWAY) and self.doors.is_browser(head):
                    await asyncio.to_thread(self.doors.signs_in, exchange, head)
                    if exchange.gone:
                        return
                await handler(exchange, head)
        except OwnkeyError as error:
            if exchange.begun:
                raise
            self.refuse(exchange, error)

    def refuse(self, exchange: Exchange, error: OwnkeyError, status: int | None = None) -> None:
        more = self._cross_origin.headers(exchange) if exchange.path.startswith("/api/") else ()
        self._gateway(spoken_at(exchange.path)).refuse(exchange, error, new_id(), status, more)

    def _gateway(self, name: str) -> Gateway:
        if name not in self._gateways:
            door = wire(name)
            assert isinstance(door, Door)
            self._gateways[name] = Gateway(
                self._house.engine, self._house.tokens, self._streams, door, self._consenting, _ID_HEADERS.get(name)
            )
        return self._gateways[name]

    def _embed(self, name: str, named: NamedEmbed | None = None) -> Handler:
        door = spoken(name)
        assert isinstance(door, EmbeddingDoor)
        return lambda exchange, head: self._operations.embed(exchange, head, door, named)

    def _media(self, operation: str) -> Handler:
        door = wire(OPENAI)
        assert isinstance(door, Door)
        return lambda exchange, head: self._operations.media(exchange, head, door, operation)

    def _count(self, name: str, named: Named | None = None) -> Handler:
        door = wire(name)
        assert isinstance(door, Door)
        return lambda exchange, head: self._operations.count(exchange, head, door, named)

    async def _quote(self, exchange: Exchange, head: Head) -> None:
        if head.token is not None and head.token.startswith(PAGE_TOKEN):
            principal = await asyncio.to_thread(self.doors.known, exchange, head)
            caller: Caller | None = Caller(principal.owner, principal.token_id, principal.scope)
        else:
            if self.doors.is_browser(head):
                await asyncio.to_thread(self.doors.signs_in, exchange, head, asks=False)
            caller = caller_of(exchange, head, self._house.tokens)
        if caller is None:
            raise no_token()
        await self._quoting.serve(exchange, head, caller, self._cross_origin.headers(exchange))

    def _with_name(self, exchange: Exchange) -> Handler | None:
        """The handler of a path that names a model."""
        if exchange.method == "POST" and (found := _GEMINI.fullmatch(exchange.path)) and found[2] in _STREAMS:
            sse = "alt=sse" in exchange.query.split("&")
            named = Named(unquote(found[1]), _STREAMS[found[2]], sse)
            return lambda exchange, head: self._gateway(GEMINI).serve(exchange, head, named)
        if exchange.method == "POST" and (found := _GEMINI.fullmatch(exchange.path)):
            return self._operation(unquote(found[1]), found[2])
        if exchange.method == "GET" and (found := _MODEL.fullmatch(exchange.path)):
            form, model = GEMINI if found[1] else None, unquote(found[2] or "")
            return lambda exchange, head: self._models(exchange, head, form, model)
        return self._batching.find(exchange.method, exchange.path)

    def _operation(self, model: str, verb: str) -> Handler | None:
        if verb in BATCHED:
            return self._embed("gemini-embeddings", NamedEmbed(model, BATCHED[verb]))
        if verb == "countTokens":
            return self._count(GEMINI, Named(model, False))
        return None

    async def _models(self, exchange: Exchange, head: Head, form: str | None, model: str) -> None:
        caller = caller_of(exchange, head, self._house.tokens)
        owner, scope = (caller.owner, caller.scope) if caller else (NOBODY, None)
        listed = self._house.engine.listed(owner, demo_only=caller is None, scope=scope)
        many, one = FORMS[form or (ANTHROPIC if head.anthropic else OPENAI)]
        if not model:
            exchange.answer_json(200, many(listed), [])
            return
        found = next((known for known in listed if known.id == model), None)
        if found is None:
            shown = clean(model, limit=80)
            raise UnknownModel(f"There is no model {shown!r} here.", "GET /v1/models lists those there are.")
        exchange.answer_json(200, one(found), [])

    def _not_found(self, exchange: Exchange) -> None:
        allowed = [method for method, path in self._routes if path == exchange.path]
        allowed += [*self._batching.allowed(exchange.path), *self._pages.allowed(exchange.path)]
        if _MODEL.fullmatch(exchange.path):
            allowed.append("GET")
        elif _GEMINI.fullmatch(exchange.path):
            allowed.append("POST")
        if allowed and exchange.method not in allowed:
            says = f"{exchange.path} does not take {exchange.method}."
            self._no_route(exchange, 405, says, "", (b"allow", ", ".join(allowed).encode("ascii")))
        else:
            self._no_route(exchange, 404, "There is nothing at this path.", "Clients speak to /v1 or /v1beta.")

    def _no_route(self, exchange: Exchange, status: int, message: str, hint: str, *headers: Header) -> None:
        error = InvalidRequest(message, hint)
        door = wire(spoken_at(exchange.path))
        assert isinstance(door, Door)
        more = self._cross_origin.headers(exchange) if exchange.path.startswith("/api/") else ()
        exchange.answer_json(status, door.write_error(error, status), [*headers_of(error), *headers, *more])


def spoken_at(path: str) -> str:
    """The wire in whose form a path answers."""
    if path.startswith("/v1beta/") or _GEMINI.fullmatch(path):
        return GEMINI
    return ANTHROPIC if path.startswith("/v1/messages") else DOORS.get(path, OPENAI)


def _token_in_address() -> InvalidRequest:
    return InvalidRequest(
        "A token does not belong in an address: it stays in logs. Take it for known, and revoke it.",
        "Send it as `Authorization: Bearer TOKEN`, `x-api-key` or `x-goog-api-key`.",
        param="key",
    )


async def _health(exchange: Exchange, head: Head) -> None:
    exchange.answer_json(200, {"status": "ok"}, [])


def _allowed_hosts(host: str) -> frozenset[bytes]:
    """The names by which a server at this address may be asked. One that listens everywhere is known by no more than
    the others: what it is called elsewhere stands in the settings."""
    if host in ANY_ADDRESS:
        return LOOPBACK
    name = f"[{host}]" if ":" in host else host
    return LOOPBACK | {name.lower().encode("ascii", "ignore")}
