"""What is asked for besides chats: vectors, and how many tokens a chat has.

Forms after OpenAI's, Anthropic's and Google's API references (embeddings, count_tokens, countTokens, embedContent).
"""

from __future__ import annotations

import base64
import hashlib
import struct
from typing import Any, cast

import msgspec

from ownkey.simulate import anthropic_messages, gemini
from ownkey.simulate.speech import count
from ownkey.talk.errors import InvalidRequest

DIMENSIONS = 8
"""Of a vector where no other number was asked for."""

Object = dict[str, Any]


def called(target: str, body: bytes) -> bytes | None:
    """The answer to a call that is no chat; None where the path names none. Raises InvalidRequest."""
    path = target.partition("?")[0]
    if path.endswith("/messages/count_tokens"):
        asked = anthropic_messages.read(target, msgspec.json.encode({"max_tokens": 1, **_object(body)}))
        return msgspec.json.encode({"input_tokens": asked.prompt_tokens})
    if path.endswith(":countTokens"):
        given = _object(body)
        whole = msgspec.json.encode(given.get("generateContentRequest") or given)
        asked = gemini.read(target.replace(":countTokens", ":generateContent"), whole)
        return msgspec.json.encode({"totalTokens": asked.prompt_tokens})
    if path.endswith("/embeddings"):
        return _openai(_object(body))
    if path.endswith(":embedContent"):
        return msgspec.json.encode({"embedding": {"values": _gemini(_object(body))}})
    if path.endswith(":batchEmbedContents"):
        requests = cast("list[Object]", _object(body).get("requests") or [])
        return msgspec.json.encode({"embeddings": [{"values": _gemini(one)} for one in requests]})
    return None


def vector(text: str, dimensions: int) -> list[float]:
    """Numbers between -1 and 1, the same for the same text."""
    seed = hashlib.shake_256(text.encode()).digest(dimensions * 2)
    return [value / 32768 for value in struct.unpack(f"<{dimensions}h", seed)]


def _object(body: bytes) -> Object:
    value: object = msgspec.json.decode(body)
    if not isinstance(value, dict):
        raise InvalidRequest("The body must be an object.")
    return cast("Object", value)


def _openai(asked: Object) -> bytes:
    given: Any = asked.get("input")
    if not given:
        raise InvalidRequest("'input' is missing.", param="input")
    many = cast("list[object]", given) if isinstance(given, list) else [given]
    inputs: list[object] = [many] if isinstance(many[0], int) else many
    vectors = [vector(str(one), asked.get("dimensions") or DIMENSIONS) for one in inputs]
    packed = asked.get("encoding_format") == "base64"
    shown = [base64.b64encode(struct.pack(f"<{len(one)}f", *one)).decode() if packed else one for one in vectors]
    tokens = sum(count(str(one)) for one in inputs)
    data = [{"object": "embedding", "index": place, "embedding": one} for place, one in enumerate(shown)]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return msgspec.json.encode({"object": "list", "data": data, "model": asked.get("model"), "usage": usage})


def _gemini(asked: Object) -> list[float]:
    parts = cast("list[Object]", cast("Object", asked.get("content") or {}).get("parts") or [])
    text = "".join(str(part.get("text", "")) for part in parts)
    return vector(text, asked.get("outputDimensionality") or DIMENSIONS)
