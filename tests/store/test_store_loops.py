"""The book is written on the event loops that bring it: whatever becomes of a loop, nobody waits for ever."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from attempts import exact, hold
from ownkey.store.db import Store
from ownkey.store.entry import Ending, Hold
from ownkey.store.pen_sqlite import SqlitePen
from ownkey.store.posting import Verdict, Wish
from ownkey.store.writer import Waiting, Writer
from ownkey.talk.errors import StorageUnavailable


async def warm(store: Store) -> None:
    """From here on the book's own thread has opened the file, and the loop may write."""
    await store.book.hold(hold())
    await store.book.drain()


def states(store: Store) -> list[str]:
    return [row.state for row in store.book.rows(limit=100_000)]


def test_a_hold_gathered_by_a_loop_that_was_closed_keeps_no_later_one_waiting(store: Store) -> None:
    loop = asyncio.new_event_loop()

    async def put() -> None:
        await warm(store)
        task = asyncio.create_task(store.book.hold(hold()))
        await asyncio.sleep(0)
        task.cancel()

    loop.run_until_complete(put())
    loop.close()

    async def later() -> None:
        async with asyncio.timeout(5):
            await store.book.hold(hold())
            await store.book.drain()

    asyncio.run(later())
    assert sorted(states(store)) == ["held", "held", "released"]


def test_an_ending_gathered_by_a_loop_that_was_closed_is_written_with_the_next(store: Store) -> None:
    first, second = hold(), hold()

    async def put() -> None:
        await store.book.hold(first)
        await store.book.hold(second)
        store.book.settle(exact(first.id))

    asyncio.run(put())

    async def later() -> None:
        store.book.settle(exact(second.id))
        async with asyncio.timeout(5):
            while "held" in states(store):  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    asyncio.run(later())
    assert states(store) == ["exact", "exact"]


def test_a_drain_waits_for_what_another_thread_has_just_settled(store: Store) -> None:
    settled, drained = threading.Event(), threading.Event()
    mine = hold()

    async def one() -> None:
        await warm(store)
        await store.book.hold(mine)
        store.book.settle(exact(mine.id))
        settled.set()
        drained.wait(5)  # its loop does not turn meanwhile

    thread = threading.Thread(target=lambda: asyncio.run(one()))
    thread.start()
    assert settled.wait(5)
    asyncio.run(store.book.drain())
    found = {row.id: row.state for row in store.book.rows()}
    drained.set()
    thread.join()
    assert found[mine.id] == "exact"


def test_a_hold_after_the_end_is_refused_and_none_waits_for_ever(url: str) -> None:
    async def main() -> None:
        store = Store.open(url)
        await warm(store)
        await asyncio.to_thread(store.close)
        for _ in range(2):
            with pytest.raises(StorageUnavailable):
                async with asyncio.timeout(5):
                    await store.book.hold(hold())
        store.book.settle(exact("nobody.1"))

    asyncio.run(main())


def test_a_close_beside_a_loop_that_writes_keeps_or_refuses_each_hold(url: str) -> None:
    async def main() -> None:
        for _ in range(8):
            store = Store.open(url)
            await warm(store)
            held: list[str] = []

            async def ask(store: Store = store, held: list[str] = held) -> None:
                while True:
                    mine = hold()
                    await store.book.hold(mine)
                    held.append(mine.id)

            asking = [asyncio.create_task(ask()) for _ in range(4)]
            await asyncio.sleep(random.random() / 50)
            await asyncio.to_thread(store.close)
            async with asyncio.timeout(10):
                ends = await asyncio.gather(*asking, return_exceptions=True)
            assert {type(end) for end in ends} == {StorageUnavailable}
            again = Store.open(url)
            there = {row.id for row in again.book.rows(limit=100_000)}
            again.close()
            assert set(held) <= there

    asyncio.run(main())


