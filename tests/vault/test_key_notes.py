"""What is noted of keys as they are used: written at most once a minute, and the rest at the end."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from house import until
from ownkey.settings import Settings
from ownkey.store.db import Store
from ownkey.store.keys import KeyRow
from ownkey.talk.origin import Origin
from ownkey.talk.secret import Secret
from ownkey.vault.notes import KeyNotes
from ownkey.vault.vault import Vault


@pytest.fixture
def row(store: Store, settings: Settings, openai: Origin) -> KeyRow:
    return Vault(store, settings).put("local", "openai", openai, Secret("sk-proj-canary-71e0c9b8a7f6e5d4"))


@pytest.fixture
def notes(store: Store) -> Iterator[KeyNotes]:
    notes = KeyNotes(store)
    yield notes
    notes.close()


def kept(store: Store) -> KeyRow:
    (row,) = store.keys.all("local")
    return row


def test_a_use_is_written_at_once_then_once_a_minute_and_the_last_at_the_end(
    store: Store, row: KeyRow, notes: KeyNotes
) -> None:
    assert notes.used_at_ms(row) is None
    began_ms = time.time() * 1000
    notes.used(row)
    first = until(lambda: kept(store).used_at_ms)
    assert began_ms - 1 <= first <= time.time() * 1000 + 1
    until(lambda: time.time() * 1000 > first + 5)
    notes.used(row)
    last = notes.used_at_ms(row)
    assert last is not None
    assert last > first
    notes.found(row, None)
    until(lambda: kept(store).checked_at_ms)
    assert kept(store).used_at_ms == first
    notes.close()
    assert kept(store).used_at_ms == last


def test_what_a_provider_says_is_written_where_it_is_new(store: Store, row: KeyRow, notes: KeyNotes) -> None:
    assert (notes.refused(row), notes.resting(row), notes.checked_at_ms(row)) == (None, False, None)
    notes.found(row, None)
    first = until(lambda: kept(store).checked_at_ms)
    assert abs(first - time.time() * 1000) < 60_000
    until(lambda: time.time() * 1000 > first + 5)
    notes.found(row, None)
    again = notes.checked_at_ms(row)
    assert again is not None
    assert again > first
    notes.found(row, "key_refused")
    until(lambda: kept(store).refused == "key_refused")
    assert (notes.refused(row), notes.resting(row)) == ("key_refused", True)
    notes.found(row, None)
    until(lambda: kept(store).refused is None)
    assert (notes.refused(row), notes.resting(row)) == (None, False)


def test_the_same_answer_is_not_written_twice_in_a_minute(store: Store, row: KeyRow, notes: KeyNotes) -> None:
    notes.found(row, None)
    first = until(lambda: kept(store).checked_at_ms)
    until(lambda: time.time() * 1000 > first + 5)
    notes.found(row, None)
    notes.close()
    assert kept(store).checked_at_ms == first


def test_what_another_process_has_found_later_counts(store: Store, row: KeyRow, notes: KeyNotes) -> None:
    notes.found(row, None)
    first = until(lambda: kept(store).checked_at_ms)
    until(lambda: time.time() * 1000 > first + 5)
    there = KeyNotes(store)
    there.found(row, "key_refused")
    later = until(lambda: kept(store) if kept(store).refused else None)
    assert notes.refused(later) == "key_refused"
    assert notes.resting(later)
    assert notes.checked_at_ms(later) == later.checked_at_ms != first
    assert notes.refused(row) is None
    there.close()
