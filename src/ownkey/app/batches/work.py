"""One batch, worked through: lines side by side, each result on disk before its line counts as done.

The hold in the book is the mark that a line was begun: it is on disk before a byte is sent, under an id that the line
and its attempt give. After a crash the book tells what became of each line without a result: nothing was sent (it is
sent now), nothing was answered (it is sent again), or it was, or may have been, answered: it is in doubt, and never
sent again by itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import msgspec
from msgspec import structs

from ownkey.app.batches.apart import Apart, Surroundings
from ownkey.app.batches.asking import Asker, Terms, Told, ask
from ownkey.app.batches.line import answered, ended, read_line
from ownkey.store.batches import BatchRow, LineRow, LineState
from ownkey.store.uploads import FileRow
from ownkey.talk.errors import (
    BudgetExceeded,
    Conflict,
    EndpointNotAllowed,
    HouseError,
    NotFound,
    OverBudget,
    OwnkeyError,
    RateLimitExceeded,
)
from ownkey.vault.boxes import Box

if TYPE_CHECKING:
    from ownkey.app.house import House

RATE_TRIES = 6
LONGEST_WAIT_S = 60.0
LOOKED_EVERY_S = 1.0
WRITTEN_AT_ONCE = 200

DOUBTFUL = "in_doubt"
"""The code of a line of which nobody knows whether it was answered and paid for."""

_LOST = (
    "Ownkey was stopped while this was being answered: it may have been paid for, and its answer is lost. It was not"
    " sent again."
)


class Source(Protocol):
    """Where a batch's input is read from."""

    def read(self, start: int, length: int) -> bytes: ...


