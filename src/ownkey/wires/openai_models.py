"""Lists of models in OpenAI's form and its dialects."""

from __future__ import annotations

from typing import Any, cast

from msgspec import json

from ownkey.catalog.manifest import Model
from ownkey.wires.openai_error import error_in, unreadable
from ownkey.wires.wire import Listed


def read_models(body: bytes) -> Listed:
    """`{"data": [...]}`, or the bare list that Together gives. Lengths stand under one name or another."""
    try:
        said: object = json.decode(body)
    except (ValueError, RecursionError):
        raise unreadable("it is not a list of models") from None
    found = cast("dict[str, Any]", said).get("data") if isinstance(said, dict) else said
    if not isinstance(found, list):
        raise error_in(json.decode(body)) or unreadable("it is not a list of models")
    return Listed(tuple(model for item in cast("list[object]", found) if (model := _model(item)) is not None))


def _model(item: object) -> Model | None:
    if not isinstance(item, dict):
        return None
    said = cast("dict[str, Any]", item)
    id, name, top = said.get("id"), said.get("name"), said.get("top_provider")
    if not isinstance(id, str) or not id:
        return None
    most = cast("dict[str, Any]", top).get("max_completion_tokens") if isinstance(top, dict) else None
    return Model(
        id=id,
        name=name if isinstance(name, str) and name else None,
        context=_size(said, "context_length", "context_window", "max_context_length", "max_model_len"),
        max_output=_size({"top": most, **said}, "top", "max_completion_tokens", "max_output_tokens"),
    )


def _size(said: dict[str, Any], *names: str) -> int | None:
    found = (said.get(name) for name in names)
    return next((value for value in found if type(value) is int and value > 0), None)
