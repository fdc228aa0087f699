"""A thousand calls at once, of random size, against a limit that pays for half of them."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from canaries import canary
from house import Simulator, environment, library, make_home, write_provider
from ownkey.store.db import Store
from watched import begin, complaints, processes, watch
from watched import environment as with_path

CALLS = 1_000
# On average 110 words out and about 12 tokens in, at $2.50 and $10 a million: half of a thousand such.
LIMIT_USD = "0.56"

_ASKING = """
import asyncio, json, random, re, sys
from ownkey import Ownkey
from ownkey.talk.errors import BudgetExceeded

model, name, calls, url = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
chance = random.Random(name)
paid, refused = [], []

async def one(ownkey):
    words = chance.randrange(20, 200)
    try:
        reply = await ownkey.chat(f"say {words} words", model, max_output_tokens=words + 10)
    except BudgetExceeded as error:
        refused.append(re.search(r"may take \\$(\\d+\\.\\d+)", error.message)[1])
    else:
        assert reply.finish.unified == "stop"
        paid.append(reply.receipt.cost.nano_usd)

async def main():
    async with Ownkey(database_url=url, budget_wait_s=100) as ownkey:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await asyncio.gather(*(one(ownkey) for _ in range(calls)))

asyncio.run(main())
print(json.dumps([paid, refused]), flush=True)
"""


def thousand(url: str, home: Path, simulator: Simulator, processes_: int) -> None:
    make_home(home)
    name = write_provider(home, simulator, "delay=0.02")
    with library(home, database_url=url) as ownkey:
        ownkey.keys.set(name, canary("thousand calls"))
        room = ownkey.budgets.set("half", limit=LIMIT_USD, per="ever", provider=name).room
    limit = room.budget.limit
    assert limit is not None
    watch(url)
    env = with_path(**environment(home, OWNKEY_ALLOW_PRIVATE_HOSTS=f"127.0.0.1:{simulator.port}"))
    each = [[f"{name}/gpt-4o", f"p{number}", str(CALLS // processes_), url] for number in range(processes_)]
    paid: list[int] = []
    refused: list[Any] = []
    with processes(_ASKING, *each, env=env) as running:
        for process in running:
            begin(process)
        for process in running:
            assert process.stdout is not None
            its_paid, its_refused = json.loads(process.stdout.readline())
            paid += its_paid
            refused += its_refused
    store = Store.open(url)
    needs = [int(Decimal(usd) * 10**9) for usd in refused]
    used = sum(paid)
    print(f"{len(paid)} answered, {len(refused)} refused, {used / limit:.2%} of the limit used")
    assert complaints(url, store, limit, needs) == []
    (total,) = store.book.totals(())
    store.close()
    assert (total.cost_nano, total.pending_nano) == (used, 0)
    assert used > 0.98 * limit
    assert 400 < len(paid) < 600


@pytest.mark.row("A11")
def test_B01_a_thousand_calls_of_four_processes_use_a_limit_up_and_never_pass_it(
    tmp_path: Path, simulator: Simulator
) -> None:
    home = tmp_path / "home"
    thousand(f"sqlite:///{home}/ownkey.db", home, simulator, 4)


@pytest.mark.row("A11")
def test_B02_a_thousand_calls_of_three_processes_on_postgresql(
    tmp_path: Path, simulator: Simulator, request: pytest.FixtureRequest
) -> None:
    thousand(request.getfixturevalue("postgres_server").fresh(), tmp_path / "home", simulator, 3)
