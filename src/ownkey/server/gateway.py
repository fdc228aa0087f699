"""The hot path: a client's request in its own wire, and the answer in the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import lru_cache

from ownkey.engine.answer import AnyStream, Whole
from ownkey.engine.engine import Engine
from ownkey.engine.request import Request, new_id
from ownkey.server.consenting import Consenting
from ownkey.server.exchange import JSON, Exchange, Header
from ownkey.server.guard import Head, caller_of, check_body_is_json
from ownkey.server.problems import headers_of, status_of
from ownkey.server.streams import Streams, ended
from ownkey.talk.errors import ConsentRequired, InvalidToken, Overloaded, OwnkeyError
from ownkey.talk.money import show_usd
from ownkey.talk.reply import Receipt
from ownkey.vault.tokens import Caller, Tokens
from ownkey.wires.wire import Ask, Door, Named

NOBODY = ""

_EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")


class Gateway:
    """Serves one door. `id_header` is where its clients look for the id of a request, beside `x-request-id`."""

    def __init__(
        self,
        engine: Engine,
        tokens: Tokens,
        streams: Streams,
        door: Door,
        consenting: Consenting,
        id_header: bytes | None = None,
    ) -> None:
        self._engine = engine
        self._tokens = tokens
        self._streams = streams
        self._door = door
        self._consenting = consenting
        self._id_header = id_header

    async def serve(self, exchange: Exchange, head: Head, named: Named | None = None) -> None:
        """One request, whole or streamed; `named` where the path names the model. Every OwnkeyError is answered in the
        door's own form."""
        request_id = new_id()
        try:
            caller = caller_of(exchange, head, self._tokens)
            check_body_is_json(head)
            ask = self._door.read_ask(exchange.body, named)
            request = self._request(request_id, caller, ask, head)
            if ask.stream:
                await self._streamed(exchange, head, request, ask)
                return
            answer = await self._consenting.run(exchange, head, request, self._engine.run)
        except OwnkeyError as error:
            self.refuse(exchange, error, request_id)
            return
        except asyncio.CancelledError:
            if not exchange.begun:
                self.refuse(exchange, stopping(), request_id)
            raise
        assert isinstance(answer, Whole)
        self._whole(exchange, answer, request.chosen)

    def refuse(
        self,
        exchange: Exchange,
        error: OwnkeyError,
        request_id: str,
        status: int | None = None,
        more: Iterable[Header] = (),
    ) -> None:
        headers = [*self._ids(request_id), *headers_of(error), *more]
        status = status or status_of(error)
        exchange.answer_json(status, self._door.write_error(error, status), headers)

    def _request(self, request_id: str, caller: Caller | None, ask: Ask, head: Head) -> Request:
        if caller is None and not self._engine.is_demo(NOBODY, ask.model):
            raise no_token()
        return Request(
            request_id,
            caller.owner if caller else NOBODY,
            ask.model,
            ask.stream,
            token_id=caller.token_id if caller else None,
            door=self._door,
            ask=ask,
            price_accepted=head.price_accepted,
            over_accepted=head.over_accepted,
            automation=head.automation,
            headers=head.passed,
            hops=head.hops,
            scope=caller.scope if caller else None,
            carries=bool(head.carries) and ask.stream,
            carry_said=head.carries is not None,
            cache=head.cache,
            cache_ttl_s=head.cache_ttl_s,
        )

    def _ids(self, request_id: str) -> list[Header]:
        value = request_id.encode()
        headers = [(b"x-request-id", value)]
        if self._id_header is not None:
            headers.append((self._id_header, value))
        return headers

    def _headers(self, receipt: Receipt, warnings: Iterable[str], chosen: str | None) -> list[Header]:
        headers = [*self._ids(receipt.request_id), *told_of(receipt, warnings)]
        return [*headers, (b"x-ownkey-route", _one_line(chosen))] if chosen else headers

    def _whole(self, exchange: Exchange, answer: Whole, chosen: str | None) -> None:
        if answer.body is not None:
            exchange.answer(200, answer.body, self._headers(answer.receipt, answer.warnings, chosen))
            return
        assert answer.reply is not None
        body = self._door.write_reply(answer.reply, answer.receipt.model)
        exchange.answer(200, body, self._headers(answer.receipt, answer.reply.warnings, chosen))

    async def _streamed(self, exchange: Exchange, head: Head, request: Request, ask: Ask) -> None:
        """A client that hangs up ends it at once, also before the first try has answered."""
        task = asyncio.current_task()
        assert task is not None
        exchange.on_gone = task.cancel
        stream: AnyStream | None = None
        known = request.token_id is not None or head.session is not None
        watched = self._streams.begin(task, request.token_id, head.session) if known else None
        try:
            answer = await self._consenting.run(exchange, head, request, self._engine.run)
            assert not isinstance(answer, Whole)
            stream = answer
            await self._pass(exchange, request, stream, ask)
        except asyncio.CancelledError:
            if exchange.gone:
                return
            cut = watched if watched is not None and watched.cut else None
            why = stopping() if cut is None else ended(cut)
            if stream is not None:
                exchange.end(self._door.writer(ask, stream.target.model).fail(why, status_of(why)))
            elif cut is not None:
                self.refuse(exchange, why, request.id)
            if cut is None:
                raise
        finally:
            if watched is not None:
                self._streams.end(watched)
            if stream is not None:
                stream.close()

    async def _pass(self, exchange: Exchange, request: Request, stream: AnyStream, ask: Ask) -> None:
        writer = self._door.writer(ask, stream.target.model)
        exchange.start(
            [_EVENTS if ask.sse else JSON, *self._headers(stream.receipt(), stream.warnings, request.chosen)]
        )
        last = b""
        try:
            while (piece := await stream.next()) is not None:
                data = piece if isinstance(piece, bytes) else b"".join(map(writer.write, piece))
                if data:
                    await exchange.write(data)
            if stream.in_events:
                last = writer.end()
        except OwnkeyError as error:
            if isinstance(error, ConsentRequired):
                await self._consenting.complete(exchange, request, error)
            last = writer.fail(error, status_of(error))
        exchange.end(last)


