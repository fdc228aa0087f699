"""What people want, and what they have said yes to, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from msgspec import structs

from ownkey.store.consents import Consent
from ownkey.store.db import Store
from ownkey.store.preferences import NONE, Preferences

NOW = 1_800_000_000_000
YES = Consent("yes_1", "a", "switch", "openai", "anthropic", NOW, NOW + 1_000)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = Store.open(url)
    yield opened
    opened.close()


def test_a_token_is_used_once_however_many_try_at_the_same_time(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        used = list(pool.map(lambda _: store.consents.use("a", b"d" * 32, NOW + 1_000, NOW), range(16)))
    assert sorted(used) == [False] * 15 + [True]
    assert store.consents.use("b", b"d" * 32, NOW + 1_000, NOW)


def test_what_was_used_is_forgotten_when_it_would_have_expired(store: Store) -> None:
    assert store.consents.use("a", b"d" * 32, NOW + 1_000, NOW)
    assert store.consents.use("a", b"e" * 32, NOW + 9_000, NOW + 1_000)
    assert store.consents.use("a", b"d" * 32, NOW + 9_000, NOW + 1_000)
    assert not store.consents.use("a", b"e" * 32, NOW + 9_000, NOW + 1_000)


def test_a_yes_is_its_owners_and_good_until_it_is_over(store: Store) -> None:
    store.consents.put(YES)
    store.consents.put(structs.replace(YES, id="yes_2", owner="b"))
    assert store.consents.all("a", NOW) == [YES]
    assert store.consents.all("a", YES.until_ms) == []
    assert not store.consents.remove("b", YES.id)
    longer = structs.replace(YES, id="yes_3", created_at_ms=NOW + 500, until_ms=NOW + 5_000)
    store.consents.put(longer)
    assert store.consents.all("a", NOW + 500) == [structs.replace(YES, until_ms=NOW + 5_000)]
    assert store.consents.remove("a", YES.id)
    assert store.consents.all("a", NOW) == []
    assert len(store.consents.all("b", NOW)) == 1


def test_preferences_are_one_persons_and_known_at_once_where_they_are_set(store: Store) -> None:
    wanted = Preferences(provider="openai", preferred=("openai/gpt-4o",), models={"openai": "gpt-4o"}, ask=True)
    assert store.preferences.of("a") == NONE
    store.preferences.set("a", wanted)
    assert store.preferences.of("a") == store.preferences.get("a") == wanted
    assert store.preferences.of("b") == NONE
    store.preferences.set("a", NONE)
    assert store.preferences.of("a") == NONE
