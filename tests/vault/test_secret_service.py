"""The keychain of a Linux desktop, a real one: what Ownkey keeps there, and what it does when it is gone."""

from __future__ import annotations

import base64
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from canaries import canary
from house import COMMAND, environment
from secret_service import secret_service

PLAIN = canary("secret service", "sk-proj-")

ITEMS = """
import contextlib, json, secretstorage
with contextlib.closing(secretstorage.dbus_init()) as bus:
    items = [item for one in secretstorage.get_all_collections(bus) for item in one.get_all_items()]
    print(json.dumps([[item.get_attributes().get("username"), item.get_secret().decode()] for item in items]))
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with secret_service(tmp_path_factory.mktemp("desktop") / "user") as env:
        yield env


@pytest.fixture
def env(service: dict[str, str], tmp_path: Path) -> dict[str, str]:
    return environment(tmp_path / "home", OWNKEY_KEYCHAIN="on") | service


def run(env: dict[str, str], *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], env=env, input=given, capture_output=True, text=True, timeout=60)


def status(env: dict[str, str]) -> dict[str, object]:
    return json.loads(run(env, "vault", "status", "--json").stdout)


def items(env: dict[str, str]) -> dict[str, str]:
    done = subprocess.run([sys.executable, "-c", ITEMS], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def of(env: dict[str, str]) -> list[str]:
    """The entries of this home's install alone: other tests have theirs beside it."""
    with closing(sqlite3.connect(Path(env["OWNKEY_HOME"]) / "ownkey.db")) as connection:
        (install,) = connection.execute("SELECT id FROM install").fetchone()
    return [name for name in items(env) if name.startswith(f"root/{install}/")]


@pytest.mark.row("A2")
def test_the_secret_service_passes_the_shipped_conformance_class(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        "from ownkey.testing import KeychainConformance\n"
        "from ownkey.vault.keychain import backend\n"
        "class TestThisSystemsKeychain(KeychainConformance):\n"
        "    pass\n"
        "def test_it_is_the_secret_service():\n"
        "    assert type(backend()).__module__ == 'keyring.backends.SecretService'\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "test_mine.py"]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout
    assert "5 passed" in done.stdout


@pytest.mark.row("A2")
def test_V17_the_root_key_is_all_that_is_kept_there_and_the_keys_open_with_it(env: dict[str, str]) -> None:
    assert run(env, "keys", "set", "openai", "--no-check", given=f"{PLAIN}\n").returncode == 0
    assert (status(env)["source"], status(env)["state"]) == ("keychain", "open")
    assert not (Path(env["OWNKEY_HOME"]) / "root.key").exists()
    (name,) = of(env)
    kept = items(env)
    assert len(base64.b64decode(kept[name], validate=True)) == 32
    assert all(PLAIN not in value and len(value) == 44 for value in kept.values())


@pytest.mark.row("A2")
def test_a_root_key_takes_over_in_the_keychain_and_moves_out_of_it_and_in_again(env: dict[str, str]) -> None:
    assert run(env, "keys", "set", "openai", "--no-check", given=f"{PLAIN}\n").returncode == 0
    (first,) = of(env)
    assert run(env, "vault", "rotate").returncode == 0
    (second,) = of(env)
    assert first != second
    assert run(env, "vault", "rotate", "--to", "home").returncode == 0
    assert (of(env), status(env)["source"]) == ([], "home")
    assert run(env, "vault", "rotate", "--to", "keychain").returncode == 0
    assert (len(of(env)), status(env)["source"], status(env)["state"]) == (1, "keychain", "open")
    assert not (Path(env["OWNKEY_HOME"]) / "root.key").exists()


def test_V15_without_its_bus_the_vault_is_sealed_at_once_and_nothing_is_made(env: dict[str, str]) -> None:
    assert run(env, "keys", "set", "openai", "--no-check", given=f"{PLAIN}\n").returncode == 0
    gone = env | {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={env['HOME']}/none"}
    began = time.monotonic()
    found = json.loads(run(gone, "vault", "status", "--json").stdout)
    assert time.monotonic() - began < 5
    assert found["state"] == "sealed"
    assert "keychain" in found["hint"]
    assert not (Path(env["OWNKEY_HOME"]) / "root.key").exists()
    assert status(env)["state"] == "open"


def test_V15_a_locked_keychain_seals_the_vault_within_five_seconds(tmp_path: Path) -> None:
    with secret_service(tmp_path / "user") as service:
        env = environment(tmp_path / "home", OWNKEY_KEYCHAIN="on") | service
        assert run(env, "keys", "set", "openai", "--no-check", given=f"{PLAIN}\n").returncode == 0
        lock = (
            "import contextlib, secretstorage\n"
            "with contextlib.closing(secretstorage.dbus_init()) as bus:\n"
            "    [one.lock() for one in secretstorage.get_all_collections(bus)]\n"
        )
        subprocess.run([sys.executable, "-c", lock], env=env, check=True)
        began = time.monotonic()
        found = json.loads(run(env, "vault", "status", "--json").stdout)
        assert time.monotonic() - began < 8
        assert found["state"] == "sealed"
        assert not (Path(env["OWNKEY_HOME"]) / "root.key").exists()
