"""The k-th call of the system's fails, once or from then on: what was said to be done is done, and nothing is half."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ownkey.store.db import Store
from watched import environment

# One process is warm and has a child for each try: what is loaded in it does not count.
_LIFE = """
import asyncio, json, os, sys, traceback
from pathlib import Path
from attempts import exact, hold
from ownkey.spending.budget import Budget
from ownkey.store.choices import Choice
from ownkey.store.db import Store
from ownkey.talk.errors import OwnkeyError
from ownkey.vault.tokens import Tokens

def live(file, before, say):
    def did(name, act):
        try:
            act()
        except OwnkeyError as error:
            say(name, error.code)
            return False
        say(name, "done")
        return True

    stores = []
    if before:
        store = Store.open(f"sqlite:///{file}")
        store.budgets.set(Budget(id="b", limit=10_000))
        asyncio.run(store.book.hold(hold(id="warm.1", held_nano=1)))
        stores.append(store)
    before and before()
    if not did("open", lambda: stores.append(Store.open(f"sqlite:///{file}"))):
        return
    store = stores[-1]
    did("budget", lambda: store.budgets.set(Budget(id="b", limit=20_000)))
    for number in range(2):
        one = hold(id=f"try{number}.1", held_nano=3_000)
        if did(f"hold {number}", lambda: asyncio.run(store.book.hold(one))):
            store.book.settle(exact(one.id, 2_000))
    did("token", lambda: Tokens(store).create("owner", "one"))
    did("choice", lambda: store.choices.set(Choice("openai", enabled=True)))
    did("sweep", store.book.sweep)
    did("totals", lambda: store.book.totals(()))
    store.book.close()

def main():
    live(Path(sys.argv[1]) / "warm.db", None, lambda *_: None)
    print("ready", flush=True)
    for line in sys.stdin:
        file, made = json.loads(line)
        told, tell = os.pipe()
        go, let = os.pipe()
        pid = os.fork()
        if pid == 0:
            said = []
            def begin():
                os.write(tell, b"x")
                os.read(go, 1)
            try:
                if not made:
                    begin()
                live(Path(file), begin if made else None, lambda *one: said.append(one))
                code = 0
            except BaseException:
                traceback.print_exc()
                code = 1
            os.write(tell, json.dumps(said).encode())
            os._exit(code)
        os.close(tell)
        os.read(told, 1)
        print(pid, flush=True)
        sys.stdin.readline()
        os.write(let, b"x")
        said = b""
        while piece := os.read(told, 1 << 16):
            said += piece
        _, status = os.waitpid(pid, 0)
        for each in (told, go, let):
            os.close(each)
        print(json.dumps([os.waitstatus_to_exitcode(status), json.loads(said or b"[]")]), flush=True)

