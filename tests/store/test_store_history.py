"""The book's past, summed up in quarters of an hour, on SQLite and on PostgreSQL."""

from __future__ import annotations

from attempts import exact, hold
from ownkey.store.book import Ending
from ownkey.store.db import Store
from ownkey.store.history import QUARTER_MS, Quarter
from store_asked import ask, settle

START_MS = 1_790_000_100_000 // QUARTER_MS * QUARTER_MS


def test_what_one_provider_was_asked_is_summed_up_by_quarter_model_and_state(url: str) -> None:
    store = Store.open(url)
    try:
        holds = [
            hold(started_at_ms=START_MS - 1),
            hold(started_at_ms=START_MS),
            hold(started_at_ms=START_MS + QUARTER_MS - 1),
            hold(started_at_ms=START_MS + QUARTER_MS),
            hold(started_at_ms=START_MS, priced=False),
            hold(started_at_ms=START_MS, provider="gemini"),
            hold(started_at_ms=START_MS, model="o3"),
            hold(started_at_ms=START_MS, model="o3", held_nano=77),
        ]
        ask(store, *holds)
        settle(store, *(exact(one.id, 100 + number) for number, one in enumerate(holds[:6])))
        settle(store, Ending(holds[6].id, "released", ended_at_ms=1))
        assert store.history.quarters("openai", START_MS, START_MS + QUARTER_MS + 1) == [
            Quarter(START_MS, "gpt-4o", "exact", 3, 1, 101 + 102 + 104, 3_000),
            Quarter(START_MS, "o3", "held", 1, 0, 0, 77),
            Quarter(START_MS + QUARTER_MS, "gpt-4o", "exact", 1, 0, 103, 1_000),
        ]
        assert store.history.quarters("openai", START_MS + QUARTER_MS + 1, 2**53) == []
    finally:
        store.close()
