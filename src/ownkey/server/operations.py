"""What is no chat, at its paths: a client's request in, the answer in the same wire out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol, TypeVar

from ownkey.engine.call import Call, Work
from ownkey.engine.counting import Count
from ownkey.engine.embed import EmbedWork
from ownkey.engine.engine import Engine
from ownkey.engine.media import MediaWork
from ownkey.engine.request import new_id
from ownkey.server.consenting import Consenting
from ownkey.server.exchange import JSON, Exchange, Header
from ownkey.server.gateway import NOBODY, no_token, stopping, told_of
from ownkey.server.guard import Head, caller_of, check_body_is_json, check_body_is_plain
from ownkey.server.problems import headers_of, status_of
from ownkey.talk.errors import OwnkeyError
from ownkey.talk.reply import Receipt
from ownkey.vault.tokens import Caller, Tokens
from ownkey.wires.embedding import EmbeddingDoor, NamedEmbed
from ownkey.wires.media import read_media_ask
from ownkey.wires.wire import Counter, Door, Named

Result = TypeVar("Result")

MEDIA: Mapping[str, str] = {
    "/v1/images/generations": "images",
    "/v1/images/edits": "image_edits",
    "/v1/audio/speech": "speech",
    "/v1/audio/transcriptions": "transcriptions",
    "/v1/audio/translations": "translations",
    "/v1/moderations": "moderations",
    "/v1/rerank": "rerank",
}
"""The operation at each path; all are spoken in OpenAI's form."""

BATCHED: Mapping[str, bool] = {"embedContent": False, "batchEmbedContents": True}
"""Gemini's verbs for embeddings, and whether they ask for a list."""

_NO_SNIFFING = (b"x-content-type-options", b"nosniff")


class Form(Protocol):
    """The wire of a path, as far as it says an error."""

    def write_error(self, error: OwnkeyError, status: int) -> dict[str, object]: ...


class Operations:
    """Handlers of a request each. Every OwnkeyError is answered in the form of the path's wire."""

    def __init__(self, engine: Engine, tokens: Tokens, consenting: Consenting) -> None:
        self._consenting = consenting
        self._engine = engine
        self._tokens = tokens

    async def embed(self, exchange: Exchange, head: Head, door: EmbeddingDoor, named: NamedEmbed | None = None) -> None:
        async def answer(request_id: str, caller: Caller | None) -> None:
            check_body_is_json(head)
            ask = door.read_embed_ask(exchange.body, named)
            call = self._call(request_id, caller, head, ask.model, EmbedWork(door=door, ask=ask))
            vectors = await self._consenting.run(exchange, head, call, self._engine.call)
            assert vectors.body is not None
            exchange.answer(200, vectors.body, _headers(vectors.receipt, vectors.warnings))

        await self._answered(exchange, head, door, answer)

    async def media(self, exchange: Exchange, head: Head, door: Form, operation: str) -> None:
        async def answer(request_id: str, caller: Caller | None) -> None:
            check_body_is_plain(head)
            content_type = head.content_type or b""
            if not content_type.lower().startswith(b"multipart/form-data"):
                check_body_is_json(head)
            ask = read_media_ask(operation, exchange.body, content_type)
            call = self._call(request_id, caller, head, ask.model, MediaWork(ask))
            passed = await self._consenting.run(exchange, head, call, self._engine.call)
            headers = [*_headers(passed.receipt, ()), _NO_SNIFFING]
            exchange.answer(200, passed.body, headers, (JSON[0], passed.content_type))

        await self._answered(exchange, head, door, answer)

    async def count(self, exchange: Exchange, head: Head, door: Door, named: Named | None = None) -> None:
        async def answer(request_id: str, caller: Caller | None) -> None:
            check_body_is_json(head)
            assert isinstance(door, Counter)
            ask = door.read_count_ask(exchange.body, named)
            owner = self._owner(caller, ask.model)
            token_id, scope = (caller.token_id, caller.scope) if caller else (None, None)
            asked = Count(request_id, owner, door, ask, head.hops, token_id, scope)
            counted = await self._consenting.run(exchange, head, asked, self._engine.count)
            exchange.answer(200, door.write_count_reply(counted.tokens), _headers(counted.receipt, counted.warnings))

        await self._answered(exchange, head, door, answer)

    async def _answered(
        self,
        exchange: Exchange,
        head: Head,
        form: Form,
        answer: Callable[[str, Caller | None], Awaitable[None]],
    ) -> None:
        request_id = new_id()
        try:
            await answer(request_id, caller_of(exchange, head, self._tokens))
        except OwnkeyError as error:
            _refuse(exchange, form, error, request_id)
        except asyncio.CancelledError:
            if not exchange.begun:
                _refuse(exchange, form, stopping(), request_id)
            raise

    def _call(self, request_id: str, caller: Caller | None, head: Head, model: str, work: Work[Result]) -> Call[Result]:
        owner = self._owner(caller, model)
        return Call(
            request_id,
            owner,
            model,
            work,
            caller.token_id if caller else None,
            price_accepted=head.price_accepted,
            over_accepted=head.over_accepted,
            automation=head.automation,
            hops=head.hops,
            scope=caller.scope if caller else None,
        )

    def _owner(self, caller: Caller | None, model: str) -> str:
        if caller is None and not self._engine.is_demo(NOBODY, model):
            raise no_token()
        return caller.owner if caller else NOBODY


def _refuse(exchange: Exchange, form: Form, error: OwnkeyError, request_id: str) -> None:
    status = status_of(error)
    headers = [(b"x-request-id", request_id.encode()), *headers_of(error)]
    exchange.answer_json(status, form.write_error(error, status), headers)


def _headers(receipt: Receipt, warnings: Iterable[str]) -> list[Header]:
    return [(b"x-request-id", receipt.request_id.encode()), *told_of(receipt, warnings)]
