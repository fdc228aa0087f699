"""What the three wires have in common: their errors' reasons, and usage told wrongly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, cast

import msgspec
from msgspec import Raw, Struct

from ownkey.simulate.speech import Asked, Said

Reason = Literal[
    "request",
    "key",
    "permission",
    "model",
    "large",
    "context",
    "content",
    "rate",
    "quota",
    "server",
    "overloaded",
    "timeout",
]

Usage = Literal["true", "missing", "zero", "negative", "huge", "float", "string", "nan", "double", "shrinking"]
"""How an answer tells its usage; the words are explained in docs/simulate.md."""


class Failure(Struct, frozen=True):
    """A refusal to be said in a wire's own form. `status` None: the one that belongs to the reason."""

    reason: Reason | None = None
    status: int | None = None
    message: str | None = None
    param: str | None = None
    retry_after: str | None = None
    seed: str = "0" * 64


class Wire(Protocol):
    """One wire, from the provider's side. A module of these functions is one."""

    JSON_TYPE: bytes
    STREAM_TYPE: bytes

    @staticmethod
    def lacks(headers: Mapping[bytes, bytes]) -> Failure | None:
        """What is wrong with the key, or with another header that this provider insists on."""
        ...

    @staticmethod
    def read(target: str, body: bytes) -> Asked:
        """Raises InvalidRequest or UnknownModel."""
        ...

    @staticmethod
    def whole(asked: Asked, said: Said, usage: Usage) -> bytes: ...

    @staticmethod
    def stream(asked: Asked, said: Said, usage: Usage) -> list[bytes]:
        """One event each; the last one says that the answer is whole."""
        ...

    @staticmethod
    def error(failure: Failure) -> tuple[int, dict[str, Any]]:
        """The status and the body."""
        ...

    @staticmethod
    def error_event(body: dict[str, Any]) -> bytes:
        """The same error inside a stream that has begun."""
        ...

    @staticmethod
    def models(ids: tuple[str, ...]) -> bytes: ...

    @staticmethod
    def headers(seed: str) -> tuple[tuple[bytes, bytes], ...]:
        """What this provider adds to every answer."""
        ...


_BENT: Mapping[str, Callable[[int], Any]] = {
    "zero": lambda number: 0,
    "negative": lambda number: -max(1, number),
    "huge": lambda number: 2**63,
    "float": lambda number: number + 0.5,
    "string": str,
    "nan": lambda number: Raw(b"NaN"),
}


def reports(usage: dict[str, Any], how: Usage) -> list[dict[str, Any]]:
    """The reports of usage that are sent, in their order: none, one or two."""
    if how == "missing":
        return []
    if how == "double":
        return [usage, usage]
    if how == "shrinking":
        return [_each(usage, lambda number: number * 2 + 10), usage]
    return [_each(usage, _BENT[how])] if how in _BENT else [usage]


def with_usage(body: dict[str, Any], name: str, told: list[dict[str, Any]]) -> bytes:
    """A JSON object with its usage: a member for each report, so that two make a name that stands twice."""
    encoded = msgspec.json.encode(body)
    for report in told:
        encoded = encoded[:-1] + b',"%b":%b}' % (name.encode(), msgspec.json.encode(report))
    return encoded


def pretty(encoded: bytes, usage: Usage) -> bytes:
    """Two blanks a level; what is no JSON stays as it is."""
    return encoded if usage == "nan" else msgspec.json.format(encoded, indent=2)


def _each(value: Any, change: Callable[[int], Any]) -> Any:
    if isinstance(value, dict):
        return {name: _each(member, change) for name, member in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_each(member, change) for member in cast("list[Any]", value)]
    return change(value) if isinstance(value, int) else value
