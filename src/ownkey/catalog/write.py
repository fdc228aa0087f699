"""A manifest written down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec


def write_manifest(made: Mapping[str, Any]) -> bytes:
    """Each key on a line of its own; what is nothing is left out."""
    return "".join(f"{key} = {_toml(value)}\n" for key, value in made.items() if value not in (None, {}, [])).encode()


def _toml(value: object) -> str:
    """Inline, of plain data; text as JSON writes it, which TOML reads alike (TOML 1.0, Basic strings)."""
    if isinstance(value, dict):
        pairs = cast("dict[str, object]", value).items()
        return f"{{{', '.join(f'{_text(key)} = {_toml(one)}' for key, one in pairs if one is not None)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, cast('list[object]', value)))}]"
    return _text(value) if isinstance(value, str) else str(value).lower()


def _text(value: str) -> str:
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
