"""The terms of a key as a person writes them: a label, a day on which it expires, models that it may be used for."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from msgspec import UNSET, UnsetType

from ownkey.talk.errors import InvalidRequest
from ownkey.talk.secret import REDACTED, clean, ending

Amount = Decimal | int | str
"""Dollars, exactly."""

MOST_MODELS = 100
MOST_WEIGHT = 1_000

_LABEL = re.compile(r"[^\s/](?:[^\r\n\t/]{0,38}[^\s/])?")
_MODEL = re.compile(r"[\x21-\x7e\u00a1-\uffef]{1,200}")


def label_of(text: str) -> str:
    """Raises InvalidRequest where it is none; it is not repeated, for it may be a key in the wrong place."""
    if not _LABEL.fullmatch(text) or not text.isprintable() or clean(text) != text:
        raise InvalidRequest(
            "A label is 1 to 40 printable characters without a slash, and does not look like a key.",
            "Nothing was stored.",
            param="label",
        )
    return text


def expiry_ms(text: str) -> int:
    """A day holds to its end, in the time zone of this machine; so does a time that names no other."""
    try:
        if len(text) == len("2026-12-31"):
            at = datetime.combine(date.fromisoformat(text) + timedelta(days=1), datetime.min.time())
        else:
            at = datetime.fromisoformat(text)
        at_ms = int(at.astimezone().timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        raise InvalidRequest(
            "It expires on a day such as 2026-12-31.", "Nothing was changed.", param="expires"
        ) from None
    if at_ms <= time.time_ns() // 1_000_000:
        raise InvalidRequest("The day on which it expires is over.", "Nothing was changed.", param="expires")
    return at_ms


def models_text(models: Sequence[str]) -> str | None:
    """As it is kept: with blanks between. None where there are none: it may be used for all."""
    named = [models] if isinstance(models, str) else list(models)
    patterns = [part for name in named for part in re.split(r"[,\s]+", name) if part]
    if len(patterns) > MOST_MODELS or not all(_MODEL.fullmatch(pattern) for pattern in patterns):
        raise InvalidRequest(
            "Models are named as the provider names them, `*` for any letters: `gpt-4o*,o3`.", param="models"
        )
    return " ".join(dict.fromkeys(patterns)) or None


def weight_of(value: int | str) -> int:
    """Raises InvalidRequest."""
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()) or int(text) > MOST_WEIGHT:
        raise InvalidRequest(
            f"A weight is from 0 to {MOST_WEIGHT}; `none` for keys that are tried in order.", param="weight"
        )
    return int(text)


def columns_of(
    *,
    expires: str | UnsetType | None,
    models: Sequence[str] | UnsetType | None,
    weight: int | str | UnsetType | None = UNSET,
) -> dict[str, Any]:
    """What is given of these terms, as it is kept. Raises InvalidRequest."""
    given: dict[str, Any] = {}
    if expires is not UNSET:
        given["expires_at_ms"] = None if expires is None else expiry_ms(expires)
    if models is not UNSET:
        given["models"] = None if models is None else models_text(models)
    if weight is not UNSET:
        given["weight"] = None if weight is None else weight_of(weight)
    return given


def told_of(provider: str, label: str, masked: str) -> dict[str, Any]:
    """A key, for the audit trail."""
    return {"provider": provider, "label": label, "ending": ending(masked), "key": REDACTED}
