"""What a person should be told of that no single run knows: keys that stopped working, changed prices, unusual days."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import structs

from ownkey.catalog.manifest import Provider
from ownkey.spending.forecast import RECENT_DAYS, unusual
from ownkey.spending.price import Line, Rates
from ownkey.spending.quote import about
from ownkey.store.posting import DAY_MS, HOUR_MS, Alert
from ownkey.store.signs import KeyUse, ModelUse
from ownkey.talk.errors import InvalidCredentials, OwnkeyError
from ownkey.talk.money import say_usd

if TYPE_CHECKING:
    from ownkey.app.house import House

REFUSALS = 3
REFUSED_WITHIN_MS = 6 * HOUR_MS
IN_USE_MS = 30 * DAY_MS

Numbers = dict[str, Any]
"""The rates of a model without where they are from; what is None or nothing is left out."""


def signs(house: House, at_ms: int) -> Iterator[Alert]:
    """Everything there is to be told of now; what has been told already has the same id again."""
    yield from keys(house, at_ms)
    yield from prices(house, at_ms)
    yield from spending(house, at_ms)


def keys(house: House, at_ms: int) -> Iterator[Alert]:
    """Each key whose last tries its provider refused. Once, until it has worked again or was replaced."""
    for use in house.store.signs.keys(at_ms - REFUSED_WITHIN_MS, at_ms - IN_USE_MS):
        row = house.store.keys.get(use.key_id)
        if row is None:
            continue
        since_ms = max(at_ms - REFUSED_WITHIN_MS, row.created_at_ms)
        last = house.store.signs.tries(use.key_id, (InvalidCredentials.code,), since_ms, REFUSALS)
        if len(last) < REFUSALS or any(one.error is None for one in last):
            continue
        yield Alert(
            id=f"key:{row.id}:{row.version}:{_worked_ms(house, use)}",
            kind="key_failing",
            owner=row.owner,
            budget_id=None,
            message=f"{_name(house, row.provider)} refuses your key {row.label}: the last {REFUSALS} tries failed.",
            facts=_json(
                {"provider": row.provider, "key_id": row.id, "label": row.label, "since_ms": last[-1].started_at_ms}
            ),
            at_ms=at_ms,
        )


def prices(house: House, at_ms: int) -> Iterator[Alert]:
    """Each model in use that costs other than what was told last, or else than what it was charged at first."""
    house.store.bring(house.prices)
    for use in house.store.signs.models(at_ms - IN_USE_MS):
        try:
            provider = house.catalogue.get(use.provider)
        except OwnkeyError:
            continue
        subject = f"price:{use.provider}/{use.model}"
        told = dict(_told(house, subject))
        before = told[max(told)]["now"] if told else _charged(house, use)
        rates = [house.prices.rates(provider, use.model, at) for at in _hours(at_ms)]
        # Where the hour of the day makes the price, noon stands for the day.
        now = _numbers(rates[len(rates) // 2])
        if (before is None and not told) or before == now or before in map(_numbers, rates):
            continue
        yield Alert(
            id=f"{subject}:{max(told, default=0) + 1}",
            kind="price_missing" if now is None else "price_changed",
            owner=None,
            budget_id=None,
            message=_price_message(provider, use.model, before, now),
            facts=_json({"provider": use.provider, "model": use.model, "before": before, "now": now}),
            at_ms=at_ms,
        )


def spending(house: House, at_ms: int) -> Iterator[Alert]:
    """Whether far more was spent today, by UTC, than on the days before. Once a day."""
    days = house.store.usage.totals(("day",), since_ms=at_ms - RECENT_DAYS * DAY_MS, until_ms=at_ms + 1)
    today_ms = at_ms - at_ms % DAY_MS
    by_day = {_day(int(total.group["day"])): total.cost_nano for total in days}
    found = unusual(by_day, _day(today_ms), (at_ms - today_ms) / DAY_MS)
    if found is not None:
        usual = f"{about(found.expected)} by this time" if found.expected else "next to nothing"
        yield Alert(
            id=f"unusual:{today_ms}",
            kind="unusual_spending",
            owner=None,
            budget_id=None,
            message=f"{about(found.spent)} have been spent today; usual is {usual}.",
            facts=_json({"spent_nano": found.spent, "expected_nano": found.expected, "day_ms": today_ms}),
            at_ms=at_ms,
        )


def _worked_ms(house: House, use: KeyUse) -> int:
    """When the key worked last; 0 where it never did."""
    if use.worked_ms is None:
        return 0
    found = house.store.signs.tries(use.key_id, (), use.worked_ms, 1)
    return found[0].started_at_ms if found else use.worked_ms


def _told(house: House, subject: str) -> Iterator[tuple[int, Numbers]]:
    for row in house.store.alerts.about(subject):
        name, _, number = row.id.rpartition(":")
        if name == subject and number.isdecimal():
            yield int(number), msgspec.json.decode(row.facts)


def _charged(house: House, use: ModelUse) -> Numbers | None:
    """At what the model was charged, as the book has it: plain rates, or those of each tier that could be charged."""
    text = house.store.signs.price(use)
    if text is None:
        return None
    kept: dict[str, Any] = msgspec.json.decode(text)
    try:
        return _numbers(msgspec.convert(kept.get("default", kept), Rates))
    except msgspec.ValidationError:
        return None


def _numbers(rates: Rates | None) -> Numbers | None:
    if rates is None:
        return None
    kept = msgspec.to_builtins(rates)
    return {name: value for name, value in kept.items() if name not in ("source", "dated") and value}


def _day(at_ms: int) -> date:
    return datetime.fromtimestamp(at_ms / 1000, UTC).date()


def _hours(at_ms: int) -> list[datetime]:
    midnight = datetime.fromtimestamp((at_ms - at_ms % DAY_MS) / 1000, UTC)
    return [midnight + timedelta(hours=hour) for hour in range(24)]


def _price_message(provider: Provider, model: str, before: Numbers | None, now: Numbers | None) -> str:
    name = f"{provider.id}/{model}"
    if now is None:
        return f"The price of {name} is not known any more: budgets in dollars refuse it, and without one it is asked."
    if before is None:
        return f"The price of {name} is known again: {_changes({}, now)}."
    return f"The price of {name} has changed: {_changes(before, now)}."


def _changes(before: Numbers, now: Numbers) -> str:
    """`input $2.50 to $3.00 a million tokens, …`: of the plain rates; others stand in the facts."""
    said: list[str] = []
    for rate in (field.name for field in structs.fields(Line)):
        was, is_ = before.get(rate), now.get(rate)
        if was != is_:
            parts = [say_usd(amount) for amount in (was, is_) if amount is not None]
            said.append(f"{rate.replace('_', ' ')} {' to '.join(parts)}{'' if is_ is not None else ' to nothing'}")
    return f"{', '.join(said)} a million tokens" if said else "its tiers, or what each request costs"


def _name(house: House, provider: str) -> str:
    try:
        return house.catalogue.get(provider).name
    except OwnkeyError:
        return provider


def _json(facts: dict[str, Any]) -> str:
    return msgspec.json.encode(facts).decode()
