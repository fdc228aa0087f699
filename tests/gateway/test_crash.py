"""The gateway is killed, or told to stop, in the middle of its work: no money is lost, and none is charged twice."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPException
from pathlib import Path

import pytest

from house import Gateway, Simulator, book_rows, gateway, run, until, write_provider


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir(mode=0o700)
    return made


@pytest.fixture
def killable(home: Path, simulator: Simulator) -> Iterator[Gateway]:
    with gateway(home, simulator) as running:
        yield running


def asked(running: Gateway, name: str, number: int) -> None:
    with contextlib.suppress(OSError, HTTPException):
        running.ask(f"{name}/gpt-4o", f"Say {20 + number} words", stream=number % 2 == 0)


def test_S01_killed_under_load_every_hold_ends_once_and_none_is_lost(
    killable: Gateway, simulator: Simulator, home: Path
) -> None:
    name = write_provider(home, simulator, "delay=0.15;chunk-delay=0.01")
    with ThreadPoolExecutor(100) as pool:
        for number in range(100):
            pool.submit(asked, killable, name, number)
        until(lambda: len(book_rows(home, name)) > 30 and len(simulator.seen(name)) > 20)
        killable.process.send_signal(signal.SIGKILL)
        killable.process.wait(10)
    left = book_rows(home, name)
    assert any(row.state == "held" for row in left)
    with gateway(home, simulator) as again:
        rows = again.rows(name)
        assert again.ask(f"{name}/gpt-4o", "Say 1 words").status == 200
    assert len(rows) == len(left) >= len(simulator.seen(name)) - 1
    before = {row.id: row for row in left}
    for row in rows:
        was = before[row.id]
        if was.state == "held":
            assert (row.state, row.cost_nano) == ("assumed", row.held_nano)
        else:
            assert (row.state, row.cost_nano) == (was.state, was.cost_nano)
        assert 0 <= row.cost_nano <= row.held_nano
        assert row.ended_at_ms is not None
    with closing(sqlite3.connect(home / "ownkey.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    told = json.loads(run(killable.env, "usage", "--json", "--rows", "1000").stdout)
    (total,) = (total for total in told["totals"] if total["group"]["provider"] == name)
    assert told["summary"]["pending_nano"] == 0
    assert total["cost_nano"] == sum(row.cost_nano for row in book_rows(home, name))


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_S18_told_to_stop_open_answers_end_whole_and_are_settled(
    killable: Gateway, simulator: Simulator, home: Path, how: signal.Signals
) -> None:
    name = write_provider(home, simulator, "chunk-delay=0.02")
    data: list[bytes] = []

    def read(connection: socket.socket) -> None:
        while piece := connection.recv(65536):
            data.append(piece)

    with killable.open(f"{name}/gpt-4o", "Say 40 words", stream=True) as connection:
        reader = threading.Thread(target=read, args=(connection,))
        reader.start()
        until(lambda: b"word3" in b"".join(data))
        killable.process.send_signal(how)
        code = killable.process.wait(15)
        reader.join(5)
    assert b"word40" in b"".join(data)
    assert b"".join(data).rstrip(b"\r\n0").endswith(b"data: [DONE]")
    assert code == 0
    (row,) = book_rows(home, name)
    assert (row.state, row.output_tokens) == ("exact", 40)
    assert [path.name for path in (home / "run").glob("*.lock") if len(path.stem) == 16] == []
    assert killable.log.read_text() == ""


def test_S18_what_does_not_end_within_ten_seconds_is_told_so_and_settled(
    killable: Gateway, simulator: Simulator, home: Path
) -> None:
    begun, silent = write_provider(home, simulator, "stall=5"), write_provider(home, simulator, "silence")
    with (
        killable.open(f"{begun}/gpt-4o", "Say 40 words", stream=True) as first,
        killable.open(f"{silent}/gpt-4o", stream=True) as second,
        killable.open(f"{silent}/gpt-4o") as third,
    ):
        until(lambda: len(simulator.seen(silent)) == 2)
        data = b""
        while b"word3" not in data:
            data += first.recv(4096)
        started_s = time.monotonic()
        code = killable.stop()
        assert time.monotonic() - started_s < 15
        data += first.recv(4096)
        assert b"Ownkey is stopping" in data
        assert b"[DONE]" not in data
        for connection in (second, third):
            assert connection.recv(4096).startswith(b"HTTP/1.1 503")
    assert code == 0
    assert [row.state for row in book_rows(home, begun)] == ["counted"]
    assert [row.state for row in book_rows(home, silent)] == ["assumed", "assumed"]
    assert "Traceback" not in killable.log.read_text()


def test_S18_told_twice_it_stops_at_once(killable: Gateway, simulator: Simulator, home: Path) -> None:
    def refuses() -> bool:
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", killable.port)) != 0

    name = write_provider(home, simulator, "silence")
    with killable.open(f"{name}/gpt-4o", stream=True):
        until(lambda: simulator.seen(name))
        began_s = time.monotonic()
        killable.process.send_signal(signal.SIGINT)
        until(refuses)
        killable.process.send_signal(signal.SIGINT)
        killable.process.wait(15)
        assert time.monotonic() - began_s < 9, "told once, it would wait for ten seconds"
    assert len(book_rows(home, name)) == 1
    assert "Traceback" not in killable.log.read_text()


def test_S18_told_to_stop_as_soon_as_it_speaks_it_stops(simulator: Simulator, home: Path) -> None:
    for _ in range(8):
        with gateway(home, simulator) as running:
            assert running.stop() == 0
