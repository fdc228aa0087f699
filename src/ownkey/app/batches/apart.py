"""The part of a batch that providers' own batch endpoints work on: cheaper, within a day, and never made twice.

What is to be made is put down before it is, under a mark that goes along: after a crash the provider is asked whether
it has it. Money is held for every line of it at the batch's price, by holds that outlive this process (`store/book`),
until the provider says what came of the line.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Container, Iterable, Set
from itertools import islice
from typing import TYPE_CHECKING, Literal, TypeVar

from msgspec import Struct, structs

from ownkey.app.batches.asking import Asker
from ownkey.app.batches.landing import Landed, landed
from ownkey.app.batches.line import Line, read_line
from ownkey.app.batches.offer import Offer, offer
from ownkey.engine.attempt import price_text
from ownkey.engine.sender import Opened
from ownkey.store.batch_parts import PartRow
from ownkey.store.batches import BatchRow, LineRow, LineState
from ownkey.store.book import BookRow, Ending, Hold, Wish
from ownkey.talk.errors import BudgetExceeded, Conflict, OverBudget, OwnkeyError, ProviderError, UnexpectedResponse
from ownkey.wires.batches import BatchWire, Question, Result, Standing

if TYPE_CHECKING:
    from ownkey.app.batches.work import Source
    from ownkey.app.house import House

Each = TypeVar("Each")

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 300.0
"""Between two looks at what a provider works on: twice as long each time."""

SETTLES_S = 10.0
"""A request that may have been under way when it was lost has come to its provider by then, or never."""

TRIES = 6
"""To make a batch, where the provider cannot be asked."""

MOST_PAGES = 50
EARLIER_S = 3600
"""By which a provider's clock may be behind."""

_AT_ONCE = 100


class Surroundings(Struct, frozen=True):
    """What the whole batch gives. `write` stores what a line has to show; `left` waits for so many seconds, and says
    whether this process is to leave; `over`: nothing more is wanted; `failed`: an error's status and body."""

    source: Source
    write: Callable[[int, LineState, bytes, int], Awaitable[None]]
    left: Callable[[float], Awaitable[bool]]
    over: Callable[[], bool]
    failed: Callable[[OwnkeyError], tuple[int, bytes]]


