"""Embeddings in Gemini's form: read from providers, written for clients."""

from __future__ import annotations

from typing import Any

from msgspec import Raw, Struct, field, json

from ownkey.talk.embed import Embedded
from ownkey.talk.reply import Usage
from ownkey.wires.embedding import EmbedAsk, PassedVectors, vectors_in
from ownkey.wires.gemini.error import error_of, status_of
from ownkey.wires.gemini.values import Object, as_count, as_list, as_object, decoded, unreadable


class _Answer(Struct):
    embeddings: list[Raw]
    usage: Any = field(default=None, name="usageMetadata")


_answer = json.Decoder(_Answer)
_members = json.Decoder(dict[str, Raw])


def pass_embedded(body: bytes, ask: EmbedAsk) -> PassedVectors:
    """The body as it came; where one vector was asked for, that one has the place of the list."""
    try:
        answer = _answer.decode(body)
    except (ValueError, RecursionError):
        _checked(body)
        raise unreadable("holds no embeddings") from None
    items = answer.embeddings
    if len(items) != ask.count:
        raise unreadable(f"holds {len(items)} embeddings in place of {ask.count}")
    if not ask.batch:
        members = _members.decode(body)
        del members["embeddings"]
        body = json.encode({"embedding": items[0], **members})
    return PassedVectors(body, _usage(answer.usage))


def read_embedded(body: bytes, count: int) -> Embedded:
    value = _checked(body)
    vectors = [as_object(item).get("values") for item in as_list(value.get("embeddings"))]
    return Embedded(vectors_in(vectors, count), _usage(value.get("usageMetadata")))


def write_embedded(embedded: Embedded, ask: EmbedAsk) -> bytes:
    items = [{"values": vector} for vector in embedded.vectors]
    body: dict[str, Any] = {"embeddings": items} if ask.batch else {"embedding": items[0]}
    if embedded.usage.input_tokens is not None:
        body["usageMetadata"] = {"promptTokenCount": embedded.usage.input_tokens}
    return json.encode(body)


def _checked(body: bytes) -> Object:
    value = as_object(decoded(body))
    if value.get("error"):
        raise error_of(value, status_of(value))
    return value


def _usage(told: object) -> Usage:
    """Older models give no counts."""
    return Usage(input_tokens=as_count(as_object(told).get("promptTokenCount")), output_tokens=0)
