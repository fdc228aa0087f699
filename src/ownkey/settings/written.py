"""`config.toml` as a text: what it says, and the same with other values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ownkey.settings import CONFIG, file_of

TRAVELS = (
    *("allow_private_hosts", "environment_keys", "fallback", "order", "retries"),
    *("retry_delay_s", "retry_max_delay_s", "retry_multiplier"),
    *("connect_timeout_s", "headers_timeout_s", "idle_timeout_s", "total_timeout_s", "budget_wait_s", "log_level"),
    "cache_size_mb",
)
"""Settings that mean the same on another machine. The others are secrets, paths, or places of this one."""


def travelling(home: Path) -> dict[str, Any]:
    """What `config.toml` says of those. Raises BadConfiguration."""
    values = file_of(home / CONFIG).values
    return {name: values[name] for name in TRAVELS if name in values}


def rewritten(home: Path, values: Mapping[str, Any]) -> bytes:
    """The file with these values in place of others. Where none is replaced, the rest stays as it was written.

    Raises BadConfiguration where it cannot be read.
    """
    file = file_of(home / CONFIG)
    if any(name in file.values for name in values):
        return _told({**file.values, **values}).encode()
    # Before whatever table the file may begin.
    return (_told(values) + file.text).encode()


def _told(values: Mapping[str, Any]) -> str:
    return "".join(f"{name} = {_value(value)}\n" for name, value in values.items())


def _value(value: Any) -> str:
    """TOML writes these as JSON does (TOML 1.0.0), but for DEL, which it wants escaped."""
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
