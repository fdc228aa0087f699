"""Memory runs out in the middle of requests: they fail, and the gateway goes on."""

from __future__ import annotations

import http.client
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from house import CHAT, Gateway, Simulator, gateway, until

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


@pytest.mark.skipif(sys.platform != "linux", reason="another process's limits are set so on Linux only")
def test_S17_where_memory_runs_out_requests_fail_and_the_gateway_goes_on(tmp_path: Path, simulator: Simulator) -> None:
    import resource

    with gateway(tmp_path / "home", simulator, PYTHONFAULTHANDLER="1") as running:
        name = running.provider()
        with ThreadPoolExecutor(8) as pool:
            # What is made once is made by now.
            assert {answer.status for answer in pool.map(running.ask, [f"{name}/gpt-4o"] * 40)} == {200}
            pid = running.process.pid
            short = address_space(pid) + ROOM_BYTES
            resource.prlimit(pid, resource.RLIMIT_AS, (short, resource.RLIM_INFINITY))
            told = list(pool.map(lambda _: large(running, f"{name}/gpt-4o"), range(24)))
        assert any(status != 200 for status in told), "memory did not run out"
        assert running.process.poll() is None, running.log.read_text()[-3000:]
        # It has no more than before, and answers.
        until(lambda: running.ask(f"{name}/gpt-4o").status == 200, within_s=10)
        resource.prlimit(pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        for _ in range(20):
            assert running.ask(f"{name}/gpt-4o").status == 200
        assert large(running, f"{name}/gpt-4o") in (200, 400, 413, 422)
        assert all(row.state in ("exact", "released", "assumed", "counted") for row in running.rows(name))
        assert running.stop() == 0
