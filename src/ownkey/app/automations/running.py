"""A run: what it would ask and cost, and what it gives."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct, structs

from ownkey.app.automations.answer import Schema
from ownkey.app.automations.asking import STOPS, Asker, Line, chat_of
from ownkey.app.automations.document import Document, filled
from ownkey.app.automations.given import Given, fenced
from ownkey.app.quoting import quotes
from ownkey.app.starters import working
from ownkey.app.starters.working import Prepared, Said, Working
from ownkey.engine.purse import Purse
from ownkey.engine.request import new_id
from ownkey.routing.route import AUTO, key_missing
from ownkey.spending.quote import Quote, about
from ownkey.store.automations import RunRow, RunStatus
from ownkey.talk.chat import Chat, Part
from ownkey.talk.errors import InvalidRequest, OwnkeyError, PriceUnknown
from ownkey.talk.money import Money

if TYPE_CHECKING:
    from ownkey.app.house import House

MOST_ASKS = 60
DAY_MS = 86_400_000
LEAST_CHARS, USUAL_CHARS, MOST_CHARS = 4_000, 24_000, 200_000
"""How much text goes into one request: half of what the model's window holds, within these."""
_REPAIRS = 2


class RunQuote(Struct, frozen=True):
    """What a run will cost: at least, as expected, and at most, which it cannot pass. Amounts are None where a price is
    not known. `instead_of`: the model that it has, where its provider has no key here."""

    models: tuple[str, ...]
    requests: int
    low: Money | None
    expected: Money | None
    most: Money | None
    limit: Money | None = None
    instead_of: str | None = None

    @property
    def says(self) -> str:
        who = ", ".join(self.models)
        times = f" in {self.requests} requests" if self.requests > 1 else ""
        instead = f" ({self.instead_of} has no key here)" if self.instead_of else ""
        if self.expected is None or self.most is None:
            return f"What {who} costs is not known{instead}."
        if self.most.nano_usd == 0:
            return f"This run is free: {who}{times}{instead}."
        return f"This run costs about {about(self.expected.nano_usd)}, at most {self.most}: {who}{times}{instead}."


class Ask(Struct, frozen=True):
    place: int
    model: str
    chat: Chat


class Plan(Struct, frozen=True):
    """A run before it is asked: everything but the asking."""

    document: Document
    worker: Working
    prepared: Prepared
    schema: Schema | None
    asks: tuple[Ask, ...]
    quote: RunQuote


def plan(house: House, asker: Asker, document: Document, given: Given, model: str) -> Plan:
    """It may take long where there is much to read. Raises what is in the way of asking."""
    worker = working(document.starter)
    schema = Schema(document.output_schema) if document.output_schema is not None else None
    model, instead_of = _reachable(house, asker, model)
    prepared = worker.prepare(given, room_chars(house, asker, model))
    models = prepared.models or (model,)
    if len(prepared.asks) * len(models) > MOST_ASKS:
        raise InvalidRequest(f"This run would ask over {MOST_ASKS} times.", "Give it less, or a model that reads more.")
    parts = tuple(read.part for read in given.files.values() if read.part is not None)
    asks: list[Ask] = []
    for name in models:
        told = _takes_schema(house, asker, name)
        for place, extra in enumerate(prepared.asks):
            chat = _chat(document, given, extra, parts, schema, told=told)
            asks.append(Ask(place, name, chat))
    quote = _quoted(house, asker, asks, document, repairs=_REPAIRS if schema is not None else 1)
    return Plan(document, worker, prepared, schema, tuple(asks), structs.replace(quote, instead_of=instead_of))


async def carry_out(house: House, asker: Asker, planned: Plan, run: RunRow) -> tuple[RunRow, dict[str, Any], list[str]]:
    """Ask everything, one after the other. The run as it ended, what it gives, and what is to be said of it.

    Raises the first error where nothing was answered at all.
    """
    line = Line(house, asker, run.id, _purse(planned, run))
    said: list[Said] = []
    first: OwnkeyError | None = None
    for ask in planned.asks:
        if isinstance(first, STOPS):
            said.append(Said(ask.place, ask.model, error=first.code, message="It was not asked any more."))
            continue

        def further(value: Any, place: int = ask.place) -> list[str]:
            return planned.worker.faults(planned.prepared, place, value)

        try:
            got = await line.ask(ask.model, ask.chat, planned.schema, further)
        except OwnkeyError as error:
            first = first or error
            said.append(Said(ask.place, ask.model, error=error.code, message=error.message))
        else:
            told = {name: getattr(got, name) for name in ("cost_nano", "took_ms", "input_tokens", "output_tokens")}
            said.append(Said(ask.place, got.model, got.value, faults=got.faults, **told))
    if first is not None and all(one.error is not None for one in said):
        raise first
    result = await asyncio.to_thread(planned.worker.finish, planned.prepared, said)
    status: RunStatus = "done" if first is None else "partly"
    return structs.replace(run, status=status, error=first.code if first else None), result, _notes(said)


