"""A line of a batch, asked as a client would ask it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from ownkey.app.batches.line import DOORS, EMBEDDINGS, Line, cost_told
from ownkey.engine.answer import Whole
from ownkey.engine.call import Call
from ownkey.engine.embed import EmbedWork, Vectors
from ownkey.engine.request import Request
from ownkey.routing.scope import Scope
from ownkey.talk.errors import InvalidRequest
from ownkey.talk.reply import Receipt
from ownkey.wires.embedding import EmbeddingDoor
from ownkey.wires.wire import Door, spoken, wire

if TYPE_CHECKING:
    from ownkey.app.house import House


class Terms(Struct, frozen=True):
    """What the one who made the batch said: of all its lines. `scope` is what their token is limited to;
    `kept_s` how long what it has to show is kept; `name` that of the file.
    `provider_batch`: lines go to their provider's own batch endpoint, where it has one."""

    price_accepted: bool = False
    over_accepted: bool = False
    automation: str | None = None
    hops: int = 0
    scope: Scope | None = None
    retry_doubtful: bool = False
    metadata: dict[str, str] | None = None
    name: str = ""
    kept_s: int = 30 * 86_400
    provider_batch: bool = False


class Asker(Struct, frozen=True):
    """In whose name."""

    owner: str
    token_id: str | None
    terms: Terms


class Told(Struct, frozen=True):
    """An answer in the client's wire, who gave it, and for how much."""

    body: bytes
    receipt: Receipt

    @property
    def note(self) -> dict[str, Any]:
        return cost_told(self.receipt.provider, self.receipt.model, self.receipt.cost)


def check(line: Line) -> None:
    """Raises what its wire says of the body."""
    if line.url == EMBEDDINGS:
        embedding_door().read_embed_ask(line.body)
    else:
        chat_request(Asker("", None, Terms()), line, "")


async def ask(house: House, asker: Asker, line: Line, request_id: str) -> Told:
    """Raises what the engine raises."""
    if line.url == EMBEDDINGS:
        vectors = await house.engine.call(embed_call(asker, line, request_id))
        assert vectors.body is not None
        return Told(vectors.body, vectors.receipt)
    request = chat_request(asker, line, request_id)
    answer = await house.engine.run(request)
    assert isinstance(answer, Whole)
    if answer.body is not None:
        return Told(answer.body, answer.receipt)
    assert answer.reply is not None
    assert request.door is not None
    return Told(request.door.write_reply(answer.reply, answer.receipt.model), answer.receipt)


def embed_call(asker: Asker, line: Line, request_id: str) -> Call[Vectors]:
    door, terms = embedding_door(), asker.terms
    read = door.read_embed_ask(line.body)
    return Call(
        request_id,
        asker.owner,
        read.model,
        EmbedWork(door=door, ask=read),
        asker.token_id,
        price_accepted=terms.price_accepted,
        over_accepted=terms.over_accepted,
        automation=terms.automation,
        hops=terms.hops,
        scope=terms.scope,
    )


@cache
def embedding_door() -> EmbeddingDoor:
    door = spoken(DOORS[EMBEDDINGS])
    assert isinstance(door, EmbeddingDoor)
    return door


@cache
def chat_door(url: str) -> Door:
    door = wire(DOORS[url])
    assert isinstance(door, Door)
    return door


def chat_request(asker: Asker, line: Line, request_id: str) -> Request:
    door, terms = chat_door(line.url), asker.terms
    read = door.read_ask(line.body)
    if read.stream:
        raise InvalidRequest("A line of a batch is answered whole.", "Leave `stream` out.", param="stream")
    return Request(
        request_id,
        asker.owner,
        read.model,
        False,
        token_id=asker.token_id,
        door=door,
        ask=read,
        price_accepted=terms.price_accepted,
        over_accepted=terms.over_accepted,
        automation=terms.automation,
        hops=terms.hops,
        scope=terms.scope,
    )
