"""`POST /api/byok/quote`: what a client's request would cost, at each of some models."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
from msgspec import Raw, Struct

from ownkey.app.house import House
from ownkey.app.quoting import plain, quotes
from ownkey.engine.request import Request, new_id
from ownkey.routing.route import AUTO
from ownkey.server.exchange import Exchange, Header
from ownkey.server.guard import Head, automation_of, check_body_is_json
from ownkey.talk.errors import InvalidRequest, Overloaded
from ownkey.talk.secret import clean
from ownkey.vault.tokens import Caller
from ownkey.wires.wire import Ask, Door, Named, wire

DEFAULT = "openai-chat"
MOST_WAITING = 32


class QuoteAsk(Struct, forbid_unknown_fields=True):
    """`request` is a body as it would be sent in the wire `wire`; its own model is quoted where `models` names none."""

    request: Raw
    wire: str = DEFAULT
    models: list[str] | None = None
    current: str | None = None
    automation: str | None = None


class Quoting:
    """Quotes are made one after the other on a thread: counting a long text would keep every other client waiting."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._thread = ThreadPoolExecutor(1, "quotes")
        self._waiting = 0

    async def serve(self, exchange: Exchange, head: Head, caller: Caller, headers: Sequence[Header]) -> None:
        """Raises what the door raises, InvalidRequest, naming the field, and Overloaded."""
        check_body_is_json(head)
        if self._waiting >= MOST_WAITING:
            raise Overloaded("Too many quotes are asked for at once.", "Ask again in a second.")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            told = await loop.run_in_executor(self._thread, _told, self._house, caller, exchange.body, head.automation)
        except RecursionError:
            raise InvalidRequest("The request is nested too deeply.", "No provider reads so much.") from None
        finally:
            self._waiting -= 1
        exchange.answer(200, told, [*headers])


def _told(house: House, caller: Caller, body: bytes, automation: str | None) -> bytes:
    try:
        asked = msgspec.json.decode(body, type=QuoteAsk)
    except msgspec.MsgspecError as error:
        raise InvalidRequest(f"This is not a request for a quote: {clean(str(error), limit=160)}.", _FORM) from None
    door = wire(asked.wire) if asked.wire in house.wires else None
    if not isinstance(door, Door):
        raise InvalidRequest("No client speaks that wire here.", f"For example `{DEFAULT}`.", param="wire")
    ask = _ask(door, bytes(asked.request), asked.models)
    models = asked.models or [ask.model]
    request = Request(
        new_id(),
        caller.owner,
        models[0],
        ask.stream,
        token_id=caller.token_id,
        door=door,
        ask=ask,
        automation=automation_of(asked.automation.encode()) if asked.automation else automation,
        scope=caller.scope,
    )
    found = quotes(house, request, models, asked.current)
    told: dict[str, Any] = {"quotes": [plain(one) for one in found.each]}
    if asked.current is not None:
        told["current"] = plain(found.current)
    return msgspec.json.encode(told)


def _ask(door: Door, body: bytes, models: list[str] | None) -> Ask:
    """A body need not name a model where `models` do."""
    if not models:
        return door.read_ask(body)
    named = Named(models[0], False)
    try:
        return door.read_ask(body, named)
    except InvalidRequest as error:
        if error.param != "model":
            raise
    fields = msgspec.json.decode(body, type=dict[str, Raw])
    return door.read_ask(msgspec.json.encode(fields | {"model": AUTO}), named)


_FORM = 'Send {"request": {…}, "models": ["provider/model", …]}; `wire`, `current` and `automation` may be added.'