class Apart:
    def __init__(self, house: House, batch: BatchRow, asker: Asker, around: Surroundings) -> None:
        self._house = house
        self._parts = house.store.batch_parts
        self._batch = batch
        self._asker = asker
        self._around = around
        self._failures = 0

    def set_aside(self) -> None:
        """Find the lines that a batch endpoint is for."""
        after = 0
        while rows := self._house.store.batches.lines(self._batch.id, ("waiting",), after=after, here=True):
            after = rows[-1].number
            found = [row.number for row in rows if self._offer(row) is not None]
            if found:
                self._parts.set_aside(self._batch.owner, self._batch.id, found)

    async def run(self) -> None:
        """Until no line waits for a provider, or this process is to leave. Raises what is in the way."""
        wait_s = FIRST_WAIT_S
        while True:
            parts = await asyncio.to_thread(self._parts.open, self._batch.id)
            if not parts and not self._around.over():
                parts = await self._put_together()
            if not parts:
                return
            moved = False
            for part in parts:
                moved |= await self._tried(part)
            if moved:
                wait_s = FIRST_WAIT_S
            elif await self._around.left(wait_s):
                return
            else:
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    async def _tried(self, part: PartRow) -> bool:
        """Whether it is further than before. A provider that cannot be asked now is asked again."""
        try:
            moved = await self._advanced(part)
        except ProviderError as error:
            if _is_final(error):
                raise
            self._failures += 1
            waits = part.state == "running" and not isinstance(error, UnexpectedResponse)
            if not waits and self._failures >= TRIES:
                raise
            return False
        self._failures = 0
        return moved

    async def _advanced(self, part: PartRow) -> bool:
        if part.state == "holding" or (part.state == "held" and self._around.over()):
            await self._undo(part)
            return True
        provider = self._house.catalogue.get(part.provider)
        there = _There(self._house, self._batch.owner, part, await self._key(part), self._house.remote.wire(provider))
        if part.state == "running":
            return await self._looked(there)
        if part.state == "creating":
            known = await self._found(there)
            if known == "unknown":
                return False
            if known is None and time.time_ns() // 1_000_000 < (part.tried_at_ms or 0) + SETTLES_S * 1000:
                return False
            if known is not None or self._around.over():
                await (self._undo(part) if known is None else self._runs(part, known))
                return True
        try:
            await self._create(there)
        except ProviderError as error:
            if _is_final(error):
                await self._undo(part)
            raise
        return True

    async def _create(self, there: _There) -> None:
        part, wire = there.part, there.wire
        upload = part.upload_id
        lines = await asyncio.to_thread(self._written, part, wire) if upload is None else []
        if lines is None:
            await self._undo(part)
            return
        if upload is None and wire.uploads:
            upload = wire.read_upload(await there.ask(wire.upload(part.mark, lines)))
        tried = {"state": "creating", "upload_id": upload, "tried_at_ms": time.time_ns() // 1_000_000}
        part = await asyncio.to_thread(lambda: self._parts.change(self._batch.owner, part, **tried))
        made = wire.read_standing(await there.ask(wire.create(part.mark, wire.urls[part.wire], upload or "", lines)))
        await self._runs(part, made)

    async def _found(self, there: _There) -> Standing | Literal["unknown"] | None:
        rows = await asyncio.to_thread(self._rows, there.part.number)
        others = [one.remote_id for one in await asyncio.to_thread(self._parts.open, self._batch.id)]
        return await there.find({self._request_id(row) for row in rows}, others)

    async def _runs(self, part: PartRow, standing: Standing) -> None:
        owner, id = self._batch.owner, standing.id
        await asyncio.to_thread(lambda: self._parts.change(owner, part, state="running", remote_id=id))

    async def _looked(self, there: _There) -> bool:
        wire, id = there.wire, there.part.remote_id
        assert id is not None
        standing = wire.read_standing(await there.ask(wire.look(id)))
        if not standing.under_way:
            await self._land(there, standing)
            return True
        if self._around.over() and not standing.ending:
            await there.ask(wire.cancel(id))
        return False

    async def _land(self, there: _There, standing: Standing) -> None:
        part = there.part
        left = {self._request_id(row): row for row in await asyncio.to_thread(self._rows, part.number)}
        for results in standing.results:
            body = await there.ask(there.wire.fetch(results))
            for some in _pieces(there.wire.read_results(body)):
                known = [(left.pop(one.custom_id), one) for one in some if one.custom_id in left]
                await self._ended(known)
        code, why = standing.code, standing.why or "The provider's batch ended without an answer to it."
        for some in _pieces(left.items()):
            await self._ended([(row, Result(id, None, b"", code, why)) for id, row in some])
        await asyncio.to_thread(lambda: self._parts.change(self._batch.owner, part, state="ended"))

    async def _ended(self, known: list[tuple[LineRow, Result]]) -> None:
        """What they cost is in the book before they count as ended: done once more, it changes nothing."""
        book = self._house.store.parked
        ends = [(row, await asyncio.to_thread(self._landed, row, result)) for row, result in known]
        for _, end in ends:
            book.settle(end.ending)
        await book.drain()
        for row, end in ends:
            await self._around.write(row.number, end.state, end.shown, row.cost_nano + end.ending.cost_nano)

    def _landed(self, row: LineRow, result: Result) -> Landed:
        return landed(self._batch.id, self._line(row), self._held(row), result, self._around.failed)

    async def _put_together(self) -> list[PartRow]:
        """Parts of those lines that wait for one, as far as the budgets have room for what they cost at most. Raises
        what is in the way of the first."""
        groups: dict[tuple[str, str, str], list[LineRow]] = {}
        for row in await asyncio.to_thread(self._rows, 0):
            found = await asyncio.to_thread(self._offer, row)
            if found is None:
                raise Conflict(
                    "A line that was to go to a batch endpoint cannot go there any more: its model, its price or its"
                    " provider is another one now.",
                    "Run it with `--no-provider-batch`, and it is sent the usual way.",
                )
            groups.setdefault((found.provider.id, found.model, found.wire), []).append(row)
        parts: list[PartRow] = []
        for (provider, model, wire), rows in groups.items():
            for some in _fitting(rows, self._house.remote.wire(self._house.catalogue.get(provider))):
                refused = await self._hold_all(PartRow(self._batch.id, 0, provider, model, wire, "", None), some, parts)
                if refused is not None:
                    if not parts:
                        raise refused
                    return parts
        return parts

    async def _hold_all(self, part: PartRow, rows: list[LineRow], parts: list[PartRow]) -> OwnkeyError | None:
        """One part, put among `parts` where money is held for any of its lines; what was in the way of others."""
        owner, provider = self._batch.owner, self._house.catalogue.get(part.provider)
        key = await self._house.remote.key(owner, provider, part.model)
        origin = str(self._house.remote.origin(provider))
        part = PartRow(part.batch_id, 0, part.provider, part.model, part.wire, origin, key.id)
        part = await asyncio.to_thread(self._parts.add, owner, part, [row.number for row in rows])
        refused: OwnkeyError | None = None
        held = 0
        for some in _pieces(rows):
            ends = await asyncio.gather(*(self._hold(part, row) for row in some))
            held += sum(end is None for end in ends)
            refused = next((end for end in ends if end is not None), None)
            if refused is not None:
                out = [row.number for row, end in zip(some, ends, strict=True) if end is not None]
                out += [row.number for row in rows if row.number > some[-1].number]
                await asyncio.to_thread(self._parts.leave_out, owner, part, out)
                break
        if held:
            parts.append(await asyncio.to_thread(lambda: self._parts.change(owner, part, state="held")))
        else:
            await asyncio.to_thread(self._parts.drop, owner, part)
        return refused

    async def _hold(self, part: PartRow, row: LineRow) -> OwnkeyError | None:
        found = await asyncio.to_thread(self._offer, row)
        assert found is not None
        id = self._request_id(row)
        hold = Hold(
            f"{id}.1",
            id,
            1,
            self._batch.owner,
            self._asker.token_id,
            part.key_id,
            part.provider,
            part.model,
            part.wire,
            stream=False,
            held_nano=found.held_nano,
            priced=True,
            price=price_text(found.rates),
            started_at_ms=time.time_ns() // 1_000_000,
            automation=self._asker.terms.automation,
            held_tokens=found.held_tokens,
        )
        wish = Wish(hold, waits=True, accepted=self._asker.terms.over_accepted)
        if found.least is not None:
            wish = structs.replace(wish, least_nano=found.least.nano, least_tokens=found.least.tokens)
        try:
            await self._house.store.parked.hold(hold, wish)
        except (BudgetExceeded, OverBudget) as error:
            return error
        return None

    async def _undo(self, part: PartRow) -> None:
        """Nothing of it is at the provider: its holds are let go, and its lines wait for another part."""
        book, owner = self._house.store.parked, self._batch.owner
        for row in await asyncio.to_thread(self._rows, part.number):
            book.settle(Ending(f"{self._request_id(row)}.1", "released", ended_at_ms=time.time_ns() // 1_000_000))
        await book.drain()
        await asyncio.to_thread(self._parts.leave_out, owner, part)
        await asyncio.to_thread(self._parts.drop, owner, part)

    async def _key(self, part: PartRow) -> Opened:
        provider = self._house.catalogue.get(part.provider)
        return await self._house.remote.key(self._batch.owner, provider, part.model, part.key_id)

    def _written(self, part: PartRow, wire: BatchWire) -> list[bytes] | None:
        """None where money is not held for all that it may cost by now."""
        lines: list[bytes] = []
        for row in self._rows(part.number):
            found = self._offer(row)
            if found is None or (found.provider.id, found.model, found.wire) != (part.provider, part.model, part.wire):
                raise Conflict(
                    "A line that is held for a batch endpoint would go elsewhere by now.",
                    "Set back what was changed of its provider, its model or its price; or cancel the batch.",
                )
            body = found.paid_by(self._held(row))
            if body is None:
                return None
            lines.append(wire.write_line(self._request_id(row), found.url, body))
        return lines

    def _held(self, row: LineRow) -> BookRow:
        return self._house.store.book.rows(request_id=self._request_id(row), limit=1)[0]

    def _rows(self, number: int) -> list[LineRow]:
        rows: list[LineRow] = []
        while some := self._parts.lines(self._batch.id, number, after=rows[-1].number if rows else 0):
            rows += some
        return rows

    def _offer(self, row: LineRow) -> Offer | None:
        return offer(self._house, self._asker, self._line(row), self._request_id(row))

    def _line(self, row: LineRow) -> Line:
        return read_line(self._around.source.read(row.start, row.length), row.number, row.start)

    def _request_id(self, row: LineRow) -> str:
        return f"{self._batch.id}-{row.number}-{row.attempt}"


class _There(Struct, frozen=True):
    """A part at its provider."""

    house: House
    owner: str
    part: PartRow
    key: Opened
    wire: BatchWire

    async def ask(self, question: Question) -> bytes:
        provider = self.house.catalogue.get(self.part.provider)
        return await self.house.remote.ask(self.owner, provider, self.part.origin, self.key, question)

    async def find(self, ids: Set[str], others: Container[str | None]) -> Standing | Literal["unknown"] | None:
        """The batch that was made of it: by its mark, or by the `ids` of its lines. `unknown`: one that may be it has
        not ended, and says no ids before. `others` are known to be made of other parts."""
        since_s = (self.part.tried_at_ms or 0) / 1000 - EARLIER_S
        query, unknown = None, False
        for _ in range(MOST_PAGES):
            page = self.wire.read_page(await self.ask(self.wire.every(query)))
            for one in page.batches:
                if one.mark == self.part.mark:
                    return one
                if self.wire.marks or one.total != len(ids) or one.created_s < since_s or one.id in others:
                    continue
                if await self._holds(one, ids):
                    return one
                unknown |= one.under_way
            query = page.next
            if query is None or page.batches[-1].created_s < since_s:
                break
        return "unknown" if unknown else None

    async def _holds(self, standing: Standing, ids: Set[str]) -> bool:
        for results in standing.results:
            found = self.wire.read_results(await self.ask(self.wire.fetch(results)))
            if any(one.custom_id in ids for one in found):
                return True
        return False


def _is_final(error: ProviderError) -> bool:
    """Whether it would be the same if it was asked again."""
    return error.status is not None and 400 <= error.status < 500 and error.status not in (408, 409, 425, 429)


def _fitting(rows: list[LineRow], wire: BatchWire) -> Iterable[list[LineRow]]:
    """In pieces that the endpoint takes; the room beside a line is for what is put around it."""
    some: list[LineRow] = []
    size = 0
    for row in rows:
        if some and (len(some) >= wire.most_lines or size + row.length + 512 > wire.most_bytes):
            yield some
            some, size = [], 0
        some.append(row)
        size += row.length + 512
    if some:
        yield some


def _pieces(items: Iterable[Each]) -> Iterable[list[Each]]:
    left = iter(items)
    while some := list(islice(left, _AT_ONCE)):
        yield some