def test_S05_while_another_process_writes_the_loop_turns_and_everything_is_written_after(file: Path) -> None:
    lags: list[float] = []
    lags_beside: list[float] = []
    over = threading.Event()

    async def watch() -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.002)
            lags.append(time.monotonic() - before - 0.002)

    def watch_beside() -> None:
        while not over.is_set():
            before = time.monotonic()
            time.sleep(0.002)
            lags_beside.append(time.monotonic() - before - 0.002)

    async def main() -> None:
        store = Store.open(f"sqlite:///{file}")
        await warm(store)
        earlier = hold()
        await store.book.hold(earlier)
        watching = asyncio.create_task(watch())
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            store.book.settle(exact(earlier.id))
            holds = [hold() for _ in range(50)]
            asked = [asyncio.create_task(store.book.hold(one)) for one in holds]
            await asyncio.sleep(3)
            assert not any(task.done() for task in asked)
            other.execute("COMMIT")
        await asyncio.gather(*asked)
        for one in holds:
            store.book.settle(exact(one.id))
        await store.book.drain()
        watching.cancel()
        assert sorted(states(store)) == ["exact"] * 51 + ["held"]
        store.close()

    thread = threading.Thread(target=watch_beside)
    thread.start()
    try:
        asyncio.run(main())
    finally:
        over.set()
        thread.join()
    # A loop that waited for the other would have stood still for the three seconds, and the thread would not.
    assert max(lags) < max(lags_beside) + 0.5


