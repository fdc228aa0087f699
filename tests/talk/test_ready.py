"""Records that several threads read at once, each for the first time."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from house import Simulator, gateway
from tree import ROOT

TOGETHER = """
import sys, threading, msgspec
from ownkey.talk.ready import make_ready

sys.setswitchinterval(1e-6)
for number in range(200):
    parts = [(f"f{at}", "list[int] | None", None) for at in range(12)]
    inner = [msgspec.defstruct(f"Inner{number}x{at}", parts) for at in range(6)]
    outer = msgspec.defstruct(f"Outer{number}", [(f"g{at}", one | None, None) for at, one in enumerate(inner)])
    data = msgspec.json.encode({f"g{at}": {f"f{part}": [1] for part in range(12)} for at in range(6)})
    make_ready()
    together = threading.Barrier(4)

    def read(together=together, data=data, outer=outer):
        together.wait()
        msgspec.json.decode(data, type=outer)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def test_threads_that_read_a_new_record_at_once_do_not_end_the_process() -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", TOGETHER], env=environment, capture_output=True, timeout=100)
    assert done.returncode == 0, done.stderr[-2000:]


LOADED = """
from ownkey.talk.ready import make_ready
from ownkey.wires import batches, wire

for load, names in ((wire.spoken, wire.WIRE_NAMES), (batches.batch_wire, batches.TABLE)):
    for name in sorted(names):
        load(name)
        assert make_ready() == 0, name
"""


def test_what_is_loaded_with_a_wire_is_ready_before_anybody_reads_with_it() -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", LOADED], env=environment, capture_output=True, timeout=100)
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_first_requests_of_an_api_come_at_once_and_each_is_answered(tmp_path: Path, simulator: Simulator) -> None:
    paths = ("providers", "models", "keys", "budgets", "usage/summary", "usage/days?count=7", "preferences", "tokens")
    with gateway(tmp_path / "home", simulator) as running:
        with ThreadPoolExecutor(2 * len(paths)) as together:
            answers = list(
                together.map(lambda path: running.send("GET", f"/api/byok/{path}", None, running.own), 2 * paths)
            )
        assert [answer.status for answer in answers] == [200] * len(answers)
        assert running.process.poll() is None
