"""Budgets in the book: what fits is held, what does not is refused, and the counters are what the rows add up to."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from attempts import exact, hold
from ownkey.spending.budget import Budget
from ownkey.spending.window import Window
from ownkey.store.book import Hold, Wish
from ownkey.store.db import Store
from ownkey.talk.errors import BudgetExceeded, OverBudget, OwnkeyError
from store_asked import ask, settle

AT_MS = 1_700_000_000_000
DAY_MS = 86_400_000


def budget(id: str = "b", limit: int | None = 10_000, **differs: Any) -> Budget:
    return Budget(id=id, limit=limit, **differs)


def standing(store: Store, id: str = "b", at_ms: int = AT_MS) -> tuple[int, int]:
    assert store.budgets.wrong_counters() == []
    (room,) = store.budgets.rooms(at_ms, [id])
    return room.spent, room.pending


def refused(given: list[Hold | OwnkeyError]) -> list[OwnkeyError]:
    return [one for one in given if isinstance(one, OwnkeyError)]


def test_a_limit_is_held_to_the_last_nano_dollar(store: Store) -> None:
    store.budgets.set(budget(limit=2_000))
    assert refused(ask(store, hold(held_nano=1_000), hold(held_nano=1_000))) == []
    (error,) = refused(ask(store, hold(held_nano=1)))
    assert isinstance(error, BudgetExceeded)
    assert error.budget == "b"
    assert standing(store) == (0, 2_000)


def test_B07_what_ends_for_less_makes_room_and_what_is_released_all_of_it(store: Store) -> None:
    store.budgets.set(budget(limit=2_000))
    first, second = hold(held_nano=1_000), hold(held_nano=1_000)
    ask(store, first, second)
    settle(store, exact(first.id, 400), replace(exact(second.id, 0), state="released"))
    assert standing(store) == (400, 0)
    assert refused(ask(store, hold(held_nano=1_600))) == []
    assert standing(store) == (400, 1_600)


@pytest.mark.parametrize("cost", [0, 999, 1_000, 1_001, 5_000])
def test_B07_whatever_it_cost_that_is_what_is_spent(store: Store, cost: int) -> None:
    """A provider may charge more than it was asked to: what is over the hold is counted, and makes nothing negative."""
    store.budgets.set(budget(limit=2_000))
    mine = hold(held_nano=1_000)
    ask(store, mine)
    settle(store, exact(mine.id, cost))
    assert standing(store) == (cost, 0)
    left = max(0, 2_000 - cost)
    assert len(refused(ask(store, hold(held_nano=left + 1)))) == 1
    assert refused(ask(store, hold(held_nano=left))) == []


def test_B28_several_budgets_are_held_all_or_nothing(store: Store) -> None:
    store.budgets.set(budget("house", 10_000))
    store.budgets.set(budget("mine", 1_500, owner="local"))
    store.budgets.set(budget("theirs", 0, owner="other"))
    store.budgets.set(budget("provider", 5_000, provider="openai"))
    given = ask(store, hold(held_nano=1_000), hold(held_nano=1_000), hold(held_nano=500))
    (error,) = refused(given)
    assert isinstance(error, BudgetExceeded)
    assert error.budget == "mine"
    assert standing(store, "house") == standing(store, "mine") == standing(store, "provider") == (0, 1_500)
    assert standing(store, "theirs") == (0, 0)


@pytest.mark.parametrize("scope", ["owner", "provider", "model", "key_id", "token_id", "automation"])
def test_a_budget_counts_what_it_names_and_nothing_else(store: Store, scope: str) -> None:
    store.budgets.set(budget(limit=1_000, **{scope: "this"}))
    assert refused(ask(store, hold(held_nano=5_000), hold(held_nano=1_000, **{scope: "this"}))) == []
    assert len(refused(ask(store, hold(held_nano=1, **{scope: "this"}), hold(**{scope: "that"})))) == 1


@pytest.mark.parametrize(
    ("unit", "limit", "spent", "pending"), [("usd", 9_000, 700, 1_000), ("tokens", 900, 30, 100), ("requests", 3, 1, 1)]
)
def test_a_budget_counts_dollars_tokens_or_requests(
    store: Store, unit: Any, limit: int, spent: int, pending: int
) -> None:
    store.budgets.set(budget(limit=limit, unit=unit))
    first, second, third = (hold(held_nano=1_000, held_tokens=100) for _ in range(3))
    assert refused(ask(store, first, second, third)) == []
    settle(
        store,
        exact(first.id, 700, input_tokens=10, output_tokens=20),
        replace(exact(second.id, 0), state="released"),
    )
    assert standing(store) == (spent, pending)


def test_tokens_that_nobody_counted_are_those_that_were_held(store: Store) -> None:
    store.budgets.set(budget(limit=1_000, unit="tokens"))
    mine = hold(held_tokens=100)
    ask(store, mine)
    settle(store, replace(exact(mine.id, 1_000), state="assumed"))
    assert standing(store) == (100, 0)


def test_B21_an_attempt_counts_in_the_window_in_which_it_began(store: Store) -> None:
    store.budgets.set(budget(limit=1_000, window=Window("day")))
    midnight = AT_MS - AT_MS % DAY_MS + DAY_MS
    before, after = hold(started_at_ms=midnight - 1), hold(started_at_ms=midnight)
    assert refused(ask(store, before, after)) == []
    settle(store, exact(before.id, 900, ended_at_ms=midnight + 5_000))
    assert standing(store, at_ms=midnight - 1) == (900, 0)
    assert standing(store, at_ms=midnight) == (0, 1_000)


def test_B22_a_clock_that_jumps_resets_nothing(store: Store) -> None:
    store.budgets.set(budget(limit=1_000, window=Window("day")))
    first = hold()
    ask(store, first)
    settle(store, exact(first.id, 1_000))
    assert refused(ask(store, hold(started_at_ms=AT_MS + 366 * DAY_MS))) == []
    assert len(refused(ask(store, hold(started_at_ms=AT_MS + 1, held_nano=1)))) == 1
    assert refused(ask(store, hold(started_at_ms=AT_MS - 2 * DAY_MS))) == []
    assert len(refused(ask(store, hold(started_at_ms=AT_MS - 2 * DAY_MS, held_nano=1)))) == 1


def test_a_budget_that_is_made_in_mid_month_counts_what_was_spent_and_what_is_open(store: Store) -> None:
    before, ended, open_ = hold(started_at_ms=AT_MS - 40 * DAY_MS), hold(), hold()
    ask(store, before, ended, open_)
    settle(store, exact(before.id, 500), exact(ended.id, 600))
    store.budgets.set(budget(limit=2_000))
    assert standing(store) == (600, 1_000)
    assert len(refused(ask(store, hold(held_nano=401)))) == 1
    settle(store, exact(open_.id, 100))
    assert standing(store) == (700, 0)
    assert refused(ask(store, hold(held_nano=1_300))) == []


def test_B29_a_limit_that_is_lowered_raised_or_deleted_while_holds_are_open(store: Store) -> None:
    store.budgets.set(budget(limit=3_000))
    first, second = hold(), hold()
    ask(store, first, second)
    settle(store, exact(first.id, 1_000))
    store.budgets.set(budget(limit=500))
    assert len(refused(ask(store, hold(held_nano=1)))) == 1
    (room,) = store.budgets.rooms(AT_MS)
    assert (room.spent, room.pending, room.left) == (1_000, 1_000, 0)
    store.budgets.set(budget(limit=2_500))
    assert refused(ask(store, hold(held_nano=500))) == []
    assert store.budgets.remove("b")
    settle(store, exact(second.id, 1_000))
    assert refused(ask(store, hold(held_nano=10**9))) == []
    assert store.budgets.wrong_counters() == []


def test_another_window_or_unit_counts_anew_from_the_rows(store: Store) -> None:
    store.budgets.set(budget(limit=3_000))
    first = hold()
    ask(store, first)
    settle(store, exact(first.id, 700, input_tokens=3, output_tokens=4))
    store.budgets.set(budget(limit=10, unit="tokens", window=Window("week")))
    assert standing(store) == (7, 0)
    store.budgets.set(budget(limit=10, unit="requests", window=Window("ever")))
    assert standing(store) == (1, 0)


def test_U14_what_costs_more_than_was_held_is_charged_and_the_next_is_refused(store: Store) -> None:
    store.budgets.set(budget(limit=1_000))
    mine = hold(held_nano=1_000)
    ask(store, mine)
    settle(store, exact(mine.id, 1_200))
    assert standing(store) == (1_200, 0)
    assert len(refused(ask(store, hold(held_nano=1)))) == 1
    assert refused(ask(store, hold(held_nano=0))) == []


def test_as_little_as_will_do_is_given_where_there_is_no_room_for_all(store: Store) -> None:
    store.budgets.set(budget(limit=1_500))
    mine = hold(held_nano=2_000, held_tokens=50)
    (given,) = ask(store, mine, wish=Wish(mine, least_nano=1_000, least_tokens=20))
    assert isinstance(given, Hold)
    assert (given.held_nano, given.held_tokens) == (1_500, 50)
    (row,) = store.book.rows()
    assert (row.held_nano, row.held_tokens) == (1_500, 50)
    other = hold(held_nano=2_000)
    assert len(refused(ask(store, other, wish=Wish(other, least_nano=1)))) == 1


def test_a_cap_on_one_run_is_never_passed_and_gives_what_fits_under_it(store: Store) -> None:
    store.budgets.set(budget(limit=None, run_hard_nano=1_000, run_hard_tokens=100))
    assert refused(ask(store, hold(held_nano=1_000, held_tokens=100))) == []
    for held_nano, held_tokens in ((1_001, 1), (1, 101)):
        (error,) = refused(ask(store, hold(held_nano=held_nano, held_tokens=held_tokens)))
        assert isinstance(error, BudgetExceeded)
        assert "$0.000001 or 100 tokens" in error.message
    mine = hold(held_nano=5_000, held_tokens=50)
    (given,) = ask(store, mine, wish=Wish(mine, least_nano=500))
    assert isinstance(given, Hold)
    assert given.held_nano == 1_000


def test_B14_a_price_that_nobody_knows_is_refused_where_a_budget_in_dollars_applies(store: Store) -> None:
    store.budgets.set(budget(limit=10**12, owner="local"))
    (error,) = refused(ask(store, hold(priced=False, held_nano=0)))
    assert isinstance(error, BudgetExceeded)
    assert "not known" in error.message
    assert refused(ask(store, hold(priced=False, held_nano=0, owner="other"))) == []


def test_a_budget_that_asks_is_passed_by_who_says_yes_and_by_nobody_else(store: Store) -> None:
    store.budgets.set(budget(limit=1_000, exhausted="ask"))
    mine = hold(held_nano=1_500)
    (error,) = refused(ask(store, mine))
    assert isinstance(error, OverBudget)
    again = hold(held_nano=1_500)
    assert refused(ask(store, again, wish=Wish(again, accepted=True))) == []
    assert standing(store) == (0, 1_500)
    store.budgets.set(budget("hard", limit=1_000))
    third = hold(held_nano=1_500)
    (error,) = refused(ask(store, third, wish=Wish(third, accepted=True)))
    assert isinstance(error, BudgetExceeded)


def test_a_budget_that_falls_back_says_that_others_may_be_asked(store: Store) -> None:
    store.budgets.set(budget(limit=0, exhausted="fall_back"))
    (error,) = refused(ask(store, hold()))
    assert isinstance(error, BudgetExceeded)
    assert error.move_on


def test_B20_what_one_owner_has_pending_leaves_room_for_the_others(store: Store) -> None:
    store.budgets.set(budget(limit=10_000, share_percent=30))
    given = ask(store, *(hold(held_nano=1_000, owner="greedy") for _ in range(5)))
    assert [isinstance(one, Hold) for one in given] == [True, True, True, False, False]
    assert refused(ask(store, *(hold(held_nano=1_000, owner="modest") for _ in range(3)))) == []
    assert isinstance(given[0], Hold)
    settle(store, exact(given[0].id, 900))
    assert refused(ask(store, hold(held_nano=1_000, owner="greedy"))) == []
    assert store.budgets.wrong_counters() == []


def test_what_fits_once_the_pending_has_ended_waits_for_it_and_is_not_refused(store: Store) -> None:
    store.budgets.set(budget(limit=1_000))

    async def main() -> None:
        first, second = hold(held_nano=900), hold(held_nano=800)
        await store.book.hold(first)
        waiting = asyncio.create_task(store.book.hold(second, wait_s=10))
        done, _ = await asyncio.wait([waiting], timeout=0.2)
        assert not done
        store.book.settle(exact(first.id, 200))
        assert (await waiting).id == second.id
        # Nothing can make room for this one: it is refused at once.
        with pytest.raises(BudgetExceeded):
            await asyncio.wait_for(store.book.hold(hold(held_nano=801), wait_s=60), 5)

    asyncio.run(main())


def test_who_waits_in_vain_is_refused_in_time_and_leaves_nothing(store: Store) -> None:
    store.budgets.set(budget(limit=1_000))

    async def main() -> None:
        await store.book.hold(hold(held_nano=900))
        with pytest.raises(BudgetExceeded, match="pending"):
            await asyncio.wait_for(store.book.hold(hold(held_nano=800), wait_s=0.3), 5)
        waiting = asyncio.create_task(store.book.hold(hold(held_nano=800), wait_s=60))
        await asyncio.sleep(0.1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await store.book.drain()

    asyncio.run(main())
    assert standing(store) == (0, 900)
    assert [row.held_nano for row in store.book.rows()] == [900]


def test_a_room_that_another_process_makes_is_found_too(store: Store, url: str) -> None:
    store.budgets.set(budget(limit=1_000))
    first = hold(held_nano=900)
    other = Store.open(url)

    async def elsewhere() -> None:
        await other.book.hold(first)

    asyncio.run(elsewhere())

    async def main() -> None:
        waiting = asyncio.create_task(store.book.hold(hold(held_nano=800), wait_s=20))
        await asyncio.sleep(0.1)
        await asyncio.to_thread(settle, other, exact(first.id, 100))
        await asyncio.wait_for(waiting, 10)

    asyncio.run(main())
    other.close()


def test_B03_B04_what_a_dead_process_held_counts_as_spent(store: Store, url: str) -> None:
    store.budgets.set(budget(limit=1_000))
    other = Store.open(url)
    ask(other, hold(held_nano=700))
    assert standing(store) == (0, 700)
    other.close()
    assert store.book.sweep() == 1
    assert standing(store) == (700, 0)


def test_B32_a_counter_that_is_wrong_is_found_and_mended(store: Store, url: str) -> None:
    from sqlalchemy import create_engine, text
    from sqlalchemy.pool import NullPool

    store.budgets.set(budget(limit=1_000))
    mine = hold(held_nano=700)
    ask(store, mine)
    settle(store, exact(mine.id, 500))
    with create_engine(url.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool).begin() as connection:
        connection.execute(text("UPDATE counters SET spent = 0"))
    assert len(store.budgets.wrong_counters()) == 1
    assert store.budgets.mend() == 1
    assert standing(store) == (500, 0)


def test_B37_a_threshold_is_told_once_in_its_window(store: Store, url: str) -> None:
    store.budgets.set(budget(limit=1_000, alert_percent=50, window=Window("day")))
    held = [hold(held_nano=200) for _ in range(5)]
    ask(store, *held)
    for each in held:
        settle(store, exact(each.id, 200))
    ask(store, hold(held_nano=1), hold(held_nano=1))
    tomorrow = hold(held_nano=600, started_at_ms=AT_MS + DAY_MS)
    ask(store, tomorrow)
    settle(store, exact(tomorrow.id, 600))
    from sqlalchemy import create_engine, text

    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        told = connection.execute(text("SELECT id, kind FROM alerts ORDER BY id")).all()
    engine.dispose()
    today = AT_MS - AT_MS % DAY_MS
    assert [tuple(one) for one in told] == [
        (f"budget:b:{today}:100", "budget_threshold"),
        (f"budget:b:{today}:50", "budget_threshold"),
        (f"budget:b:{today}:refused", "budget_exhausted"),
        (f"budget:b:{today + DAY_MS}:50", "budget_threshold"),
    ]
