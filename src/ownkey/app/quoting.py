"""What a request will cost at each of some models, told before it is sent."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import structs

from ownkey.engine.engine import Sized
from ownkey.engine.request import Request
from ownkey.spending.budget import Room
from ownkey.spending.price import Rates
from ownkey.spending.quote import ENOUGH_CALLS, Fits, Quote, Usual, difference, quote
from ownkey.spending.tokens import Tokens, count_chat, estimate
from ownkey.store.posting import DAY_MS
from ownkey.talk.errors import InvalidRequest, RequestError

if TYPE_CHECKING:
    from ownkey.app.house import House

MOST_MODELS = 50
HISTORY_MS = 30 * DAY_MS


def quotes(house: House, request: Request, models: Sequence[str], current: str | None = None) -> list[Quote]:
    """One for each model, in this order; `current` is the one that is used now, the first where none is said.

    Raises InvalidRequest, or what stands in the way of asking the only model; of several, what is in the way of one is
    said in its place.
    """
    if not 1 <= len(models) <= MOST_MODELS:
        raise InvalidRequest(f"A quote is for 1 to {MOST_MODELS} models.", param="models")
    rooms = {room.budget.id: room for room in house.store.budgets.rooms(time.time_ns() // 1_000_000)}
    made = [_quoted(house, structs.replace(request, model=model, price_accepted=True), rooms) for model in models]
    named = current or models[0]
    if named in models:
        base = made[list(models).index(named)]
    else:
        base = _quoted(house, structs.replace(request, model=named, price_accepted=True), rooms)
    told: list[Quote] = []
    for one in made:
        more, says = difference(one, base)
        told.append(structs.replace(one, difference=more, says=says))
    return told


def _quoted(house: House, request: Request, rooms: dict[str, Room]) -> Quote:
    sized = house.engine.sized(request)
    tokens = _tokens(request, sized)
    usual = _usual(house, request, sized)
    made = sized.made
    return quote(
        sized.target.name,
        tokens,
        made.rates,
        output_cap=made.output_tokens,
        choices=made.choices,
        ceiling_nano=made.held_nano,
        context=sized.target.facts.context,
        usual=usual,
        asked_output=request.max_output,
        budgets=tuple(_fits(rooms[budget.id], sized) for budget in sized.falls.budgets if budget.id in rooms),
    )


def _tokens(request: Request, sized: Sized) -> Tokens:
    """Never more than what is held for."""
    try:
        counted = count_chat(request.as_chat(), sized.target.model)
    except RequestError:
        # What passes through need not be known here.
        counted = estimate(sized.made.size_bytes)
    most = sized.made.input_tokens
    return Tokens(min(counted.low, most), min(counted.expected, most), min(counted.high, most), counted.how)


def _usual(house: House, request: Request, sized: Sized) -> Usual | None:
    """Of this automation's runs, else of this person's, else of everybody's here, where there are enough of them."""
    since_ms = time.time_ns() // 1_000_000 - HISTORY_MS
    model = {"provider": sized.target.provider.id, "model": sized.target.model}
    tries: list[tuple[str, dict[str, str]]] = [
        ("your runs of this model", {"owner": request.owner}),
        ("runs of this model here", {}),
    ]
    if request.automation is not None:
        tries.insert(0, ("this automation's runs", {"owner": request.owner, "automation": request.automation}))
    for of, who in tries:
        past = house.store.usage.past(since_ms, **model, **who)
        if past is not None and past.calls >= ENOUGH_CALLS:
            cached = past.cached_tokens / past.input_tokens if past.input_tokens else 0.0
            return Usual(-(-past.output_tokens // past.calls), min(1.0, cached), of)
    return None


def _fits(room: Room, sized: Sized) -> Fits:
    budget = room.budget
    least = sized.least
    nano = least.nano if least is not None else sized.made.held_nano
    tokens = least.tokens if least is not None else sized.made.held_tokens
    needs = {"usd": nano, "tokens": tokens, "requests": 1}[budget.unit]
    within_run = (budget.run_hard_nano is None or nano <= budget.run_hard_nano) and (
        budget.run_hard_tokens is None or tokens <= budget.run_hard_tokens
    )
    known = budget.unit != "usd" or budget.limit is None or sized.made.rates is not None
    fits = within_run and known and (room.left is None or needs <= room.left)
    return Fits(budget.name or budget.id, room.left, budget.unit, fits)


def rates_told(rates: Rates | None) -> dict[str, object] | None:
    """A model's price for JSON: nano-USD per million tokens, with its source and date."""
    if rates is None:
        return None
    return {"input": rates.input, "output": rates.output, "source": rates.source, "dated": rates.dated}


def plain(one: Quote) -> dict[str, object]:
    """A quote as JSON has it: amounts in dollars as text, exactly."""

    def usd(value: object) -> str | None:
        return None if value is None else str(value).replace("$", "")

    return {
        "model": one.model,
        "input_tokens": {
            "low": one.input_tokens.low,
            "expected": one.input_tokens.expected,
            "high": one.input_tokens.high,
            "exact": one.input_tokens.how == "counted",
        },
        "output_tokens": {"expected": one.output_expected, "cap": one.output_cap, "from": one.expected_from},
        "low_usd": usd(one.low),
        "expected_usd": usd(one.expected),
        "ceiling_usd": usd(one.ceiling),
        "difference_usd": usd(one.difference),
        "says": one.says,
        "context_left": one.context_left,
        "price": rates_told(one.rates),
        "budgets": [structs.asdict(each) for each in one.budgets],
    }
