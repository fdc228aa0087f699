"""Killed, locked, full, cut off, forked: what was promised stands, and what was not is not half there."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from attempts import exact, hold
from ownkey.store.db import Store
from ownkey.talk.errors import StorageUnavailable

_HOLDING = """
import asyncio, os, sys
from attempts import exact, hold
from ownkey.store.db import Store

async def main(book, name):
    async def one(number):
        mine = hold(id=f"{name}-{number}")
        await book.hold(mine)
        os.write(1, f"{mine.id}\\n".encode())
        if number % 3:
            book.settle(exact(mine.id))
    for start in range(0, 1_000_000, 16):
        await asyncio.gather(*(one(start + n) for n in range(16)))

asyncio.run(main(Store.open(sys.argv[1]).book, sys.argv[2]))
"""


def _environment() -> dict[str, str]:
    return dict(os.environ) | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


@contextmanager
def _process(url: str, name: str, program: str = _HOLDING) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", program, url, name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_environment()) as process:
        try:
            yield process
        finally:
            process.kill()


def _assert_whole(url: str) -> None:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def _swept(store: Store) -> int:
    """PostgreSQL notices that a client is gone a moment after it is."""
    deadline = time.monotonic() + 10
    ended = store.book.sweep()
    while any(row.state == "held" for row in store.book.rows(limit=100_000)) and time.monotonic() < deadline:
        time.sleep(0.02)
        ended += store.book.sweep()
    return ended


def test_S01_B03_B04_killed_at_any_moment_every_promised_hold_is_there_and_ends_once(url: str) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    store = Store.open(url)
    promised: set[str] = set()
    for round in range(3):
        with _process(url, f"round{round}") as process:
            assert process.stdout is not None
            wanted = chance.randrange(1, 400)
            seen = [process.stdout.readline().strip() for _ in range(wanted)]
            assert store.book.sweep() == 0, "its process lives"
            process.kill()
            seen += [line.strip() for line in process.stdout if line.endswith("\n")]
        promised |= set(seen)
        ended = {row.id: row for row in store.book.rows(limit=100_000) if row.state != "held"}
        swept = _swept(store)
        after = {row.id: row for row in store.book.rows(limit=100_000)}
        assert promised <= set(after)
        assert all(after[id] == row for id, row in ended.items())
        assumed = [row for row in after.values() if row.state == "assumed" and row.id not in ended]
        assert len(assumed) == swept
        assert all(row.cost_nano == row.held_nano for row in assumed)
        assert {row.state for row in after.values()} <= {"exact", "assumed"}
    assert store.book.sweep() == 0
    store.close()
    _assert_whole(url)


def test_S09_a_copy_made_under_load_is_whole_and_opens_elsewhere(file: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{file}"
    Store.open(url).close()
    copy = tmp_path / "elsewhere" / "ownkey.db"
    copy.parent.mkdir(mode=0o700)
    copy.touch(mode=0o600)
    with _process(url, "a") as process:
        assert process.stdout is not None
        promised = {process.stdout.readline().strip() for _ in range(200)}
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    _assert_whole(f"sqlite:///{copy}")
    store = Store.open(f"sqlite:///{copy}")
    store.book.sweep()
    rows = {row.id: row.state for row in store.book.rows(limit=1_000_000)}
    assert promised <= set(rows)
    assert "held" not in rows.values()
    assert store.budgets.wrong_counters() == []
    assert len(store.book.rows(limit=1)) == 1
    store.close()


def test_two_processes_write_one_book_at_the_same_time(url: str) -> None:
    store = Store.open(url)
    with _process(url, "a") as first, _process(url, "b") as second:
        assert first.stdout is not None
        assert second.stdout is not None
        for _ in range(300):
            assert first.stdout.readline()
            assert second.stdout.readline()
    ids = {row.id[0] for row in store.book.rows(limit=100_000)}
    store.close()
    assert ids == {"a", "b"}
    _assert_whole(url)


@contextmanager
def _locked(url: str) -> Iterator[None]:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        if url.startswith("sqlite"):
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.execute(text("LOCK TABLE book IN EXCLUSIVE MODE"))
        yield


def test_S05_a_lock_held_by_others_fails_the_hold_in_time_and_keeps_the_ending(url: str) -> None:
    store = Store.open(url)
    before, refused, after = hold(), hold(), hold()

    async def main() -> None:
        await store.book.hold(before)
        with _locked(url):
            store.book.settle(exact(before.id))
            began = time.monotonic()
            with pytest.raises(StorageUnavailable):
                await store.book.hold(refused)
            assert time.monotonic() - began < 15
            assert [row.id for row in store.book.rows()] == [before.id], "reads go on"
        await store.book.hold(after)
        await store.book.drain()

    asyncio.run(main())
    assert {row.id: row.state for row in store.book.rows()} == {before.id: "exact", after.id: "held"}
    store.close()
    _assert_whole(url)


def _fill_the_disk(url: str) -> list[str]:
    """What happened, told from a process of its own: the limit is the process's."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    store = Store.open(url)
    told: list[str] = []

    async def main() -> None:
        first, refused, last = hold(id="first"), hold(id="refused"), hold(id="last")
        await store.book.hold(first)
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, hard))
        try:
            store.book.settle(exact(first.id))
            try:
                await store.book.hold(refused)
            except StorageUnavailable as error:
                told.append(error.code)
            told.append(store.book.rows()[0].state)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        await store.book.hold(last)
        await store.book.drain()

    asyncio.run(main())
    told += sorted(f"{row.id} {row.state}" for row in store.book.rows())
    store.close()
    return told


