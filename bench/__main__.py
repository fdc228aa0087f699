"""Measures, prints a table and writes it as JSON: `python -m bench [--seconds 4] [--out FILE]`."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench import systems
from bench.load import Measured, run
from bench.systems import HERE, System

AT_ONCE = (1, 32, 128)
MEMORY_REQUESTS = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--seconds", type=float, default=4.0, help="how long each measurement takes")
    parser.add_argument("--rounds", type=int, default=2, help="how often the systems take turns")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "latest.json")
    chosen = parser.parse_args()
    cores = (0, 1) if (os.cpu_count() or 1) > 1 else (None, None)
    with contextlib.ExitStack() as stack:
        upstream, port = stack.enter_context(systems.upstream(cores[1]))
        starters = [systems.bare, systems.ownkey, partial(systems.ownkey, budgets=True)]
        starters += [systems.litellm] if shutil.which("litellm") else []
        running = [stack.enter_context(start(port, cores[0])) for start in starters]
        measured = _measure(running, chosen.seconds, chosen.rounds, cores[1])
        memory = {system.name: round(system.memory_mb(), 1) for system in running}
    result = {
        "upstream": upstream,
        "load": "wrk" if shutil.which("wrk") else "bench/load.py",
        "measured": measured,
        "memory_mb": memory,
        "start_s": {system.name: round(system.start_s, 3) for system in running},
        "import_s": _import_s(),
        "does": {system.name: system.does for system in running},
    }
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(result, indent=2) + "\n")
    _show(result)
    Console().print(f"Written to {os.path.relpath(chosen.out)}.")


def _measure(running: list[System], seconds: float, rounds: int, core: int | None) -> list[dict[str, Any]]:
    """The systems take turns, so that a machine that is slower for a while is so for all; the median round counts."""
    cases = [(stream, at_once) for stream in (False, True) for at_once in AT_ONCE]
    rows: list[dict[str, Any]] = []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Measuring", total=len(cases) * rounds * len(running))
        for stream, at_once in cases:
            found: dict[str, list[Measured]] = {system.name: [] for system in running}
            for _ in range(rounds):
                for system in running:
                    found[system.name].append(
                        run(
                            system.port, system.token, system.model,
                            at_once=at_once, stream=stream, seconds=seconds, core=core,
                        )
                    )  # fmt: skip
                    progress.advance(task)
            for name, several in found.items():
                several.sort(key=lambda one: one.requests_per_s)
                middle = several[len(several) // 2]
                rows.append({"system": name, "stream": stream, "at_once": at_once, **asdict(middle)})
    return rows


def _import_s() -> dict[str, float]:
    """Seconds that an import adds to a bare interpreter: medians of seven."""

    def took(code: str) -> float:
        times: list[float] = []
        for _ in range(7):
            begun_s = time.monotonic()
            subprocess.run([sys.executable, "-c", code], check=True)
            times.append(time.monotonic() - begun_s)
        return statistics.median(times)

    nothing = took("pass")
    codes = {
        "ownkey": "import ownkey",
        "ownkey.Ownkey": "from ownkey import Ownkey",
        "openai": "import openai",
    }
    return {name: round(took(code) - nothing, 3) for name, code in codes.items()}


def _show(result: dict[str, Any]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 110)
    base = {(row["stream"], row["at_once"]): row for row in result["measured"] if row["system"] == "uvicorn + aiohttp"}
    table = Table(title=f"Upstream: {result['upstream']}. Load: {result['load']}.", title_justify="left")
    for column in ("system", "answers", "at once", "requests/s", "ratio", "p50 ms", "p99 ms", "errors"):
        table.add_column(column, justify="left" if column in ("system", "answers") else "right")
    for row in result["measured"]:
        ratio = row["requests_per_s"] / base[row["stream"], row["at_once"]]["requests_per_s"]
        table.add_row(
            row["system"], "streamed" if row["stream"] else "whole", str(row["at_once"]),
            f"{row['requests_per_s']:,.0f}", f"{ratio:.2f}", f"{row['p50_ms']:.2f}", f"{row['p99_ms']:.2f}",
            str(row["errors"]),
        )  # fmt: skip
    console.print(table)
    for name in ("start_s", "memory_mb", "import_s"):
        console.print(f"{name}: " + ", ".join(f"{system} {value}" for system, value in result[name].items()))


main()
