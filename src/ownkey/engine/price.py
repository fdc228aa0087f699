"""What one try costs at most, and at which rates it is charged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVarTuple

import msgspec

from ownkey.catalog.manifest import Provider
from ownkey.engine.attempt import Made, price_text
from ownkey.engine.request import Request
from ownkey.engine.target import Target
from ownkey.spending.budget import Budget, Falls
from ownkey.spending.catalogue import Prices
from ownkey.spending.price import Rates, bound_input, ceiling
from ownkey.spending.terms import AUTO, AUTO_MAY_BE, PLAIN, Terms, terms_of
from ownkey.talk.consent import Reason
from ownkey.talk.errors import BudgetExceeded, PriceUnknown

Rest = TypeVarTuple("Rest")

# What is set aside for an output that nobody bounded: neither the caller, nor the wire, nor what is known of the model.
UNBOUNDED_OUTPUT_TOKENS = 131_072

_CONSENT = (
    "`--accept-unknown-price`, in Python `accept_unknown_price=True`, "
    "or the header `x-ownkey-accept-unknown-price: yes`."
)


def priced(prices: Prices, request: Request, target: Target, *, size: int, cap: int | None, passes: bool) -> Made:
    """What `size` bytes with the output cap `cap` cost at most. `passes`: the client's fields go to the provider.

    Raises PriceUnknown where nobody knows, or nothing bounds it, and the caller did not say to go on.
    """
    provider, model, at = target.provider, target.model, datetime.now(UTC)
    rates = prices.rates(provider, model, at)
    if rates is None:
        if not request.price_accepted:
            raise price_unknown(provider, model)
        return _unpriced(request, target, size, cap)
    terms = terms_of(request.ask.fields) if passes and request.ask is not None else PLAIN
    options: dict[str, Rates] = {}
    if (terms is not PLAIN or _charges_more(target, rates)) and rates.source != "free":
        found = _options(prices, target, rates, terms, at)
        if isinstance(found, str):
            if not request.price_accepted:
                raise unbounded(provider, model, found)
            return _unpriced(request, target, size, cap)
        options = found
    facts = target.facts
    output = cap or facts.max_output or facts.context or UNBOUNDED_OUTPUT_TOKENS
    tokens = bound_input(size, text_only=request.text_only, context=facts.context)
    held, charged, price = 0, rates, price_text(rates)
    chargeable = tuple(options.values()) if len(options) > 1 else (rates,)
    for one in chargeable:
        bound = ceiling(one, input_tokens=tokens, output_tokens=output, choices=request.choices)
        held, charged = (bound, one) if bound > held else (held, charged)
    if len(options) > 1:
        # Where the answer does not say its tier, it is charged at the one that was asked for, `auto` at the dearest.
        charged, price = options.get(terms.value, charged), msgspec.json.encode(options).decode()
    return Made(
        charged,
        held,
        size,
        tokens,
        output,
        request.choices,
        chargeable,
        tier=terms.value if terms.field == "service_tier" else None,
        price=price,
        rates_in=lambda tier: prices.rates(provider, model, at, {"service_tier": tier}),
    )


def in_dollars(falls: Falls, price: Callable[[], tuple[Made, *Rest]]) -> tuple[Made, *Rest]:
    """What `price` gives. Where a budget in dollars applies, a price that nobody knows is refused, not asked about."""
    try:
        found = price()
    except PriceUnknown as error:
        if (budget := _in_dollars(falls)) is not None:
            raise _no_price(budget, error.message) from None
        raise
    if found[0].rates is None and (budget := _in_dollars(falls)) is not None:
        raise _no_price(budget, "What this costs is not known.")
    return found


def _in_dollars(falls: Falls) -> Budget | None:
    return next((each for each in falls.budgets if each.unit == "usd" and each.limit is not None), None)


def _no_price(budget: Budget, said: str) -> BudgetExceeded:
    return BudgetExceeded(
        f"{said} The budget {budget.name or budget.id} is in dollars.",
        "Give its price: `ownkey prices set PROVIDER/MODEL`, or choose another model.",
        budget=budget.id,
        move_on=budget.exhausted == "fall_back",
    )


def priced_tokens(
    prices: Prices,
    target: Target,
    *,
    accepted: bool,
    input_tokens: int,
    output_tokens: int = 0,
    choices: int = 1,
    size: int = 0,
) -> Made:
    """What so many tokens cost at most; `output_tokens` is the bound of one choice, `size` what is counted from.

    Raises as `priced` does; `accepted`: the caller said to go on.
    """
    provider, model = target.provider, target.model
    rates = prices.rates(provider, model, datetime.now(UTC))
    if rates is not None and not _charges_more(target, rates):
        held = ceiling(rates, input_tokens=input_tokens, output_tokens=output_tokens, choices=choices)
        return Made(
            rates, held, size, input_tokens, output_tokens, choices, (rates,), tier=None, price=price_text(rates)
        )
    if not accepted:
        raise price_unknown(provider, model) if rates is None else unbounded(provider, model, "model")
    return Made(None, 0, size, input_tokens, output_tokens, choices)


def _unpriced(request: Request, target: Target, size: int, cap: int | None) -> Made:
    facts = target.facts
    tokens = bound_input(size, text_only=request.text_only, context=facts.context)
    return Made(None, 0, size, tokens, cap or facts.max_output or UNBOUNDED_OUTPUT_TOKENS, request.choices)


def _options(prices: Prices, target: Target, plain: Rates, terms: Terms, at: datetime) -> dict[str, Rates] | str:
    """The rates that may be charged, by tier, the plain ones always among them; or the field that nothing bounds."""
    if _charges_more(target, plain):
        return "model"
    if terms.unbounded is not None:
        return terms.unbounded
    options = {"default": plain}
    for tier in AUTO_MAY_BE if terms.value == AUTO else (terms.value,):
        rates = prices.rates(target.provider, target.model, at, {terms.field: tier})
        # The catalogue gives the plain rates for a tier that it does not know.
        if rates is not None and rates != plain:
            options[tier] = rates
        elif terms.may_be_dearer and terms.value != AUTO:
            return terms.field
    return options


def _charges_more(target: Target, rates: Rates) -> bool:
    """Whether more is charged than these rates say. Where its owner has set what each call costs, they say it all."""
    return target.charges_more and rates.source != "free" and not (rates.source == "owner" and rates.per_request)


def price_unknown(provider: Provider, model: str) -> PriceUnknown:
    says = f"What {provider.id}/{model} costs is not known."
    return PriceUnknown(
        says,
        f"Give its price in the provider's file, or go on all the same: {_CONSENT}",
        param="model",
        reasons=(Reason("price_unknown", says, model=f"{provider.id}/{model}"),),
    )


def unbounded(provider: Provider, model: str, field: str) -> PriceUnknown:
    says = f"What {provider.id}/{model} costs at most is not known: `{field}` asks for more than tokens at its price."
    return PriceUnknown(
        says,
        f"Leave it out, or go on all the same: {_CONSENT}",
        param=field,
        reasons=(Reason("price_unknown", says, model=f"{provider.id}/{model}", field=field),),
    )
