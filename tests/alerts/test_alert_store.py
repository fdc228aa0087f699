"""Alerts in the store: each once, seen once, claimed by one."""

from __future__ import annotations

import json

import pytest

from alerting import AT_MS, alert
from ownkey.spending.budget import Budget
from ownkey.store.alerts import FIRST_WAIT_MS, LONGEST_WAIT_MS, MOST_TRIES, TOO_OLD_MS
from ownkey.store.db import Store
from watched import begin, environment, processes

PROCESSES = 8

_RAISING = """
import json, sys
from alerting import alert
from ownkey.store.db import Store

store = Store.open(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
raised = [id for id in ("budget:b1:0:80", "budget:b1:0:100", "budget:b1:1:80") if store.alerts.raise_(alert(id))]
print(json.dumps(raised), flush=True)
"""

_SPENDING = """
import asyncio, json, sys
from attempts import exact, hold
from ownkey.store.db import Store
from ownkey.talk.errors import BudgetExceeded

store, name = Store.open(sys.argv[1]), sys.argv[2]

async def one(number):
    wanted = hold(id=f"{name}-{number}", held_nano=10)
    try:
        await store.book.hold(wanted)
    except BudgetExceeded:
        return
    store.book.settle(exact(wanted.id, 10))

async def main():
    # Each ending in a transaction of its own: the thresholds are passed by some of many.
    for number in range(15):
        await one(number)
        await store.book.drain()

print("ready", flush=True)
sys.stdin.readline()
asyncio.run(main())
store.close()
print("done", flush=True)
"""

_CLAIMING = """
import json, sys
from ownkey.store.db import Store

store, claimed = Store.open(sys.argv[1]), []
print("ready", flush=True)
sys.stdin.readline()
while row := store.alerts.claim(sys.argv[2], 1_790_000_000_000):
    claimed.append(row.id)
print(json.dumps(claimed), flush=True)
"""


def told(program: str, *arguments: list[str]) -> list[str]:
    """What each of these processes says, having begun at once."""
    with processes(program, *arguments, env=environment()) as running:
        for process in running:
            begin(process)
        return [process.stdout.readline() for process in running if process.stdout is not None]


def test_B37_of_many_processes_that_raise_the_same_alert_one_does(store: Store, url: str) -> None:
    raised = [id for line in told(_RAISING, *[[url]] * PROCESSES) for id in json.loads(line)]
    assert sorted(raised) == ["budget:b1:0:100", "budget:b1:0:80", "budget:b1:1:80"]
    assert len(store.alerts.listed("anybody")) == 3


@pytest.mark.row("C12")
def test_B37_many_processes_that_use_up_a_budget_tell_each_threshold_once(store: Store, url: str) -> None:
    store.budgets.set(Budget(id="b1", limit=1_000))
    assert told(_SPENDING, *[[url, f"p{number}"] for number in range(PROCESSES)]) == ["done\n"] * PROCESSES
    rows = store.alerts.listed("anybody")
    abouts = [json.loads(row.facts)["about"] for row in rows]
    assert sorted(abouts) == ["100", "80", "refused"]
    assert {row.kind for row in rows} == {"budget_threshold", "budget_exhausted"}


def test_many_processes_claim_each_alert_once(store: Store, url: str) -> None:
    ids = [f"budget:b{number}:0:80" for number in range(40)]
    for id in ids:
        store.alerts.raise_(alert(id))
    claimed = [json.loads(line) for line in told(_CLAIMING, *[[url, f"p{number}"] for number in range(4)])]
    assert sorted(id for mine in claimed for id in mine) == sorted(ids)


