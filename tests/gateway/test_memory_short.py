"""Memory runs out in the middle of requests: they fail, and the gateway goes on."""

from __future__ import annotations

import http.client
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from house import CHAT, Gateway, Simulator, gateway, library, until

MIB = 1 << 20
ROOM_BYTES = 24 * MIB
"""What is left: two large requests do not fit beside each other."""


def address_space(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmSize"))


def large(running: Gateway, model: str) -> int | None:
    """The status of a request of nine mebibytes; None where the connection was cut."""
    said = "word " * (9 * MIB // 5)
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": said}]}).encode()
    try:
        return running.send("POST", CHAT, body, running.own).status
    except (OSError, http.client.HTTPException):
        return None


def answers(running: Gateway, model: str) -> bool:
    """Whether a small request is answered. Where the process ends just then, its connection is cut."""
    try:
        return running.ask(model).status == 200
    except (OSError, http.client.HTTPException):
        return False


def starve(running: Gateway, name: str) -> list[int | None]:
    """Many large requests at once, with no room for them; what each came to."""
    import resource  # absent on Windows

    with ThreadPoolExecutor(8) as pool:
        # What is made once is made by now.
        assert {answer.status for answer in pool.map(running.ask, [f"{name}/gpt-4o"] * 40)} == {200}
        assert [row.state for row in running.rows(name)] == ["exact"] * 40
        pid = running.process.pid
        short = address_space(pid) + ROOM_BYTES
        resource.prlimit(pid, resource.RLIMIT_AS, (short, resource.RLIM_INFINITY))
        return list(pool.map(lambda _: large(running, f"{name}/gpt-4o"), range(24)))


@pytest.mark.skipif(sys.platform != "linux", reason="another process's limits are set so on Linux only")
def test_S17_where_memory_runs_out_requests_fail_and_the_gateway_or_the_next_one_goes_on(
    tmp_path: Path, simulator: Simulator
) -> None:
    home = tmp_path / "home"
    with gateway(home, simulator) as running:
        name = running.provider()
        told = starve(running, name)
        assert any(status != 200 for status in told), "memory did not run out"
        # A library that does not get what it asks for may end the process: then it is gone at once, and does not hang.
        if running.process.poll() is None:
            until(lambda: running.process.poll() is not None or answers(running, f"{name}/gpt-4o"), 10)
        died = running.process.poll() is not None
    with gateway(home, simulator) as again:
        for _ in range(5):
            assert again.ask(f"{name}/gpt-4o").status == 200
        assert large(again, f"{name}/gpt-4o") == 200
        rows = again.rows(name)
        assert {row.state for row in rows} <= {"exact", "released", "assumed", "counted"}
        # What was answered is settled just after; of a process that died then, by the next one.
        settled = ("exact", "assumed") if died else ("exact",)
        assert sum(row.state == "exact" for row in rows) >= 40 + 6
        assert sum(row.state in settled for row in rows) >= 40 + told.count(200) + 6
        with library(home) as ownkey:
            assert ownkey.house.store.problems() == []
            assert ownkey.audit.verify().whole
