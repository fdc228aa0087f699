"""A root key that takes over into a keychain, within it and out of it: the old entry goes, and no other does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ownkey.settings import Settings, load
from ownkey.store.db import Store
from ownkey.talk.errors import BadConfiguration, VaultSealed
from ownkey.talk.origin import Origin
from ownkey.talk.secret import Secret
from ownkey.vault import keyfile
from ownkey.vault.keychain import Keychain
from ownkey.vault.rotate import Source, Target, Turn
from ownkey.vault.vault import Vault

PLAIN = "sk-proj-canary-71e0c9b8a7f6e5d4c3b2a190"


class Kept:
    """A keychain in memory."""

    def __init__(self) -> None:
        self.entries: dict[str, str] = {"another's": "theirs"}

    def get_password(self, service: str, username: str) -> str | None:
        assert service == "ownkey"
        return self.entries.get(username)

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.entries[username]


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def with_chain(home: Path) -> Settings:
    return load({}, home=home, keychain=True)


def opened(store: Store, settings: Settings, chain: Callable[[], Keychain], openai: Origin) -> bytes:
    return Vault(store, settings, keychain=chain).open("local", "openai", openai)[1].reveal()


def turn(store: Store, settings: Settings, chain: Callable[[], Keychain], target: Target) -> list[str]:
    vault = Vault(store, settings, keychain=chain)
    return [step.step for step in Turn(store, settings, vault.latch, chain, shared_s=0).run(target)]


@pytest.mark.row("A2")
@pytest.mark.parametrize("path", [["keychain"], ["home"], ["home", "keychain"], ["file", "home", "keychain"]])
def test_a_root_key_moves_in_and_out_of_the_keychain(
    home: Path, store: Store, with_chain: Settings, kept: Kept, openai: Origin, path: list[Source]
) -> None:
    def chain() -> Keychain:
        return Keychain(lambda: kept)

    settings, file = with_chain, home.parent / "keys" / "new.key"
    Vault(store, settings, keychain=chain).put("local", "openai", openai, Secret(PLAIN))
    for source in path:
        assert turn(store, settings, chain, Target(source, file if source == "file" else None))[-1] == "done"
        if source == "file":
            settings = load({"OWNKEY_MASTER_KEY_FILE": str(file)}, home=home, keychain=True)
        elif settings.master_key_file is not None:
            settings = with_chain
        noted = store.install.get()
        assert noted.root_source == source
        assert noted.root_check is not None
        assert len(kept.entries) == (2 if source == "keychain" else 1)
        assert (f"root/{noted.id}/{noted.root_check[:8].hex()}" in kept.entries) == (source == "keychain")
        assert (home / "root.key").exists() == (source == "home")
        assert opened(store, settings, chain, openai) == PLAIN.encode()
    assert kept.entries["another's"] == "theirs"


def test_V09_a_new_root_key_that_has_gone_from_the_keychain_does_not_take_over(
    store: Store, with_chain: Settings, kept: Kept, openai: Origin
) -> None:
    def chain() -> Keychain:
        return Keychain(lambda: kept)

    vault = Vault(store, with_chain, keychain=chain)
    vault.put("local", "openai", openai, Secret(PLAIN))
    before, old = store.install.get(), dict(kept.entries)
    steps = Turn(store, with_chain, vault.latch, chain, shared_s=0).run()
    while next(steps).step != "wrapping":
        pass
    (name,) = set(kept.entries) - set(old)
    gone = kept.entries.pop(name)
    with pytest.raises(VaultSealed, match="not where it was put"):
        list(steps)
    assert store.install.get().root_check == before.root_check
    assert opened(store, with_chain, chain, openai) == PLAIN.encode()
    kept.entries[name] = gone
    assert turn(store, with_chain, chain, Target())[-1] == "done"
    assert set(kept.entries) == {"another's", name}
    assert opened(store, with_chain, chain, openai) == PLAIN.encode()


def test_a_system_without_a_keychain_keeps_no_root_key_in_one(
    home: Path, store: Store, with_chain: Settings, kept: Kept, openai: Origin
) -> None:
    def none() -> Keychain:
        return Keychain(lambda: None)

    Vault(store, with_chain, keychain=none).put("local", "openai", openai, Secret(PLAIN))
    for settings, chain in ((with_chain, none), (load({}, home=home, keychain=False), lambda: Keychain(lambda: kept))):
        with pytest.raises(VaultSealed, match="no keychain that can be used"):
            turn(store, settings, chain, Target("keychain"))
    assert store.rotations.get() is None
    assert list(kept.entries) == ["another's"]
    for ask in (lambda: none().read("x"), lambda: none().write("x", bytes(32)), lambda: none().remove("x")):
        with pytest.raises(VaultSealed, match="This system has no keychain"):
            ask()


def test_V14_an_entry_that_is_no_base64_is_not_taken_for_a_root_key(kept: Kept) -> None:
    kept.entries["x"] = "not base64!"
    with pytest.raises(VaultSealed, match="was altered"):
        Keychain(lambda: kept).read("x")


def test_a_file_that_holds_another_root_key_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "root.key"
    made = keyfile.read_or_make(path).handover()
    keyfile.keep(path, made)
    was = path.read_bytes()
    with pytest.raises(BadConfiguration, match="another root key"):
        keyfile.keep(path, bytes(range(32)))
    assert path.read_bytes() == was
    keyfile.remove(path)
    keyfile.remove(path)
    assert not path.exists()
    keyfile.keep(path, bytes(range(32)))
    assert keyfile.read(path).handover() == bytes(range(32))


def test_a_place_where_no_file_can_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")
    with pytest.raises(BadConfiguration, match=r"data folder .*taken/keys cannot be made"):
        keyfile.read_or_make(tmp_path / "taken" / "keys" / "root.key")
