"""Whatever is held, settled and swept, in whatever order: the book agrees with a dictionary."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace

from attempts import exact, hold
from ownkey.store.db import Store


class Books(RuleBasedStateMachine):
    """Two processes, seen through two stores on one database; a store that is closed is a process that ended."""

    def __init__(self, fresh: Callable[[], str]) -> None:
        super().__init__()
        self.url = fresh()
        self.stores = [Store.open(self.url), Store.open(self.url)]
        self.rows: dict[str, tuple[str, int]] = {}
        self.owner: dict[str, int] = {}
        self.dead: set[str] = set()

    def teardown(self) -> None:
        for store in self.stores:
            store.close()

    @rule(which=st.integers(0, 1), amounts=st.lists(st.integers(0, 2**53 - 1), min_size=1, max_size=5))
    def hold(self, which: int, amounts: list[int]) -> None:
        mine = [hold(held_nano=amount) for amount in amounts]

        async def main() -> None:
            await asyncio.gather(*map(self.stores[which].book.hold, mine))

        asyncio.run(main())
        for each in mine:
            self.rows[each.id] = ("held", each.held_nano)
            self.owner[each.id] = which

    @precondition(lambda self: self.rows)
    @rule(
        data=st.data(),
        which=st.integers(0, 1),
        state=st.sampled_from(["exact", "counted", "released"]),
        cost=st.integers(0, 2**53 - 1),
    )
    def settle(self, data: Any, which: int, state: Any, cost: int) -> None:
        ids = data.draw(st.lists(st.sampled_from(sorted(self.rows)), min_size=1, max_size=4))
        for id in ids:
            self.stores[which].book.settle(replace(exact(id, cost), state=state))
            if self.rows[id][0] == "held":
                self.rows[id] = (state, cost)
        asyncio.run(self.stores[which].book.drain())

    @rule(which=st.integers(0, 1))
    def process_ends(self, which: int) -> None:
        self.stores[which].close()
        self.stores[which] = Store.open(self.url)
        self.dead |= {id for id, owner in self.owner.items() if owner == which}

    @rule(which=st.integers(0, 1))
    def sweep(self, which: int) -> None:
        left = [id for id in self.dead if self.rows[id][0] == "held"]
        assert self.stores[which].book.sweep() == len(left)
        for id in left:
            self.rows[id] = ("assumed", self.rows[id][1])

    @invariant()
    def agrees(self) -> None:
        found = {row.id: row for row in self.stores[0].book.rows(limit=1_000)}
        said = {id: (row.state, row.held_nano if row.state == "held" else row.cost_nano) for id, row in found.items()}
        assert said == self.rows
        pending = sum(amount for state, amount in self.rows.values() if state == "held")
        spent = sum(amount for state, amount in self.rows.values() if state != "held")
        (total,) = self.stores[1].book.totals(())
        assert (total.attempts, total.pending_nano, total.cost_nano) == (len(self.rows), pending, spent)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_B05_B06_holds_endings_and_sweeps_in_any_order_agree_with_a_dictionary(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    def fresh() -> str:
        if kind == "postgresql":
            return request.getfixturevalue("postgres_server").fresh()
        fresh.number += 1
        return f"sqlite:///{tmp_path}/{fresh.number}/ownkey.db"

    fresh.number = 0
    run_state_machine_as_test(
        lambda: Books(fresh),
        settings=settings(
            max_examples=20 if kind == "sqlite" else 5,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