def test_a_claim_is_respected_for_a_minute_and_twice_as_long_each_time_up_to_an_hour(store: Store) -> None:
    store.alerts.raise_(alert())
    at_ms, waits = AT_MS, []
    while store.alerts.claim("p", at_ms):
        claimed_ms, step_ms = at_ms, FIRST_WAIT_MS
        while at_ms < claimed_ms + 2 * LONGEST_WAIT_MS:
            at_ms += step_ms
            assert store.alerts.claim("q", at_ms - 1) is None
            if at_ms - claimed_ms in (FIRST_WAIT_MS << len(waits), LONGEST_WAIT_MS):
                break
        waits.append(at_ms - claimed_ms)
        assert len(waits) <= MOST_TRIES
    assert waits[:4] == [FIRST_WAIT_MS, 2 * FIRST_WAIT_MS, 4 * FIRST_WAIT_MS, 8 * FIRST_WAIT_MS]
    assert (len(waits), max(waits)) == (MOST_TRIES, LONGEST_WAIT_MS)


def test_what_was_sent_and_what_is_too_old_is_not_claimed(store: Store) -> None:
    store.alerts.raise_(alert("budget:sent:0:80"))
    store.alerts.raise_(alert("budget:old:0:80", at_ms=AT_MS - TOO_OLD_MS))
    store.alerts.sent("budget:sent:0:80", AT_MS)
    assert store.alerts.claim("p", AT_MS) is None


def test_a_channel_that_had_an_alert_keeps_that_whatever_comes_later(store: Store) -> None:
    store.alerts.failed("a", "webhook", "no answer")
    store.alerts.delivered("a", "webhook", 5)
    store.alerts.failed("a", "email:me@example.com", "refused")
    email, webhook = store.alerts.deliveries(["a"])
    assert (webhook.sent_at_ms, webhook.error, webhook.tries) == (5, None, 2)
    assert (email.sent_at_ms, email.error, email.tries) == (None, "refused", 1)
    store.alerts.delivered("a", "webhook", 9)
    assert store.alerts.deliveries(["a"])[1].sent_at_ms == 5


def test_alerts_are_listed_unseen_first_and_newest_first_for_whom_they_are(store: Store) -> None:
    for number, owner in enumerate((None, "ann", "bob", "ann")):
        store.alerts.raise_(alert(f"budget:{number}:0:80", owner=owner, at_ms=AT_MS + number))
    assert [row.id[7] for row in store.alerts.listed("ann")] == ["3", "1", "0"]
    assert store.alerts.unseen("ann") == 3
    assert store.alerts.see("ann", ["budget:3:0:80", "budget:2:0:80"], AT_MS) == 1
    assert [row.id[7] for row in store.alerts.listed("ann")] == ["1", "0"]
    assert [row.id[7] for row in store.alerts.listed("ann", seen=True)] == ["1", "0", "3"]
    assert store.alerts.see("ann", None, AT_MS) == 2
    assert (store.alerts.unseen("ann"), store.alerts.unseen("bob")) == (0, 1)


def test_what_was_seen_long_ago_is_forgotten_with_its_deliveries(store: Store) -> None:
    for name in ("seen", "unseen"):
        store.alerts.raise_(alert(f"budget:{name}:0:80"))
        store.alerts.delivered(f"budget:{name}:0:80", "webhook", AT_MS)
    store.alerts.see("ann", ["budget:seen:0:80"], AT_MS)
    assert store.alerts.forget(AT_MS) == 0
    assert store.alerts.forget(AT_MS + 1) == 1
    assert [row.id for row in store.alerts.listed("ann", seen=True)] == ["budget:unseen:0:80"]
    assert len(store.alerts.deliveries(["budget:seen:0:80", "budget:unseen:0:80"])) == 1


def test_what_an_alert_is_about_is_found_letter_by_letter(store: Store) -> None:
    for id in ("price:a/b_c:1", "price:a/bxc:1", "price:a/b%:1", "price:a/b_c"):
        store.alerts.raise_(alert(id))
    assert [row.id for row in store.alerts.about("price:a/b_c")] == ["price:a/b_c:1"]
    assert [row.id for row in store.alerts.about("price:a/b%")] == ["price:a/b%:1"]