def test_S13_cancelled_at_any_moment_a_hold_is_released_or_returns(url: str) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    store = Store.open(url)
    returned: list[str] = []

    async def one() -> None:
        mine = hold()
        await store.book.hold(mine)
        returned.append(mine.id)
        store.book.settle(exact(mine.id))

    async def many() -> None:
        await warm(store)
        for _ in range(12):
            tasks = [asyncio.create_task(one()) for _ in range(20)]
            for _ in range(chance.randrange(6)):
                await asyncio.sleep(0)
            await asyncio.sleep(chance.choice([0, 0.0005, 0.002]))
            for task in chance.sample(tasks, 12):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await store.book.drain()

    threads = [threading.Thread(target=lambda: asyncio.run(many())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "somebody was never woken"
    rows = [row for row in store.book.rows(limit=100_000) if row.id in set(returned) or row.state != "held"]
    assert {row.id for row in rows if row.state == "exact"} == set(returned)
    assert sorted(states(store)).count("held") == 3, "those that the threads began with"
    store.close()


@pytest.mark.parametrize("threads", [1, 3])
def test_S06_under_constant_load_the_log_does_not_grow_without_end(file: Path, threads: int) -> None:
    store = Store.open(f"sqlite:///{file}")
    log = file.with_name(file.name + "-wal")
    sizes: list[int] = []
    each = 6_000 // threads

    async def many() -> None:
        async def one() -> None:
            for _ in range(each // 2):
                mine = hold()
                await store.book.hold(mine)
                store.book.settle(exact(mine.id))
                sizes.append(log.stat().st_size)

        await asyncio.gather(one(), one())

    running = [threading.Thread(target=lambda: asyncio.run(many())) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    store.close()
    print(max(sizes))
    assert max(sizes) < 16 << 20


class SlowDisk(SqlitePen):
    """A real file whose commits take long. `wrote` has the thread of each; `tidied`, after how many it was tidied."""

    slow_s = 0.0

    def __init__(self, file: Path) -> None:
        super().__init__(file, "0" * 16)
        self.wrote: list[str] = []
        self.tidied: list[int] = []

    def write(self, wishes: Sequence[Wish], endings: Sequence[Ending]) -> list[Verdict]:
        time.sleep(self.slow_s)
        verdicts = super().write(wishes, endings)
        self.wrote.append(threading.current_thread().name)
        return verdicts

    def tidy(self) -> None:
        assert threading.current_thread().name == "ownkey-book"
        super().tidy()
        self.tidied.append(len(self.wrote))


def written_by(file: Path, slow_s: float, *, here: bool, holds: int, tasks: int) -> SlowDisk:
    Store.open(f"sqlite:///{file}").close()
    pen = SlowDisk(file)
    pen.slow_s, pen.here = slow_s, here
    writer = Writer(lambda: pen)

    async def main() -> None:
        loop = asyncio.get_running_loop()

        async def one() -> None:
            for _ in range(holds // tasks):
                future: asyncio.Future[Verdict | None] = loop.create_future()
                writer.put_here(deque([(Wish(hold()), future)]), loop)
                await future

        await one()
        await asyncio.gather(*(one() for _ in range(tasks)))

    asyncio.run(main())
    writer.stop(10)
    return pen


def test_a_slow_disk_is_left_to_the_thread(file: Path) -> None:
    wrote = written_by(file, 0.03, here=True, holds=20, tasks=1).wrote
    assert 1 <= sum(name != "ownkey-book" for name in wrote) <= 4
    assert wrote[-1] == "ownkey-book"


def test_the_thread_brings_the_log_into_the_file_though_more_is_always_waiting(file: Path) -> None:
    pen = written_by(file, 0.001, here=False, holds=2_000, tasks=4)
    assert len(pen.wrote) > 500
    assert all(
        later - earlier < 300 for earlier, later in zip([0, *pen.tidied], [*pen.tidied, len(pen.wrote)], strict=True)
    )


class Overtaken(SqlitePen):
    """Once a hold is written, another connection takes the lock, and keeps it until this one would wait for it."""

    def __init__(self, file: Path) -> None:
        super().__init__(file, "0" * 16)
        self.other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)

    def write(self, wishes: Sequence[Wish], endings: Sequence[Ending]) -> list[Verdict]:
        verdicts = super().write(wishes, endings)
        if wishes:
            self.other.execute("BEGIN IMMEDIATE")
        return verdicts

    def wait_for_others(self, patient: bool) -> None:
        if patient and self.other.in_transaction:
            self.other.execute("COMMIT")
        super().wait_for_others(patient)


def test_a_hold_given_up_beside_others_that_another_process_overtakes_fails_none_of_them(file: Path) -> None:
    store = Store.open(f"sqlite:///{file}")
    pen = Overtaken(file)
    writer = Writer(lambda: pen)
    first, given_up, *others = (hold() for _ in range(5))

    async def main() -> list[Verdict | BaseException | None]:
        loop = asyncio.get_running_loop()

        def asked(wanted: Hold | None) -> Waiting:
            return Wish(wanted) if wanted else None, loop.create_future()

        async def written(*items: Waiting | Ending) -> list[Verdict | BaseException | None]:
            writer.put_here(deque(items), loop)
            return await asyncio.gather(*(one[1] for one in items if isinstance(one, tuple)), return_exceptions=True)

        # From here on the loop may write, and does where it finds the thread at rest.
        await written(asked(first))
        await written(asked(None))
        released = Ending(given_up.id, "released", ended_at_ms=1)
        async with asyncio.timeout(60):
            return await written(asked(given_up), released, *map(asked, others), asked(None))

    try:
        told = asyncio.run(main())
        found = {row.id: row.state for row in store.book.rows()}
    finally:
        writer.stop(10)
        pen.other.close()
        store.close()
    assert told == [given_up, *others, None]
    assert found == {first.id: "held", given_up.id: "released", **{one.id: "held" for one in others}}


def test_closing_in_the_middle_of_a_write_on_a_loop_does_not_wait_for_long(tmp_path: Path) -> None:
    """Told to stop while the loop writes, the thread has to hear of it when that write is done."""
    for number in range(30):
        store = Store.open(f"sqlite:///{tmp_path}/{number}.db")
        begun = threading.Event()

        async def write_much(store: Store = store, begun: threading.Event = begun) -> None:
            await warm(store)
            holds = [asyncio.ensure_future(store.book.hold(hold())) for _ in range(500)]
            asyncio.get_running_loop().call_later(0.001, begun.set)
            await asyncio.gather(*holds, return_exceptions=True)

        thread = threading.Thread(target=lambda work=write_much: asyncio.run(work()))
        thread.start()
        begun.wait(10)
        time.sleep(number * 0.0005)
        began_s = time.monotonic()
        store.close()
        assert time.monotonic() - began_s < 2.0, f"round {number}"
        thread.join(10)
