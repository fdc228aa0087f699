"""The power fails at any moment: what was acknowledged is there, and nothing is half."""

from __future__ import annotations

import random
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from house import KEYS, Simulator, library
from ownkey import Ownkey
from power import Call, Disk, record
from watched import environment

# It says on standard output what was acknowledged. At the simulator, nothing is sent before its hold is on disk.
_LIFE = """
import asyncio, os, sys
from pathlib import Path
from ownkey import Ownkey

home, url, file, key = sys.argv[1:]
MANIFEST = '''
id = "acme"
name = "Acme AI"
kind = "local"
wire = "openai-chat"
base_url = "{url}"
default = "gpt-4o"
[[models]]
id = "gpt-4o"
context = 128_000
max_output = 16_384
does = ["chat", "stream"]
price = {{ input = "2.50", output = "10.00" }}
'''

def say(*told):
    os.write(1, (" ".join(told) + "\\n").encode())

async def ask(ownkey, number):
    reply = await ownkey.chat(f"canary-ask-{number}.", "acme/gpt-4o", max_output_tokens=32)
    say("run", reply.receipt.request_id)

async def main():
    async with Ownkey(home, keychain=False, audit_file=Path(home) / "audit.jsonl") as ownkey:
        say("open")
        ownkey.providers.add(MANIFEST.format(url=url).encode(), "acme.toml")
        say("file", "acme.toml")
        ownkey.budgets.set("all", limit="20")
        say("budget", "all")
        for number in range(6):
            row = ownkey.keys.set("acme", f"{key}{number}", f"k{number}").row
            say("key", row.id, str(row.version), f"{key}{number}")
            await asyncio.gather(*(ask(ownkey, 10 * number + each) for each in range(4)))
            row = ownkey.keys.set("acme", f"{key}{number}n", f"k{number}").row
            say("key", row.id, str(row.version), f"{key}{number}n")
            token, _ = ownkey.house.tokens.create("owner", f"t{number}")
            say("token", token.id)
        ownkey.keys.remove("acme", "k5")
        say("gone", row.id)
    say("end")

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def life(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Call]]:
    """A life from an empty folder on, every call of it."""
    folder = tmp_path_factory.mktemp("power")
    home, log = folder / "home", folder / "strace"
    url = f"{simulator.url}/fault/name=power/v1"
    env = environment() | {"OWNKEY_ALLOW_PRIVATE_HOSTS": f"127.0.0.1:{simulator.port}"}
    command = [sys.executable, "-c", _LIFE, str(home), url, str(folder / "x"), KEYS["openai"]]
    return home, record(command, env, log)


def acknowledged(disk: Disk) -> dict[str, list[list[str]]]:
    found: dict[str, list[list[str]]] = {}
    for line in disk.said.decode().splitlines():
        kind, *told = line.split()
        found.setdefault(kind, []).append(told)
    return found


def check_tables(home: Path, disk: Disk) -> None:
    """The database by itself: whole, and all that was acknowledged in it."""
    told = acknowledged(disk)
    if "open" not in told and not (home / "ownkey.db").exists():
        return
    with closing(sqlite3.connect(home / "ownkey.db")) as connection:
        ask = connection.execute
        assert ask("PRAGMA integrity_check").fetchall() == [("ok",)]
        runs = {run for (run,) in ask("SELECT request_id FROM book")}
        assert {run for (run,) in told.get("run", ())} <= runs
        assert disk.told.count(b"canary-ask-") <= len(runs), "a byte left before its hold was on disk"
        keys = dict(ask("SELECT id, version FROM keys").fetchall())
        gone = {id for (id,) in told.get("gone", ())}
        for id, version, _ in told.get("key", ()):
            assert id in gone or int(version) <= keys.get(id, 2 if _removing(told) else 0)
        assert not gone & set(keys)
        assert {id for (id,) in told.get("token", ())} <= {id for (id,) in ask("SELECT id FROM tokens")}
        assert {name for (name,) in told.get("budget", ())} <= {name for (name,) in ask("SELECT name FROM budgets")}
        # Each record with what it is of, or neither.
        count = dict(ask("SELECT action, count(*) FROM audit GROUP BY action").fetchall())
        removed = count.get("key.removed", 0)
        assert count.get("key.added", 0) - removed == len(keys)
        assert count.get("key.added", 0) + count.get("key.replaced", 0) == sum(keys.values()) + 2 * removed
        assert count.get("token.created", 0) == ask("SELECT count(*) FROM tokens").fetchone()[0]
        assert b"canary-ask-" not in disk.told or count.get("key.used", 0) >= 1, "a key was used without a record"


def _removing(told: dict[str, Any]) -> bool:
    """The last key is about to be removed: it may be gone already."""
    return len(told.get("token", ())) == 6


def check_whole(home: Path, disk: Disk) -> None:
    """As its owner finds it: it opens, the trail is whole, and each key is what was stored last, or newer."""
    told = acknowledged(disk)
    with library(home, audit_file=home / "audit.jsonl") as ownkey:
        _check_opened(ownkey, told)


def _check_opened(ownkey: Ownkey, told: dict[str, list[list[str]]]) -> None:
    house = ownkey.house
    house.open()
    assert house.store.problems() == []
    verdict = ownkey.audit.verify()
    assert verdict.whole, verdict.breaks
    for (file,) in told.get("file", ()):
        assert (house.settings.home / "providers" / file).stat().st_size > 100
        assert ownkey.providers.get(file.removesuffix(".toml")).provider.name == "Acme AI"
    stored = {id: (int(version), secret) for id, version, secret in told.get("key", ())}
    for row in house.store.keys.all("owner"):
        version, secret = stored.get(row.id, (0, ""))
        opened = house.vault._opened_row(row).reveal().decode()  # pyright: ignore[reportPrivateUsage]
        assert row.version > version or opened == secret
    assert all(row.state != "held" for row in house.store.book.rows(limit=1000))


def crashed(life: tuple[Path, list[Call]], folder: Path, seed: int, *, tables: int, whole: int) -> int:
    """So many images looked at by their tables, and so many of them opened, of moments from beginning to end."""
    home, calls = life
    chance = random.Random(seed)
    probe = Disk(home)
    changes = [place for place, call in enumerate(calls) if probe.take(call)]
    assert b"end" in probe.said
    moments = sorted(chance.choices(changes, k=tables))
    opened = set(chance.sample(range(tables), whole))
    disk, taken = Disk(home), 0
    for number, moment in enumerate(moments):
        while taken <= moment:
            disk.take(calls[taken])
            taken += 1
        image = folder / f"{seed}-{number}"
        image.mkdir(mode=0o700)
        disk.image(image, chance)
        try:
            check_tables(image, disk)
            if number in opened:
                check_whole(image, disk)
        except BaseException as error:
            error.add_note(f"seed {seed}, image {number}, call {moment} of {len(calls)}: {acknowledged(disk)}")
            raise
    return len(changes)


def test_S16_after_a_power_loss_all_that_was_acknowledged_is_there(
    life: tuple[Path, list[Call]], tmp_path: Path
) -> None:
    assert crashed(life, tmp_path, 16, tables=150, whole=8) > 200


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(10))
def test_S16_after_thousands_of_power_losses(life: tuple[Path, list[Call]], tmp_path: Path, seed: int) -> None:
    crashed(life, tmp_path, seed, tables=1000, whole=40)
