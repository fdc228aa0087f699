"""What a starter does around the model: it prepares what is asked, and checks what is answered. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from msgspec import Struct

from ownkey.app.automations.given import Given


class Prepared(Struct, frozen=True):
    """`asks`: for each request what stands in the prompt's variables, beside what was given. `models`: who is asked,
    each of them everything, where it is not the automation's own. `facts` is what `finish` needs again."""

    asks: tuple[dict[str, str], ...]
    models: tuple[str, ...] = ()
    facts: Any = None


class Said(Struct, frozen=True):
    """What became of one request: `value` is its answer, JSON where a schema is wanted, else text; None where it came
    to nothing: `error` is the code. `faults`: where the answer does not fit the schema, how."""

    ask: int
    model: str
    value: Any = None
    error: str | None = None
    message: str | None = None
    faults: tuple[str, ...] = ()
    cost_nano: int | None = None
    took_ms: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None


class Working(Protocol):
    """`provides`: the variables that `prepare` fills."""

    provides: tuple[str, ...]

    def prepare(self, given: Given, room_chars: int) -> Prepared:
        """`room_chars`: about how much text one request may hold. Raises InvalidRequest."""
        ...

    def finish(self, prepared: Prepared, said: Sequence[Said]) -> dict[str, Any]: ...

    def faults(self, prepared: Prepared, ask: int, value: Any) -> list[str]:
        """What is wrong with an answer that fits the schema, to be said to the model once."""
        ...


class Plain:
    """Of an automation without a starter: one request, its answer as it is."""

    provides: tuple[str, ...] = ()

    def prepare(self, given: Given, room_chars: int) -> Prepared:
        return Prepared(({},))

    def finish(self, prepared: Prepared, said: Sequence[Said]) -> dict[str, Any]:
        return {"output": said[0].value}

    def faults(self, prepared: Prepared, ask: int, value: Any) -> list[str]:
        return []
