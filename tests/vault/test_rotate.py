"""Another root key takes over: from every place to every place, killed anywhere, and no key is lost."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Barrier, Event, Thread

import pytest

from canaries import canary
from ownkey.settings import Password, Settings, load
from ownkey.store.db import Store
from ownkey.talk.errors import BadConfiguration, InvalidRequest, KeyUnreadable, VaultSealed
from ownkey.talk.origin import Origin
from ownkey.talk.secret import Secret
from ownkey.vault.envelope import sealed_under
from ownkey.vault.rotate import Progress, Source, Target, Turn
from ownkey.vault.vault import Vault
from transit_server import transit_server

BEFORE = canary("password before", "Lz7!wRx4 "), canary("salt before", "zN1c")
PASSWORD, SALT = canary("root password", "vK9#mTq2 "), canary("root salt", "8fJ2")
NAMES = [f"provider-{number}" for number in range(7)]


def secret(name: str) -> str:
    return f"sk-canary-of-{name}-0123456789"


def filled(store: Store, settings: Settings, openai: Origin) -> Vault:
    vault = Vault(store, settings)
    for name in NAMES:
        vault.put("local", name, openai, Secret(secret(name)))
    return vault


def all_open(store: Store, settings: Settings, openai: Origin) -> bool:
    vault = Vault(store, settings)
    return all(vault.open("local", name, openai)[1].reveal() == secret(name).encode() for name in NAMES)


def turn(store: Store, settings: Settings, vault: Vault, target: Target | None = None) -> list[Progress]:
    return list(Turn(store, settings, vault.latch, shared_s=0).run(target))


@pytest.fixture
def environ(home: Path) -> Iterator[dict[str, str]]:
    with transit_server() as server:
        yield server.settings


@pytest.mark.row("C7")
@pytest.mark.parametrize("was", ["home", "file", "password", "transit"])
@pytest.mark.parametrize("now", ["home", "file", "password", "transit"])
def test_a_root_key_takes_over_from_every_place_to_every_place(
    home: Path, store: Store, environ: dict[str, str], openai: Origin, was: Source, now: Source
) -> None:
    """The settings of before hold until it is done, those of after from then on."""
    folder = home.parent / "keys"
    folder.mkdir(mode=0o700)
    (folder / "old.key").touch(mode=0o600)
    (folder / "old.key").write_bytes(os.urandom(32).hex().encode())
    own: dict[Source, dict[str, str]] = {
        "home": {},
        "file": {"OWNKEY_MASTER_KEY_FILE": str(folder / "old.key")},
        "password": {
            "BYOK_ENCRYPTION_PASSWORD": BEFORE[0],
            "BYOK_ENCRYPTION_SALT": BEFORE[1],
        },
        "transit": {name: value for name, value in environ.items() if "PRIVATE" not in name},
    }
    private = {"OWNKEY_ALLOW_PRIVATE_HOSTS": environ["OWNKEY_ALLOW_PRIVATE_HOSTS"]}
    before = load(own[was] | private, home=home, keychain=False)
    vault = filled(store, before, openai)
    old = store.install.get()
    target = Target(now, folder / "new.key" if now == "file" else None, Password(PASSWORD), Password(SALT))
    given = {"file": {"OWNKEY_MASTER_KEY_FILE": str(folder / "new.key")}} | {
        "password": {"BYOK_ENCRYPTION_PASSWORD": PASSWORD, "BYOK_ENCRYPTION_SALT": SALT}
    }
    asking = load(own[was] | (own["transit"] if now == "transit" else {}) | private, home=home, keychain=False)
    steps = turn(store, asking, vault, target)
    assert [step.step for step in steps][:2] == ["making", "sharing"]
    assert steps[-1].step == "done"
    after = load((given.get(now) or own[now]) | private, home=home, keychain=False)
    assert all_open(store, after, openai)
    assert all_open_in(vault, openai), "whoever was open stays so"
    assert store.install.get().root_check != old.root_check
    assert store.rotations.get() is None
    assert (home / "root.key").exists() == (now == "home")
    assert [path.name for path in home.glob("root.key.*")] == []


def all_open_in(vault: Vault, openai: Origin) -> bool:
    return all(vault.open("local", name, openai)[1].reveal() == secret(name).encode() for name in NAMES)


def test_the_old_root_key_opens_nothing_any_more(home: Path, store: Store, settings: Settings, openai: Origin) -> None:
    vault = filled(store, settings, openai)
    old = (home / "root.key").read_bytes()
    (before,) = store.rotations.under()
    turn(store, settings, vault)
    assert (home / "root.key").read_bytes() != old
    (now,) = store.rotations.under()
    assert now != before
    (home / "root.key").write_bytes(old)
    with pytest.raises(VaultSealed, match="not the root key"):
        Vault(store, settings).unlock()


def test_what_a_kill_has_left_of_root_keys_goes_with_the_next_one(
    home: Path, store: Store, settings: Settings, openai: Origin
) -> None:
    vault = filled(store, settings, openai)
    for name in (f"root.key.{'a1' * 8}", f"root.key.{'a1' * 8}.{'b2' * 8}", f"root.key.{'c3' * 8}"):
        (home / name).write_bytes(os.urandom(32))
    (home / "root.key.of-mine").write_text("mine")
    turn(store, settings, vault)
    assert sorted(path.name for path in home.glob("root*")) == ["root.key", "root.key.of-mine"]


def test_what_takes_over_is_not_kept_under_the_old_one(
    home: Path, store: Store, settings: Settings, openai: Origin
) -> None:
    """While it lasts each root key is wrapped by the other; afterwards neither is to be found."""
    vault = filled(store, settings, openai)
    seen: list[bytes] = []
    for _ in Turn(store, settings, vault.latch, shared_s=0).run():
        rotation = store.rotations.get()
        if rotation is not None and rotation.forward is not None and rotation.backward is not None:
            seen += [rotation.forward, rotation.backward]
    assert seen
    store.close()
    kept = (home / "ownkey.db").read_bytes()
    assert not (home / "ownkey.db-wal").exists()
    assert all(each not in kept for each in seen)


@pytest.mark.parametrize("stop", ["making", "sharing", "wrapping", "verifying", "leaving"])
def test_V28_a_process_that_was_open_reads_and_writes_at_every_step_and_so_does_one_that_starts(
    store: Store, settings: Settings, openai: Origin, stop: str
) -> None:
    running = filled(store, settings, openai)
    for step in Turn(store, settings, Vault(store, settings).latch, shared_s=0).run():
        if step.step == stop:
            break
    starting = Vault(store, settings)
    for vault, name in ((running, NAMES[0]), (starting, NAMES[1])):
        assert all_open_in(vault, openai)
        vault.put("local", name, openai, Secret(secret(name)))
    assert all_open_in(running, openai)
    assert turn(store, settings, starting)[-1].step == "done"
    assert all_open_in(running, openai)
    assert len(store.rotations.under()) == 1


def test_V08_a_key_sealed_by_a_process_that_slept_through_it_all_is_not_lost(
    store: Store, settings: Settings, openai: Origin
) -> None:
    """It knows the old root key only; what it seals is refused by the database, and sealed anew."""
    slept = filled(store, settings, openai)
    slept.latch.ring()
    turn(store, settings, Vault(store, settings))
    slept.put("local", NAMES[0], openai, Secret(secret("written-late")))
    assert Vault(store, settings).open("local", NAMES[0], openai)[1].reveal() == secret("written-late").encode()
    assert len(store.rotations.under()) == 1


def test_V09_a_root_key_that_a_key_still_needs_is_not_removed(
    home: Path, store: Store, settings: Settings, openai: Origin
) -> None:
    vault = filled(store, settings, openai)
    old = (home / "root.key").read_bytes()
    with closing(sqlite3.connect(home / "ownkey.db")) as connection, connection:
        connection.execute("UPDATE keys SET origin = 'https://example.net:443' WHERE provider = ?", (NAMES[3],))
    for _ in range(2):
        with pytest.raises(KeyUnreadable, match=f"1 stored key cannot be opened: {NAMES[3]} default of local"):
            turn(store, settings, vault)
        assert (home / "root.key").read_bytes() == old
        assert sorted(store.rotations.under().values()) == [1, len(NAMES) - 1]
    good = [name for name in NAMES if name != NAMES[3]]
    fresh = Vault(store, settings)
    assert all(fresh.open("local", name, openai)[1].reveal() == secret(name).encode() for name in good)
    vault.remove("local", NAMES[3])
    assert turn(store, settings, vault)[-1].step == "done"
    assert (home / "root.key").read_bytes() != old


def test_two_that_take_it_up_at_once_end_it_once(store: Store, settings: Settings, openai: Origin) -> None:
    filled(store, settings, openai)
    start, ended = Barrier(3), list[str]()

    def run() -> None:
        mine = Vault(store, settings)
        mine.unlock()
        start.wait()
        try:
            ended.append(turn(store, settings, mine)[-1].step)
        except InvalidRequest as refused:
            ended.append(refused.message)

    threads = [Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "done" in ended
    assert set(ended) <= {"done", "Another root key is taking over already."}
    assert all_open(store, settings, openai)
    assert store.rotations.get() is None


def test_a_place_that_cannot_keep_it_leaves_everything_as_it_was(
    home: Path, store: Store, settings: Settings, openai: Origin
) -> None:
    vault = filled(store, settings, openai)
    noted = store.install.get()
    loose = home.parent / "loose"
    loose.mkdir()
    loose.chmod(0o777)
    with pytest.raises(BadConfiguration, match="chmod 700"):
        turn(store, settings, vault, Target("file", loose / "new.key"))
    with pytest.raises(VaultSealed, match="no keychain"):
        turn(store, settings, vault, Target("keychain"))
    with pytest.raises(InvalidRequest, match="password"):
        turn(store, settings, vault, Target("password"))
    with pytest.raises(BadConfiguration, match="guessed"):
        turn(store, settings, vault, Target("password", None, Password("password12345"), Password(SALT)))
    assert (store.install.get(), store.rotations.get()) == (noted, None)
    assert all_open(store, settings, openai)


def test_a_handover_that_was_altered_is_not_believed(
    home: Path, store: Store, settings: Settings, openai: Origin
) -> None:
    vault = filled(store, settings, openai)
    for step in Turn(store, settings, vault.latch, shared_s=0).run():
        if step.step == "sharing":
            break
    with closing(sqlite3.connect(home / "ownkey.db")) as connection, connection:
        (forward,) = connection.execute("SELECT forward FROM rotation").fetchone()
        connection.execute("UPDATE rotation SET forward = ?", (forward[:-1] + bytes([forward[-1] ^ 1]),))
    with pytest.raises(VaultSealed, match="altered"):
        Vault(store, settings).unlock()


KILLED = """
import json, os, random, signal, sys
from ownkey.settings import load
from ownkey.store.db import Store
from ownkey.talk.origin import Origin
from ownkey.vault.rotate import Turn
from ownkey.vault.vault import Vault

