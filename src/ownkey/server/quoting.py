"""`POST /api/byok/quote`: what a client's request would cost, at each of some models."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from ownkey.app.house import House
from ownkey.app.quoting import plain, quotes
from ownkey.engine.request import Request, new_id
from ownkey.server.doors import API_HEADERS
from ownkey.server.exchange import Exchange
from ownkey.server.guard import Head, check_body_is_json
from ownkey.talk.errors import InvalidRequest
from ownkey.vault.tokens import Caller
from ownkey.wires.wire import WIRE_NAMES, Door, Named, wire

DEFAULT = "openai-chat"


class QuoteAsk(Struct, forbid_unknown_fields=True):
    """`request` is a body as it would be sent in the wire `wire`; its own model is quoted where `models` names none."""

    request: Raw
    wire: str = DEFAULT
    models: list[str] | None = None
    current: str | None = None
    automation: str | None = None


def serve_quote(house: House, exchange: Exchange, head: Head, caller: Caller) -> None:
    """Raises what the door raises, and InvalidRequest, naming the field."""
    check_body_is_json(head)
    try:
        asked = msgspec.json.decode(exchange.body, type=QuoteAsk)
    except msgspec.MsgspecError as error:
        raise InvalidRequest(f"This is not a request for a quote: {error}.", _FORM) from None
    door = wire(asked.wire) if asked.wire in WIRE_NAMES else None
    if not isinstance(door, Door):
        raise InvalidRequest("No client speaks that wire here.", f"For example `{DEFAULT}`.", param="wire")
    named = Named(asked.models[0], False) if asked.models else None
    ask = door.read_ask(bytes(asked.request), named)
    models = asked.models or [ask.model]
    request = Request(
        new_id(),
        caller.owner,
        models[0],
        False,
        token_id=caller.token_id,
        door=door,
        ask=ask,
        automation=asked.automation,
        scope=caller.scope,
    )
    told: dict[str, Any] = {"quotes": [plain(one) for one in quotes(house, request, models, asked.current)]}
    exchange.answer_json(200, told, [*API_HEADERS])


_FORM = 'Send {"request": {…}, "models": ["provider/model", …]}; `wire`, `current` and `automation` may be added.'
