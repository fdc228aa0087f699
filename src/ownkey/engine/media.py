"""What passes through: images, sounds, moderations, rankings."""

from __future__ import annotations

from msgspec import Struct

from ownkey.engine.attempt import Made, price_text
from ownkey.engine.call import Answered, Put
from ownkey.engine.price import UNBOUNDED_OUTPUT_TOKENS, priced_tokens, unbounded
from ownkey.engine.target import Target
from ownkey.spending.catalogue import Prices
from ownkey.spending.price import Rates, bound_input
from ownkey.talk.reply import Receipt
from ownkey.wires.media import MediaAsk, read_usage, shown_type
from ownkey.wires.wire import Headers

FREE = Rates(input=0, output=0, source="free")


class Passed(Struct, frozen=True):
    """The provider's answer as it came."""

    receipt: Receipt
    body: bytes
    content_type: bytes


class MediaWork:
    """A client's `ask`. Nothing but the provider knows what a picture or a sound counts."""

    asked = None
    counts = False

    def __init__(self, ask: MediaAsk) -> None:
        self._ask = ask

    @property
    def operation(self) -> str:
        return self._ask.operation

    def put(self, target: Target) -> Put:
        return Put(self._ask.forward(target.model), ((b"content-type", self._ask.content_type),))

    def made(self, prices: Prices, target: Target, put: Put, *, accepted: bool) -> Made:
        ask, facts = self._ask, target.facts
        if ask.operation in target.provider.free_operations:
            return Made(FREE, 0, 0, price=price_text(FREE))
        text_only = ask.operation == "rerank"
        made = priced_tokens(
            prices,
            target,
            accepted=accepted,
            input_tokens=bound_input(len(put.body), text_only=text_only, context=facts.context),
            output_tokens=0 if text_only else facts.max_output or facts.context or UNBOUNDED_OUTPUT_TOKENS,
            choices=ask.choices,
        )
        if ask.tells_usage or made.rates is None or made.rates.source == "free":
            return made
        # A price for tokens bounds nothing that is said without them.
        if not accepted:
            raise unbounded(target.provider, target.model, "response_format")
        return Made(None, 0, 0)

    def read(self, target: Target, put: Put, headers: Headers, body: bytes) -> Answered[Passed]:
        usage = read_usage(body, headers.get(b"content-type", b""))
        kind = shown_type(headers)
        return Answered(usage, lambda _, receipt: Passed(receipt, body, kind))
