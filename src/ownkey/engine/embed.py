"""Embeddings: a client's request through its door, or the library's own."""

from __future__ import annotations

from msgspec import Struct, structs

from ownkey.engine.attempt import Made
from ownkey.engine.call import Answered, Put
from ownkey.engine.price import priced_tokens
from ownkey.engine.target import Target
from ownkey.spending.catalogue import Prices
from ownkey.spending.price import bound_input
from ownkey.talk.embed import Embed, Embedded
from ownkey.talk.reply import Receipt, Usage
from ownkey.wires.embedding import TOKEN_BYTES, EmbedAsk, Embedding, EmbeddingDoor
from ownkey.wires.wire import Headers

SPECIAL_TOKENS = 16
"""More than a model is known to put around each of its inputs: marks of its beginning and end, and of its task."""

_COUNTED = "The provider told no usage: the tokens are counted by Ownkey."


class Vectors(Struct, frozen=True):
    """`body` in the client's wire, where there is a client; else `embedded`."""

    receipt: Receipt
    warnings: tuple[str, ...]
    body: bytes | None = None
    embedded: Embedded | None = None


class EmbedWork:
    """Either a client's `ask` through its `door`, or an `embed` of the library's."""

    operation = "embeddings"
    counts = True

    def __init__(
        self, *, door: EmbeddingDoor | None = None, ask: EmbedAsk | None = None, embed: Embed | None = None
    ) -> None:
        self._door = door
        self._ask = ask
        self._embed = embed

    @property
    def asked(self) -> str | None:
        return self._door.name if self._door is not None else None

    def put(self, target: Target) -> Put:
        spoken = _spoken(target)
        if self._ask is not None and self._door is spoken and self._door is not None:
            return Put(self._door.forward_embed(self._ask, target.model), passes=True)
        written = spoken.write_embed(self._words(), target.model)
        return Put(written.body, warnings=written.warnings)

    def made(self, prices: Prices, target: Target, put: Put, *, accepted: bool) -> Made:
        count, text_bytes = self._size()
        text_only = self._ask is None or self._ask.text_only
        bound = bound_input(len(put.body), text_only=text_only, context=target.facts.context)
        tokens = bound + count * SPECIAL_TOKENS if text_only else bound * count
        return priced_tokens(prices, target, accepted=accepted, input_tokens=tokens, size=text_bytes)

    def read(self, target: Target, put: Put, headers: Headers, body: bytes) -> Answered[Vectors]:
        door, ask = self._door, self._ask
        if put.passes and door is not None and ask is not None:
            passed = door.pass_embedded(body, ask)
            return Answered(passed.usage, lambda _, receipt: Vectors(receipt, (), body=passed.body))
        embedded = _spoken(target).read_embedded(body, self._size()[0])
        warnings = put.warnings if embedded.usage.known else (*put.warnings, _COUNTED)

        def give(usage: Usage, receipt: Receipt) -> Vectors:
            made = structs.replace(embedded, usage=usage, warnings=warnings, receipt=receipt)
            if door is None or ask is None:
                return Vectors(receipt, warnings, embedded=made)
            return Vectors(receipt, warnings, body=door.write_embedded(made, ask, target.model))

        return Answered(embedded.usage, give)

    def _words(self) -> Embed:
        if self._embed is None:
            assert self._door is not None
            assert self._ask is not None
            self._embed = self._door.read_embed(self._ask)
        return self._embed

    def _size(self) -> tuple[int, int]:
        """How many vectors are asked for, and of how many bytes."""
        if self._ask is not None:
            return self._ask.count, self._ask.text_bytes
        inputs = self._words().inputs
        return len(inputs), sum(len(one.encode()) if isinstance(one, str) else TOKEN_BYTES * len(one) for one in inputs)


def _spoken(target: Target) -> Embedding:
    assert target.embedding is not None
    return target.embedding
