"""A request for embeddings in OpenAI's form: read from clients, written for providers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from msgspec import Raw, json

from ownkey.talk.embed import Embed, Input
from ownkey.talk.errors import Unsupported
from ownkey.wires.embedding import TOKEN_BYTES, EmbedAsk
from ownkey.wires.members import decode_members, model_name, whole_number, wrong
from ownkey.wires.other import carried
from ownkey.wires.wire import Written

MOST_DIMENSIONS = 2**20

_KNOWN = frozenset({"model", "input", "dimensions", "encoding_format", "user", "input_type"})

# `input_type` of Voyage AI, and of Cohere's models at OpenRouter, as the task that means the same.
_TASKS: Mapping[str, str] = {
    "query": "retrieval_query",
    "document": "retrieval_document",
    "search_query": "retrieval_query",
    "search_document": "retrieval_document",
    "classification": "classification",
    "clustering": "clustering",
}


def read_ask(body: bytes) -> EmbedAsk:
    """Raises InvalidRequest, naming the field. Of members given twice, the last one holds and is sent alone."""
    values, fields = decode_members(body)
    encoding, dimensions = values.get("encoding_format"), values.get("dimensions")
    if encoding is not None and not isinstance(encoding, str):
        raise wrong("encoding_format", "a text")
    if dimensions is not None:
        whole_number("dimensions", dimensions, MOST_DIMENSIONS)
    given = _given(values.get("input"))
    texts = [one for one in given if isinstance(one, str)]
    tokens = sum(len(one) for one in given if isinstance(one, tuple))
    return EmbedAsk(
        model=model_name(values.get("model")),
        fields=fields,
        count=len(given),
        text_bytes=sum(len(text.encode()) for text in texts) + TOKEN_BYTES * tokens,
        text_only=None not in given,
        base64=encoding == "base64",
    )


def read_embed(ask: EmbedAsk) -> Embed:
    """The whole request; what only this wire's own providers know stands in `other`."""
    values = {name: json.decode(raw) for name, raw in ask.fields.items()}
    inputs = [one for one in _given(values["input"]) if one is not None]
    if not ask.text_only:
        raise Unsupported("Only texts and tokens can be carried to this provider.", "Send texts.", param="input")
    encoding = values.get("encoding_format")
    if encoding not in (None, "float", "base64"):
        raise Unsupported(
            "`encoding_format` can be `float` or `base64` with this provider.",
            "Choose one of them.",
            param="encoding_format",
        )
    user, kind = values.get("user"), values.get("input_type")
    task = _TASKS.get(kind) if isinstance(kind, str) else None
    other = {name: value for name, value in values.items() if name not in _KNOWN and value is not None}
    if task is None and kind is not None:
        other["input_type"] = kind
    return Embed(
        tuple(inputs), values.get("dimensions"), task=task, user=user if isinstance(user, str) else None, other=other
    )


def forward(ask: EmbedAsk, model: str) -> bytes:
    """Every member with its own bytes but the model."""
    return json.encode({**ask.fields, "model": Raw(json.encode(model))})


def write_embed(embed: Embed, model: str) -> Written:
    """Without `encoding_format`: plain numbers are what everybody sends, and some know no word for them."""
    warnings = [
        f"{name} has no counterpart at this provider and was left out."
        for name, value in (("task", embed.task), ("title", embed.title))
        if value is not None
    ]
    body: dict[str, Any] = {"model": model, "input": embed.inputs}
    if embed.dimensions is not None:
        body["dimensions"] = embed.dimensions
    if embed.user is not None:
        body["user"] = embed.user
    carried(embed.other, frozenset(), warnings)
    return Written(json.encode(body), tuple(warnings))


def _given(value: object) -> list[Input | None]:
    """The inputs: one text, several, tokens of one, or of several; None stands for what is neither."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not value:
        raise wrong("input", "a text, or an array of at least one")
    given = cast("list[object]", value)
    if _is_tokens(given):
        return [tuple(cast("list[int]", given))]
    return [_one(item) for item in given]


def _one(item: object) -> Input | None:
    if isinstance(item, str):
        return item
    if isinstance(item, list) and item and _is_tokens(cast("list[object]", item)):
        return tuple(cast("list[int]", item))
    if isinstance(item, dict):
        return None
    raise wrong("input", "texts, or arrays of tokens")


def _is_tokens(items: list[object]) -> bool:
    return all(type(item) is int and 0 <= item < 2**31 for item in items)
