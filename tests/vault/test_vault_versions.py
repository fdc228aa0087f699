"""What a key's row says, and which rows are believed."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from ownkey.settings import Settings, load
from ownkey.store.db import Store
from ownkey.talk.errors import InvalidRequest, KeyMissing, KeyUnreadable, VaultSealed
from ownkey.talk.origin import Origin
from ownkey.talk.secret import Secret
from ownkey.vault.envelope import sealed_under
from ownkey.vault.rotate import Turn
from ownkey.vault.vault import Vault

PLAIN = "sk-proj-canary-71e0c9b8a7f6e5d4c3b2a190"
OTHER = "sk-proj-canary-00112233445566778899aabb"


@pytest.fixture
def vault(store: Store, settings: Settings) -> Vault:
    return Vault(store, settings)


def altered(home: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(home / "ownkey.db")) as connection, connection:
        assert connection.execute(statement, values).rowcount > 0


def test_a_new_key_comes_after_the_others_and_one_that_replaces_keeps_its_place_and_terms(
    vault: Vault, openai: Origin
) -> None:
    now_ms = time.time() * 1000
    first = vault.put("local", "openai", openai, Secret(PLAIN))
    second = vault.put("local", "openai", openai, Secret(OTHER), "second", models="gpt-*", expires_at_ms=2**40 * 2)
    assert (first.position, second.position) == (1, 2)
    assert abs(first.created_at_ms - now_ms) < 60_000
    assert first.id != second.id
    assert len(first.id) == len("key_") + 16
    vault.arrange([second, first])
    assert [row.id for row in vault.listed("local")] == [second.id, first.id]
    again = vault.put("local", "openai", openai, Secret(PLAIN), "second")
    kept = ("id", "label", "position", "models", "expires_at_ms", "paused_at_ms")
    before = next(row for row in vault.listed("local") if row.id == second.id)
    assert {name: getattr(again, name) for name in kept} == {name: getattr(before, name) for name in kept}
    assert again.version == 2
    assert (again.models, again.position) == ("gpt-*", 1)


def test_V02_an_older_version_put_back_is_refused(home: Path, vault: Vault, openai: Origin) -> None:
    old = vault.put("local", "openai", openai, Secret(OTHER))
    vault.put("local", "openai", openai, Secret(PLAIN))
    assert vault.open("local", "openai", openai)[1].reveal() == PLAIN.encode()
    altered(home, "update keys set sealed = ?, version = 1", old.sealed)
    time.sleep(1)
    with pytest.raises(KeyUnreadable, match="older version put back"):
        vault.open("local", "openai", openai)
    # What is entered then is above both.
    assert vault.put("local", "openai", openai, Secret(PLAIN)).version == 3
    assert vault.open("local", "openai", openai)[1].reveal() == PLAIN.encode()


def test_one_that_opens_is_taken_where_another_does_not(home: Path, vault: Vault, openai: Origin) -> None:
    bad = vault.put("local", "openai", openai, Secret(OTHER))
    vault.put("local", "openai", openai, Secret(PLAIN), "second")
    altered(home, "update keys set sealed = zeroblob(200) where id = ?", bad.id)
    assert vault.open("local", "openai", openai)[1].reveal() == PLAIN.encode()
    with pytest.raises(KeyUnreadable, match="The stored key default for openai is not in a format"):
        vault.open_this(next(row for row in vault.listed("local") if row.id == bad.id), openai)
    assert vault.remove("local", "openai", bad.id) == 1
    assert vault.remove("local", "openai", bad.id) == 0
    assert vault.remove("local", "openai") == 1
    with pytest.raises(KeyMissing, match="No key for openai is stored"):
        vault.open("local", "openai", openai)


def test_a_key_goes_to_its_origin_only_whoever_asks_for_it(vault: Vault, openai: Origin) -> None:
    row = vault.put("local", "openai", openai, Secret(PLAIN))
    assert vault.open_this(row, openai).reveal() == PLAIN.encode()
    with pytest.raises(KeyUnreadable, match="does not go to"):
        vault.open_this(row, Origin("https", "api.openai.com", 8443))
    assert vault.first("local", "openai", openai) == row
    assert vault.first("local", "openai", Origin("https", "evil.example", 443)) is None
    assert vault.first("other", "openai", openai) is None
    assert vault.first("local", "openai", openai, None, ((row.id, row.version),)) is None


def test_whether_there_are_keys_and_several(vault: Vault, openai: Origin) -> None:
    assert (vault.has("local", "openai"), vault.has_several("local", "openai")) == (False, False)
    row = vault.put("local", "openai", openai, Secret(PLAIN))
    assert (vault.has("local", "openai"), vault.has_several("local", "openai")) == (True, False)
    second = vault.put("local", "openai", openai, Secret(OTHER), "second")
    assert (vault.has("local", "openai"), vault.has_several("local", "openai")) == (True, True)
    for each in (row, second):
        assert vault.change(each, {"paused_at_ms": 1})
    assert not vault.has("local", "openai")
    assert vault.change(row, {"paused_at_ms": None})
    assert vault.has("local", "openai")
    vault.remove("local", "openai")
    assert not vault.change(row, {"label": "gone"})


@pytest.mark.parametrize("masked", ["sk-...a190", "sk-***-a190", "REDACTED", "sk-REDACTED-0123456789abcd", "abc...def"])
def test_a_masked_key_is_never_stored(vault: Vault, openai: Origin, masked: str) -> None:
    with pytest.raises(InvalidRequest, match="masked") as refused:
        vault.put("local", "openai", openai, Secret(masked))
    assert refused.value.param == "key"
    assert vault.listed("local") == []


def test_a_key_that_is_replaced_here_is_used_at_once(vault: Vault, openai: Origin) -> None:
    for number in range(3):
        secret = f"sk-proj-canary-number-{number}-0123456789"
        vault.put("local", "openai", openai, Secret(secret))
        assert vault.open("local", "openai", openai)[1].reveal() == secret.encode()
    row = vault.listed("local")[0]
    vault.change(row, {"paused_at_ms": 1})
    with pytest.raises(KeyMissing, match="is paused"):
        vault.open("local", "openai", openai)


def test_the_trail_is_sealed_with_both_root_keys_while_one_takes_over(
    store: Store, settings: Settings, vault: Vault, openai: Origin
) -> None:
    old = sealed_under(vault.put("local", "openai", openai, Secret(PLAIN)).sealed)
    assert [key.kek_id for key in vault.audit_keys()] == [old]
    turning = Turn(store, settings, vault.latch, shared_s=0).run()
    while next(turning).step != "wrapping":
        assert vault.audit_keys()[0].kek_id == old
    vault.latch.look()
    new = sealed_under(vault.put("local", "openai", openai, Secret(OTHER)).sealed)
    assert new != old
    assert [key.kek_id for key in vault.audit_keys()] == [new, old]
    assert list(turning)[-1].step == "done"
    assert [key.kek_id for key in vault.audit_keys()] == [new]


def test_V10_a_root_key_makes_room_after_so_many_and_not_before(
    store: Store, settings: Settings, openai: Origin
) -> None:
    vault = Vault(store, settings, most_wraps=4)
    under = [sealed_under(vault.put("local", f"p{n}", openai, Secret(PLAIN)).sealed) for n in range(5)]
    assert len(set(under[:4])) == 1
    assert under[4] != under[0]
    assert all(vault.open("local", f"p{n}", openai)[1].reveal() == PLAIN.encode() for n in range(5))


def test_V10_a_root_key_of_a_password_says_that_it_is_full(home: Path, store: Store, openai: Origin) -> None:
    given = {"BYOK_ENCRYPTION_PASSWORD": "Lz7!wRx4 vK9#mTq2", "BYOK_ENCRYPTION_SALT": "zN1cY8fJ2pQ6"}
    vault = Vault(store, load(given, home=home, keychain=False), most_wraps=1)
    vault.put("local", "openai", openai, Secret(PLAIN))
    with pytest.raises(VaultSealed, match="as many keys as one may"):
        vault.put("local", "openai", openai, Secret(OTHER))
    assert vault.open("local", "openai", openai)[1].reveal() == PLAIN.encode()


def test_a_vault_that_is_sealed_says_so_and_opens_again(store: Store, settings: Settings, openai: Origin) -> None:
    here, there = Vault(store, settings), Vault(store, settings)
    here.put("local", "openai", openai, Secret(PLAIN))
    there.open("local", "openai", openai)
    assert (here.status, here.sealed_reason, here.root_source) == ("open", None, "home")
    here.seal()
    assert here.status == "sealed"
    assert "sealed by its owner" in (here.sealed_reason or "")
    for refused in (lambda: here.open("local", "openai", openai), here.unlock, here.audit_keys):
        with pytest.raises(VaultSealed, match="sealed by its owner"):
            refused()
    assert [row.provider for row in here.listed("local")] == ["openai"]
    time.sleep(1)
    with pytest.raises(VaultSealed, match="sealed by its owner"):
        there.open("local", "openai", openai)
    there.unseal()
    assert there.open("local", "openai", openai)[1].reveal() == PLAIN.encode()
    here.latch.look()
    assert here.open("local", "openai", openai)[1].reveal() == PLAIN.encode()
