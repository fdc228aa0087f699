"""What a provider's own batch endpoint would do for a line, and for how much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, structs

from ownkey.app.batches.asking import Asker, chat_request
from ownkey.app.batches.line import EMBEDDINGS, Line
from ownkey.catalog.manifest import Provider
from ownkey.engine.funds import soft_caps
from ownkey.engine.sender import Least
from ownkey.engine.writing import least_of
from ownkey.spending.price import Rates, ceiling, reduced
from ownkey.spending.terms import TIERS
from ownkey.store.book import BookRow
from ownkey.talk.errors import OwnkeyError
from ownkey.wires.batches import batch_wire

if TYPE_CHECKING:
    from ownkey.app.house import House

_MOST_TOKENS = 2**53 - 1
"""That the book keeps."""


class Offer(Struct, frozen=True):
    """`body` is for the provider's `wire`, at the path `url`; `held_nano` is the most that it costs at `rates`, which
    are its batch's. `least`: with how little it can do, where nobody said how long the answer may be."""

    provider: Provider
    model: str
    wire: str
    url: str
    body: bytes
    rates: Rates
    held_nano: int
    held_tokens: int
    percent: int
    least: Least | None

    def paid_by(self, row: BookRow) -> bytes | None:
        """What may be sent for what is held there: the body, perhaps with a shorter answer; None where it is not
        enough."""
        if row.state != "held":
            return None
        if self.held_nano <= row.held_nano and self.held_tokens <= row.held_tokens:
            return self.body
        if self.least is None or self.least.nano > row.held_nano or self.least.tokens > row.held_tokens:
            return None
        return self.least.rewritten(row)


def offer(house: House, asker: Asker, line: Line, request_id: str) -> Offer | None:
    """None where the line is to be sent the usual way: nobody has a batch endpoint for it, or what it costs there at
    most is not known. What is in the way of asking at all is said there too."""
    if line.url == EMBEDDINGS:
        return None
    try:
        request = chat_request(asker, line, request_id)
        sized = house.engine.sized(request)
        target, made = sized.target, sized.made
        soft_caps(sized.falls, made, asked_output=request.max_output, asker=request)
    except OwnkeyError:
        return None
    # Whoever names a tier gets another price, or another place in line, than the batch's.
    if request.ask is not None and not request.ask.fields.keys().isdisjoint(TIERS):
        return None
    batch = target.provider.batch
    url = None if batch is None else batch_wire(batch.wire).urls.get(target.wire.name)
    if batch is None or url is None or made.rates is None or made.rates.source == "free" or len(made.options) > 1:
        return None
    rates = reduced(made.rates, batch.discount_percent)
    held_nano = ceiling(rates, input_tokens=made.input_tokens, output_tokens=made.output_tokens, choices=made.choices)
    there = structs.replace(made, rates=rates, held_nano=held_nano, options=(rates,))
    least = None if sized.least is None else least_of(request, target, there, passes=sized.passes)
    return Offer(
        target.provider,
        target.model,
        target.wire.name,
        url,
        sized.body,
        rates,
        held_nano,
        min(made.held_tokens, _MOST_TOKENS),
        batch.discount_percent,
        least,
    )