home, rounds, names = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
settings = load({}, home=home, keychain=False)
openai = Origin("https", "api.openai.com", 443)

def opened():
    store = Store.open(settings.database_url)
    return store, Vault(store, settings)

def turned(kill_at, after_s):
    store, vault = opened()
    if after_s:
        signal.setitimer(signal.ITIMER_REAL, after_s)  # whose signal ends a process as a kill does: no code is run
    for number, step in enumerate(Turn(store, settings, vault.latch, shared_s=0).run()):
        if number == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
    store.close()

def read():
    store, vault = opened()
    for name in names:
        assert vault.open("local", name, openai)[1].reveal() == f"sk-canary-of-{name}-0123456789".encode()
    store.close()

def ended():
    read()
    store, vault = opened()
    assert store.rotations.get() is None
    assert len(store.rotations.under()) == 1
    assert [name for name in os.listdir(home) if name.startswith("root")] == ["root.key"]
    store.close()

def child(work, *given):
    process = os.fork()
    if process == 0:
        try:
            work(*given)
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitpid(process, 0)[1]

draw, signals = random.Random(7), []
for at in range(rounds):
    by_step = at < 8
    signals.append(child(turned, at if by_step else -1, 0 if by_step else draw.uniform(0.002, 0.06)))
    assert child(read) == 0, at
    if by_step or at % 3 == 0:
        assert child(turned, -1, 0) == 0, at
        assert child(ended) == 0, at
