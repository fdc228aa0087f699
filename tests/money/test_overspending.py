"""Many processes at one limit, killed or not: it is never passed, and nothing is refused that fits."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest

from ownkey.spending.budget import Budget
from ownkey.store.db import Store
from watched import begin, complaints, environment, processes, watch

PROCESSES, HOLDS, MOST = 32, 40, 2_000
LIMIT = PROCESSES * HOLDS * MOST // 4

_SPENDING = f"""
import asyncio, json, random, sys
from attempts import exact, hold
from ownkey.store.db import Store
from ownkey.talk.errors import BudgetExceeded

url, name, how = sys.argv[1:]
store, chance, refused = Store.open(url), random.Random(name), []

async def atomic(wanted):
    try:
        await store.book.hold(wanted)
    except BudgetExceeded:
        return False
    return True

async def checked_then_charged(wanted):
    (total,) = store.book.totals(())
    if total.cost_nano + total.pending_nano + wanted.held_nano > {LIMIT}:
        return False
    await store.book.hold(wanted)
    return True

async def one(number):
    wanted = hold(id=f"{{name}}-{{number:05d}}", held_nano=chance.randrange(1, {MOST}))
    if await {{"atomic": atomic, "naive": checked_then_charged}}[how](wanted):
        store.book.settle(exact(wanted.id, wanted.held_nano))
    else:
        refused.append(wanted.held_nano)

async def main():
    await store.book.drain()
    for start in range(0, {HOLDS}, 8):
        await asyncio.gather(*(one(number) for number in range(start, start + 8)))

print("ready", flush=True)
sys.stdin.readline()
asyncio.run(main())
store.close()
print(json.dumps(refused), flush=True)
"""

_UNTIL_KILLED = """
import asyncio, random, sys
from attempts import exact, hold
from ownkey.store.db import Store
from ownkey.talk.errors import BudgetExceeded

url, name = sys.argv[1:]
store, chance = Store.open(url), random.Random(name)

async def one(number):
    wanted = hold(id=f"{name}-{number:07d}", held_nano=chance.randrange(1, 2_000))
    try:
        await store.book.hold(wanted)
    except BudgetExceeded:
        await asyncio.sleep(0.001)
        return
    store.book.settle(exact(wanted.id, chance.randint(0, wanted.held_nano)))

async def main():
    for start in range(0, 10_000_000, 16):
        await asyncio.gather(*(one(number) for number in range(start, start + 16)))

print("ready", flush=True)
sys.stdin.readline()
asyncio.run(main())
"""


def spend(url: str, how: str) -> list[str]:
    """What is wrong after all processes have spent at once what twice the limit would not cover."""
    store = Store.open(url)
    watch(url)
    if how == "atomic":
        store.budgets.set(Budget(id="b", limit=LIMIT))
    each = [[url, f"p{number:02d}", how] for number in range(PROCESSES)]
    refused: list[int] = []
    with processes(_SPENDING, *each, env=environment()) as running:
        for process in running:
            begin(process)
        for process in running:
            assert process.stdout is not None
            refused += json.loads(process.stdout.readline())
    assert len(refused) > PROCESSES * HOLDS // 4
    found = complaints(url, store, LIMIT, refused)
    store.close()
    return found


def test_B01_B02_thirty_two_processes_never_pass_a_limit_and_use_all_of_it(url: str) -> None:
    assert spend(url, "atomic") == []


def test_B01_B34_a_book_that_checks_and_then_charges_is_caught(tmp_path: Path) -> None:
    found = spend(f"sqlite:///{tmp_path}/home/ownkey.db", "naive")
    print(found)
    assert any("are spent and pending" in one for one in found)


def killed(url: str, times: int) -> None:
    """Processes spend, one of them is killed, its holds are ended, and so on."""
    seed = time.time_ns()
    print(f"seed {seed}")
    chance = random.Random(seed)
    store = Store.open(url)
    watch(url)
    limit = 0
    for number in range(times):
        # A little more each time, so that there is always something to hold and something to refuse.
        limit += 200_000
        store.budgets.set(Budget(id="b", limit=limit))
        with processes(_UNTIL_KILLED, [url, f"{seed}-{number}a"], [url, f"{seed}-{number}b"], env=environment()) as two:
            for process in two:
                begin(process)
            time.sleep(chance.uniform(0.02, 0.3))
            two[0].kill()
            two[0].wait(10)
            store.book.sweep()
            assert complaints(url, store, limit, []) == []
    deadline_s = time.monotonic() + 10
    while any(row.state == "held" for row in store.book.rows(limit=10**6)) and time.monotonic() < deadline_s:
        store.book.sweep()
        time.sleep(0.02)
    assert complaints(url, store, limit, []) == []
    (room,) = store.budgets.rooms(1_700_000_000_000)
    assert room.pending == 0
    store.close()


def test_S01_B03_B04_killed_twenty_times_under_load_no_limit_is_passed_and_no_hold_is_lost(tmp_path: Path) -> None:
    killed(f"sqlite:///{tmp_path}/home/ownkey.db", 20)


def test_S01_S11_killed_on_postgresql_no_limit_is_passed_and_no_hold_is_lost(
    request: pytest.FixtureRequest,
) -> None:
    killed(request.getfixturevalue("postgres_server").fresh(), 5)


@pytest.mark.soak
@pytest.mark.timeout(3_000)
def test_S01_killed_five_hundred_times_under_load(tmp_path: Path) -> None:
    killed(f"sqlite:///{tmp_path}/home/ownkey.db", 500)
