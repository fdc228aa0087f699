"""What a request will cost at each of some models, told before it is sent."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from ownkey.app.fitting import fits, held_at_most
from ownkey.engine.engine import Sized
from ownkey.engine.request import Request
from ownkey.spending.budget import Count, Place
from ownkey.spending.price import Line, Tier
from ownkey.spending.quote import ENOUGH_CALLS, NoQuote, Quote, Usual, difference, quote
from ownkey.spending.tokens import Known, Tokens, count_chat, estimate
from ownkey.store.posting import DAY_MS, today_ms
from ownkey.store.usage import UsageTotal
from ownkey.talk.errors import InvalidRequest, OwnkeyError, RequestError

if TYPE_CHECKING:
    from ownkey.app.house import House

MOST_MODELS = 50
HISTORY_MS = 30 * DAY_MS


class Quotes(Struct, frozen=True):
    """One for each model, in the order in which they were asked for, and that of the current one."""

    each: list[Quote | NoQuote]
    current: Quote | NoQuote


class _Name(Struct, frozen=True):
    """A model to be quoted, the name that it was asked for by, and its turn among those of that name."""

    model: str
    asked: str
    turn: int = 1


class _Ready(Struct, frozen=True):
    name: _Name
    sized: Sized


def quotes(house: House, request: Request, models: Sequence[str], current: str | None = None) -> Quotes:
    """`current` is the model that is used now, the first where none is said. Of several with commas between each is
    quoted, in the order in which they are tried.

    What is in the way of asking one is said in its place. Raises it where no other can be asked, and InvalidRequest.
    It may take long where there is much to count; no other thread waits for it.
    """
    names = [name for model in models for name in _names(model)]
    if not 1 <= len(names) <= MOST_MODELS:
        raise InvalidRequest(f"A quote is for 1 to {MOST_MODELS} models.", param="models")
    beside = [] if current is None or current in models else list(_names(current))[:1]
    # Budgets are known a second old elsewhere.
    house.store.budgets.current(anew=True)
    ready = [_ready(house, request, name) for name in (*names, *beside)]
    failed = [one.error for one in ready if isinstance(one, NoQuote)]
    if all(isinstance(one, NoQuote) for one in ready[: len(names)]):
        raise failed[0]
    found = _quoted(house, request, ready)
    base = _first(found, current or models[0])
    return Quotes([_compared(one, base) for one in found[: len(names)]], _compared(base, base))


def _names(asked: str) -> Iterable[_Name]:
    models = [name for part in asked.split(",") if (name := part.strip())]
    return (_Name(model, asked, turn) for turn, model in enumerate(models or [asked], 1))


def _first(found: Sequence[Quote | NoQuote], asked: str) -> Quote | NoQuote:
    """Of several with commas between, the first that can be asked."""
    mine = [one for one in found if one.asked == asked]
    return next((one for one in mine if one.error is None), mine[0])


def _compared(one: Quote | NoQuote, base: Quote | NoQuote) -> Quote | NoQuote:
    if isinstance(one, NoQuote):
        return one
    more, says = difference(one, base)
    return structs.replace(one, difference=more, says=says)


def quoted(house: House, request: Request, kept: dict[tuple[str, str], Usual | None], known: Known) -> Quote:
    """One of many requests: what is known of each model's runs, and of texts, is `kept` and `known` between them."""
    name = _Name(request.model, request.model)
    ready = _Ready(name, house.engine.sized(structs.replace(request, price_accepted=True)))
    model = (ready.sized.target.provider.id, ready.sized.target.model)
    if model not in kept:
        kept[model] = _usual(house, request, {model}).get(model)
    usual = kept[model]
    return _quote(request, ready, None, {} if usual is None else {model: usual}, known)


def _ready(house: House, request: Request, name: _Name) -> _Ready | NoQuote:
    own = structs.replace(request, model=name.model, price_accepted=True)
    try:
        ready = _Ready(name, house.engine.sized(own))
    except OwnkeyError as error:
        return NoQuote(name.model, error, name.asked, name.turn)
    # Its words are read once for all.
    request.chat = own.chat
    return ready


