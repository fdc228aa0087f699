"""Where a new root key is to be kept: what is lacking is said, and nothing has begun then."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ownkey.settings import Password, Settings, load
from ownkey.store.db import Store
from ownkey.talk.errors import BadConfiguration, InvalidRequest, OwnkeyError, VaultSealed
from ownkey.talk.origin import Origin
from ownkey.talk.secret import Secret
from ownkey.vault import keyfile
from ownkey.vault.rotate import Progress, Target, Turn
from ownkey.vault.vault import Vault

PLAIN = "sk-proj-canary-71e0c9b8a7f6e5d4c3b2a190"
PASSWORD, SALT = Password("vK9#mTq2 Lz7!wRx4"), Password("8fJ2pQ6zN1cY")


@pytest.fixture
def vault(store: Store, settings: Settings, openai: Origin) -> Vault:
    vault = Vault(store, settings)
    vault.put("local", "openai", openai, Secret(PLAIN))
    return vault


def turned(store: Store, settings: Settings, vault: Vault, target: Target | None = None) -> list[Progress]:
    return list(Turn(store, settings, vault.latch, shared_s=0).run(target))


def test_a_file_that_is_there_already_holds_the_new_root_key(
    home: Path, store: Store, settings: Settings, vault: Vault, openai: Origin
) -> None:
    path = home.parent / "keys" / "own.key"
    made = keyfile.read_or_make(path)
    was = path.read_bytes()
    steps = turned(store, settings, vault, Target("file", path))
    told = [(step.step, step.done, step.total) for step in steps]
    assert told[:2] == [("making", 0, 0), ("sharing", 0, 0)]
    assert ("wrapping", 1, 1) in told
    assert told[-3:] == [("verifying", 1, 1), ("leaving", 0, 0), ("done", 0, 0)]
    assert path.read_bytes() == was
    assert store.install.get().root_check == made.check(store.install.get().id)
    assert store.install.get().root_source == "file"
    assert not (home / "root.key").exists()
    after = load({"OWNKEY_MASTER_KEY_FILE": str(path)}, home=home, keychain=False)
    assert Vault(store, after).open("local", "openai", openai)[1].reveal() == PLAIN.encode()


@pytest.mark.parametrize(
    ("target", "wrong", "why", "param"),
    [
        (Target("file"), InvalidRequest, "file for the new root key is not named", "path"),
        (Target("password"), InvalidRequest, "new password and a new salt", "password"),
        (Target("password", password=PASSWORD), InvalidRequest, "new password and a new salt", "password"),
        (Target("password", salt=SALT), InvalidRequest, "new password and a new salt", "password"),
        (Target("password", password=Password("short"), salt=SALT), BadConfiguration, "too short", None),
        (Target("keychain"), VaultSealed, "There is no keychain that can be used", None),
        (Target("transit"), BadConfiguration, "OWNKEY_TRANSIT_URL is not set", None),
    ],
)
def test_what_is_lacking_is_said_and_nothing_has_begun(
    store: Store,
    settings: Settings,
    vault: Vault,
    openai: Origin,
    target: Target,
    wrong: type[OwnkeyError],
    why: str,
    param: str | None,
) -> None:
    before = store.install.get()
    with pytest.raises(wrong, match=why) as refused:
        turned(store, settings, vault, target)
    if isinstance(refused.value, InvalidRequest):
        assert refused.value.param == param
    assert (store.install.get(), store.rotations.get()) == (before, None)
    assert Vault(store, settings).open("local", "openai", openai)[1].reveal() == PLAIN.encode()


def test_the_root_key_in_use_does_not_take_over_from_itself(
    home: Path, store: Store, settings: Settings, vault: Vault
) -> None:
    same = home.parent / "keys" / "same.key"
    keyfile.keep(same, keyfile.read(home / "root.key").handover())
    with pytest.raises(InvalidRequest, match="root key that is in use"):
        turned(store, settings, vault, Target("file", same))
    assert store.rotations.get() is None


def test_whoever_comes_second_ends_what_the_first_began_and_neither_is_in_the_others_way(
    home: Path, store: Store, settings: Settings, vault: Vault, openai: Origin
) -> None:
    first = Turn(store, settings, vault.latch, shared_s=0).run()
    assert next(first) == Progress("making")
    begun = store.rotations.get()
    assert begun is not None
    assert (begun.step, begun.from_source, begun.to_source, begun.wraps) == ("making", "home", "home", 0)
    assert abs(begun.started_at_ms - time.time() * 1000) < 60_000
    # The second goes on with the first one's, whatever its own target was.
    assert turned(store, settings, vault, Target("file"))[-1] == Progress("done")
    assert store.install.get().root_check == begun.to_check
    # What the first one was about to take up is ended, and another may have begun: neither is in its way.
    other = Turn(store, settings, vault.latch, shared_s=0).run()
    assert next(other) == Progress("making")
    assert list(first)[-1] == Progress("done")
    assert list(other)[-1] == Progress("done")
    assert Vault(store, settings).open("local", "openai", openai)[1].reveal() == PLAIN.encode()
    assert [path.name for path in home.glob("root.key*")] == ["root.key"]


def test_a_password_takes_the_place_of_one_by_a_new_cost(home: Path, store: Store, openai: Origin) -> None:
    given = {"BYOK_ENCRYPTION_PASSWORD": "Lz7!wRx4 vK9#mTq2", "BYOK_ENCRYPTION_SALT": "zN1cY8fJ2pQ6"}
    before = load(given, home=home, keychain=False)
    vault = Vault(store, before)
    vault.put("local", "openai", openai, Secret(PLAIN))
    assert store.install.get().root_source == "password argon2id m=65536 t=3 p=4"
    assert turned(store, before, vault, Target(password=PASSWORD, salt=SALT))[-1].step == "done"
    now = {"BYOK_ENCRYPTION_PASSWORD": PASSWORD.reveal().decode(), "BYOK_ENCRYPTION_SALT": SALT.reveal().decode()}
    after = load(now, home=home, keychain=False)
    assert Vault(store, after).open("local", "openai", openai)[1].reveal() == PLAIN.encode()
    with pytest.raises(VaultSealed, match="not the root key"):
        Vault(store, before).unlock()
