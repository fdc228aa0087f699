"""Recorded answers, and some of our own making, played to a whole house over a real port.

One provider file for each wire, whose path holds the model: the model's name is the id of a case, with `@` and the
way in which `replay` shall cut it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import oracle_anthropic
import oracle_gemini
import oracle_openai
from ownkey import Ownkey
from ownkey.store.book import BookRow
from ownkey.talk.errors import OwnkeyError
from ownkey.talk.reply import Collector, Receipt, Reply
from recordings import records
from replay import replay

CASES = Path(__file__).parent / "cases"
AT_ONCE = 32

ORACLES: Mapping[str, ModuleType] = {
    "openai-chat": oracle_openai,
    "anthropic-messages": oracle_anthropic,
    "gemini": oracle_gemini,
}
ENDPOINTS = {
    "chat/completions": "openai-chat",
    "messages": "anthropic-messages",
    "generateContent": "gemini",
    "streamGenerateContent": "gemini",
}

# USD per million tokens, so that the sums seldom come out even.
PRICE = {"input": "2.500001", "output": "10.000003", "cached": "0.250007", "cache_write": "3.125009"}


@dataclass(frozen=True)
class Case:
    """One answer of a provider's and the wire that it is in."""

    id: str
    wire: str
    status: int
    streaming: bool
    response_body: bytes
    response_headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def oracle(self) -> Any:
        return ORACLES[self.wire]

    @property
    def kind(self) -> str:
        """`answer`, `refusal` (its status), `failure` (an error in a good answer), or `nothing`."""
        if self.status != 200:
            return "refusal"
        if not self.response_body.strip():
            return "nothing"
        return "failure" if self.oracle.fails(self.response_body, streaming=self.streaming) else "answer"

    @property
    def expected(self) -> dict[str, Any]:
        read = self.oracle.streamed if self.streaming else self.oracle.whole
        return read(self.response_body)


def recorded(wire: str) -> list[Case]:
    """All recordings in that wire; none where they are absent."""
    found = (record for record in records() if ENDPOINTS.get(record.endpoint) == wire)
    return [Case(one.id, wire, one.status, one.streaming, one.response_body, one.response_headers) for one in found]


def ours(wire: str) -> list[Case]:
    """Those of `tests/cases/WIRE`: NAME.json or NAME.sse; a NAME that begins with a number has that status."""
    return [_case(wire, path) for path in sorted((CASES / wire).iterdir())]


def _case(wire: str, path: Path) -> Case:
    first = path.stem.partition("-")[0]
    status = int(first) if first.isdigit() else 200
    return Case(f"{wire}.{path.name}", wire, status, path.suffix == ".sse", path.read_bytes())


@dataclass
class Outcome:
    """What came of a case: a reply with its receipt, or an error; and its row in the book."""

    case: Case
    reply: Reply | None = None
    receipt: Receipt | None = None
    error: OwnkeyError | None = None
    row: BookRow | None = None


class Played:
    """A house whose providers play the cases."""

    def __init__(self, ownkey: Ownkey) -> None:
        self.ownkey = ownkey

    async def ask(self, case: Case, cut: str = "") -> Outcome:
        """The case, asked for by the library: streamed where it is a stream."""
        try:
            if case.streaming:
                return await self._stream(case, named(case, cut))
            reply = await self.ownkey.chat("Go", named(case, cut))
            return Outcome(case, reply, reply.receipt)
        except OwnkeyError as error:
            return Outcome(case, error=error)

    async def _stream(self, case: Case, model: str) -> Outcome:
        collector = Collector()
        receipt: Receipt | None = None
        async for event in self.ownkey.stream("Go", model, carry_on=False):
            assert receipt is None, "the receipt comes last"
            if isinstance(event, Receipt):
                receipt = event
            else:
                collector.add(event)
        return Outcome(case, collector.reply(), receipt)

    async def rows(self) -> dict[str, BookRow]:
        """What stands in the book, by `provider/model`; every case has been asked for once."""
        await self.ownkey.house.store.book.drain()
        found = self.ownkey.house.store.book.rows(limit=1_000_000)
        rows = {f"{row.provider}/{row.model}": row for row in found}
        assert len(rows) == len(found), "one try for each"
        return rows

    async def ask_all(self, cases: Iterable[Case], cut: str = "") -> list[Outcome]:
        outcomes = await at_once(cases, lambda case: self.ask(case, cut))
        rows = await self.rows()
        for outcome in outcomes:
            outcome.row = rows[named(outcome.case, cut)]
        return outcomes


def named(case: Case, cut: str = "") -> str:
    return f"{provider_of(case.wire)}/{case.id}" + (f"@{cut}" if cut else "")


async def at_once(cases: Iterable[Any], work: Callable[[Any], Awaitable[Any]]) -> list[Any]:
    """The results of all, so many at a time."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(case: Any) -> Any:
        async with turns:
            return await work(case)

    return await asyncio.gather(*map(one, cases))


def provider_of(wire: str) -> str:
    return f"played-{wire}"


@asynccontextmanager
async def playing(home: Path, cases: list[Case]) -> AsyncIterator[Played]:
    """The house and its provider, from nothing."""
    server = await replay(cases)
    folder = home / "providers"
    folder.mkdir(parents=True, exist_ok=True)
    for wire in {case.wire for case in cases}:
        (folder / f"{provider_of(wire)}.toml").write_text(_provider(wire, server.url, cases))
    try:
        async with Ownkey(home, keychain=False, retries=0) as ownkey:
            yield Played(ownkey)
    finally:
        await server.aclose()


def _provider(wire: str, url: str, cases: list[Case]) -> str:
    price = ", ".join(f'{name} = "{usd}"' for name, usd in PRICE.items())
    models = [f'[[models]]\nid = "{case.id}"\nprice = {{ {price} }}\n' for case in cases if case.wire == wire]
    return "\n".join(
        [
            f'id = "{provider_of(wire)}"\nname = "Played"\nkind = "local"\nwire = "{wire}"\nbase_url = "{url}/r"',
            '[paths]\nchat = "/{model}/chat"\nstream = "/{model}/stream"\n',
            *models,
        ]
    )


def owed_nano(usage: Mapping[str, int | None]) -> int:
    """What the counts cost at PRICE, in nano-USD, rounded up once."""
    input, output, cached, written = (usage[name] or 0 for name in ("input", "output", "cached", "cache_write"))
    written = min(written, input)
    cached = min(cached, input - written)
    amounts = {"input": input - written - cached, "cached": cached, "cache_write": written, "output": output}
    # For each token, a millionth of a USD per million tokens is a thousandth of a nano-USD.
    total = sum(count * int(Decimal(PRICE[name]) * 1_000_000) for name, count in amounts.items())
    return -(-total // 1000)
