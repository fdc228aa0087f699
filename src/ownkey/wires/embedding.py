"""What a wire for embeddings is. Everything in it is pure: bytes to words and back.

These wires have names of their own beside those of the chat wires, which they never stand in for; all are in the one
table of `wires.wire`.
"""

from __future__ import annotations

from typing import Protocol, cast, runtime_checkable

from msgspec import Raw, Struct, ValidationError, convert

from ownkey.talk.embed import Embed, Embedded
from ownkey.talk.errors import OwnkeyError, UnexpectedResponse
from ownkey.talk.reply import Usage
from ownkey.wires.wire import Spoken, Written, spoken

TOKEN_BYTES = 3
"""What a token stands for where bytes are counted (`spending.count` counts as many bytes to a token)."""


class EmbedAsk(Struct):
    """A client's request as its own wire brought it: the members of the body, each with its bytes untouched.

    `count`: how many vectors are asked for. `text_bytes`: how much goes in, in UTF-8, a token as `TOKEN_BYTES`.
    `text_only`: nothing but text and tokens goes in. `base64`: the vectors are wanted as base64 of little-endian
    32-bit floats. `batch`: the client's form of the answer is a list.
    """

    model: str
    fields: dict[str, Raw]
    count: int
    text_bytes: int
    text_only: bool = True
    base64: bool = False
    batch: bool = True


class PassedVectors(Struct, frozen=True):
    """A whole answer that is passed on as it came, and the usage that was read from it."""

    body: bytes
    usage: Usage


class NamedEmbed(Struct, frozen=True):
    """What a client says beside the body, where its wire puts the model into the path (Gemini's)."""

    model: str
    batch: bool


@runtime_checkable
class Embedding(Spoken, Protocol):
    """Outward: how a provider is asked for vectors."""

    def write_embed(self, embed: Embed, model: str) -> Written:
        """Raises Unsupported, naming the field."""
        ...

    def read_embedded(self, body: bytes, count: int) -> Embedded:
        """Raises UnexpectedResponse where these are not `count` vectors, or the error that the body tells of."""
        ...


@runtime_checkable
class EmbeddingDoor(Embedding, Protocol):
    """Inward too: a wire that clients speak to Ownkey."""

    def read_embed_ask(self, body: bytes, named: NamedEmbed | None = None) -> EmbedAsk:
        """Raises InvalidRequest, naming the field."""
        ...

    def read_embed(self, ask: EmbedAsk) -> Embed:
        """The whole request. Raises Unsupported, naming the field."""
        ...

    def forward_embed(self, ask: EmbedAsk, model: str) -> bytes:
        """The request for a provider of the same wire: every field with its own bytes but the model."""
        ...

    def pass_embedded(self, body: bytes, ask: EmbedAsk) -> PassedVectors:
        """Raises UnexpectedResponse, or the error that the body tells of."""
        ...

    def write_embedded(self, embedded: Embedded, ask: EmbedAsk, model: str) -> bytes: ...

    def write_error(self, error: OwnkeyError, status: int) -> dict[str, object]: ...


def embedding(name: str) -> Embedding:
    """The wire for embeddings of that name. Raises BadConfiguration where there is none."""
    return cast("Embedding", spoken(name))


def vectors_in(value: object, count: int) -> tuple[list[float], ...]:
    """Lists of numbers from a provider's answer. Raises UnexpectedResponse where these are not `count` vectors."""
    try:
        vectors = convert(value, tuple[list[float], ...])
    except ValidationError:
        vectors = ()
    if len(vectors) != count:
        raise UnexpectedResponse(
            f"The provider's answer holds {len(vectors)} embeddings in place of {count}.",
            "Try again, or use another model.",
        )
    return vectors
