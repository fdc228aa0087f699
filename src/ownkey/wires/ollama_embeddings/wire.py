"""Ollama's embeddings, outward.

Source: Ollama's API documentation (POST /api/embed).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, json

from ownkey.talk.embed import Embed, Embedded
from ownkey.talk.errors import ProviderError, Unsupported
from ownkey.talk.reply import Usage
from ownkey.wires.embedding import vectors_in
from ownkey.wires.openai_error import error_told, read_error, unreadable
from ownkey.wires.other import carried
from ownkey.wires.wire import Headers, Written

_CARRIES = frozenset({"options", "keep_alive"})


class _Answer(Struct):
    embeddings: Any
    prompt_eval_count: int | None = None
    model: str | None = None


_answer = json.Decoder(_Answer)


class OllamaEmbeddings:
    """Texts only."""

    name: str = "ollama-embeddings"
    paths: Mapping[str, str] = {"embeddings": "/api/embed"}
    headers: Mapping[str, str] = {}

    def write_embed(self, embed: Embed, model: str) -> Written:
        """`truncate` is off: otherwise Ollama would leave the end of a long text out and not say so."""
        warnings = [
            f"{name} has no counterpart at this provider and was left out."
            for name, value in (("task", embed.task), ("title", embed.title), ("user", embed.user))
            if value is not None
        ]
        if not all(isinstance(one, str) for one in embed.inputs):
            raise Unsupported("Tokens cannot be carried to this provider.", "Send texts.", param="input")
        body: dict[str, Any] = {"model": model, "input": embed.inputs, "truncate": False}
        if embed.dimensions is not None:
            body["dimensions"] = embed.dimensions
        body |= carried(embed.other, _CARRIES, warnings)
        return Written(json.encode(body), tuple(warnings))

    def read_embedded(self, body: bytes, count: int) -> Embedded:
        try:
            answer = _answer.decode(body)
        except (ValueError, RecursionError):
            raise error_told(body) or unreadable("it holds no embeddings") from None
        tokens = answer.prompt_eval_count
        usage = Usage(input_tokens=tokens if tokens and tokens > 0 else None, output_tokens=0)
        return Embedded(vectors_in(answer.embeddings, count), usage, answer.model)

    def read_error(self, status: int, headers: Headers, body: bytes) -> ProviderError:
        return read_error(status, headers, body)
