"""What a hold and a settle cost. `python bench/book.py [URL] [TASKS] [REQUESTS]`; without a URL, a SQLite file."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from itertools import count

import uvloop

from ownkey.store.book import Book, Ending, Hold
from ownkey.store.db import Store

PRICE = '{"input":"2.5","output":"10","cached":"1.25"}'


async def run(book: Book, tasks: int, requests: int) -> list[float]:
    numbers = count()
    waits: list[float] = []

    async def one() -> None:
        while (n := next(numbers)) < requests:
            # Ids in order of time, as the engine makes them: an index grows at its end.
            id = f"{time.time_ns():016x}{n:08x}"
            hold = Hold(
                id, id, 1, "local", "tok_1", "key_1", "openai", "gpt-4o-mini", "openai-chat",
                False, 7_500_000, True, PRICE, time.time_ns() // 1_000_000,
            )  # fmt: skip
            began = time.perf_counter()
            await book.hold(hold)
            waits.append(time.perf_counter() - began)
            book.settle(Ending(id, "exact", 1_234_000, 100, 200, finish="stop", status=200, ended_at_ms=1))

    await asyncio.gather(*(one() for _ in range(tasks)))
    await book.drain()
    return sorted(waits)


def main(url: str, tasks: int, requests: int) -> None:
    store = Store.open(url)
    uvloop.run(run(store.book, tasks, 200))
    wall, cpu = time.perf_counter(), time.process_time()
    waits = uvloop.run(run(store.book, tasks, requests))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    store.close()
    print(
        f"{tasks} at once: {cpu / requests * 1e6:.1f} µs CPU, {wall / requests * 1e6:.1f} µs wall a request;"
        f" hold p50 {waits[len(waits) // 2] * 1e3:.2f} ms, p99 {waits[len(waits) * 99 // 100] * 1e3:.2f} ms"
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        arguments = sys.argv[1:] + [f"sqlite:///{folder}/ownkey.db", "32", "20000"][len(sys.argv) - 1 :]
        main(arguments[0], int(arguments[1]), int(arguments[2]))