def room_chars(house: House, asker: Asker, model: str) -> int:
    """About how much text of a run one request to this model may hold. A token is about four characters of English,
    and fewer of most else; half of the window is for the rest and the answer."""
    targets = house.targets.find(asker.owner, model, scope=asker.scope)
    known = [target.facts.context for target in targets if target.facts.context is not None]
    return min(MOST_CHARS, max(LEAST_CHARS, min(known) * 3 // 2)) if known else USUAL_CHARS


def _reachable(house: House, asker: Asker, model: str) -> tuple[str, str | None]:
    """The model, or where nobody has a key for it here who comes first, and the one that it stands for."""
    targets = house.targets.find(asker.owner, model, scope=asker.scope)
    if any(one.provider.kind != "cloud" or house.vault.has(asker.owner, one.provider.id) for one in targets):
        return model, None
    try:
        others = house.targets.find(asker.owner, AUTO, scope=asker.scope)
    except OwnkeyError:
        others = ()
    if not any(one.provider.kind == "local" or house.vault.has(asker.owner, one.provider.id) for one in others):
        raise key_missing(targets[0].provider)
    return AUTO, model


def _chat(
    document: Document,
    given: Given,
    extra: Mapping[str, str],
    parts: Sequence[Part],
    schema: Schema | None,
    *,
    told: bool,
) -> Chat:
    files = {
        name: fenced(read) if read.part is None else f"(the file {read.name})" for name, read in given.files.items()
    }
    values = {**given.texts, **files, **extra}
    left_out = {name: "" for name in document.variables if name not in values}
    return chat_of(
        filled(document.instruction, left_out | values),
        filled(document.prompt, left_out | values),
        tuple(parts),
        schema,
        document.max_output_tokens,
        told=told,
    )


def _takes_schema(house: House, asker: Asker, model: str) -> bool:
    """Whether who is asked first answers by a schema, as far as that is known."""
    does = house.targets.find(asker.owner, model, scope=asker.scope)[0].facts.does
    return not does or "json" in does


def _quoted(house: House, asker: Asker, asks: Sequence[Ask], document: Document, *, repairs: int) -> RunQuote:
    """Of all requests; at most: each once more where it may have to be mended, at the dearest who may answer."""
    low = expected = most = 0
    known = True
    named: dict[str, None] = {}
    for ask in asks:
        targets = [one.name for one in house.targets.find(asker.owner, ask.model, scope=asker.scope)][:10]
        request = asker.request(new_id(), targets[0], ask.chat, stream=ask.chat.output is None)
        each = [one for one in quotes(house, request, targets).each if isinstance(one, Quote)]
        named[each[0].model] = None
        if any(one.low is None or one.expected is None or one.ceiling is None for one in each):
            known = False
            continue
        low += each[0].low.nano_usd if each[0].low else 0
        expected += each[0].expected.nano_usd if each[0].expected else 0
        most += repairs * max(one.ceiling.nano_usd for one in each if one.ceiling is not None)
    limit = document.limit_nano
    if limit is not None:
        most = min(most, limit)
    amounts = [Money(low), Money(min(expected, most)), Money(most)] if known else [None, None, None]
    return RunQuote(tuple(named), len(asks), *amounts, limit=None if limit is None else Money(limit))


def _purse(planned: Plan, run: RunRow) -> Purse | None:
    """What was said to be the most is the most."""
    told = planned.quote.most if planned.quote.most is not None else planned.quote.limit
    return None if told is None else Purse(told.nano_usd, f"A run of {run.automation}")


def check_consent(planned: Plan, asker: Asker) -> None:
    """Raises PriceUnknown where nobody said yes to what is not known."""
    if planned.quote.expected is None and not asker.price_accepted:
        raise PriceUnknown(
            planned.quote.says, "Go on all the same, or give its price: `ownkey prices set`.", param="model"
        )


def _notes(said: Sequence[Said]) -> list[str]:
    notes = [f"{one.model}: {one.message}" for one in said if one.message]
    return notes + [f"{one.model} was told twice, and still: {fault}" for one in said for fault in one.faults]


def sealed_bytes(result: Mapping[str, Any], notes: Sequence[str]) -> bytes:
    return msgspec.json.encode({"result": result, "notes": notes})


def now_ms() -> int:
    return time.time_ns() // 1_000_000
