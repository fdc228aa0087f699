"""What is written in the book, and what writes it: one pen for each kind of database, in its driver's own words."""

from __future__ import annotations

from typing import Literal, Protocol

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


class Ending(Struct, frozen=True):
    """How the attempt of that id ended. `error` is an error's code; None among the tokens is unknown."""

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


class Pen(Protocol):
    """Writes for one thread. Raises StorageUnavailable where the database does not answer: close it then.

    Any other error says that a row cannot be kept as it is; nothing of the batch was written.
    """

    def write(self, holds: list[Hold], endings: list[Ending]) -> None:
        """All of it, durably, or nothing. Of two endings of one id, the first to be written stands."""
        ...

    def assume(self, id: str, at_ms: int) -> None:
        """End that hold at the amount held."""
        ...

    def close(self) -> None: ...

    def leave(self) -> None:
        """In a forked child: let go of what is the parent's without a word to the database."""
        ...


COLUMNS_OF_A_HOLD = Hold.__struct_fields__
COLUMNS_OF_AN_ENDING = Ending.__struct_fields__[1:]
"""The first field of an ending is the id of its row."""
