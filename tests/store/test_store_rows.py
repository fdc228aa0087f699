"""What is put in the store is what comes out of it: keys, choices, tokens, models, the installation."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from msgspec.structs import replace

from ownkey.catalog.manifest import Model, Price
from ownkey.store.choices import Choice
from ownkey.store.db import Store
from ownkey.store.keys import KeyRow, Note
from ownkey.store.tokens import TokenRow

KEY = KeyRow("k1", "ann", "openai", "https://api.openai.com:443", 1, b"\x00sealed\xff", "sk-...vX2Q", "", 5)
TOKEN = TokenRow("t1", "ann", "laptop", bytes(range(32)), "ok-...9a", 5)


def test_a_key_comes_back_as_it_was_put(store: Store) -> None:
    assert store.keys.put(KEY, under=None)
    assert store.keys.get("k1") == KEY
    assert store.keys.of("ann", "openai") == [KEY]
    assert store.keys.get("k2") is None


def test_a_key_of_the_same_label_replaces_and_a_lower_version_does_not(store: Store) -> None:
    store.keys.put(KEY, under=None)
    newer = replace(KEY, version=2, sealed=b"other", origin="https://other.example:443")
    assert store.keys.put(newer, under=None)
    assert not store.keys.put(KEY, under=None)
    assert not store.keys.put(replace(newer, sealed=b"late"), under=None)
    assert store.keys.all("ann") == [newer]


def test_keys_are_listed_oldest_first_and_only_their_owners(store: Store) -> None:
    second = replace(KEY, id="k2", label="spare", created_at_ms=9)
    first = replace(KEY, id="k3", label="old", created_at_ms=1)
    foreign = replace(KEY, id="k4", owner="bob")
    other = replace(KEY, id="k5", provider="anthropic")
    for row in (KEY, second, first, foreign, other):
        store.keys.put(row, under=None)
    assert [row.id for row in store.keys.of("ann", "openai")] == ["k3", "k1", "k2"]
    assert {row.id for row in store.keys.all("ann")} == {"k1", "k2", "k3", "k5"}


def test_a_key_that_is_replaced_keeps_its_place_and_its_terms(store: Store) -> None:
    terms = {"position": 2, "expires_at_ms": 9, "paused_at_ms": 8, "models": "m*"}
    store.keys.put(KEY, under=None)
    assert store.keys.change("k1", terms)
    assert not store.keys.change("nobodys", terms)
    store.keys.note([Note("k1", 1, used_at_ms=50, checked_at_ms=60, refused="upstream_auth")])
    row = store.keys.get("k1")
    assert row == replace(KEY, **terms, used_at_ms=50, checked_at_ms=60, refused="upstream_auth")
    # An older word does not take the place of a newer one, nor does one of another version.
    store.keys.note([Note("k1", 1, used_at_ms=40, checked_at_ms=55), Note("k1", 2, used_at_ms=99, checked_at_ms=99)])
    assert store.keys.get("k1") == row
    store.keys.put(replace(KEY, version=2, sealed=b"new"), under=None)
    assert store.keys.get("k1") == replace(KEY, version=2, sealed=b"new", **terms)


def test_keys_are_in_the_order_that_they_were_given(store: Store) -> None:
    for id in ("k1", "k2", "k3"):
        store.keys.put(replace(KEY, id=id, label=id, position=int(id[1])), under=None)
    store.keys.arrange(["k3", "k1", "k2"])
    assert [row.id for row in store.keys.of("ann", "openai")] == ["k3", "k1", "k2"]


def test_removing_keys_tells_how_many_there_were(store: Store) -> None:
    for row in (KEY, replace(KEY, id="k2", label="spare"), replace(KEY, id="k4", owner="bob")):
        store.keys.put(row, under=None)
    assert store.keys.remove("nothing") == 0
    assert store.keys.remove("k4") == 1
    assert store.keys.remove_of("ann", "openai") == 2
    assert store.keys.all("ann") == []


def test_a_choice_is_set_and_set_anew(store: Store) -> None:
    assert store.choices.get("openai") is None
    choice = Choice("openai", False, "https://proxy.example/v1", {"organization_id": "org-ü"}, "gpt-4o")
    store.choices.set(Choice("openai"))
    store.choices.set(choice)
    store.choices.set(Choice("groq"))
    assert store.choices.get("openai") == choice
    assert store.choices.all() == {"openai": choice, "groq": Choice("groq")}


def test_a_token_is_found_by_its_digest_and_revoked_by_id_or_name(store: Store) -> None:
    assert not store.tokens.any()
    store.tokens.add(TOKEN)
    store.tokens.add(replace(TOKEN, id="t2", name="phone", digest=bytes(32)))
    assert store.tokens.any()
    found = store.tokens.by_digest(TOKEN.digest)
    assert found is not None
    assert found.token == TOKEN
    assert store.tokens.by_digest(b"\x01" * 32) is None
    assert store.tokens.revoke("laptop")
    assert store.tokens.revoke("t2")
    assert not store.tokens.revoke("laptop")
    assert all(row.revoked_at_ms for row in store.tokens.all())


def test_models_of_a_provider_are_replaced_as_a_whole_in_their_order(store: Store) -> None:
    big = Model("big", "Big", 128_000, 8_192, ("chat", "tools"), ("b",), Price("2.50", "10"))
    store.models.replace("openai", [Model("old")], 1)
    store.models.replace("groq", [Model("llama")], 1)
    store.models.replace("openai", [big, Model("a"), Model("a", "again")], 2)
    assert store.models.of("openai") == [big, Model("a")]
    assert store.models.all() == {"groq": [Model("llama")], "openai": [big, Model("a")]}
    store.models.replace("openai", [], 3)
    assert store.models.of("openai") == []


def test_the_installation_has_one_id_however_many_ask_first(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = {found.id for found in pool.map(lambda _: store.install.get(), range(16))}
    assert len(ids) == 1


def test_S14_a_root_key_is_noted_once_and_only_changed_by_who_knows_it(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: store.install.set_root(f"file-{n}", bytes([n])), range(8)))
    assert won.count(True) == 1
    check = store.install.get().root_check
    assert check is not None
    assert not store.install.set_root("keychain", b"new", was=b"wrong")
    assert store.install.get().root_check == check
    assert store.install.set_root("keychain", b"new", was=check)
    assert store.install.get().root_source == "keychain"


@pytest.mark.parametrize("name", ["'; DROP TABLE keys; --", "имя", "a\nb", "𝔘"])
def test_names_are_values_and_never_sql(store: Store, name: str) -> None:
    row = replace(KEY, owner=name, label=name)
    store.keys.put(row, under=None)
    assert store.keys.of(name, "openai") == [row]
