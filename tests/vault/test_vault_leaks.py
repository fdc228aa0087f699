"""Where a key is after it was sealed away or removed: in no file, in no listing, held by nothing."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from canaries import canary
from house import environment, run, until
from ownkey.settings import Settings
from ownkey.store.db import Store
from ownkey.talk.errors import VaultSealed
from ownkey.talk.origin import Origin
from ownkey.talk.secret import Secret
from ownkey.vault.vault import Vault

PLAIN = canary("vault leaks", "sk-proj-")


def files(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())


def held() -> int:
    """How many secrets with the canary something in this process still refers to."""
    gc.collect()
    secrets = [one for one in gc.get_objects() if isinstance(one, Secret)]
    return sum(one.reveal() == PLAIN.encode() for one in secrets)


def test_V18_a_vault_that_another_process_seals_lets_go_of_every_key_it_had_opened(
    store: Store, settings: Settings, openai: Origin
) -> None:
    vault = Vault(store, settings)
    vault.put("local", "openai", openai, Secret(PLAIN))
    vault.open("local", "openai", openai)
    assert held() == 1
    unwatch = vault.latch.watch()
    Vault(store, settings).seal()
    until(lambda: held() == 0, within_s=2)
    with pytest.raises(VaultSealed):
        vault.open("local", "openai", openai)
    unwatch()


@pytest.mark.skipif(sys.platform != "linux", reason="Linux's own calls")
def test_V18_a_server_writes_no_core_dump_and_is_not_looked_into() -> None:
    script = (
        "import ctypes, resource\n"
        "from ownkey.vault.memory import keep_private\n"
        "before = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)\n"
        "keep_private()\n"
        "print(before, ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), *resource.getrlimit(resource.RLIMIT_CORE))\n"
    )
    environ = {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environ, check=True)
    assert done.stdout.split()[1:] == ["0", "0", "0"]


@pytest.mark.parametrize("how", ["removed", "replaced", "rotated"])
def test_V24_what_a_key_was_sealed_in_is_in_no_file_once_it_is_gone(
    home: Path, settings: Settings, openai: Origin, how: str
) -> None:
    store = Store.open(settings.database_url)
    vault = Vault(store, settings)
    sealed = vault.put("local", "openai", openai, Secret(PLAIN)).sealed
    pieces = [sealed[at : at + 24] for at in range(16, len(sealed) - 24, 12)]
    assert any(piece in files(home) for piece in pieces)
    if how == "removed":
        vault.remove("local", "openai")
    elif how == "replaced":
        vault.put("local", "openai", openai, Secret(PLAIN))
    else:
        from ownkey.vault.rotate import Turn

        list(Turn(store, settings, vault.latch, shared_s=0).run())
    store.close()
    assert [piece for piece in pieces if piece in files(home)] == []


def test_V22_no_listing_status_or_export_holds_a_key_or_what_it_is_sealed_in(tmp_path: Path) -> None:
    home = tmp_path / "home"
    env = environment(home)
    assert run(env, "keys", "set", "openai", "--no-check", given=f"{PLAIN}\n").returncode == 0
    store = Store.open(f"sqlite:///{home}/ownkey.db")
    (row,) = store.keys.all("owner")
    store.close()
    said = [run(env, *command, "--json").stdout for command in (("keys", "list"), ("vault", "status"), ("doctor",))]
    assert json.loads(said[0])
    for text in said:
        for secret in (PLAIN, row.sealed.hex(), row.sealed[40:60].hex()):
            assert secret not in text