print(json.dumps(signals))
"""


def killed_and_taken_up_again(home: Path, store: Store, settings: Settings, openai: Origin, rounds: int) -> list[int]:
    filled(store, settings, openai)
    store.close()
    command = [sys.executable, "-c", KILLED, str(home), str(rounds), json.dumps(NAMES)]
    environ = {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDEVMODE": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=1200)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_V07_killed_at_each_step_it_is_taken_up_again_and_every_key_opens_all_the_time(
    home: Path, store: Store, settings: Settings, openai: Origin
) -> None:
    ends = killed_and_taken_up_again(home, store, settings, openai, 20)
    assert ends[:7] == [9] * 7, "each of the steps was reached, and its process killed"


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_V07_killed_at_five_hundred_moments_it_is_taken_up_again(
    home: Path, store: Store, settings: Settings, openai: Origin
) -> None:
    ends = killed_and_taken_up_again(home, store, settings, openai, 500)
    assert sum(end != 0 for end in ends) > 250


WORKER = """
import sys, time
from ownkey.settings import load
from ownkey.store.db import Store
from ownkey.talk.origin import Origin
from ownkey.talk.secret import Secret
from ownkey.vault.vault import Vault

home, name = sys.argv[1:]
settings = load({}, home=home, keychain=False)
store = Store.open(settings.database_url)
vault, openai = Vault(store, settings), Origin("https", "api.openai.com", 443)
vault.put("local", name, openai, Secret(f"sk-{name}-number-{0:08}"))
print("ready", flush=True)
ends, number = time.monotonic() + 8, 0
while time.monotonic() < ends:
    number += 1
    written = f"sk-{name}-number-{number:08}".encode()
    vault.put("local", name, openai, Secret(written))
    assert vault.open("local", name, openai)[1].reveal() == written
    time.sleep(0.005)
