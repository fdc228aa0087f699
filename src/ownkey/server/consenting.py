"""Requests that need a person's yes: sent again with a token, or kept waiting until they have it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any, Protocol, TypeVar, cast

import msgspec
from msgspec import Struct, structs

from ownkey.app.consent import ConsentBook, complete, said_yes
from ownkey.app.house import House
from ownkey.engine.consent import Asker
from ownkey.engine.request import new_id
from ownkey.server.exchange import Exchange
from ownkey.server.guard import Head
from ownkey.talk.consent import Reason, remembered
from ownkey.talk.errors import ConsentRequired, PermissionDenied
from ownkey.vault.consent import Asked


class Wanted(Asker, Protocol):
    """Any request."""

    @property
    def token_id(self) -> str | None: ...


W = TypeVar("W", bound=Wanted)
Result = TypeVar("Result")

NOT_GOOD = "The consent that came with it is not good: it is another's, for something else, used, or over."


class Consenting:
    def __init__(self, house: House) -> None:
        self._house = house

    async def run(self, exchange: Exchange, head: Head, wanted: W, go: Callable[[W], Awaitable[Result]]) -> Result:
        """What `go` gives, with what the client has said yes to. Raises ConsentRequired, with a token to send it again
        with, where more is asked for and nobody says yes meanwhile."""
        if head.consent is not None:
            wanted = await self._with_token(exchange, head, wanted)
        try:
            return await go(wanted)
        except ConsentRequired as error:
            asked = error
        while True:
            await self.complete(exchange, wanted, asked)
            if head.consent is not None and not wanted.yes:
                asked.hint = f"{NOT_GOOD} {asked.hint}"
            if not await self._waited(exchange, head, wanted, asked):
                raise asked
            # The book has each try of a request once.
            given = {"id": new_id(), "yes": wanted.yes | {reason.mark for reason in asked.reasons}}
            wanted = cast("W", structs.replace(cast("Struct", wanted), **given))
            try:
                return await go(wanted)
            except ConsentRequired as error:
                asked = error

    async def complete(self, exchange: Exchange, wanted: Wanted, error: ConsentRequired) -> None:
        if error.reasons:
            await asyncio.to_thread(complete, self._house, error, _asked(exchange, wanted), wanted)

    async def _with_token(self, exchange: Exchange, head: Head, wanted: W) -> W:
        assert head.consent is not None
        if head.remembers and getattr(wanted, "scope", None) is not None:
            raise PermissionDenied("A limited token remembers nothing for its owner.", "Say yes to this request alone.")
        yes = await asyncio.to_thread(said_yes, self._house, _asked(exchange, wanted), head.consent)
        if yes and head.remembers and (kept := remembered(map(Reason.of_mark, yes))):
            await asyncio.to_thread(ConsentBook(self._house, wanted.owner).remember, kept)
        return cast("W", structs.replace(cast("Struct", wanted), yes=yes))

    async def _waited(self, exchange: Exchange, head: Head, wanted: Wanted, error: ConsentRequired) -> bool:
        """Whether its owner has said yes meanwhile, where it may wait for that."""
        parks = self._house.store.preferences.of(wanted.owner).park if head.parks is None else head.parks
        if not parks or not error.reasons:
            return False
        loop = asyncio.get_running_loop()
        gone: asyncio.Future[bool] = loop.create_future()
        before, exchange.on_gone = exchange.on_gone, lambda: gone.done() or gone.set_result(True)
        known = cast("Any", wanted)
        model = known.model if hasattr(known, "model") else known.ask.model
        try:
            if exchange.gone:
                return False
            verdict = await self._house.waiting.wait(
                wanted.owner, model, getattr(known, "automation", None), error, gone
            )
        finally:
            exchange.on_gone = before
        if verdict is False:
            error.message = f"{error.message} It was refused."
        return verdict is True


def _asked(exchange: Exchange, wanted: Wanted) -> Asked:
    """The path belongs to it: it may name the model."""
    body = sha256(exchange.body).hexdigest()
    digest = sha256(msgspec.json.encode((exchange.method, exchange.path, exchange.query, body))).digest()
    return Asked(wanted.owner, wanted.token_id, digest)
