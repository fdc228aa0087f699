"""What is remembered for people, on both databases."""

from __future__ import annotations

from secrets import token_bytes

from ownkey.store.cached import CachedRow, Hit
from ownkey.store.db import Store
from ownkey.store.keys import KeyRow
from ownkey.store.people import User
from ownkey.store.remembered import KeptRow, Terms, memory_of

OWNERS = ("a", "b", "a/customer")


def with_people(store: Store) -> dict[str, str]:
    """The key of each, by its owner."""
    for owner in ("a", "b"):
        store.people.add(User(owner, owner, None, "member", "active", None, None, 1))
    for owner in OWNERS:
        key = KeyRow(f"key_{owner}", memory_of(owner), "memory", "inside://memory:0", 1, b"x" * 99, "...", "one", 1)
        assert store.keys.put(key, under=store.install.get().root_check)
        store.memory_terms.put(Terms(owner, history=True))
    return {owner: f"key_{owner}" for owner in OWNERS}


def kept(owner: str, number: int) -> KeptRow:
    return KeptRow(f"{owner}-{number:03}", owner, 1000 + number, f"key_{owner}", b"sealed")


def cached(owner: str, made_at_ms: int, size: int = 100, until_ms: int = 10_000) -> CachedRow:
    return CachedRow(token_bytes(32), owner, f"key_{owner}", b"x" * size, size, made_at_ms, until_ms)


def test_what_somebody_wants_is_kept_and_changed(store: Store) -> None:
    assert store.memory_terms.get("a") == Terms("a")
    terms = Terms("a", history=True, history_days=3, cache_ttl_s=60, cache_models="openai/*")
    store.memory_terms.put(terms)
    assert store.memory_terms.get("a") == terms
    assert store.memory_terms.limited() == [terms]
    store.memory_terms.put(Terms("a"))
    assert store.memory_terms.get("a") == Terms("a")


def test_entries_come_newest_first_in_pages_and_only_their_owners(store: Store) -> None:
    with_people(store)
    assert store.kept.add([kept(owner, number) for number in range(5) for owner in ("a", "b")]) == 10
    first = store.kept.page("a", None, 3)
    assert [row.id for row in first] == ["a-004", "a-003", "a-002"]
    rest = store.kept.page("a", (first[-1].at_ms, first[-1].id), 3)
    assert [row.id for row in rest] == ["a-001", "a-000"]
    assert store.kept.page("a", None, 9, since_ms=1003) == first[:2]
    assert store.kept.get("b", "a-001") is None
    assert store.kept.remove("b", id="a-001") == 0
    assert store.kept.remove("a", before_ms=1002) == 2
    assert (store.kept.remove("a"), store.kept.count("a"), store.kept.count("b")) == (3, 0, 5)


def test_nothing_is_added_for_who_wants_nothing_or_whose_key_is_gone(store: Store) -> None:
    keys = with_people(store)
    store.memory_terms.put(Terms("a"))
    assert store.kept.add([kept("a", 1), kept("nobody", 1), kept("b", 1)]) == 1
    store.keys.remove(keys["b"])
    assert store.kept.add([kept("b", 2)]) == 0
    assert store.kept.add([KeptRow("b-3", "b", 1, lost="vault_sealed")]) == 1
    store.cached.put([cached("b", 1)], 1, 1000)
    assert store.cached.fill("b", 1).answers == 0


def test_the_oldest_answers_give_way_and_what_is_over_goes(store: Store) -> None:
    with_people(store)
    rows = [cached("a", made_at_ms) for made_at_ms in range(6)]
    store.cached.put([cached("b", 0)], 0, 350)
    for row in rows:
        store.cached.put([row], 5, 350)
    assert [store.cached.get("a", row.digest) is not None for row in rows] == [False] * 3 + [True] * 3
    assert (store.cached.fill("a", 5).bytes, store.cached.fill("b", 5).answers) == (300, 1)
    assert store.cached.get("b", rows[-1].digest) is None
    store.cached.put([cached("a", 7, until_ms=20_000)], 10_001, 350)
    assert store.cached.fill("a", 10_001).answers == 1
    store.cached.expire(10_001)
    assert store.cached.fill("b", 0).answers == 0
    assert store.cached.clear("a") == 1


def test_what_was_saved_is_summed_up(store: Store) -> None:
    def hit(id: str, owner: str, at_ms: int, saved_nano: int | None) -> Hit:
        return Hit(id, owner, None, None, "openai", "gpt-4o", at_ms, saved_nano is not None, saved_nano or 0, 10, 5)

    store.cached.note([hit("1", "a", 1, 7), hit("2", "a", 2, None), hit("3", "b", 3, 9)])
    all_of_it = store.cached.saved(0, {})
    assert (all_of_it.hits, all_of_it.saved_nano, all_of_it.unpriced, all_of_it.input_tokens) == (3, 16, 1, 30)
    assert store.cached.saved(2, {"owner": "a"}).hits == 1
    assert store.cached.saved(9, {}).saved_nano == 0


def test_with_a_person_goes_what_is_remembered_for_them_and_for_their_applications_users(store: Store) -> None:
    with_people(store)
    for owner in OWNERS:
        assert store.kept.add([kept(owner, 1)]) == 1
        store.cached.put([cached(owner, 1)], 1, 1000)
    assert store.people.remove("a")
    for owner, left in zip(OWNERS, (0, 1, 0), strict=True):
        assert store.kept.count(owner) == left
        assert store.cached.fill(owner, 1).answers == left
        assert len(store.keys.all(memory_of(owner))) == left
        assert store.memory_terms.get(owner).history is bool(left)
