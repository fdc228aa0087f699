"""What the gateway does beside its answers: it works through the batches that were made there."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from ownkey.app.batches.batches import BatchBook
from ownkey.app.batches.files import FileBox, sweep
from ownkey.app.batches.making import put_down
from ownkey.app.batches.work import Work
from ownkey.store.batches import BatchRow
from ownkey.talk.errors import Conflict, NotFound, OwnkeyError, StorageUnavailable
from ownkey.vault.boxes import Boxes

if TYPE_CHECKING:
    from ownkey.app.house import House

LOOKS_EVERY_S = 1.0
SWEEPS_EVERY_S = 3600.0
AT_ONCE = 4
"""Batches, in one process, beside those that only wait for a provider's batch endpoint."""
TRIES_AGAIN_S = 30.0
"""Where a budget or the house was in the way."""

_log = logging.getLogger("ownkey")


class Worker:
    """Of one process. Each batch is worked on by one: others take it over where that is no more."""

    def __init__(self, house: House, status_of: Callable[[OwnkeyError], int], parallel: int) -> None:
        self._house = house
        self._status_of = status_of
        self._parallel = parallel
        self._works: dict[str, Work | None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._not_before_s: dict[str, float] = {}
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Begin nothing more; lines under way come to their ends."""
        self._stopping.set()
        for work in self._works.values():
            if work is not None:
                work.stop()

    async def run(self) -> None:
        """Until it was stopped and what was under way has ended. Cancelled, lines under way are in doubt."""
        swept_s = -SWEEPS_EVERY_S
        try:
            while not await self._told_to_stop(LOOKS_EVERY_S):
                try:
                    await self._look()
                    if time.monotonic() - swept_s > SWEEPS_EVERY_S:
                        swept_s = time.monotonic()
                        await asyncio.to_thread(sweep, self._house, time.time_ns() // 1_000_000)
                except OwnkeyError:
                    continue
            if self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)

    async def _told_to_stop(self, within_s: float) -> bool:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), within_s)
        return self._stopping.is_set()

    async def _look(self) -> None:
        room = AT_ONCE - sum(work is None or not work.waits for work in self._works.values())
        if room <= 0:
            return
        now_s = time.monotonic()
        for batch in await asyncio.to_thread(self._house.store.batches.open, "gateway"):
            if room <= 0 or self._stopping.is_set():
                return
            waits = self._not_before_s.get(batch.id, 0.0) > now_s and batch.status != "cancelling"
            if batch.id in self._works or waits:
                continue
            if await asyncio.to_thread(self._house.store.batches.claim, batch.owner, batch.id):
                room -= 1
                self._works[batch.id] = None
                task = asyncio.create_task(self._work_on(batch))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _work_on(self, batch: BatchRow) -> None:
        try:
            await self._worked(batch)
        except (NotFound, Conflict):
            # Its owner was removed, or another process took it over.
            pass
        except OwnkeyError as error:
            self._not_before_s[batch.id] = time.monotonic() + TRIES_AGAIN_S
            _log.error("A batch does not go on for now: %s", error.code)
        except Exception as error:  # noqa: BLE001  a defect must neither end the other batches nor be met every second
            self._not_before_s[batch.id] = time.monotonic() + SWEEPS_EVERY_S
            _log.error("A batch failed: %s", type(error).__name__)
        finally:
            del self._works[batch.id]
            with suppress(StorageUnavailable):
                await asyncio.shield(asyncio.to_thread(self._house.store.batches.let_go, batch.owner, batch.id))

    async def _worked(self, batch: BatchRow) -> None:
        house, store = self._house, self._house.store.batches
        files = FileBox(house, batch.owner)
        assert batch.box is not None
        box = await asyncio.to_thread(Boxes(house.store, house.vault).open, batch.owner, batch.box)
        if batch.status == "validating" and not await asyncio.to_thread(self._prepared, batch):
            return
        batch = await asyncio.to_thread(BatchBook(house, batch.owner).get, batch.id)
        row = await asyncio.to_thread(files.get, batch.source)
        source = await asyncio.to_thread(files.source, row)
        work = Work(house, batch, box, source, status_of=self._status_of, parallel=self._parallel)
        self._works[batch.id] = work
        if batch.status == "cancelling":
            work.wind_up()
        if self._stopping.is_set():
            work.stop()
        await work.run()
        if work.error is not None:
            self._not_before_s[batch.id] = time.monotonic() + TRIES_AGAIN_S
        told = None if work.error is None else str(work.error)
        await asyncio.to_thread(lambda: store.change(batch.owner, batch.id, waits_for=told))
        await work.finish()

    def _prepared(self, batch: BatchRow) -> bool:
        """Whether there is something to do: its lines are put down, or it has failed."""
        house, store = self._house, self._house.store.batches
        files = FileBox(house, batch.owner)
        assert batch.box is not None
        box = Boxes(house.store, house.vault).open(batch.owner, batch.box)
        problems = put_down(house, batch, box, files.pieces(files.get(batch.source)), batch.endpoint)
        now_ms = time.time_ns() // 1_000_000
        if problems:
            store.drop_lines(batch.owner, batch.id)
            told = msgspec.json.encode(problems).decode()
            store.change(batch.owner, batch.id, status="failed", problems=told, ended_at_ms=now_ms)
            return False
        store.change(batch.owner, batch.id, when=("validating",), status="in_progress", begun_at_ms=now_ms)
        return True
