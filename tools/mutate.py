"""How many faults the tests notice: each file is changed in one place at a time, and the tests that go there are run.

    python tools/mutate.py vault --sample 120 --seed 1

The tests are collected once. Each mutant then has a process of its own, a fork of that one, in which the changed
function takes the place of the true one. A test that fails, or does not end, has noticed. Which lines each test goes
to is found first, and kept in `.mutation/` until a file changes.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import shutil
import signal
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests"), str(ROOT / "tools")]

from mutation_run import Runner  # noqa: E402
from mutations import Mutant, mutants  # noqa: E402

KEPT = ROOT / ".mutation"
TRANSPORT = [
    "addresses",
    "answers",
    "deadlines",
    "dialling",
    "due",
    "egress",
    "guarded_names",
    "inside",
    "keeping",
    "lookup",
    "pool_limits",
    "pool_times",
    "requests",
    "ssrf",
    "tls",
]
GUARDED = ["tests/api/test_browser_doors.py", "tests/api/test_api_matrix.py"]
GUARDED += ["tests/people/test_scopes.py", "tests/server/test_front_door.py"]
GROUPS = {
    "vault": (
        ["src/ownkey/vault/*.py"],
        ["tests/vault", "tests/keys/test_several_keys.py", "tests/export/test_age.py"],
    ),
    "transport": (
        ["src/ownkey/transport/*.py"],
        [f"tests/transport/test_{name}.py" for name in TRANSPORT]
        + ["tests/alerts/test_alert_mail.py", "tests/alerts/test_mail_servers.py"],
    ),
    "guard": (["src/ownkey/server/guard.py", "src/ownkey/server/doors.py"], GUARDED),
}
"""The files that are changed, and the tests that are run for it."""


def equivalents() -> dict[tuple[str, str], str]:
    """Mutants that do what the file does: file and name to the reason."""
    read = tomllib.loads((ROOT / "tools/equivalent_mutants.toml").read_text("utf-8"))
    return {(one["file"], name): one["reason"] for one in read["mutant"] for name in one["names"]}


def interval(killed: int, count: int) -> tuple[float, float]:
    """Of the share, 95 % (Wilson's)."""
    if not count:
        return 0.0, 1.0
    z, share = 1.96, killed / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return middle - half, middle + half


def chosen(group: str, only: str, sample: int, seed: int) -> tuple[list[Mutant], int]:
    """The mutants to be tried, and of how many."""
    same = equivalents()
    files = sorted(path for pattern in GROUPS[group][0] for path in ROOT.glob(pattern) if only in path.name)
    every = [one for file in files for one in mutants(file)]
    real = [one for one in every if (one.file.relative_to(ROOT).as_posix(), one.name) not in same]
    order = sorted(real, key=lambda one: (one.file.name, one.name))
    random.Random(seed).shuffle(order)
    return (order[:sample] if sample else order), len(real)


def told(group: str, results: list[tuple[Mutant, str]], of: int) -> str:
    killed = sum(result != "survived" for _, result in results)
    least, most = interval(killed, len(results))
    share = killed / max(1, len(results))
    return f"{group}: {killed} of {len(results)} noticed, {share:.1%} (95 %: {least:.1%} to {most:.1%}), of {of} in all"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("group", choices=GROUPS)
    parser.add_argument("--sample", type=int, default=0, help="so many of them, chosen by the seed; else all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="files with this in their name")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after so many")
    arguments = parser.parse_args()
    KEPT.mkdir(exist_ok=True)
    todo, of = chosen(arguments.group, arguments.only, arguments.sample, arguments.seed)
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(KEPT / "hypothesis")
    runner = Runner(ROOT, KEPT, arguments.group, *GROUPS[arguments.group], todo, arguments.minutes)
    runner.run()
    lines = [f"{result}\t{one.file.relative_to(ROOT)}:{one.first}\t{one.name}" for one, result in runner.results]
    (KEPT / f"{arguments.group}{arguments.only}.tsv").write_text("\n".join(lines) + "\n")
    print(told(arguments.group, runner.results, of))
    shutil.rmtree(KEPT / "tmp", ignore_errors=True)
    return 0 if runner.results else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    raise SystemExit(main())
