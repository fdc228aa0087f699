"""What may stand in a record's detail: nothing that opens anything."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ownkey.talk.secret import REDACTED, Secret, clean

MOST_BYTES = 4096
_DEEPEST = 6
_MOST_ITEMS = 64

# A value under such a name is a secret, whatever it looks like; `key_id`, `token_name`, `input_tokens` are none.
_SECRET_NAME = re.compile(
    r"(?:^|[-_.\s])(?:api[-_]?keys?|keys?|tokens?|secrets?|pass(?:word|phrase|wd)?|auth|authorization|cookies?"
    r"|credentials?|bearer|signature|salt|seed)$",
    re.IGNORECASE,
)
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_IN_URL = re.compile(r"(?<=://)[^/\s@]*@")
_OURS = re.compile(r"(\b(?:key_|tok_|b_)[0-9a-f]{12,16}\b)")
_IN_QUERY = re.compile(r"([?&;][^=&;\s?]{1,64}=)[^&;\s]+")


def detail_text(detail: Mapping[str, Any]) -> str:
    """As JSON. Whatever is a secret, by its type, its name or its looks, is `REDACTED`."""
    text = msgspec.json.encode(_mapping(detail, 0)).decode()
    return text if len(text.encode()) <= MOST_BYTES else msgspec.json.encode({"cut": clean(text, limit=1000)}).decode()


def plain(text: str) -> str:
    """Text from anywhere, on one line, without what looks like a key; ids of ours, which look like some, stay."""
    text = _IN_QUERY.sub(rf"\1{REDACTED}", _IN_URL.sub(f"{REDACTED}@", text.encode(errors="replace").decode()))
    parts = _OURS.split(text)
    return "".join(part if place % 2 else clean(part) for place, part in enumerate(parts))


def _value(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else str(value)
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, Secret | bytes | bytearray | memoryview):
        return REDACTED
    if depth >= _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        return _mapping(value, depth)  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, Sequence | set | frozenset):
        items: list[Any] = list(value)[:_MOST_ITEMS]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        if len(items) == 2 and _is_secret(_name(items[0])):
            return [_name(items[0]), _hidden(items[1])]  # a header, or a field of a form
        return [_value(item, depth + 1) for item in items]
    return type(value).__name__


def _mapping(values: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    named = [(_name(name), value) for name, value in list(values.items())[:_MOST_ITEMS]]
    return {plain(name): _hidden(value) if _is_secret(name) else _value(value, depth + 1) for name, value in named}


def _hidden(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int) else REDACTED


def _name(name: Any) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)[:200]


def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(_WORDS.sub("_", name)) is not None
