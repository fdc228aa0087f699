"""A key that was opened is kept for a second at most, and never past its removal here."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from canaries import canary
from house import Gateway, Simulator, gateway, library, run
from ownkey.settings import Settings
from ownkey.store.db import Store
from ownkey.talk.errors import KeyMissing, OwnkeyError, VaultSealed
from ownkey.talk.origin import Origin
from ownkey.talk.secret import Secret
from ownkey.vault.vault import Vault

PLAIN, ANOTHER = canary("cached", "sk-proj-"), canary("cached after", "sk-proj-")


@pytest.fixture(scope="module")
def served_alone(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("alone") / "home"
    with library(home) as ownkey:
        ownkey.providers.set("openai", endpoint=f"{simulator.url}/fault/name=alone/v1")
        ownkey.keys.set("openai", PLAIN)
    with gateway(home, simulator) as running:
        yield running


def test_a_key_removed_or_replaced_by_the_command_is_not_used_a_second_later(
    served_alone: Gateway, simulator: Simulator
) -> None:
    def key_used() -> str | None:
        if served_alone.ask("openai/gpt-4o").status != 200:
            return None
        return dict(simulator.seen("alone")[-1].headers)[b"authorization"].decode()

    assert key_used() == f"Bearer {PLAIN}"
    assert run(served_alone.env, "keys", "set", "openai", given=ANOTHER + "\n").returncode == 0
    time.sleep(1)
    assert key_used() == f"Bearer {ANOTHER}"
    assert run(served_alone.env, "keys", "remove", "openai", given="y\n").returncode == 0
    time.sleep(1)
    before = len(simulator.seen("alone"))
    assert key_used() is None
    assert len(simulator.seen("alone")) == before


def test_a_key_removed_elsewhere_does_not_stay_opened(settings: Settings, store: Store, openai: Origin) -> None:
    here, there = Vault(store, settings), Vault(store, settings)
    there.put("local", "openai", openai, Secret(PLAIN))
    here.open("local", "openai", openai)
    there.remove("local", "openai")
    asked_s = removed_s = time.monotonic()

    def use() -> None:
        nonlocal asked_s
        while True:
            here.open("local", "openai", openai)
            assert asked_s - removed_s < 1, "it is opened still"
            time.sleep(0.01)
            asked_s = time.monotonic()

    with pytest.raises(KeyMissing):
        use()


def test_V06_a_vault_that_is_sealed_gives_no_key_that_it_had_opened(
    home: Path, settings: Settings, store: Store, openai: Origin
) -> None:
    vault = Vault(store, settings)
    vault.put("local", "openai", openai, Secret(PLAIN))
    vault.open("local", "openai", openai)
    (home / "root.key").unlink()
    with pytest.raises(OwnkeyError):
        vault.unlock()
    with pytest.raises(VaultSealed):
        vault.open("local", "openai", openai)


def test_keys_are_opened_and_replaced_by_many_threads_at_once(settings: Settings, store: Store, openai: Origin) -> None:
    vault = Vault(store, settings)
    names = [f"provider-{number}" for number in range(40)]
    for name in names:
        vault.put("local", name, openai, Secret(PLAIN))
    stop, wrong = Event(), list[BaseException]()

    def work(replacing: bool) -> None:
        try:
            while not stop.is_set():
                for name in names:
                    if replacing:
                        vault.put("local", name, openai, Secret(PLAIN))
                    else:
                        vault.open("local", name, openai)
        except BaseException as error:  # noqa: BLE001  it is looked at below
            wrong.append(error)

    threads = [Thread(target=work, args=(number < 2,)) for number in range(6)]
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        stop.wait(1.5)
        stop.set()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(usual_s)
    assert wrong == []
