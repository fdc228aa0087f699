"""The book: money is held before, and each hold ends once."""

from __future__ import annotations

import asyncio
import threading

import pytest
from msgspec.structs import replace
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from attempts import exact, hold
from ownkey.store.book import BookRow, Ending, Hold
from ownkey.store.connect import Database
from ownkey.store.db import Store
from ownkey.talk.errors import StorageUnavailable


def _row(store: Store, id: str) -> BookRow:
    (row,) = [row for row in store.book.rows(limit=10_000) if row.id == id]
    return row


def test_a_hold_is_in_the_book_when_it_returns_and_its_ending_after_a_drain(store: Store) -> None:
    mine = hold(token_id="tok", stream=False)
    ending = Ending(mine.id, "exact", 615, 10, 20, 5, 0, 7, "stop", None, 200, 120, 340, 1_700_000_000_340)

    async def main() -> None:
        await store.book.hold(mine)
        held = _row(store, mine.id)
        assert (held.state, held.cost_nano, held.held_nano, held.stream) == ("held", 0, 1_000, False)
        store.book.settle(ending)
        await store.book.drain()

    asyncio.run(main())
    row = _row(store, mine.id)
    assert {name: getattr(row, name) for name in mine.__struct_fields__} == {
        name: getattr(mine, name) for name in mine.__struct_fields__
    }
    assert {name: getattr(row, name) for name in ending.__struct_fields__} == {
        name: getattr(ending, name) for name in ending.__struct_fields__
    }


def test_an_ending_is_on_disk_after_close_though_nobody_drained(url: str) -> None:
    store = Store.open(url)
    mine = hold()
    asyncio.run(store.book.hold(mine))
    store.book.settle(exact(mine.id))
    store.close()
    again = Store.open(url)
    assert _row(again, mine.id).state == "exact"
    again.close()


def test_B05_a_second_ending_changes_nothing(store: Store) -> None:
    mine = hold()

    async def main() -> None:
        await store.book.hold(mine)
        store.book.settle(exact(mine.id, 600))
        store.book.settle(exact(mine.id, 1))
        await store.book.drain()
        store.book.settle(Ending(mine.id, "released", ended_at_ms=1))
        store.book.settle(exact("of nobody"))
        await store.book.drain()

    asyncio.run(main())
    assert (_row(store, mine.id).state, _row(store, mine.id).cost_nano) == ("exact", 600)


