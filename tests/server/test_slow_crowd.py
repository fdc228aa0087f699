"""Two hundred clients that send and take as slowly as they can, beside one that asks as others do."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from house import CHAT, Gateway, Simulator, gateway, until

CROWD = 200
OWN = 8
FOR_S = 4.0
MOST_S = 2.0
MOST_MORE_KIB = 64 << 10

HEAD = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
BEGUN: dict[str, tuple[bytes, bytes]] = {
    "headers": (HEAD, b"X-a: b\r\n"),
    "body": (POST + b"Content-Length: 8192\r\n\r\n{", b" "),
    "chunks": (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "nothing taken": (b"", (HEAD + b"\r\n") * 2),
    "ranges": (HEAD + b"Range: bytes=0-," + b",".join(b"5-%d" % end for end in range(900)) + b"\r\n\r\n", b""),
    "nothing": (b"", b""),
}
"""What each begins with, and goes on with, as long as it lives."""


@pytest.fixture(scope="module")
def place(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("crowd") / "home", simulator) as running:
        yield running


def files(place: Gateway) -> int:
    return len(os.listdir(f"/proc/{place.process.pid}/fd"))


def resident_kib(place: Gateway) -> int:
    said = Path(f"/proc/{place.process.pid}/status").read_text()
    return int(next(line for line in said.splitlines() if line.startswith("VmRSS")).split()[1])


def asked_s(place: Gateway) -> float:
    began = time.monotonic()
    assert place.ask("demo").status == 200
    return time.monotonic() - began


def longer_s(place: Gateway, alone: Gateway) -> float:
    """How much longer it takes than at a gateway without a crowd, asked at the same moment."""
    with ThreadPoolExecutor(1) as pool:
        there = pool.submit(asked_s, alone)
        return asked_s(place) - there.result()


@pytest.mark.parametrize("how", BEGUN)
def test_G02_G13_a_slow_crowd_keeps_nobody_waiting_and_leaves_nothing_behind(
    place: Gateway, served: Gateway, how: str
) -> None:
    first, more = BEGUN[how]
    for _ in range(3):
        asked_s(place)
    files_before, kib_before = files(place), resident_kib(place)
    took: list[float] = []
    with ExitStack() as stack:
        crowd: list[socket.socket] = []
        for _ in range(CROWD):
            one = stack.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            one.connect(("127.0.0.1", place.port))
            one.sendall(first)
            one.setblocking(False)
            crowd.append(one)
        end_s = time.monotonic() + FOR_S
        while time.monotonic() < end_s:
            for one in crowd:
                with contextlib.suppress(BlockingIOError, ConnectionError):
                    one.send(more)
            took.append(longer_s(place, served))
        assert files(place) >= files_before + CROWD * 0.9
        assert resident_kib(place) < kib_before + MOST_MORE_KIB
    assert max(took) < MOST_S
    # What looks after the database by itself may have opened a few meanwhile; of the crowd nothing stays.
    until(lambda: files(place) <= files_before + OWN, within_s=10)
    assert place.process.poll() is None


def test_O06_a_crowd_that_signs_in_keeps_no_program_waiting(place: Gateway) -> None:
    """What a password costs is spent for few at once, and of one place for fifty in a quarter of an hour."""
    body = json.dumps({"email": "{}@example.com", "password": "not the password"})
    head = "POST /api/byok/sign-in/password HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    place.send("GET", "/api/byok/sign-in", None, {})
    kib_before, told, took = resident_kib(place), [], []
    with ExitStack() as stack:
        crowd: list[socket.socket] = []
        for number in range(CROWD):
            said = body.replace("{}", f"name{number}")
            one = stack.enter_context(socket.create_connection(("127.0.0.1", place.port), 30))
            one.sendall(f"{head}Content-Length: {len(said)}\r\nConnection: close\r\n\r\n{said}".encode())
            crowd.append(one)
        for one in crowd:
            # Processor time: a busy machine makes passwords take long.
            before_s = place.processor_s
            asked_s(place)
            took.append(place.processor_s - before_s)
            told.append(int(one.recv(65_536).split()[1]))
    assert set(told) <= {401, 429, 503}
    assert told.count(401) <= 50
    assert max(took) < MOST_S
    assert resident_kib(place) < kib_before + 4 * MOST_MORE_KIB
    assert place.send("POST", CHAT, b"{}", place.own).status == 422
