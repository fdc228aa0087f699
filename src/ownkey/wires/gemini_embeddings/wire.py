"""Gemini's embeddings, both ways. A provider is always asked for a batch, of which one text is the least.

Source: the Gemini API reference (models.embedContent, models.batchEmbedContents).
"""

from __future__ import annotations

from collections.abc import Mapping

from ownkey.talk.embed import Embed, Embedded
from ownkey.talk.errors import InvalidRequest, OwnkeyError, ProviderError
from ownkey.wires.embedding import EmbedAsk, NamedEmbed, PassedVectors
from ownkey.wires.gemini.error import read_error
from ownkey.wires.gemini.writer import error_object
from ownkey.wires.gemini_embeddings.answer import pass_embedded, read_embedded, write_embedded
from ownkey.wires.gemini_embeddings.ask import forward, read_ask, read_embed, write_embed
from ownkey.wires.wire import Headers, Written


class GeminiEmbeddings:
    """Its parts stand in the modules beside it."""

    name: str = "gemini-embeddings"
    paths: Mapping[str, str] = {"embeddings": "/models/{model}:batchEmbedContents"}
    headers: Mapping[str, str] = {}

    def write_embed(self, embed: Embed, model: str) -> Written:
        return write_embed(embed, model)

    def read_embedded(self, body: bytes, count: int) -> Embedded:
        return read_embedded(body, count)

    def read_error(self, status: int, headers: Headers, body: bytes) -> ProviderError:
        return read_error(status, headers, body)

    def read_embed_ask(self, body: bytes, named: NamedEmbed | None = None) -> EmbedAsk:
        if named is None:
            raise InvalidRequest("The path names no model.", "Ask at /v1beta/models/MODEL:embedContent.", param="model")
        return read_ask(body, named)

    def read_embed(self, ask: EmbedAsk) -> Embed:
        return read_embed(ask)

    def forward_embed(self, ask: EmbedAsk, model: str) -> bytes:
        return forward(ask, model)

    def pass_embedded(self, body: bytes, ask: EmbedAsk) -> PassedVectors:
        return pass_embedded(body, ask)

    def write_embedded(self, embedded: Embedded, ask: EmbedAsk, model: str) -> bytes:
        return write_embedded(embedded, ask)

    def write_error(self, error: OwnkeyError, status: int) -> dict[str, object]:
        return error_object(error, status)
