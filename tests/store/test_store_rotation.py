"""A root key that takes over, as the database keeps it: on SQLite and on PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Thread

from canaries import canary
from ownkey.settings import load
from ownkey.store.db import Store
from ownkey.talk.origin import Origin
from ownkey.talk.secret import Secret
from ownkey.vault.rotate import Turn
from ownkey.vault.vault import Vault

OPENAI = Origin("https", "api.openai.com", 443)


def test_a_root_key_takes_over_while_another_connection_writes(url: str, tmp_path: Path) -> None:
    home = tmp_path / "roots"
    home.mkdir(mode=0o700)
    settings = load({}, home=home, keychain=False, database_url=url)
    store, other = Store.open(url), Store.open(url)
    vault, writer = Vault(store, settings), Vault(other, settings)
    for number in range(60):
        vault.put("local", f"p{number}", OPENAI, Secret(f"sk-test-{number:016}"))
    stop, written, wrong = Event(), [0], list[BaseException]()

    def write() -> None:
        try:
            while not stop.is_set():
                written[0] += 1
                writer.put("local", "busy", OPENAI, Secret(f"sk-test-{written[0]:016}"))
        except BaseException as error:  # noqa: BLE001  it is looked at below
            wrong.append(error)

    thread = Thread(target=write)
    thread.start()
    for _ in range(3):
        assert list(Turn(store, settings, vault.latch, shared_s=0.2).run())[-1].step == "done"
    stop.set()
    thread.join()
    assert wrong == []
    assert vault.open("local", "busy", OPENAI)[1].reveal() == f"sk-test-{written[0]:016}".encode()
    fresh = Vault(store, settings)
    for number in range(60):
        assert fresh.open("local", f"p{number}", OPENAI)[1].reveal() == f"sk-test-{number:016}".encode()
    assert list(store.rotations.under().values()) == [61]
    assert (store.install.get().root_wraps or 0) >= 61
    store.close()
    other.close()


def test_a_key_under_a_root_key_that_is_not_in_use_is_not_taken(url: str, tmp_path: Path) -> None:
    home = tmp_path / "roots"
    home.mkdir(mode=0o700)
    settings = load({}, home=home, keychain=False, database_url=url)
    store = Store.open(url)
    vault = Vault(store, settings)
    row = vault.put("local", "openai", OPENAI, Secret(canary("store rotation")))
    before = store.install.get().root_check
    list(Turn(store, settings, vault.latch, shared_s=0).run())
    late = type(row)(**{name: getattr(row, name) for name in row.__struct_fields__} | {"version": 9})
    assert not store.keys.put(late, under=before)
    assert store.keys.of("local", "openai")[0].version == 1
    assert store.keys.put(late, under=store.install.get().root_check)
    store.close()


def test_sealed_stays_since_when_it_was_sealed_first(store: Store) -> None:
    assert store.install.get().sealed_at_ms is None
    store.install.set_sealed(True)
    since = store.install.get().sealed_at_ms
    store.install.set_sealed(True)
    assert store.install.get().sealed_at_ms == since
    store.install.set_sealed(False)
    assert store.install.get().sealed_at_ms is None


def test_V09_nothing_takes_over_while_a_key_is_under_another_root_key(url: str, tmp_path: Path) -> None:
    home = tmp_path / "roots"
    home.mkdir(mode=0o700)
    settings = load({}, home=home, keychain=False, database_url=url)
    store = Store.open(url)
    vault = Vault(store, settings)
    for number in range(3):
        vault.put("local", f"p{number}", OPENAI, Secret(canary("store rotation")))
    noted = store.install.get()
    for step in Turn(store, settings, vault.latch, shared_s=0).run():
        if step.step == "wrapping":
            break
    rotation = store.rotations.get()
    assert rotation is not None
    (old,) = store.rotations.under()
    assert store.rotations.promote(rotation, b"another!") == {old: 3}
    assert (store.install.get(), store.rotations.get()) == (noted, rotation)
    store.close()
