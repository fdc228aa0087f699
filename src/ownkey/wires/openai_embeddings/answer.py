"""Embeddings in OpenAI's form: read from providers, written for clients."""

from __future__ import annotations

import sys
from array import array
from base64 import b64encode
from typing import Any, cast

from msgspec import DecodeError, Raw, Struct, json

from ownkey.talk.embed import Embedded
from ownkey.talk.reply import Usage
from ownkey.wires.embedding import EmbedAsk, PassedVectors
from ownkey.wires.openai_error import error_told, unreadable

LARGEST_COUNT = 2**53
"""Beyond it a JSON number is no exact count."""


class _Item(Struct):
    embedding: Raw
    index: int | None = None


class _Answer(Struct):
    data: list[_Item]
    usage: Any = None
    model: Any = None


_answer = json.Decoder(_Answer)
_vector = json.Decoder(list[float])


def pass_embedded(body: bytes, ask: EmbedAsk) -> PassedVectors:
    """The body as it came, once it is sure that it holds as many vectors as were asked for."""
    answer, _ = _read(body, ask.count)
    return PassedVectors(body, input_usage(answer.usage))


def read_embedded(body: bytes, count: int) -> Embedded:
    answer, items = _read(body, count)
    try:
        vectors = tuple(_vector.decode(item.embedding) for item in items)
    except (DecodeError, ValueError):
        raise unreadable("a vector is not a list of numbers") from None
    model = answer.model if isinstance(answer.model, str) else None
    return Embedded(vectors, input_usage(answer.usage), model)


def write_embedded(embedded: Embedded, ask: EmbedAsk, model: str) -> bytes:
    tokens = embedded.usage.input_tokens
    data = [
        {"object": "embedding", "index": index, "embedding": _base64(vector) if ask.base64 else vector}
        for index, vector in enumerate(embedded.vectors)
    ]
    usage = {} if tokens is None else {"prompt_tokens": tokens, "total_tokens": tokens}
    return json.encode({"object": "list", "data": data, "model": embedded.model or model, "usage": usage})


def input_usage(raw: object) -> Usage:
    """Input alone is counted here. Voyage AI gives but the total."""
    said = cast("dict[str, Any]", raw) if isinstance(raw, dict) else {}
    told = [said.get(name) for name in ("prompt_tokens", "input_tokens", "total_tokens")]
    counts = [count for count in told if type(count) is int and 0 <= count <= LARGEST_COUNT]
    return Usage(input_tokens=max(counts, default=None), output_tokens=0)


def _read(body: bytes, count: int) -> tuple[_Answer, list[_Item]]:
    try:
        answer = _answer.decode(body)
    except (ValueError, RecursionError):
        raise error_told(body) or unreadable("it holds no embeddings") from None
    items = answer.data
    if all(item.index is not None for item in items):
        items = sorted(items, key=lambda item: item.index or 0)
        if [item.index for item in items] != list(range(len(items))):
            raise unreadable("its embeddings are not numbered from 0")
    if len(items) != count:
        raise unreadable(f"it holds {len(items)} embeddings in place of {count}")
    return answer, items


def _base64(vector: list[float]) -> str:
    """32-bit floats, the lowest byte first."""
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return b64encode(numbers.tobytes()).decode()