print(number, flush=True)
store.close()
"""


def test_V08_four_processes_read_and_write_all_through_it_and_lose_nothing(
    home: Path, store: Store, settings: Settings, openai: Origin
) -> None:
    vault = filled(store, settings, openai)
    environ = {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDEVMODE": ""}
    command = [sys.executable, "-c", WORKER, str(home)]
    workers = [
        subprocess.Popen(
            [*command, f"worker{n}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ, text=True
        )
        for n in range(4)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for _ in range(2):
        assert list(Turn(store, settings, vault.latch).run())[-1].step == "done"
    for n, worker in enumerate(workers):
        said, wrong = worker.communicate(timeout=60)
        assert (worker.returncode, wrong) == (0, "")
        last = vault.open("local", f"worker{n}", openai)[1].reveal()
        assert last == f"sk-worker{n}-number-{int(said):08}".encode()
    assert len(store.rotations.under()) == 1
    assert all_open(store, settings, openai)


def test_keys_are_opened_by_many_threads_while_root_keys_take_over(
    store: Store, settings: Settings, openai: Origin
) -> None:
    vault = filled(store, settings, openai)
    stop, wrong = Event(), list[BaseException]()

    def read() -> None:
        while not stop.is_set():
            try:
                all_open_in(vault, openai)
            except BaseException as error:  # noqa: BLE001  it is looked at below
                wrong.append(error)

    threads = [Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(4):
        turn(store, settings, Vault(store, settings))
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_V10_a_root_key_that_has_sealed_its_fill_makes_room_for_another(
    store: Store, settings: Settings, openai: Origin
) -> None:
    vault = Vault(store, settings, most_wraps=1_000)
    first = sealed_under(vault.put("local", "openai", openai, Secret(secret("0"))).sealed)
    for number in range(1, 1_000):
        assert sealed_under(vault.put("local", "openai", openai, Secret(secret(f"{number}"))).sealed) == first
    last = vault.put("local", "openai", openai, Secret(secret("last")))
    assert sealed_under(last.sealed) != first
    assert vault.open("local", "openai", openai)[0].id == last.id
    assert (store.install.get().root_wraps or 0) < 10
