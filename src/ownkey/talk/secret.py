"""A value that does not print, pickle, compare or log."""

from __future__ import annotations

import re
from typing import NoReturn

# What may stand in an HTTP header value and nothing else: a key with a line break or a blank in it
# would be quoted in the error text of the client that refuses it.
_SHAPE = re.compile(rb"[\x21-\x7e]{8,4096}")

# The shapes of keys people use, for text that comes from outside and may quote one.
_KEY_SHAPES = re.compile(
    r"(?:sk|pk|rk|xai|gsk|ok|AIza|ya29|Bearer\s+\S)[-_.A-Za-z0-9*]{12,}|\b[0-9a-fA-F]{32,}\b", re.IGNORECASE
)
# The beginnings of keys that say whose they are.
_PREFIX = re.compile(r"[A-Za-z]{1,6}[-_]")
_SHOWN, _HIDDEN, _LONG = 4, 16, 39
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

REDACTED = "REDACTED"


class Secret:
    """A provider's key or a token. Raises ValueError, without the value, where it is not 8 to 4,096 visible ASCII."""

    __slots__ = ("_value",)

    def __init__(self, value: str | bytes) -> None:
        try:
            raw = value.encode("ascii") if isinstance(value, str) else bytes(value)
        except UnicodeEncodeError:
            raw = b""
        if not _SHAPE.fullmatch(raw):
            raise ValueError("a key is 8 to 4096 visible ASCII characters without blanks or line breaks")
        self._value = raw

    def reveal(self) -> bytes:
        """The value itself; call it where it is used, and keep the result nowhere."""
        return self._value

    def masked(self) -> str:
        """`sk-...vX2Q`: how it begins, as far as that is public or there is enough of it, and its last four characters.

        What stands before the first `-` or `_` names the kind of key and is no secret; other keys show their first
        four from 39 characters on, as Google's have. Each character shown gives away 4 bits of a key in hex and 6 of
        one in base64. Sixteen stay hidden or nothing is shown: 64 bits in hex, 95 in letters and digits; with the
        first four shown it is 31, and 124 or 184 bits.
        """
        text = self._value.decode("ascii")
        prefix = _PREFIX.match(text)
        begins = prefix.group() if prefix else text[:_SHOWN] if len(text) >= _LONG else ""
        if len(text) - len(begins) - _SHOWN < _HIDDEN:
            begins = ""
        return f"{begins}...{text[-_SHOWN:]}" if len(text) - _SHOWN >= _HIDDEN else "..."

    def __repr__(self) -> str:
        return f"Secret({REDACTED})"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        raise TypeError("secrets are not compared")

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> NoReturn:
        raise TypeError("secrets are not pickled or copied")

    def __setattr__(self, name: str, value: object) -> None:
        if name != "_value" or hasattr(self, "_value"):
            raise AttributeError("secrets do not change")
        object.__setattr__(self, name, value)


def ending(masked: str) -> str | None:
    """Of a masked key its last characters; None where none are shown."""
    return masked.rpartition("...")[2] or None


def clean(text: str, secret: Secret | None = None, limit: int = 500) -> str:
    """Text from outside, fit to be shown: one line, no control characters, nothing shaped like a key, not too long."""
    text = text if len(text) <= limit * 8 else text[: limit * 8] + "…"
    if secret is not None:
        text = _without(text, secret)
    text = _KEY_SHAPES.sub(REDACTED, _CONTROL.sub(" ", text))
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _without(text: str, secret: Secret) -> str:
    """Without the value, and without what stands of it where a text was cut off, which `…` tells."""
    whole = secret.reveal().decode("utf-8", "replace")
    *cut, rest = text.replace(whole, REDACTED).split("…")
    return "…".join((*(_without_beginning(part, whole) for part in cut), rest))


def _without_beginning(text: str, whole: str) -> str:
    longest = next((n for n in range(len(whole) - 1, _SHOWN, -1) if text.endswith(whole[:n])), 0)
    return text[: len(text) - longest] + REDACTED if longest else text
