"""What takes longer than a person waits: killed again and again, and asked tens of thousands of times. `make soak`."""

from __future__ import annotations

import contextlib
import random
import re
import signal
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest

from house import CHAT, Gateway, Simulator, book_rows, gateway, write_provider

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3000)]

KILLS = 100
REQUESTS = 30_000
MOST_MB = 150


def test_S01_killed_a_hundred_times_under_load_no_hold_is_lost_or_ends_twice(
    tmp_path: Path, simulator: Simulator
) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    name = write_provider(home, simulator, "delay=0.02;chunk-delay=0.001")
    seed = time.time_ns()
    print(f"seed {seed}")
    chance = random.Random(seed)
    ended: dict[str, tuple[str, int]] = {}
    for _ in range(KILLS):
        with gateway(home, simulator) as running, ThreadPoolExecutor(16) as pool:
            rows = [row for row in book_rows(home, name) if row.id in ended]
            assert {row.id: (row.state, row.cost_nano) for row in rows} == ended
            for number in range(16):
                pool.submit(_ask_until_it_dies, running, f"{name}/gpt-4o", stream=number % 2 == 0)
            time.sleep(chance.uniform(0.05, 0.5))
            running.process.send_signal(signal.SIGKILL)
            running.process.wait(10)
        ended = {row.id: (row.state, row.cost_nano) for row in book_rows(home, name) if row.state != "held"}
    with gateway(home, simulator):
        rows = book_rows(home, name)
    assert len(rows) >= len(simulator.seen(name)) > KILLS
    assert all(row.state in ("exact", "counted", "assumed", "released") for row in rows)
    with closing(sqlite3.connect(home / "ownkey.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_O19_memory_stays_where_it_was_after_the_first_thousands(tmp_path: Path, simulator: Simulator) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    name = write_provider(home, simulator)
    with gateway(home, simulator) as running, ThreadPoolExecutor(8) as pool:
        after: list[float] = []
        for _ in range(3):
            list(pool.map(lambda _: _ask(running, f"{name}/gpt-4o", REQUESTS // 3 // 8), range(8)))
            after.append(_memory_mb(running))
    print(f"MB after each third of {REQUESTS} requests: {after}")
    assert after[0] < MOST_MB
    assert after[-1] - after[0] < 8


def _ask_until_it_dies(running: Gateway, model: str, *, stream: bool) -> None:
    with contextlib.suppress(OSError, HTTPException, AssertionError):
        while running.ask(model, "Say 20 words", stream=stream).status == 200:
            pass


def _ask(running: Gateway, model: str, times: int) -> None:
    body = b'{"model": "%b", "messages": [{"role": "user", "content": "Hello"}]}' % model.encode()
    connection = HTTPConnection("127.0.0.1", running.port, timeout=30)
    for _ in range(times):
        connection.request("POST", CHAT, body, running.own)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
    connection.close()


def _memory_mb(running: Gateway) -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{running.process.pid}/status").read_text())
    assert found
    return int(found.group(1)) / 1024
