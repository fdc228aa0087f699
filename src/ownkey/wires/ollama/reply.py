"""Whole answers of Ollama's, its errors, and the models that it has.

Source: Ollama's API reference (Generate a chat completion, List models, Errors) and recorded answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, json

from ownkey.catalog.manifest import Model
from ownkey.talk.errors import ContextTooLong, ModelNotAvailable, ProviderError, UnexpectedResponse
from ownkey.talk.reply import Reply, collect
from ownkey.wires.ollama.stream import UNREADABLE, OllamaReader, error_text, unreadable
from ownkey.wires.status import by_status
from ownkey.wires.wire import Listed

PULL = "Pull it where Ollama runs: `ollama pull MODEL`. `ollama list` shows those there are."
LARGER = (
    "Shorten it, or ask for a larger context: `num_ctx` in the request, or OLLAMA_CONTEXT_LENGTH where Ollama runs."
)


class _Listed(Struct):
    models: list[dict[str, Any]]


_listed = json.Decoder(_Listed).decode


def read_reply(body: bytes) -> Reply:
    """Raises UnexpectedResponse, or the error that the body tells of."""
    reader = OllamaReader()
    events = reader.feed(body.replace(b"\n", b" ") + b"\n")
    if not reader.ended:
        raise unreadable("is not whole")
    return collect(events)


def read_error(status: int, headers: Mapping[bytes, bytes], body: bytes) -> ProviderError:
    """`{"error": "text"}`. A model that was not pulled is told with how to pull it."""
    try:
        text = error_text(json.decode(body))
    except UNREADABLE:
        text = None
    if status == 404 and text is None:
        return UnexpectedResponse(
            "At this address there is no API of Ollama's (status 404).",
            "Its base URL ends with /api, as in http://127.0.0.1:11434/api.",
            status=status,
        )
    error = by_status(status, headers, code=None, text=text)
    if isinstance(error, ModelNotAvailable):
        error.hint = PULL
    if isinstance(error, ContextTooLong):
        error.hint = LARGER
    return error


def read_models(body: bytes) -> Listed:
    """Those that were pulled. Raises UnexpectedResponse."""
    try:
        models = _listed(body).models
    except UNREADABLE:
        raise unreadable("is not a list of models") from None
    names = [name for model in models if isinstance(name := model.get("model") or model.get("name"), str)]
    return Listed(tuple(Model(name) for name in names))
