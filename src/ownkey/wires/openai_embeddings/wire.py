"""OpenAI's embeddings, both ways.

Source: OpenAI's API reference (Embeddings: create), and those of Mistral, Voyage AI, OpenRouter and Ollama.
"""

from __future__ import annotations

from collections.abc import Mapping

from ownkey.talk.embed import Embed, Embedded
from ownkey.talk.errors import OwnkeyError, ProviderError
from ownkey.wires.embedding import EmbedAsk, NamedEmbed, PassedVectors
from ownkey.wires.openai_embeddings.answer import pass_embedded, read_embedded, write_embedded
from ownkey.wires.openai_embeddings.ask import forward, read_ask, read_embed, write_embed
from ownkey.wires.openai_error import error_object, read_error
from ownkey.wires.wire import Headers, Written


class OpenAIEmbeddings:
    """Its parts stand in the modules beside it."""

    name: str = "openai-embeddings"
    paths: Mapping[str, str] = {"embeddings": "/embeddings"}
    headers: Mapping[str, str] = {}

    def write_embed(self, embed: Embed, model: str) -> Written:
        return write_embed(embed, model)

    def read_embedded(self, body: bytes, count: int) -> Embedded:
        return read_embedded(body, count)

    def read_error(self, status: int, headers: Headers, body: bytes) -> ProviderError:
        return read_error(status, headers, body)

    def read_embed_ask(self, body: bytes, named: NamedEmbed | None = None) -> EmbedAsk:
        return read_ask(body)

    def read_embed(self, ask: EmbedAsk) -> Embed:
        return read_embed(ask)

    def forward_embed(self, ask: EmbedAsk, model: str) -> bytes:
        return forward(ask, model)

    def pass_embedded(self, body: bytes, ask: EmbedAsk) -> PassedVectors:
        return pass_embedded(body, ask)

    def write_embedded(self, embedded: Embedded, ask: EmbedAsk, model: str) -> bytes:
        return write_embedded(embedded, ask, model)

    def write_error(self, error: OwnkeyError, status: int) -> dict[str, object]:
        return error_object(error)
