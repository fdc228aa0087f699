"""The other ways in and out: keys of the environment, keys that move to another installation, and a look anew."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from house import until
from ownkey.settings import Settings
from ownkey.store.db import Store
from ownkey.store.keys import ENVIRONMENT, KeyRow
from ownkey.talk.errors import KeyMissing, VaultSealed
from ownkey.talk.origin import Origin
from ownkey.talk.secret import Secret
from ownkey.vault.envelope import sealed_under
from ownkey.vault.rotate import Turn
from ownkey.vault.vault import MOST_WRAPS, Vault

PLAIN, OTHER = "sk-proj-canary-71e0c9b8a7f6e5d4c3b2a190", "sk-proj-canary-00112233445566778899aabb"


class Variables:
    """What stands in environment variables: provider to id and key."""

    def __init__(self, origin: Origin) -> None:
        self.there = {"openai": (f"{ENVIRONMENT}OPENAI_API_KEY", PLAIN)}
        self._origin = str(origin)

    def find(self, owner: str, provider: str) -> tuple[KeyRow, Secret] | None:
        if owner != "local" or provider not in self.there:
            return None
        id, plain = self.there[provider]
        return KeyRow(id, owner, provider, self._origin, 1, b"", "sk-...", "environment", 1), Secret(plain)

    def all(self, owner: str) -> list[KeyRow]:
        return [found[0] for provider in self.there if (found := self.find(owner, provider))]


@pytest.fixture
def variables(openai: Origin) -> Variables:
    return Variables(openai)


@pytest.fixture
def vault(store: Store, settings: Settings, variables: Variables) -> Vault:
    return Vault(store, settings, variables)


def test_a_key_of_the_environment_is_used_where_none_is_stored(vault: Vault, openai: Origin) -> None:
    row, secret = vault.open("local", "openai", openai)
    assert (row.id, secret.reveal()) == (f"{ENVIRONMENT}OPENAI_API_KEY", PLAIN.encode())
    assert vault.first("local", "openai", openai) == row
    assert vault.open_this(row, openai).reveal() == PLAIN.encode()
    assert [each.provider for each in vault.listed("local")] == ["openai"]
    assert vault.has("local", "openai")
    stored = vault.put("local", "openai", openai, Secret(OTHER))
    assert vault.open("local", "openai", openai)[1].reveal() == OTHER.encode()
    assert vault.listed("local") == [stored]
    with pytest.raises(KeyMissing):
        vault.open("another", "openai", openai)


def test_V06_a_sealed_vault_gives_no_key_of_the_environment_either(vault: Vault, openai: Origin) -> None:
    row, _ = vault.open("local", "openai", openai)
    vault.seal()
    for refused in (lambda: vault.open("local", "openai", openai), lambda: vault.open_this(row, openai)):
        with pytest.raises(VaultSealed, match="sealed by its owner"):
            refused()


def test_a_key_that_has_left_the_environment_is_not_used(vault: Vault, variables: Variables, openai: Origin) -> None:
    row, _ = vault.open("local", "openai", openai)
    variables.there["openai"] = (f"{ENVIRONMENT}ANOTHER", OTHER)
    with pytest.raises(KeyMissing, match="no longer in the environment"):
        vault.open_this(row, openai)
    variables.there.clear()
    with pytest.raises(KeyMissing, match="no longer in the environment"):
        vault.open_this(row, openai)
    vault.look_anew()
    with pytest.raises(KeyMissing, match="No key for openai is stored"):
        vault.open("local", "openai", openai)


def test_a_look_anew_sees_at_once_what_others_have_changed(
    store: Store, settings: Settings, vault: Vault, openai: Origin
) -> None:
    there = Vault(store, settings)
    there.put("local", "openai", openai, Secret(PLAIN))
    assert vault.open("local", "openai", openai)[1].reveal() == PLAIN.encode()
    there.put("local", "openai", openai, Secret(OTHER))
    vault.look_anew()
    assert vault.open("local", "openai", openai)[1].reveal() == OTHER.encode()


def test_keys_move_to_another_installation_sealed_anew_and_above_what_was_seen(
    store: Store, settings: Settings, vault: Vault, openai: Origin
) -> None:
    first = vault.put("local", "openai", openai, Secret(PLAIN))
    second = vault.put("local", "openai", openai, Secret(PLAIN))
    assert vault.give_out(second).reveal() == PLAIN.encode()
    coming = replace(first, sealed=b"")
    new = replace(first, id="key_new", label="new", sealed=b"")
    rows, check = vault.take_in([(coming, Secret(OTHER)), (new, Secret(PLAIN))])
    assert [(row.id, row.version) for row in rows] == [(first.id, 2), ("key_new", 1)]
    assert [vault.give_out(row).reveal() for row in rows] == [OTHER.encode(), PLAIN.encode()]
    assert check == store.install.get().root_check
    assert vault.open("local", "openai", openai)[1].reveal() == PLAIN.encode(), "nothing is stored"


def test_V10_keys_that_come_in_make_room_as_those_do_that_are_entered(
    store: Store, settings: Settings, openai: Origin
) -> None:
    vault = Vault(store, settings, most_wraps=1)
    row = vault.put("local", "openai", openai, Secret(PLAIN))
    (taken,), check = vault.take_in([(replace(row, sealed=b""), Secret(PLAIN))])
    assert sealed_under(taken.sealed) != sealed_under(row.sealed)
    assert check == store.install.get().root_check


def test_V10_one_root_key_seals_half_as_many_as_nist_allows() -> None:
    assert MOST_WRAPS == 2_147_483_648


def test_a_root_key_of_this_process_opens_without_another_thread(vault: Vault, openai: Origin) -> None:
    vault.put("local", "openai", openai, Secret(PLAIN))

    async def main() -> bytes:
        return (await vault.opened("local", "openai", openai))[1].reveal()

    assert asyncio.run(main()) == PLAIN.encode()


@pytest.fixture
def watched(store: Store, settings: Settings) -> Iterator[Vault]:
    vault = Vault(store, settings)
    vault.unlock()
    end = vault.latch.watch()
    yield vault
    end()
    assert not any(thread.name == "vault" and thread.is_alive() for thread in threading.enumerate())


def test_a_vault_that_is_watched_sees_it_sealed_and_unsealed_and_another_root_key(
    store: Store, settings: Settings, watched: Vault, openai: Origin
) -> None:
    there = Vault(store, settings)
    there.put("local", "openai", openai, Secret(PLAIN))
    assert watched.open("local", "openai", openai)[1].reveal() == PLAIN.encode()
    there.seal()
    until(lambda: watched.status == "sealed", within_s=1.0)
    there.unseal()
    until(lambda: watched.status == "open", within_s=2.0)
    for _ in Turn(store, settings, there.latch, shared_s=0).run():
        assert watched.open("local", "openai", openai)[1].reveal() == PLAIN.encode()
    assert watched.open("local", "openai", openai)[1].reveal() == PLAIN.encode()
    now = store.install.get()
    assert until(lambda: watched.latch.ring().current.check(now.id) == now.root_check, within_s=2.0)
