"""Keys go in, and come out for the same owner, provider and origin only."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from threading import Barrier, Thread

import pytest
from msgspec.structs import replace

from canaries import canary
from ownkey.settings import Settings, load
from ownkey.store.db import Store
from ownkey.talk.errors import InvalidRequest, KeyMissing, KeyUnreadable, OwnkeyError, VaultSealed
from ownkey.talk.origin import Origin
from ownkey.talk.secret import Secret
from ownkey.vault.vault import Vault

PLAIN = canary("vault", "sk-proj-")
OTHER = canary("vault, another", "sk-proj-")


@pytest.fixture
def vault(store: Store, settings: Settings) -> Vault:
    return Vault(store, settings)


def altered(home: Path, statement: str, *values: object) -> None:
    """What somebody with the database in hand may do."""
    with closing(sqlite3.connect(home / "ownkey.db")) as connection, connection:
        assert connection.execute(statement, values).rowcount > 0


def test_the_vault_says_where_its_root_key_comes_from(vault: Vault) -> None:
    assert (vault.status, vault.root_source) == ("open", "home")


@pytest.mark.row("C7")
def test_a_key_comes_out_as_it_went_in_and_lies_sealed_in_between(home: Path, vault: Vault, openai: Origin) -> None:
    put = vault.put("local", "openai", openai, Secret(PLAIN))
    row, secret = vault.open("local", "openai", openai)
    assert (row, secret.reveal()) == (put, PLAIN.encode())
    assert (row.masked, row.origin, row.version) == (f"sk-...{PLAIN[-4:]}", "https://api.openai.com:443", 1)
    for path in home.rglob("*"):
        if path.is_file():
            assert PLAIN.encode() not in path.read_bytes()


def test_the_same_key_put_twice_is_replaced_and_sealed_afresh(vault: Vault, openai: Origin) -> None:
    first = vault.put("local", "openai", openai, Secret(PLAIN))
    second = vault.put("local", "openai", openai, Secret(PLAIN))
    assert (second.id, second.version) == (first.id, 2)
    assert second.sealed[16:] != first.sealed[16:]
    assert [row.version for row in vault.listed("local")] == [2]


def test_a_replaced_key_is_used_at_once_here_and_within_a_second_elsewhere(
    vault: Vault, settings: Settings, openai: Origin
) -> None:
    there = Store.open(settings.database_url)
    elsewhere = Vault(there, settings)
    vault.put("local", "openai", openai, Secret(PLAIN))
    assert elsewhere.open("local", "openai", openai)[1].reveal() == PLAIN.encode()
    vault.put("local", "openai", openai, Secret(OTHER))
    replaced = time.monotonic()
    assert vault.open("local", "openai", openai)[1].reveal() == OTHER.encode()
    asked = replaced
    while elsewhere.open("local", "openai", openai)[1].reveal() == PLAIN.encode():
        assert asked - replaced < 1
        time.sleep(0.01)
        asked = time.monotonic()
    there.close()


def test_a_removed_key_is_gone(vault: Vault, openai: Origin) -> None:
    vault.put("local", "openai", openai, Secret(PLAIN))
    vault.put("local", "openai", openai, Secret(OTHER), label="second")
    vault.open("local", "openai", openai)
    assert vault.remove("local", "openai") == 2
    with pytest.raises(KeyMissing, match="openai"):
        vault.open("local", "openai", openai)
    assert vault.remove("local", "openai") == 0


def test_a_key_opens_for_no_other_owner_or_provider(vault: Vault, openai: Origin) -> None:
    vault.put("local", "openai", openai, Secret(PLAIN))
    for owner, provider in (("other", "openai"), ("local", "mistral"), ("", "openai"), ("LOCAL", "openai")):
        with pytest.raises(KeyMissing):
            vault.open(owner, provider, openai)


@pytest.mark.parametrize(
    "origin",
    [
        Origin("https", "api.openai.com", 8443),
        Origin("http", "api.openai.com", 443),
        Origin("https", "api.openai.com.example.net", 443),
    ],
)
def test_E02_a_key_does_not_go_to_another_origin(vault: Vault, openai: Origin, origin: Origin) -> None:
    vault.put("local", "openai", openai, Secret(PLAIN))
    with pytest.raises(KeyUnreadable) as refused:
        vault.open("local", "openai", origin)
    assert "https://api.openai.com:443" in refused.value.message
    assert "again" in refused.value.hint
    assert vault.open("local", "openai", openai)[1].reveal() == PLAIN.encode()


def test_E02_an_origin_edited_in_the_database_opens_nothing(home: Path, vault: Vault, openai: Origin) -> None:
    vault.put("local", "openai", openai, Secret(PLAIN))
    altered(home, "UPDATE keys SET origin = 'https://example.net:443'")
    for origin in (openai, Origin("https", "example.net", 443)):
        with pytest.raises(KeyUnreadable):
            vault.open("local", "openai", origin)


@pytest.mark.parametrize(
    "edit", ["owner = 'mine', label = 'x'", "provider = 'mine'", "id = 'key_0'", "version = 7", "version = -1"]
)
def test_V02_a_row_edited_in_the_database_opens_nothing(home: Path, vault: Vault, openai: Origin, edit: str) -> None:
    vault.put("local", "openai", openai, Secret(PLAIN))
    altered(home, f"UPDATE keys SET {edit}")
    owner = "mine" if "owner" in edit else "local"
    provider = "mine" if "provider" in edit else "openai"
    with pytest.raises(KeyUnreadable):
        vault.open(owner, provider, openai)


def test_V02_sealed_keys_swapped_between_rows_open_for_none(
    home: Path, vault: Vault, store: Store, settings: Settings, openai: Origin
) -> None:
    pairs = [(owner, provider) for owner in ("a", "b") for provider in ("openai", "mistral")]
    rows = [vault.put(*pair, openai, Secret(PLAIN)) for pair in pairs]
    for mine, theirs in ((one, two) for one in rows for two in rows if one is not two):
        altered(home, "UPDATE keys SET sealed = ? WHERE id = ?", theirs.sealed, mine.id)
        with pytest.raises(KeyUnreadable):
            Vault(store, settings).open(mine.owner, mine.provider, openai)
        altered(home, "UPDATE keys SET sealed = ? WHERE id = ?", mine.sealed, mine.id)


def test_V03_an_older_version_put_back_is_refused(home: Path, vault: Vault, openai: Origin) -> None:
    old = vault.put("local", "openai", openai, Secret(OTHER))
    vault.put("local", "openai", openai, Secret(PLAIN))
    altered(home, "UPDATE keys SET sealed = ?", old.sealed)
    with pytest.raises(KeyUnreadable, match="altered"):
        vault.open("local", "openai", openai)


def test_V03_a_whole_row_put_back_is_noticed_by_whoever_saw_the_newer(home: Path, vault: Vault, openai: Origin) -> None:
    old = vault.put("local", "openai", openai, Secret(OTHER))
    vault.put("local", "openai", openai, Secret(PLAIN))
    altered(home, "UPDATE keys SET sealed = ?, version = ?", old.sealed, old.version)
    with pytest.raises(KeyUnreadable, match="older version"):
        vault.open("local", "openai", openai)
    vault.put("local", "openai", openai, Secret(PLAIN))
    assert vault.open("local", "openai", openai)[0].version == 3


def test_V25_keys_set_in_parallel_leave_one_that_opens(vault: Vault, settings: Settings, openai: Origin) -> None:
    stores = [Store.open(settings.database_url) for _ in range(4)]
    rounds = 6
    versions: list[int] = []
    together = Barrier(len(stores))

    def write(mine: Vault) -> None:
        for _ in range(rounds):
            together.wait(30)
            versions.append(mine.put("local", "openai", openai, Secret(PLAIN)).version)

    writers = [Thread(target=write, args=(Vault(store, settings),)) for store in stores]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(versions) == list(range(1, 4 * rounds + 1))
    assert vault.open("local", "openai", openai)[0].version == 4 * rounds
    for store in stores:
        store.close()


def test_V26_a_listing_opens_nothing_and_survives_a_bad_row(
    home: Path, vault: Vault, store: Store, settings: Settings, openai: Origin
) -> None:
    vault.put("local", "openai", openai, Secret(PLAIN))
    bad = vault.put("local", "mistral", openai, Secret(OTHER))
    altered(home, "UPDATE keys SET sealed = x'00' WHERE id = ?", bad.id)
    (home / "root.key").unlink()
    sealed = Vault(store, settings)
    assert {row.masked for row in sealed.listed("local")} == {f"sk-...{PLAIN[-4:]}", f"sk-...{OTHER[-4:]}"}
    with pytest.raises(VaultSealed):
        sealed.open("local", "openai", openai)


def test_V01_a_bad_row_is_that_keys_trouble_alone(home: Path, vault: Vault, openai: Origin) -> None:
    vault.put("local", "openai", openai, Secret(PLAIN))
    bad = vault.put("local", "mistral", openai, Secret(OTHER))
    altered(home, "UPDATE keys SET sealed = zeroblob(200) WHERE id = ?", bad.id)
    with pytest.raises(KeyUnreadable, match="mistral"):
        vault.open("local", "mistral", openai)
    assert vault.open("local", "openai", openai)[1].reveal() == PLAIN.encode()


def test_V19_sixteen_characters_of_a_key_stay_hidden_or_nothing_is_shown() -> None:
    for begins in ("Zy9", "sk-", "hunter-", "a-", "AIza", "-", "__"):
        for length in range(len(begins) + 4, 80):
            plain = f"{begins}{'x' * (length - len(begins) - 4)}WVUT"
            if length < 8:
                continue
            shown, _, ends = Secret(plain).masked().partition("...")
            assert ends == ("WVUT" if length >= 20 else "")
            assert plain.startswith(shown)
            assert not shown or length - len(shown) - 4 >= 16
            # What is no public beginning is shown of a key only that is as long as Google's.
            assert shown in ("", begins) or (len(shown) == 4 and length >= 39)


@pytest.mark.row("B16")
@pytest.mark.parametrize(
    ("plain", "masked"),
    [
        ("sk-proj-0fVq8ZtYw3LmXe71vX2Q", "sk-...vX2Q"),
        ("sk-ant-api03-0fVq8ZtYw3LmXe71vX2Q", "sk-...vX2Q"),
        ("gsk_0fVq8ZtYw3LmXe71vX2Q", "gsk_...vX2Q"),
        ("AIzaSyD0123456789abcdefghijklmnopqrvX2Q", "AIza...vX2Q"),
        ("0123456789abcdef0123456789abcdef", "...cdef"),
        ("0123456789abcdef0123456789abcdef01234567", "0123...4567"),
        ("correct-horse-battery", "...tery"),
        ("short-key", "..."),
        ("12345678", "..."),
    ],
)
def test_a_key_is_masked_as_its_providers_users_know_it(plain: str, masked: str) -> None:
    assert Secret(plain).masked() == masked


@pytest.mark.parametrize("masked", ["sk-...a190", "sk-********", "REDACTED", "...........", "Secret(REDACTED)"])
def test_V20_a_masked_key_sent_back_is_refused_and_the_true_one_stays(
    vault: Vault, openai: Origin, masked: str
) -> None:
    vault.put("local", "openai", openai, Secret(PLAIN))
    with pytest.raises(InvalidRequest, match="masked"):
        vault.put("local", "openai", openai, Secret(masked))
    assert vault.open("local", "openai", openai)[1].reveal() == PLAIN.encode()


@pytest.mark.parametrize(
    "bad",
    ["", "short", f"{PLAIN}\n", f"{PLAIN}\r\n", f"{PLAIN}\0", f" {PLAIN}", f"\ufeff{PLAIN}", f"{PLAIN}\u200b", "é" * 9],
)
def test_V21_what_is_no_key_never_becomes_a_secret_and_is_not_quoted(bad: str) -> None:
    with pytest.raises(ValueError) as refused:
        Secret(bad)
    assert PLAIN not in str(refused.value)


def test_V21_no_error_of_the_vault_quotes_a_key(
    home: Path, vault: Vault, store: Store, settings: Settings, openai: Origin
) -> None:
    row = vault.put("local", "openai", openai, Secret(PLAIN))
    said: list[OwnkeyError] = []
    edits = ("version = 9", "version = 1, sealed = zeroblob(300)", "origin = 'https://example.net:443'")
    for edit in edits:
        altered(home, f"UPDATE keys SET {edit}")
        with pytest.raises(OwnkeyError) as refused:
            Vault(store, settings).open("local", "openai", openai)
        said.append(refused.value)
    for wrong in said:
        assert PLAIN not in f"{wrong} {wrong!r} {wrong.__cause__!r} {vars(wrong)}"
    assert PLAIN not in repr(replace(row, sealed=b""))


def test_unlocking_again_opens_a_sealed_vault_once_its_root_key_is_back(
    home: Path, vault: Vault, store: Store, settings: Settings, openai: Origin
) -> None:
    vault.put("local", "openai", openai, Secret(PLAIN))
    (home / "root.key").rename(home / "aside")
    mended = Vault(store, settings)
    assert mended.status == "sealed"
    (home / "aside").rename(home / "root.key")
    assert mended.status == "sealed"
    mended.unlock()
    assert mended.status == "open"
    assert mended.sealed_reason is None
    assert mended.open("local", "openai", openai)[1].reveal() == PLAIN.encode()


def test_V06_the_database_of_another_install_is_not_opened_with_this_homes_root_key(
    tmp_path: Path, home: Path, vault: Vault, openai: Origin
) -> None:
    vault.put("local", "openai", openai, Secret(PLAIN))
    theirs = load({}, home=tmp_path / "theirs", keychain=False)
    there = Store.open(theirs.database_url)
    Vault(there, theirs).put("local", "openai", openai, Secret(OTHER))
    mixed = Vault(there, load({}, home=home, keychain=False))
    assert mixed.status == "sealed"
    with pytest.raises(VaultSealed):
        mixed.open("local", "openai", openai)
    there.close()