def stopping() -> Overloaded:
    """Where a handler is cancelled and the client is there, the server is done with waiting for it."""
    return Overloaded("Ownkey is stopping.", "Ask again in a moment.")


def no_token() -> InvalidToken:
    return InvalidToken(
        "No token came with this request; without one only the demo answers.",
        "Make one with `ownkey tokens create NAME` and send it as `Authorization: Bearer TOKEN`, "
        "or ask for the model `demo`.",
    )


def told_of(receipt: Receipt, warnings: Iterable[str]) -> list[Header]:
    """Who answered, at the how manieth try, for how much, whether from the cache, and what could not be honoured."""
    headers = [*_who(receipt.provider, receipt.model), (b"x-ownkey-attempts", b"%d" % receipt.attempts)]
    if receipt.cost is not None:
        headers.append((b"x-ownkey-cost-usd", show_usd(receipt.cost.nano_usd).encode()))
    if receipt.cache is not None:
        headers.append((b"x-ownkey-cache", receipt.cache.encode()))
    if receipt.age_s is not None:
        headers.append((b"age", b"%d" % receipt.age_s))
    headers += [(b"x-ownkey-warning", _one_line(text)) for text in (*receipt.warnings, *warnings)]
    return headers


@lru_cache(maxsize=1024)
def _who(provider: str, model: str) -> tuple[Header, Header]:
    return (
        (b"x-ownkey-provider", provider.encode()),
        (b"x-ownkey-model", model.encode("ascii", "backslashreplace")),
    )


def _one_line(text: str) -> bytes:
    return text.replace("\r", " ").replace("\n", " ").encode("ascii", "backslashreplace")