class Work:
    """`shown` is called with each line that has ended: its number, its state, and what it has to show. `waits`: nothing
    is left to do but to wait for providers' batch endpoints."""

    def __init__(
        self,
        house: House,
        batch: BatchRow,
        box: Box,
        source: Source,
        *,
        status_of: Callable[[OwnkeyError], int],
        parallel: int,
        shown: Callable[[int, LineState, bytes], None] | None = None,
    ) -> None:
        self.error: OwnkeyError | None = None
        self.running = 0
        self.waits = False
        self._house = house
        self._store = house.store.batches
        self._batch = batch
        self._box = box
        self._source = source
        self._status_of = status_of
        self._most = parallel
        self._parallel = parallel
        self._shown = shown
        self._stopping = asyncio.Event()
        self._leaving = asyncio.Event()
        self._over = False
        self._again: list[LineRow] = []
        self._page: list[LineRow] = []
        self._after = 0
        terms = msgspec.json.decode(batch.terms, type=Terms)
        self._asker = Asker(
            batch.owner, batch.token_id, structs.replace(terms, automation=terms.automation or batch.id)
        )
        around = Surroundings(source, self._write, self._left, lambda: self._over, self._failed)
        self._apart = Apart(house, batch, self._asker, around)

    def stop(self) -> None:
        """Begin no further line; those under way come to their ends. What a provider works on goes on there."""
        self._stopping.set()
        self._leaving.set()

    def wind_up(self) -> None:
        """Begin no further line, and have cancelled what a provider works on."""
        self._over = True
        self._stopping.set()

    async def run(self) -> None:
        """Until every line has ended, it is stopped, or something is in the way, which `error` says then."""
        await self._house.store.book.drain()
        await asyncio.to_thread(self._look_back)
        await self._look()
        if self._asker.terms.provider_batch and not self._stopping.is_set():
            await asyncio.to_thread(self._apart.set_aside)
        there = asyncio.create_task(self._there())
        try:
            await self._here()
            self.waits = True
            await there
        finally:
            there.cancel()
            await asyncio.wait([there])

    async def _there(self) -> None:
        """What providers' own batch endpoints work on."""
        try:
            await self._apart.run()
        except OwnkeyError as error:
            self.error = self.error or error
            self._stopping.set()

    async def _here(self) -> None:
        tasks: set[asyncio.Task[None]] = set()
        looked_s = time.monotonic()
        try:
            while True:
                while len(tasks) < self._parallel and (line := await self._next()) is not None:
                    tasks.add(asyncio.create_task(self._one(line)))
                    self.running = len(tasks)
                if not tasks:
                    return
                done, tasks = await asyncio.wait(tasks, timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
                self.running = len(tasks)
                for task in done:
                    task.result()
                if time.monotonic() - looked_s > LOOKED_EVERY_S:
                    looked_s = time.monotonic()
                    await self._look()
        finally:
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    async def finish(self) -> BatchRow:
        """Where it is over: by its last line, by its cancelling, or by its time. The batch as it is then."""
        batch = await asyncio.to_thread(self._again_from_store)
        over = {"cancelling": "cancelled"}.get(batch.status)
        if over is None and time.time_ns() // 1_000_000 >= batch.expires_at_ms:
            over = "expired"
        tally = await asyncio.to_thread(self._store.tally, batch.id)
        if over is None and tally.waiting:
            return batch
        if await asyncio.to_thread(self._house.store.batch_parts.open, batch.id):
            return batch
        await asyncio.to_thread(self._end, batch, over or "completed")
        return await asyncio.to_thread(self._again_from_store)

    async def _next(self) -> LineRow | None:
        if self._stopping.is_set():
            return None
        if self._again:
            return self._again.pop()
        if not self._page:
            batch, after = self._batch.id, self._after
            self._page = (await asyncio.to_thread(self._store.lines, batch, ("waiting",), after=after, here=True))[::-1]
            if not self._page:
                return None
            self._after = self._page[0].number
        return self._page.pop()

    async def _look(self) -> None:
        """Whether it was cancelled, its time is over, or whoever asked for it may ask no more."""
        batch = await asyncio.to_thread(self._again_from_store)
        expired = time.time_ns() // 1_000_000 >= batch.expires_at_ms
        gone = not await asyncio.to_thread(self._may_ask, batch)
        if gone:
            when = ("in_progress",)
            values = {"status": "cancelling", "cancelling_at_ms": time.time_ns() // 1_000_000}
            await asyncio.to_thread(lambda: self._store.change(batch.owner, batch.id, when=when, **values))
        if gone or expired or batch.status != "in_progress":
            self.wind_up()

    async def _one(self, row: LineRow) -> None:
        raw = await asyncio.to_thread(self._source.read, row.start, row.length)
        line = read_line(raw, row.number, row.start)
        name = (row.number, line.custom_id)
        for turn in range(1, RATE_TRIES + 1):
            request_id = f"{self._batch.id}-{row.number}-{row.attempt}"
            try:
                told = await ask(self._house, self._asker, line, request_id)
            except OwnkeyError as error:
                cost_nano = row.cost_nano + await self._charged(request_id)
                if isinstance(error, RateLimitExceeded) and turn < RATE_TRIES:
                    row = await self._once_more(row, cost_nano)
                    if await self._stopped_within(error.retry_after_s or min(2.0**turn, LONGEST_WAIT_S)):
                        return
                    continue
                if _in_the_way(error):
                    await self._hold_up(await self._once_more(row, cost_nano), error)
                    return
                status, body = self._failed(error)
                told_cost = {"cost_usd": f"{cost_nano / 1e9:.9f}"} if cost_nano else {}
                result = answered(self._batch.id, name, request_id, status, body, told_cost)
                await self._write(row.number, "failed", result, cost_nano)
                return
            await self._done(row, name, request_id, told)
            return

    async def _done(self, row: LineRow, name: tuple[int, str], request_id: str, told: Told) -> None:
        receipt = told.receipt
        cost_nano = receipt.cost.nano_usd if receipt.cost is not None else 0
        if receipt.attempts > 1:
            cost_nano = await self._charged(request_id)
        result = answered(self._batch.id, name, request_id, 200, told.body, told.note)
        await self._write(row.number, "done", result, row.cost_nano + cost_nano)
        self._parallel = min(self._most, self._parallel + 1)

    async def _write(self, number: int, state: LineState, result: bytes, cost_nano: int) -> None:
        """An answer that is here and paid for is not lost to one who stops meanwhile."""
        await asyncio.shield(self._written(number, state, result, cost_nano))

    async def _written(self, number: int, state: LineState, result: bytes, cost_nano: int) -> None:
        """What it cost is on disk first: else the book, after a crash, had charged all that was held for it."""
        await self._house.store.book.drain()
        await asyncio.to_thread(self._write_now, number, state, result, cost_nano)

    def _write_now(self, number: int, state: LineState, result: bytes, cost_nano: int) -> None:
        sealed = self._box.seal(f"result {number}", result)
        self._store.end_line(self._batch.owner, self._batch.id, number, state, sealed, len(result), cost_nano)
        if self._shown is not None:
            self._shown(number, state, result)

    async def _once_more(self, row: LineRow, cost_nano: int) -> LineRow:
        row = structs.replace(row, attempt=row.attempt + 1, cost_nano=cost_nano)
        told = [(row.number, row.attempt, cost_nano)]
        await asyncio.to_thread(self._store.next_attempts, self._batch.owner, self._batch.id, told)
        return row

    async def _hold_up(self, row: LineRow, error: OwnkeyError) -> None:
        """A budget may be full of what is under way: with fewer lines side by side it has room again."""
        if isinstance(error, BudgetExceeded | OverBudget) and self.running > 1:
            self._parallel = max(1, min(self._parallel, self.running) - 1)
            self._again.append(row)
            return
        self.error = self.error or error
        self._stopping.set()

    async def _stopped_within(self, wait_s: float) -> bool:
        try:
            async with asyncio.timeout(wait_s):
                await self._stopping.wait()
        except TimeoutError:
            return False
        return True

    async def _left(self, wait_s: float) -> bool:
        """Whether this process is to leave; said within so long, and at once where nothing more is wanted."""
        until_s, was_over = time.monotonic() + wait_s, self._over
        while not self._leaving.is_set() and self._over == was_over and (left_s := until_s - time.monotonic()) > 0:
            try:
                async with asyncio.timeout(min(left_s, LOOKED_EVERY_S)):
                    await self._leaving.wait()
            except TimeoutError:
                await self._look()
        return self._leaving.is_set()

    def _failed(self, error: OwnkeyError) -> tuple[int, bytes]:
        return self._status_of(error), msgspec.json.encode(_error(error))

    async def _charged(self, request_id: str) -> int:
        """What the book charged for an attempt at a line, in nano-USD."""
        await self._house.store.book.drain()
        rows = await asyncio.to_thread(self._house.store.book.rows, request_id=request_id)
        return sum(row.cost_nano for row in rows)

    def _may_ask(self, batch: BatchRow) -> bool:
        """Whoever has this machine may: what the command was given is theirs."""
        if batch.token_id is not None:
            return bool(self._house.tokens.live((batch.token_id,)))
        return batch.runs_in == "command" or self._house.store.people.may_ask(batch.owner)

    def _again_from_store(self) -> BatchRow:
        batch = self._store.get(self._batch.owner, self._batch.id)
        if batch is None:
            raise NotFound("This batch is gone.", "Its owner was removed.")
        return batch

    def _look_back(self) -> None:
        """What the book knows of lines that have no result."""
        batch = self._batch
        self._house.store.book.sweep()
        found: dict[int, tuple[int, bool, int]] = {}
        for request_id, state, nano in self._store.in_book(batch.owner, batch.id, batch.created_at_ms):
            number, attempt = map(int, request_id.removeprefix(f"{batch.id}-").split("-"))
            last, doubtful, cost = found.get(number, (-1, False, 0))
            doubtful = (doubtful and attempt <= last) or (attempt >= last and state != "released")
            found[number] = (max(last, attempt), doubtful, cost + nano)
        after = 0
        while found and (rows := self._store.lines(batch.id, ("waiting",), after=after, here=True)):
            after = rows[-1].number
            self._put_right(rows, found)

    def _put_right(self, rows: list[LineRow], found: dict[int, tuple[int, bool, int]]) -> None:
        batch = self._batch
        begun = [(row, *found[row.number]) for row in rows if found.get(row.number, (-1,))[0] >= row.attempt]
        lost = [(row, cost) for row, _, doubtful, cost in begun if doubtful and not self._asker.terms.retry_doubtful]
        ends: list[tuple[int, LineState, bytes, int, int]] = []
        for row, cost in lost:
            custom_id = self._box.open(f"id {row.number}", row.custom_id).decode()
            result = ended(batch.id, (row.number, custom_id), DOUBTFUL, _LOST, cost)
            ends.append((row.number, "doubtful", self._box.seal(f"result {row.number}", result), len(result), cost))
            if self._shown is not None:
                self._shown(row.number, "doubtful", result)
        if ends:
            self._store.end_lines(batch.owner, batch.id, ends)
        gone = {number for number, *_ in ends}
        again = [(row.number, last + 1, cost) for row, last, _, cost in begun if row.number not in gone]
        if again:
            self._store.next_attempts(batch.owner, batch.id, again)

    def _end(self, batch: BatchRow, over: str) -> None:
        code, says = _UNSENT.get(over, ("", ""))
        while rows := self._store.lines(batch.id, ("waiting",), limit=WRITTEN_AT_ONCE):
            ends: list[tuple[int, LineState, bytes, int, int]] = []
            for row in rows:
                custom_id = self._box.open(f"id {row.number}", row.custom_id).decode()
                result = ended(batch.id, (row.number, custom_id), code, says, row.cost_nano)
                sealed = self._box.seal(f"result {row.number}", result)
                ends.append((row.number, "failed", sealed, len(result), row.cost_nano))
                if self._shown is not None:
                    self._shown(row.number, "failed", result)
            self._store.end_lines(batch.owner, batch.id, ends)
        tally, now_ms = self._store.tally(batch.id), time.time_ns() // 1_000_000
        kept_ms = self._asker.terms.kept_s * 1000
        files = [
            FileRow(
                f"file-{kind}-{batch.id}",
                batch.owner,
                "batch_output",
                name,
                size,
                None,
                batch.id,
                now_ms,
                now_ms + kept_ms,
            )
            for kind, name, size in (
                ("output", f"{batch.id}_output.jsonl", tally.done_bytes),
                ("error", f"{batch.id}_error.jsonl", tally.failed_bytes),
            )
            if size and batch.runs_in == "gateway"
        ]
        ids = {file.id.split("-")[1]: file.id for file in files}
        told = {"output_file_id": ids.get("output"), "error_file_id": ids.get("error")}
        self._store.finish(batch.owner, batch.id, files, status=over, ended_at_ms=now_ms, **told)


def _in_the_way(error: OwnkeyError) -> bool:
    """Whether the next line would meet with the same, and this one may be asked when it is gone."""
    if isinstance(error, BudgetExceeded):
        return not error.of_run
    return isinstance(error, OverBudget | Conflict) or (
        isinstance(error, HouseError) and not isinstance(error, EndpointNotAllowed)
    )


def _error(error: OwnkeyError) -> dict[str, object]:
    told = {"message": str(error), "type": error.code, "param": error.param, "code": error.code}
    return {"error": told}


_UNSENT = {
    "expired": ("batch_expired", "This request could not be sent before the completion window was over."),
    "cancelled": ("batch_cancelled", "The batch was cancelled before this request was sent."),
}