def test_B06_of_endings_that_race_one_wins_in_every_process(url: str) -> None:
    first, second = Store.open(url), Store.open(url)
    mine = [hold() for _ in range(100)]

    async def holds() -> None:
        await asyncio.gather(*map(first.book.hold, mine))

    def settle(store: Store, cost_nano: int) -> None:
        for each in mine:
            store.book.settle(exact(each.id, cost_nano))
        asyncio.run(store.book.drain())

    asyncio.run(holds())
    threads = [threading.Thread(target=settle, args=pair) for pair in ((first, 1), (second, 2))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = first.book.rows(limit=1_000)
    assert len(rows) == 100
    assert {row.cost_nano for row in rows} <= {1, 2}
    first.book.settle(exact(mine[0].id, 3))
    first.close()
    assert second.book.rows(limit=1_000) == rows
    second.close()


def test_many_at_once_from_several_event_loops_are_each_held_and_settled_once(store: Store) -> None:
    async def one(number: int) -> None:
        mine = hold()
        await store.book.hold(mine)
        store.book.settle(exact(mine.id, number))

    async def many() -> None:
        await asyncio.gather(*map(one, range(300)))
        await store.book.drain()

    threads = [threading.Thread(target=lambda: asyncio.run(many())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (total,) = store.book.totals()
    assert (total.attempts, total.cost_nano, total.pending_nano) == (900, 3 * sum(range(300)), 0)


def test_a_hold_whose_caller_is_cancelled_lets_the_money_go(store: Store) -> None:
    mine = [hold() for _ in range(50)]

    async def main() -> None:
        tasks = [asyncio.create_task(store.book.hold(each)) for each in mine]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(error, asyncio.CancelledError) for error in ended)
        await store.book.drain()

    asyncio.run(main())
    assert {row.state for row in store.book.rows(limit=100)} == {"released"}


def test_settle_is_kept_though_its_event_loop_ends_at_once(url: str) -> None:
    store = Store.open(url)
    mine = hold()
    held = asyncio.Event()

    async def hang_up() -> None:
        await store.book.hold(mine)
        held.set()
        try:
            await asyncio.sleep(60)
        finally:
            store.book.settle(exact(mine.id))

    async def main() -> None:
        task = asyncio.create_task(hang_up())
        await held.wait()
        task.cancel()

    asyncio.run(main())
    store.close()
    again = Store.open(url)
    assert _row(again, mine.id).cost_nano == 600
    again.close()


@pytest.mark.parametrize(
    "wrong",
    [{"held_nano": -1}, {"held_nano": 2**63}, {"held_nano": 2**53}, {"model": "nul\x00\ud800"}, {"held_nano": None}],
)
def test_a_hold_that_cannot_be_kept_fails_alone(store: Store, wrong: dict[str, object]) -> None:
    good, bad = [hold() for _ in range(5)], hold(**wrong)

    async def main() -> list[object]:
        every = [good[0], good[1], bad, *good[2:]]
        return await asyncio.gather(*map(store.book.hold, every), return_exceptions=True)

    said = asyncio.run(main())
    assert [type(each) for each in said] == [Hold] * 2 + [StorageUnavailable] + [Hold] * 3
    assert {row.id for row in store.book.rows()} == {each.id for each in good}


def test_a_second_hold_of_one_id_fails_and_the_first_stands(store: Store) -> None:
    mine = hold()

    async def main() -> None:
        await store.book.hold(mine)
        with pytest.raises(StorageUnavailable):
            await store.book.hold(replace(mine, held_nano=5))
        await store.book.drain()

    asyncio.run(main())
    assert (_row(store, mine.id).state, _row(store, mine.id).held_nano) == ("held", 1_000)


@pytest.mark.parametrize(
    "wrong",
    [{"cost_nano": -1}, {"input_tokens": -5}, {"output_tokens": 2**63}, {"input_tokens": 2**53}, {"finish": "\ud800"}],
)
def test_an_ending_that_cannot_be_kept_counts_as_the_amount_held(store: Store, wrong: dict[str, object]) -> None:
    mine, other = hold(), hold()

    async def main() -> None:
        await asyncio.gather(store.book.hold(mine), store.book.hold(other))
        store.book.settle(exact(mine.id, **wrong) if "cost_nano" not in wrong else exact(mine.id, -1))
        store.book.settle(exact(other.id))
        await store.book.drain()

    asyncio.run(main())
    assert (_row(store, mine.id).state, _row(store, mine.id).cost_nano) == ("assumed", 1_000)
    assert _row(store, other.id).state == "exact"


@pytest.mark.parametrize("id", ["\ud800", "nul\x00", "of nobody"])
def test_an_ending_of_no_hold_stops_nobody(store: Store, id: str) -> None:
    mine = hold()

    async def main() -> None:
        await store.book.hold(mine)
        store.book.settle(exact(id, -1))
        store.book.settle(exact(mine.id))
        await store.book.drain()

    asyncio.run(main())
    assert [row.state for row in store.book.rows()] == ["exact"]


def test_a_closed_book_takes_no_hold(store: Store) -> None:
    store.close()
    with pytest.raises(StorageUnavailable):
        asyncio.run(store.book.hold(hold()))


def test_totals_keep_pending_apart_from_spent_and_unknown_apart_from_nothing(store: Store) -> None:
    open_, spent, unpriced, freed = hold(), hold(), hold(model="odd", priced=False, held_nano=0), hold(model="odd")

    async def main() -> None:
        await asyncio.gather(*map(store.book.hold, (open_, spent, unpriced, freed)))
        store.book.settle(exact(spent.id, 600, input_tokens=10, output_tokens=3))
        store.book.settle(exact(unpriced.id, 0))
        store.book.settle(Ending(freed.id, "released", ended_at_ms=1))
        await store.book.drain()

    asyncio.run(main())
    first, second = store.book.totals()
    assert first.group == {"provider": "openai", "model": "gpt-4o"}
    assert (first.attempts, first.cost_nano, first.pending_nano, first.unpriced) == (2, 600, 1_000, 0)
    assert (first.input_tokens, first.output_tokens) == (10, 3)
    assert (second.attempts, second.cost_nano, second.pending_nano, second.unpriced) == (2, 0, 0, 1)
    assert [total.attempts for total in store.book.totals(())] == [4]
    assert {total.group["state"] for total in store.book.totals(("state",))} == {"held", "exact", "released"}


def test_rows_are_found_by_time_request_owner_provider_and_model_newest_first(store: Store) -> None:
    mine = [hold(started_at_ms=1_000 + n, owner="ann" if n % 2 else "bob") for n in range(6)]
    mine.append(hold(started_at_ms=1_006, provider="groq", model="llama", request_id="one", id="one.1"))

    async def main() -> None:
        await asyncio.gather(*map(store.book.hold, mine))

    asyncio.run(main())

    def found(**asked: object) -> list[int]:
        return [row.started_at_ms - 1_000 for row in store.book.rows(**asked)]

    assert found() == [6, 5, 4, 3, 2, 1, 0]
    assert found(limit=2) == [6, 5]
    assert found(since_ms=1_002, until_ms=1_005) == [4, 3, 2]
    assert found(owner="ann") == [5, 3, 1]
    assert found(provider="groq") == found(model="llama") == found(request_id="one") == [6]
    assert [total.attempts for total in store.book.totals(("owner",), since_ms=1_002, owner="ann")] == [2]


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE book SET cost_nano = 0",
        "UPDATE book SET state = 'held', ended_at_ms = NULL",
        "DELETE FROM book",
        "UPDATE book SET held_nano = 1 WHERE state = 'held'",
        "UPDATE book SET owner = 'bob' WHERE state = 'held'",
        "DELETE FROM book WHERE state = 'held'",
    ],
)
def test_B36_the_book_is_not_rewritten_by_sql(store: Store, url: str, forgery: str) -> None:
    ended, open_ = hold(), hold()

    async def main() -> None:
        await asyncio.gather(store.book.hold(ended), store.book.hold(open_))
        store.book.settle(exact(ended.id))
        await store.book.drain()

    asyncio.run(main())
    before = store.book.rows()
    database = Database(url)
    with pytest.raises((DatabaseError, StorageUnavailable), match="not rewritten"), database.writing() as connection:
        connection.execute(text(forgery))
    database.close()
    assert store.book.rows() == before
