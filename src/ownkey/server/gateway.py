"""The hot path: a client's request in its own wire, and the answer in the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from ownkey.engine.answer import ByteStream, EventStream, Whole
from ownkey.engine.engine import Engine
from ownkey.engine.request import Request, new_id
from ownkey.server.guard import HeaderList, caller_of, check_body_headers
from ownkey.server.problems import headers_of, status_of
from ownkey.server.respond import PRIVATE, Receive, Send, read_body, respond, respond_json
from ownkey.talk.errors import InvalidToken, Overloaded, OwnkeyError, TooLarge
from ownkey.talk.money import show_usd
from ownkey.talk.reply import Receipt
from ownkey.vault.tokens import Caller, Tokens
from ownkey.wires.wire import Ask, Door

MAX_BODY_BYTES = 10 << 20
ACCEPT_PRICE = b"x-ownkey-accept-unknown-price"
NOBODY = ""

ResponseHeaders = list[tuple[bytes, bytes]]


class Gateway:
    """Serves one door."""

    def __init__(self, engine: Engine, tokens: Tokens, door: Door) -> None:
        self._engine = engine
        self._tokens = tokens
        self._door = door

    async def serve(self, headers: HeaderList, receive: Receive, send: Send) -> None:
        """One request, whole or streamed. Every OwnkeyError is answered in the door's own form."""
        request_id = new_id()
        try:
            caller = caller_of(headers, self._tokens)
            check_body_headers(headers)
            body = await read_body(receive, MAX_BODY_BYTES)
            if body is None:
                raise TooLarge(f"The body is over {MAX_BODY_BYTES >> 20} MiB.", "Send less in one request.")
            ask = self._door.read_ask(body)
            request = self._request(request_id, caller, ask, headers)
            if ask.stream:
                await self._streamed(receive, send, request, ask)
                return
            answer = await self._engine.run(request)
        except OwnkeyError as error:
            await self.refuse(send, error, request_id)
            return
        except asyncio.CancelledError:
            await self.refuse(send, _stopping(), request_id)
            return
        assert isinstance(answer, Whole)
        await self._whole(send, answer)

    async def refuse(self, send: Send, error: OwnkeyError, request_id: str) -> None:
        headers = [(b"x-request-id", request_id.encode()), *headers_of(error)]
        await respond_json(send, status_of(error), self._door.write_error(error), headers)

    def _request(self, request_id: str, caller: Caller | None, ask: Ask, headers: HeaderList) -> Request:
        if caller is None and not self._engine.is_demo(NOBODY, ask.model):
            raise InvalidToken(
                "No token came with this request; without one only the demo answers.",
                "Make one with `ownkey tokens create NAME` and send it as `Authorization: Bearer TOKEN`, "
                "or ask for the model `demo`.",
            )
        return Request(
            request_id,
            caller.owner if caller else NOBODY,
            ask.model,
            ask.stream,
            token_id=caller.token_id if caller else None,
            door=self._door,
            ask=ask,
            price_accepted=any(name == ACCEPT_PRICE and value.lower() == b"yes" for name, value in headers),
        )

    async def _whole(self, send: Send, answer: Whole) -> None:
        body = answer.body
        if body is None:
            assert answer.reply is not None
            body = self._door.write_reply(answer.reply, answer.receipt.model)
        warnings = answer.reply.warnings if answer.reply is not None else ()
        await respond(send, 200, body, _headers(answer.receipt, warnings))

    async def _streamed(self, receive: Receive, send: Send, request: Request, ask: Ask) -> None:
        """The server does not tell a running handler that its client is gone; so somebody listens for it, from before
        the first try: a provider may be silent for long."""
        task = asyncio.current_task()
        assert task is not None
        gone = asyncio.ensure_future(receive())
        gone.add_done_callback(lambda done: None if done.cancelled() else task.cancel())
        stream: ByteStream | EventStream | None = None
        try:
            answer = await self._engine.run(request)
            assert not isinstance(answer, Whole)
            stream = answer
            await self._pass(send, stream, ask)
        except asyncio.CancelledError:
            if gone.done():
                return
            if stream is None:
                raise
            last = self._door.writer(ask, stream.target.model).fail(_stopping())
            await send({"type": "http.response.body", "body": last})
        finally:
            if stream is not None:
                stream.close()
            gone.cancel()

    async def _pass(self, send: Send, stream: ByteStream | EventStream, ask: Ask) -> None:
        writer = self._door.writer(ask, stream.target.model)
        start: ResponseHeaders = [(b"content-type", b"text/event-stream; charset=utf-8"), PRIVATE]
        headers = start + _headers(stream.receipt(), stream.warnings)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        last = b""
        try:
            while (piece := await stream.next()) is not None:
                data = piece if isinstance(piece, bytes) else b"".join(map(writer.write, piece))
                if data:
                    await send({"type": "http.response.body", "body": data, "more_body": True})
            if stream.in_events:
                last = writer.end()
        except OwnkeyError as error:
            last = writer.fail(error)
        await send({"type": "http.response.body", "body": last})


def _stopping() -> Overloaded:
    """Where a handler is cancelled and the client is there, the server is done with waiting for it."""
    return Overloaded("Ownkey is stopping.", "Ask again in a moment.")


def _headers(receipt: Receipt, warnings: Iterable[str]) -> ResponseHeaders:
    headers = [
        (b"x-request-id", receipt.request_id.encode()),
        (b"x-ownkey-provider", receipt.provider.encode()),
        (b"x-ownkey-model", receipt.model.encode("ascii", "backslashreplace")),
        (b"x-ownkey-attempts", b"%d" % receipt.attempts),
    ]
    if receipt.cost is not None:
        headers.append((b"x-ownkey-cost-usd", show_usd(receipt.cost.nano_usd).encode()))
    headers += [(b"x-ownkey-warning", text.encode("ascii", "backslashreplace")) for text in warnings]
    return headers