main()
"""

CALLS = ("pwrite64", "fdatasync", "openat", "ftruncate")
FAULTS = {"pwrite64": ("EIO", "ENOSPC", "EINTR"), "fdatasync": ("EIO",), "openat": ("EACCES",), "ftruncate": ("EIO",)}

# A call that is interrupted is made again, which no system keeps up for ever.
ONCE_ONLY = "EINTR"


class Lives:
    """Stores lived in under strace (strace(1), Tampering)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        self._cries = folder / "stderr"
        with self._cries.open("w") as cries:
            self._parent = subprocess.Popen(
                [sys.executable, "-c", _LIFE, str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=cries,
                text=True,
                env=environment(),
            )
        assert self._line() == "ready"

    def live(self, *inject: str, made: bool) -> tuple[Path, list[tuple[str, str]], list[str]]:
        """One life with that fault in it: its file, what each act said, and the calls that were traced."""
        self._count += 1
        folder = self._folder / str(self._count)
        self._say(json.dumps([str(folder / "ownkey.db"), made]))
        pid = self._line()
        log = self._folder / f"{self._count}.log"
        command = ["strace", "-f", "-qq", "-o", str(log), "-e", f"trace={','.join(CALLS)}", *inject, "-p", pid]
        with subprocess.Popen(command, stderr=subprocess.PIPE) as tracer:
            while not _traced(pid):
                assert tracer.poll() is None, (tracer.stderr and tracer.stderr.read(), self._cries.read_text())
            self._say("go")
            code, said = json.loads(self._line())
            tracer.wait(10)
        assert code == 0, self._cries.read_text()
        return folder / "ownkey.db", [tuple(one) for one in said], log.read_text().splitlines()

    def close(self) -> None:
        self._parent.kill()
        self._parent.communicate()

    def _say(self, line: str) -> None:
        assert self._parent.stdin is not None
        self._parent.stdin.write(line + "\n")
        self._parent.stdin.flush()

    def _line(self) -> str:
        assert self._parent.stdout is not None
        return self._parent.stdout.readline().strip()


def _traced(pid: str) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    return "TracerPid:\t0\n" not in status


@pytest.fixture
def lives(tmp_path: Path) -> Iterator[Lives]:
    if not _can_trace():
        pytest.skip("strace is not installed, or may not trace here")
    found = Lives(tmp_path)
    yield found
    found.close()


def _can_trace() -> bool:
    apt = shutil.which("apt-get")
    if shutil.which("strace") is None and apt is not None and os.geteuid() == 0:
        subprocess.run([apt, "install", "-y", "-qq", "strace"], capture_output=True)
    tracer = shutil.which("strace")
    return tracer is not None and subprocess.run([tracer, "-o", "/dev/null", "true"]).returncode == 0


def wrong(file: Path, said: list[tuple[str, str]]) -> list[str]:
    """What is not as it was said to be, once everything works again."""
    done = {name for name, how in said if how == "done"}
    store = Store.open(f"sqlite:///{file}")
    store.book.sweep()
    found = [f"counter {place}: {one} is {other}" for place, one, other in store.budgets.wrong_counters()]
    rows = {row.id: row for row in store.book.rows(limit=1_000)}
    for number in range(2):
        row = rows.get(f"try{number}.1")
        if f"hold {number}" in done and (row is None or (row.state, row.cost_nano) not in ENDINGS):
            found.append(f"hold {number} was given, and is {row}")
        if f"hold {number}" not in done and row is not None and row.state not in ("released", "assumed"):
            found.append(f"hold {number} was not given, and is {row.state}")
    if "budget" in done and [one.limit for one in store.budgets.current(anew=True).all.values()] != [20_000]:
        found.append("the budget is not there")
    if ("token" in done) and [row.name for row in store.tokens.all()] != ["one"]:
        found.append("the token is not there")
    if ("choice" in done) and "openai" not in store.choices.all():
        found.append("the choice is not there")
    found += [f"{row.id} is still held" for row in rows.values() if row.state == "held"]
    store.close()
    with closing(sqlite3.connect(file)) as connection:
        (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
    return found if verdict == "ok" else [*found, verdict]


# A settlement that could not be written is one that the next start ends, at what was held.
ENDINGS = {("exact", 2_000), ("assumed", 3_000)}


def fail_each(lives: Lives, step: int) -> int:
    """Every `step`-th call of each kind fails, in a new file and in one that is there; how many lives there were."""
    count = 0
    for made in (False, True):
        _, said, log = lives.live(made=made)
        assert [how for _, how in said] == ["done"] * 8
        for call in CALLS:
            most = max(_each_thread(log, call), default=0)
            for fault in FAULTS[call]:
                for often in ("",) if fault == ONCE_ONLY else ("", "+"):
                    for k in range(1, most + 1, step):
                        file, said, _ = lives.live("-e", f"inject={call}:error={fault}:when={k}{often}", made=made)
                        assert said
                        if file.exists() or "done" in {how for _, how in said}:
                            assert wrong(file, said) == [], (call, fault, often, k, made)
                        count += 1
    return count


def _each_thread(log: list[str], call: str) -> list[int]:
    """How often each thread made that call."""
    counts: dict[str, int] = {}
    for line in log:
        thread, _, rest = line.partition(" ")
        if rest.lstrip().startswith(f"{call}("):
            counts[thread] = counts.get(thread, 0) + 1
    return list(counts.values())


def test_S02_a_call_of_the_systems_that_fails_loses_nothing_that_was_said_to_be_done(lives: Lives) -> None:
    count = fail_each(lives, 23)
    print(f"{count} lives with a fault in each")
    assert count > 30


@pytest.mark.soak
def test_S02_soak_every_call_of_the_systems_fails_in_its_turn(lives: Lives) -> None:
    print(f"{fail_each(lives, 1)} lives with a fault in each")
