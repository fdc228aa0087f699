"""Lists of models, and one of them, as each kind of client expects them.

Sources: OpenAI's, Anthropic's and Google's API references (Models: list, get).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ownkey.catalog.manifest import Model

Object = dict[str, Any]

# Nobody tells when a model was made; a time is required by the clients' types.
_LONG_AGO = "1970-01-01T00:00:00Z"
_METHODS = ["generateContent", "streamGenerateContent", "countTokens"]


def openai_model(model: Model) -> Object:
    return {"id": model.id, "object": "model", "created": 0, "owned_by": model.id.partition("/")[0]}


def openai_list(models: Sequence[Model]) -> Object:
    return {"object": "list", "data": [openai_model(model) for model in models]}


def anthropic_model(model: Model) -> Object:
    return {"type": "model", "id": model.id, "display_name": model.name or model.id, "created_at": _LONG_AGO}


def anthropic_list(models: Sequence[Model]) -> Object:
    ends = {"first_id": models[0].id, "last_id": models[-1].id} if models else {"first_id": None, "last_id": None}
    return {"data": [anthropic_model(model) for model in models], "has_more": False, **ends}


def gemini_model(model: Model) -> Object:
    embeds = model.does and "chat" not in model.does and "embeddings" in model.does
    made: Object = {
        "name": f"models/{model.id}",
        "displayName": model.name or model.id,
        "supportedGenerationMethods": ["embedContent"] if embeds else _METHODS,
    }
    if model.context is not None:
        made["inputTokenLimit"] = model.context
    if model.max_output is not None:
        made["outputTokenLimit"] = model.max_output
    return made


def gemini_list(models: Sequence[Model]) -> Object:
    return {"models": [gemini_model(model) for model in models]}


Forms = tuple[Callable[[Sequence[Model]], Object], Callable[[Model], Object]]

FORMS: Mapping[str, Forms] = {
    "openai-chat": (openai_list, openai_model),
    "anthropic-messages": (anthropic_list, anthropic_model),
    "gemini": (gemini_list, gemini_model),
}
"""By the wire of whoever asks: a list, and one model."""
