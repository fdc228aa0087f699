"""An attempt in the book: what is set aside for it, and how it ended."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Hold(Struct, frozen=True):
    """Money set aside for one attempt, and what the attempt is. `price` is JSON text of the rates used.

    `id` is `request_id.attempt`, by which the rows of a request are found; it rises with time, for the index's sake.
    """

    id: str
    request_id: str
    attempt: int
    owner: str
    token_id: str | None
    key_id: str | None
    provider: str
    model: str
    wire: str
    stream: bool
    held_nano: int
    priced: bool
    price: str
    started_at_ms: int
    automation: str | None = None
    held_tokens: int = 0


class Ending(Struct, frozen=True):
    """How the attempt of that id ended. `error` is an error's code; None among the tokens is unknown.

    Tokens are those of `talk.reply.Usage`, and so is `tier`. `sent_ms`, `first_ms`, `total_ms`: from the hold until the
    request went out, the answer began, all was over.
    """

    id: str
    state: Literal["exact", "counted", "assumed", "released"]
    cost_nano: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    finish: str | None = None
    error: str | None = None
    status: int | None = None
    first_ms: int | None = None
    total_ms: int | None = None
    ended_at_ms: int = 0
    input_audio_tokens: int | None = None
    output_audio_tokens: int | None = None
    cached_audio_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    tier: str | None = None
    sent_ms: int | None = None


class BookRow(Hold, frozen=True, kw_only=True):
    """One attempt. While `state` is `held` its money is pending and `cost_nano` is 0; without `priced` both are 0."""

    state: Literal["held", "exact", "counted", "assumed", "released"]
    cost_nano: int
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    finish: str | None
    error: str | None
    status: int | None
    first_ms: int | None
    total_ms: int | None
    ended_at_ms: int | None
    input_audio_tokens: int | None
    output_audio_tokens: int | None
    cached_audio_tokens: int | None
    cache_write_1h_tokens: int | None
    tier: str | None
    sent_ms: int | None


COLUMNS_OF_A_HOLD = Hold.__struct_fields__
COLUMNS_OF_AN_ENDING = Ending.__struct_fields__[1:]
"""The first field of an ending is the id of its row."""
