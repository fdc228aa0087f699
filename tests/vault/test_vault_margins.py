"""At the margins: how long, how many, how large, and what is told of it."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest

from ownkey.settings import Settings, load
from ownkey.store.db import Store
from ownkey.talk.errors import BadConfiguration, KeyUnreadable, VaultSealed
from ownkey.talk.origin import Origin
from ownkey.talk.secret import Secret
from ownkey.transport import KeyHeader
from ownkey.vault import keyfile, transit
from ownkey.vault.asking import Asking
from ownkey.vault.keychain import Keychain
from ownkey.vault.ring import bound
from ownkey.vault.rotate import Target, Turn
from ownkey.vault.vault import Vault
from transit_server import TOKEN, transit_server

PLAIN = "sk-proj-canary-71e0c9b8a7f6e5d4c3b2a190"


@pytest.fixture
def vault(store: Store, settings: Settings) -> Vault:
    return Vault(store, settings)


def altered(home: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(home / "ownkey.db")) as connection, connection:
        assert connection.execute(statement, values).rowcount > 0


def test_a_key_in_constant_use_is_opened_once(vault: Vault, openai: Origin) -> None:
    vault.put("local", "openai", openai, Secret(PLAIN))
    opened = [vault.open("local", "openai", openai)[1] for _ in range(5)]
    assert len({id(each) for each in opened}) < 5


def test_V01_what_was_sealed_and_is_no_key_is_told(home: Path, vault: Vault, openai: Origin) -> None:
    row = vault.put("local", "openai", openai, Secret(PLAIN))
    ring = vault.latch.ring()
    altered(home, "update keys set sealed = ?", ring.seal(bound(ring.install_id, row), b"x"))
    with pytest.raises(KeyUnreadable, match="The stored key default for openai holds no key"):
        Vault.open_this(vault, vault.listed("local")[0], openai)


@pytest.mark.parametrize(("count", "more"), [(1, ""), (10, ""), (11, " and 1 more")])
def test_V09_keys_that_do_not_open_are_named_ten_at_most(
    home: Path, store: Store, settings: Settings, vault: Vault, openai: Origin, count: int, more: str
) -> None:
    rows = [vault.put("local", f"p{number}", openai, Secret(PLAIN)) for number in range(count)]
    altered(home, "update keys set origin = 'https://example.net:443'")
    with pytest.raises(KeyUnreadable) as refused:
        list(Turn(store, settings, vault.latch, shared_s=0).run())
    named = [f"{row.provider} default of local ({row.id})" for row in sorted(rows, key=lambda row: row.id)[:10]]
    keys = "1 stored key" if count == 1 else f"{count} stored keys"
    assert refused.value.message.startswith(f"{keys} cannot be opened: {', '.join(named)}{more}. Every other one")


def test_V09_a_key_that_was_altered_after_it_was_sealed_anew_keeps_the_old_root_key(
    home: Path, store: Store, settings: Settings, vault: Vault, openai: Origin
) -> None:
    vault.put("local", "openai", openai, Secret(PLAIN))
    before = store.install.get().root_check
    steps = Turn(store, settings, vault.latch, shared_s=0).run()
    while next(steps).done == 0:
        pass
    (row,) = store.keys.all("local")
    altered(home, "update keys set sealed = ?", row.sealed[:-1] + bytes([row.sealed[-1] ^ 1]))
    with pytest.raises(KeyUnreadable, match="1 stored key cannot be opened"):
        list(steps)
    assert store.install.get().root_check == before


def test_V07_a_vault_that_was_sealed_meanwhile_goes_no_step_further(
    store: Store, settings: Settings, vault: Vault, openai: Origin
) -> None:
    vault.put("local", "openai", openai, Secret(PLAIN))
    steps = Turn(store, settings, vault.latch, shared_s=0).run()
    while next(steps).step != "sharing":
        pass
    vault.seal()
    with pytest.raises(VaultSealed, match="sealed by its owner"):
        list(Turn(store, settings, vault.latch, shared_s=0).run())
    rotation = store.rotations.get()
    assert rotation is not None
    assert rotation.step == "sharing"
    vault.unseal()
    assert list(Turn(store, settings, vault.latch, shared_s=0).run())[-1].step == "done"
    assert vault.open("local", "openai", openai)[1].reveal() == PLAIN.encode()


def test_V08_other_processes_are_given_time_to_learn_of_the_new_root_key(
    store: Store, settings: Settings, vault: Vault
) -> None:
    vault.unlock()
    began: dict[str, float] = {}
    for step in Turn(store, settings, vault.latch, shared_s=0.3).run():
        began.setdefault(step.step, time.monotonic())
    assert began["wrapping"] - began["sharing"] >= 0.3
    assert began["leaving"] - began["wrapping"] >= 0.3


def test_V28_whoever_has_the_new_root_key_only_opens_what_the_old_one_sealed(
    home: Path, store: Store, settings: Settings, vault: Vault, openai: Origin
) -> None:
    vault.put("local", "openai", openai, Secret(PLAIN))
    path = home.parent / "keys" / "new.key"
    for step in Turn(store, settings, vault.latch, shared_s=0).run(Target("file", path)):
        if step.step == "wrapping":
            break
    after = Vault(store, load({"OWNKEY_MASTER_KEY_FILE": str(path)}, home=home, keychain=False))
    assert after.open("local", "openai", openai)[1].reveal() == PLAIN.encode()


def test_a_root_key_takes_over_in_the_file_that_the_old_one_is_in(home: Path, store: Store, openai: Origin) -> None:
    path = home.parent / "keys" / "own.key"
    was = keyfile.read_or_make(path).kek_id
    settings = load({"OWNKEY_MASTER_KEY_FILE": str(path)}, home=home, keychain=False)
    vault = Vault(store, settings)
    vault.put("local", "openai", openai, Secret(PLAIN))
    assert list(Turn(store, settings, vault.latch, shared_s=0).run())[-1].step == "done"
    assert keyfile.read(path).kek_id != was
    assert [each.name for each in path.parent.iterdir()] == ["own.key"]
    assert Vault(store, settings).open("local", "openai", openai)[1].reveal() == PLAIN.encode()


@pytest.mark.parametrize("mode", [0o720, 0o702])
def test_S04_a_folder_that_only_one_more_can_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys").chmod(mode)
    with pytest.raises(BadConfiguration, match="chmod 700"):
        keyfile.read_or_make(tmp_path / "keys" / "root.key")


@pytest.mark.parametrize("mode", [0o755, 0o701, 0o710, 0o700])
def test_S04_a_folder_that_others_can_only_look_into_is_taken(tmp_path: Path, mode: int) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys").chmod(mode)
    keyfile.read_or_make(tmp_path / "keys" / "root.key")


def test_V15_a_keychain_that_hung_once_is_not_waited_for_again() -> None:
    let_go = Event()

    class Hangs:
        def get_password(self, service: str, username: str) -> str | None:
            let_go.wait(20)
            return None

        def set_password(self, service: str, username: str, password: str) -> None: ...
        def delete_password(self, service: str, username: str) -> None: ...

    chain = Keychain(Hangs, deadline_s=2.0)
    with pytest.raises(VaultSealed, match="in time"):
        chain.read("x")
    began = time.monotonic()
    with pytest.raises(VaultSealed, match="in time"):
        chain.read("x")
    assert time.monotonic() - began < 2.0
    let_go.set()


def test_an_https_server_needs_no_leave_to_be_asked(home: Path) -> None:
    environ = {"OWNKEY_TRANSIT_URL": "https://vault.example:8200/", "OWNKEY_TRANSIT_TOKEN": TOKEN}
    found = transit.place(load(environ, home=home, keychain=False))
    assert (found.url, found.key, found.mount, found.namespace) == (
        "https://vault.example:8200/",
        "ownkey",
        "transit",
        None,
    )
    assert (found.token, found.token_file, found.ca_file) == (TOKEN, None, None)


def test_an_answer_of_64_kib_is_read_and_one_byte_more_is_not() -> None:
    with transit_server() as server:
        asking = Asking(Origin("http", "127.0.0.1", server.port))
        token = KeyHeader(b"x-vault-token", b"", Secret(TOKEN))
        around = len('{"data": {"x": ""}}')
        server.says["encrypt"] = {"x": "a" * (65_536 - around)}
        status, body = asking.post(b"/v1/transit/encrypt/ownkey", (), b"{}", token)
        assert (status, len(body)) == (200, 65_536)
        server.says["encrypt"] = {"x": "a" * (65_537 - around)}
        with pytest.raises(VaultSealed, match="does not answer"):
            asking.post(b"/v1/transit/encrypt/ownkey", (), b"{}", token)