def test_S03_a_full_disk_refuses_holds_keeps_endings_and_recovers_alone(file: Path) -> None:
    url = f"sqlite:///{file}"
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        told = pool.apply(_fill_the_disk, (url,))
        pool.close()
        pool.join()
    assert told == ["storage_unavailable", "held", "first exact", "last held"]
    _assert_whole(url)


def test_S11_a_cut_connection_fails_or_keeps_each_hold_and_the_next_one_is_served(
    postgres_server: object, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres_server").fresh()
    store = Store.open(url)
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    told: dict[str, bool] = {}

    async def one() -> None:
        mine = hold()
        try:
            await store.book.hold(mine)
            told[mine.id] = True
            store.book.settle(exact(mine.id))
        except StorageUnavailable:
            told[mine.id] = False

    async def main() -> None:
        await one()
        for _ in range(5):
            with engine.connect() as connection:
                everyone = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                connection.execute(text(f"{everyone} AND pid <> pg_backend_pid()"))
            await asyncio.gather(*(one() for _ in range(20)))
        await asyncio.gather(*(one() for _ in range(20)))
        await store.book.drain()

    asyncio.run(main())
    states = {row.id: row.state for row in store.book.rows(limit=1_000)}
    store.close()
    assert not all(told.values())
    assert sum(told.values()) >= 21
    assert {id for id, kept in told.items() if kept} == {id for id, state in states.items() if state == "exact"}
    assert set(states.values()) <= {"exact", "released"}


_FORKING = """
import asyncio, os, sys, time
from attempts import exact, hold
from ownkey.store.db import Store

store = Store.open(sys.argv[1])
store.install.get()

async def many(name):
    mine = [hold(id=f"{name}-{n}") for n in range(40)]
    await asyncio.gather(*map(store.book.hold, mine))
    for each in mine[1:]:
        store.book.settle(exact(each.id))
    await store.book.drain()

asyncio.run(many("before"))
child = os.fork()
name = "parent" if child else "child"
asyncio.run(many(name))
assert len(store.book.rows(limit=1000)) >= 80
os.write(1, f"{name} {os.getpid()}\\n".encode())
time.sleep(60)
"""


def test_S15_a_forked_process_shares_no_connection_and_outlives_no_lock(url: str) -> None:
    store = Store.open(url)
    with _process(url, "", _FORKING) as process:
        assert process.stdout is not None
        pids = dict(process.stdout.readline().split() for _ in range(2))
        assert store.book.sweep() == 0, "both live"
        process.kill()
        process.wait()
        deadline = time.monotonic() + 10
        ended = 0
        while ended < 2 and time.monotonic() < deadline:
            ended += store.book.sweep()
        assert ended == 2, "the parent's two, though its child lives"
        assert {row.id for row in store.book.rows(limit=1_000) if row.state == "held"} == {"child-0"}
        os.kill(int(pids["child"]), signal.SIGKILL)
    assert _swept(store) == 1
    assert len(store.book.rows(limit=1_000)) == 120
    store.close()
    _assert_whole(url)


def test_S06_the_log_is_brought_into_the_file_by_the_writer_and_does_not_grow_without_end(file: Path) -> None:
    store = Store.open(f"sqlite:///{file}")
    log = file.with_name("ownkey.db-wal")
    sizes: list[int] = []

    async def main() -> None:
        for number in range(900):
            mine = hold()
            await store.book.hold(mine)
            store.book.settle(exact(mine.id))
            if number in (250, 899):
                sizes.append(log.stat().st_size)

    asyncio.run(main())
    assert sizes[1] < 2 * sizes[0]
    store.close()
    assert not log.exists()
    _assert_whole(f"sqlite:///{file}")
