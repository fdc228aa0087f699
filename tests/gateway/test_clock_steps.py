"""The wall clock is set an hour on or back while the gateway works: nothing that waits notices."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from house import SRC, Gateway, Simulator, gateway, library, until

HOUR_S = 3600

# In the gateway's process, what time() says is off by as many seconds as the file has; the monotonic clock is not.
_SITE = """
import time
from pathlib import Path

_real_s, _real_ns, _file = time.time, time.time_ns, Path(__file__).with_name("offset")
time.time = lambda: _real_s() + int(_file.read_text())
time.time_ns = lambda: _real_ns() + int(_file.read_text()) * 10**9
"""


@dataclass
class Clock:
    folder: Path

    def step(self, seconds: int) -> None:
        beside = self.folder / "offset.new"
        beside.write_text(str(seconds))
        beside.replace(self.folder / "offset")


@contextmanager
def stepping(tmp_path: Path, simulator: Simulator) -> Iterator[tuple[Gateway, Clock]]:
    clock = Clock(tmp_path / "site")
    clock.folder.mkdir()
    (clock.folder / "sitecustomize.py").write_text(_SITE)
    clock.step(0)
    quick = {"OWNKEY_HEADERS_TIMEOUT_S": "5", "OWNKEY_IDLE_TIMEOUT_S": "5", "OWNKEY_RETRIES": "0"}
    with gateway(tmp_path / "home", simulator, PYTHONPATH=f"{clock.folder}:{SRC}", **quick) as running:
        yield running, clock


@pytest.mark.parametrize("step_s", [HOUR_S, -HOUR_S])
def test_O21_a_clock_that_is_set_neither_cuts_off_what_runs_nor_lets_it_wait_for_ever(
    tmp_path: Path, simulator: Simulator, step_s: int
) -> None:
    with stepping(tmp_path, simulator) as (running, clock), ThreadPoolExecutor(2) as pool:
        slow, silent = running.provider("delay=1"), running.provider("silence")
        assert running.ask(f"{slow}/gpt-4o").status == 200
        began_s = time.monotonic()
        answers = [pool.submit(running.ask, f"{name}/gpt-4o") for name in (slow, silent)]
        until(lambda: len(simulator.seen(slow)) == 2 and len(simulator.seen(silent)) == 1)
        clock.step(step_s)
        assert answers[0].result().status == 200
        assert answers[1].result().status == 504
        assert 4.5 < time.monotonic() - began_s < 20
        # The book has what was told, in whichever hour it was told to be.
        rows = running.rows(slow)
        assert [row.state for row in rows] == ["exact", "exact"]
        assert running.ask(f"{slow}/gpt-4o").status == 200
        began_ms = [row.started_at_ms for row in running.rows(slow)]
        assert abs(max(began_ms) - min(began_ms) - HOUR_S * 1000) < 60_000
        assert all((row.total_ms or 0) < 10_000 for row in running.rows(slow))


def test_O21_a_clock_that_is_set_back_gives_no_budget_twice_and_a_token_ends_by_the_clock(
    tmp_path: Path, simulator: Simulator
) -> None:
    with stepping(tmp_path, simulator) as (running, clock), library(running.home) as ownkey:
        name = running.provider()
        ownkey.budgets.set("runs", limit="3", unit="requests", per="month")
        ends_ms = time.time_ns() // 1_000_000 + HOUR_S // 2 * 1000
        _, token = ownkey.house.tokens.create("owner", "short", expires_at_ms=ends_ms)
        asked = {"Authorization": f"Bearer {token.reveal().decode()}"}
        for step_s in (0, 60, -60):
            clock.step(step_s)
            assert until(lambda: running.ask(f"{name}/gpt-4o", headers=asked)).status == 200
        for step_s in (0, -60, 60):
            clock.step(step_s)
            assert running.ask(f"{name}/gpt-4o", headers=asked).status == 402
        clock.step(HOUR_S)
        until(lambda: running.ask(f"{name}/gpt-4o", headers=asked).status == 401, within_s=2)
        clock.step(0)
        until(lambda: running.ask(f"{name}/gpt-4o", headers=asked).status == 402, within_s=2)