def _quoted(house: House, request: Request, ready: Sequence[_Ready | NoQuote]) -> list[Quote | NoQuote]:
    sized = [one.sized for one in ready if isinstance(one, _Ready)]
    places = [place for one in sized for place in one.falls.places]
    counts = house.store.budgets.counts(places) if places else {}
    usual = _usual(house, request, {(one.target.provider.id, one.target.model) for one in sized})
    known: Known = {}
    return [one if isinstance(one, NoQuote) else _quote(request, one, counts, usual, known) for one in ready]


def _quote(
    request: Request,
    ready: _Ready,
    counts: Mapping[Place, Count] | None,
    usual: Mapping[tuple[str, str], Usual],
    known: Known,
) -> Quote:
    sized, name = ready.sized, ready.name
    target, made = sized.target, sized.made
    ceiling_nano, output_cap = held_at_most(sized)
    found = quote(
        target.name,
        _tokens(request, sized, known),
        made.rates,
        output_cap=output_cap,
        choices=made.choices,
        ceiling_nano=ceiling_nano,
        context=target.facts.context,
        usual=usual.get((target.provider.id, target.model)),
        asked_output=request.max_output,
        tier=made.tier,
        budgets=() if counts is None else fits(sized, counts),
    )
    return structs.replace(found, asked=name.asked, turn=name.turn)


def _tokens(request: Request, sized: Sized, known: Known) -> Tokens:
    """Never more than what is held for."""
    made = sized.made
    try:
        counted = count_chat(request.as_chat(), sized.target.model, known)
    except RequestError:
        # What passes through need not be known here.
        counted = estimate(made.size_bytes)
    most = made.input_tokens
    return Tokens(min(counted.low, most), min(counted.expected, most), min(counted.high, most), counted.how)


def _usual(house: House, request: Request, models: set[tuple[str, str]]) -> dict[tuple[str, str], Usual]:
    """Of this automation's runs, else of this person's, else of everybody's here, where there are enough of them.

    How much is cached is told by one's own runs alone: others' prompts are others'.
    """
    # Whole days are read from their sums.
    since_ms = today_ms(time.time_ns() // 1_000_000) - HISTORY_MS
    tries: list[tuple[str, bool, dict[str, str]]] = [
        ("your runs of this model", True, {"owner": request.owner}),
        ("runs of this model here", False, {}),
    ]
    if request.automation is not None:
        own = {"owner": request.owner, "automation": request.automation}
        tries.insert(0, ("this automation's runs", True, own))
    usual: dict[tuple[str, str], Usual] = {}
    for of, mine, who in tries:
        if usual.keys() >= models:
            break
        for past in house.store.usage.totals(("provider", "model"), since_ms=since_ms, where=who):
            model = (str(past.group["provider"]), str(past.group["model"]))
            if model in models and model not in usual and past.calls - past.failed >= ENOUGH_CALLS:
                usual[model] = _average(past, of, cached=mine)
    return usual


def _average(past: UsageTotal, of: str, *, cached: bool) -> Usual:
    output = -(-past.output_tokens // (past.calls - past.failed))
    if not cached or not past.input_tokens:
        return Usual(output, 0.0, of)
    read, written = (min(1.0, part / past.input_tokens) for part in (past.cached_tokens, past.cache_write_tokens))
    return Usual(output, read, of, written)


def plain(one: Quote | NoQuote) -> dict[str, object]:
    """A quote as JSON has it: amounts in dollars as text, exactly; rates in nano-USD per million tokens."""
    if isinstance(one, NoQuote):
        error = {"code": one.error.code, "message": one.error.message, "hint": one.error.hint}
        return {"model": one.model, "asked": one.asked, "turn": one.turn, "error": error}

    def usd(value: object) -> str | None:
        return None if value is None else str(value).replace("$", "")

    return {
        "model": one.model,
        "asked": one.asked,
        "turn": one.turn,
        "error": None,
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
        "price": _price(one),
        "budgets": [{"fits": each.fits, **structs.asdict(each)} for each in one.budgets],
    }


def _price(one: Quote) -> dict[str, object] | None:
    """The rates that were used. `over`: they are those of input of more than so many tokens."""
    if one.rates is None or one.line is None:
        return None
    price: dict[str, object] = {name: getattr(one.line, name) for name in Line.__struct_fields__}
    price["over"] = one.line.over if isinstance(one.line, Tier) else None
    for name in ("per_request", "source", "dated"):
        price[name] = getattr(one.rates, name)
    price["tier"] = one.tier
    return price
