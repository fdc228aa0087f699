"""Texts as vectors: what is asked, and what comes back. The same for every provider."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from ownkey.talk.reply import Receipt, Usage

Tokens = tuple[int, ...]
Input = str | Tokens


class Embed(Struct, frozen=True):
    """Each input is a text, or a list of token ids of the model's own vocabulary. None means: not said.

    `task` is what the vectors are for (`retrieval_query`, `retrieval_document`, `clustering` ...), `title` that of the
    document. `other` are fields of the caller's wire that have no word here, by their own name.
    """

    inputs: tuple[Input, ...]
    dimensions: int | None = None
    task: str | None = None
    title: str | None = None
    user: str | None = None
    other: dict[str, Any] = field(default_factory=dict[str, Any])


class Embedded(Struct, frozen=True):
    """One vector for each input, in their order. `model` is the provider's own name for it."""

    vectors: tuple[list[float], ...]
    usage: Usage
    model: str | None = None
    warnings: tuple[str, ...] = ()
    receipt: Receipt | None = None
