"""The keychain keeps the root key and nothing else, and only one that keeps its word is used."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from threading import Event

import pytest
from keyring.backend import KeyringBackend

from ownkey.settings import Settings, load
from ownkey.store.db import Store
from ownkey.talk.errors import VaultSealed
from ownkey.testing import KeychainConformance
from ownkey.vault.keychain import ALLOWED, Keychain
from ownkey.vault.root import find


class Entries(KeyringBackend):
    """A keychain in memory, which may misbehave as keychains do."""

    def __init__(self, fault: str = "") -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.fault = fault
        self.let_go = Event()

    def get_password(self, service: str, username: str) -> str | None:
        if self.fault == "hangs":
            self.let_go.wait(30)
        if self.fault == "locked":
            raise RuntimeError("org.freedesktop.Secret.Error.IsLocked")
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.fault != "forgets":
            self.kept[service, username] = password + ("x" if self.fault == "alters" else "")

    def delete_password(self, service: str, username: str) -> None:
        if self.fault != "keeps":
            del self.kept[service, username]


def chain(entries: Entries | None, deadline_s: float = 5.0) -> Callable[[], Keychain]:
    return lambda: Keychain(lambda: entries, deadline_s)


def with_chain(home: Path) -> Settings:
    return load({}, home=home, keychain=True)


@pytest.mark.row("A2")
def test_V17_a_keychain_keeps_the_root_key_and_nothing_else(home: Path, store: Store) -> None:
    entries = Entries()
    first = find(with_chain(home), store.install, chain(entries))
    assert len(entries.kept) == 1
    assert find(with_chain(home), store.install, chain(entries)).kek_id == first.kek_id
    assert store.install.get().root_source == "keychain"
    assert not (home / "root.key").exists()


@pytest.mark.parametrize("fault", ["forgets", "alters", "keeps", "locked"])
def test_V14_a_keychain_that_fails_its_probe_gets_no_root_key(home: Path, store: Store, fault: str) -> None:
    with pytest.raises(VaultSealed):
        find(with_chain(home), store.install, chain(Entries(fault)))
    assert store.install.get().root_check is None
    assert not (home / "root.key").exists()


def test_V15_a_keychain_that_hangs_is_left_at_the_deadline(home: Path, store: Store) -> None:
    entries = Entries("hangs")
    began = time.monotonic()
    with pytest.raises(VaultSealed, match="in time"):
        find(with_chain(home), store.install, chain(entries, deadline_s=0.2))
    assert time.monotonic() - began < 2
    entries.let_go.set()


def test_V16_a_recorded_root_key_without_its_entry_leaves_the_vault_sealed(home: Path, store: Store) -> None:
    entries = Entries()
    find(with_chain(home), store.install, chain(entries))
    kept = dict(entries.kept)
    entries.kept.clear()
    for gone in (chain(entries), chain(None)):
        with pytest.raises(VaultSealed, match="keychain"):
            find(with_chain(home), store.install, gone)
    assert entries.kept == {}
    assert not (home / "root.key").exists()
    entries.kept.update(kept)
    with pytest.raises(VaultSealed, match="leave OWNKEY_KEYCHAIN on"):
        find(load({}, home=home, keychain=False), store.install, chain(entries))
    find(with_chain(home), store.install, chain(entries))


def test_V16_an_entry_of_another_install_is_neither_used_nor_changed(home: Path, store: Store) -> None:
    entries = Entries()
    entries.kept["ownkey", "root/another/0011223344556677"] = base64.b64encode(bytes(range(32))).decode()
    before = dict(entries.kept)
    find(with_chain(home), store.install, chain(entries))
    assert before.items() <= entries.kept.items()
    assert len(entries.kept) == 2


@pytest.mark.parametrize("named", ["null.Keyring", "fail.Keyring", "chainer.ChainerBackend", "plaintext"])
def test_V14_V27_a_backend_named_in_the_environment_is_not_used(tmp_path: Path, named: str) -> None:
    """Null, fail and chaining backends, and one of the test's own that would keep secrets in the clear."""
    backend = "plaintext.Plaintext" if named == "plaintext" else f"keyring.backends.{named}"
    (tmp_path / "plaintext.py").write_text(
        "from keyring.backend import KeyringBackend\n"
        "class Plaintext(KeyringBackend):\n"
        "    priority = 99\n"
        "    get_password = set_password = delete_password = lambda *_: print('asked')\n"
    )
    script = (
        "import keyring, sys\n"
        "keyring.get_keyring()\n"
        "from ownkey.vault.keychain import backend\n"
        "chosen = type(backend())\n"
        "print(chosen.__module__, chosen.__qualname__)\n"
    )
    environ = {"PYTHON_KEYRING_BACKEND": backend, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environ, check=True)
    assert tuple(done.stdout.split()) in {*ALLOWED, ("builtins", "NoneType")}


def test_S14_of_two_keychains_that_start_at_once_one_root_key_stays(home: Path, store: Store) -> None:
    """The second is noted between the first's look and its note; the loser takes its own entry away again."""
    entries, winner = Entries(), []

    def late() -> Keychain:
        if not winner:
            winner.append(None)
            winner[0] = find(with_chain(home), store.install, chain(entries))
        return Keychain(lambda: entries)

    loser = find(with_chain(home), store.install, late)
    assert loser.kek_id == winner[0].kek_id
    assert len(entries.kept) == 1


class TestEntriesInMemory(KeychainConformance):
    entries = Entries()

    def choose(self) -> Entries:
        return self.entries


@pytest.mark.parametrize("backend", ["null.Keyring", "fail.Keyring"])
def test_V14_the_conformance_class_fails_a_keychain_that_keeps_nothing(tmp_path: Path, backend: str) -> None:
    module, name = backend.split(".")
    (tmp_path / "test_theirs.py").write_text(
        "from ownkey.testing import KeychainConformance\n"
        f"from keyring.backends.{module} import {name}\n"
        "class TestTheirs(KeychainConformance):\n"
        "    def choose(self):\n"
        f"        return {name}()\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_theirs.py"]
    environ = {"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"]}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environ)
    assert done.returncode == 1
    assert "4 failed" in done.stdout or "errors" in done.stdout


@pytest.mark.row("A2")
@pytest.mark.parametrize(
    ("system", "name"),
    [("macOS", "Keyring"), ("Windows", "WinVaultKeyring"), ("SecretService", "Keyring"), ("kwallet", "DBusKeyring")],
)
def test_the_keychains_of_macos_windows_and_linux_are_among_those_that_are_used(system: str, name: str) -> None:
    module = f"keyring.backends.{system}"
    assert (module, name) in ALLOWED
    kind = getattr(import_module(module), name)
    assert issubclass(kind, KeyringBackend)
    # keyring itself says which of them work on this machine; the others are passed over.
    assert kind.viable in (True, False)
