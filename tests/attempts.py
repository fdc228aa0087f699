"""Holds and endings as tests need them."""

from __future__ import annotations

from itertools import count
from typing import Any

from msgspec.structs import replace

from ownkey.store.book import Ending, Hold

_numbers = count(1)


def hold(**differs: Any) -> Hold:
    """A hold that differs from all others in its id."""
    id = f"h{next(_numbers):08d}"
    usual = Hold(
        id=id,
        request_id=f"r-{id}",
        attempt=1,
        owner="local",
        token_id=None,
        key_id="key-1",
        provider="openai",
        model="gpt-4o",
        wire="openai-chat",
        stream=True,
        held_nano=1_000,
        priced=True,
        price='{"input":"2.50"}',
        started_at_ms=1_700_000_000_000,
    )
    return replace(usual, **differs)


def exact(id: str, cost_nano: int = 600, **differs: Any) -> Ending:
    return replace(Ending(id, "exact", cost_nano, ended_at_ms=1_700_000_000_500), **differs)
