"""How a person's keys stand: what may be shown of each, whether it can be used, and what it has spent."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from ownkey.engine.target import locate
from ownkey.spending.budget import Budget
from ownkey.spending.window import Window, span
from ownkey.store.keys import GRANTED, KeyRow
from ownkey.talk.errors import InvalidCredentials, KeyUnreadable, OwnkeyError, QuotaExceeded

if TYPE_CHECKING:
    from ownkey.app.house import House

State = Literal["ready", "paused", "expired", "refused", "elsewhere"]

_WHY = {
    InvalidCredentials.code: "its provider refuses it",
    QuotaExceeded.code: "its account at the provider is used up",
    KeyUnreadable.code: "it cannot be opened",
}


class KeyView(Struct, frozen=True, kw_only=True):
    """A key, masked. `position` counts from 1, as its provider's keys are tried. `valid`: whether its provider took it
    when it was last known, at `checked_at_ms`; None where nobody has asked.

    `state`: `elsewhere` is a key for another endpoint than the one that is set; `why` says more of what is not ready.
    `limit_nano` is what its monthly budget allows, in nano-USD; `spent_nano` what was spent with it this month, UTC, or
    in the month as that budget counts it. `models`: the patterns that it may be used for; none: for all.
    `rests_until_ms`: until when its provider wants no more requests with it.
    """

    id: str
    provider: str
    label: str
    masked: str
    origin: str
    source: Literal["stored", "environment", "granted"]
    position: int
    state: State
    why: str | None
    valid: bool | None
    models: tuple[str, ...]
    created_at_ms: int | None
    expires_at_ms: int | None
    used_at_ms: int | None
    checked_at_ms: int | None
    limit_nano: int | None
    spent_nano: int
    budget: str | None
    weight: int | None = None
    rests_until_ms: int | None = None


class Service(Struct, frozen=True):
    """A provider for which there are keys. `ready`: one of them can be used now; else `lacks` says what is wrong."""

    provider: str
    name: str
    ready: bool
    keys: int
    lacks: str | None


class Standing(Struct, frozen=True):
    """All in all: how many keys there are and how many can be used, by state, and whether the vault is open."""

    keys: int
    ready: int
    states: Mapping[State, int]
    services: int
    vault: Literal["open", "sealed"]


def views(house: House, owner: str) -> list[KeyView]:
    """Those of all providers, in the order in which they are tried. Opens none of them."""
    rows = house.vault.listed(owner)
    if not rows:
        return []
    now_ms = _now_ms()
    budgets = monthly(house.store.budgets.all())
    limited = {budgets[row.id].id for row in rows if row.id in budgets}
    rooms = {room.budget.key_id: room for room in house.store.budgets.rooms(now_ms, limited)} if limited else {}
    since_ms, _ = span(Window("month"), now_ms)
    totals = house.store.usage.totals(("key_id",), since_ms=since_ms, where={"owner": owner})
    spent = {str(total.group["key_id"]): total.cost_nano for total in totals}
    places: dict[str, int] = {}
    found: list[KeyView] = []
    for row in rows:
        places[row.provider] = places.get(row.provider, 0) + 1
        budget, room = budgets.get(row.id), rooms.get(row.id)
        state, why = state_of(house, row, now_ms)
        checked_at_ms = house.vault.notes.checked_at_ms(row)
        found.append(
            KeyView(
                id=row.id,
                provider=row.provider,
                label=row.label,
                masked=row.masked,
                origin=row.origin,
                source="granted" if row.granted else "environment" if row.from_environment else "stored",
                position=places[row.provider],
                state=state,
                why=why,
                valid=None if checked_at_ms is None else house.vault.notes.refused(row) is None,
                models=tuple((row.models or "").split()),
                created_at_ms=row.created_at_ms or None,
                expires_at_ms=row.expires_at_ms,
                used_at_ms=house.vault.notes.used_at_ms(row),
                checked_at_ms=checked_at_ms,
                limit_nano=budget.limit if budget else None,
                spent_nano=room.spent if room else spent.get(row.id, 0),
                budget=budget.name if budget else None,
                weight=row.weight,
                rests_until_ms=_later(house.vault.notes.rests_until_ms(row), now_ms),
            )
        )
    return found


def _later(until_ms: int | None, now_ms: int) -> int | None:
    return until_ms if until_ms is not None and until_ms > now_ms else None


def state_of(house: House, row: KeyRow, now_ms: int) -> tuple[State, str | None]:
    if row.paused_at_ms is not None:
        return "paused", None
    if row.expires_at_ms is not None and row.expires_at_ms <= now_ms:
        return "expired", None
    try:
        provider = house.catalogue.get(row.provider)
        origin, _ = locate(provider, "models", house.store.choices.get(row.provider))
    except OwnkeyError as error:
        return "elsewhere", error.message
    if str(origin) != row.origin:
        return "elsewhere", f"it is for {row.origin}"
    refused = house.vault.notes.refused(row)
    if refused is not None:
        return "refused", _WHY.get(refused, refused)
    return "ready", None


def services(house: House, found: Iterable[KeyView]) -> list[Service]:
    """The providers of these keys, and whether one of each can be used now."""
    by_provider: dict[str, list[KeyView]] = {}
    for view in found:
        by_provider.setdefault(view.provider, []).append(view)
    return [_service(house, provider, keys) for provider, keys in by_provider.items()]


def standing(house: House, found: list[KeyView]) -> Standing:
    states: dict[State, int] = {}
    for view in found:
        states[view.state] = states.get(view.state, 0) + 1
    ready = sum(service.ready for service in services(house, found))
    return Standing(len(found), states.get("ready", 0), states, ready, house.vault.status)


def monthly(budgets: Iterable[Budget]) -> dict[str, Budget]:
    """By key, the budget that is its monthly limit: in dollars, by the month, and of nothing but this key."""
    return {
        budget.key_id: budget
        for budget in budgets
        if budget.key_id is not None
        and (budget.unit, budget.window.period) == ("usd", "month")
        and budget.limit is not None
        and (budget.provider, budget.model, budget.token_id, budget.automation) == (None, None, None, None)
        and (budget.owner is None or budget.key_id.startswith(GRANTED))
    }


def _service(house: House, provider: str, keys: list[KeyView]) -> Service:
    try:
        name = house.catalogue.get(provider).name
    except OwnkeyError as error:
        return Service(provider, provider, ready=False, keys=len(keys), lacks=error.message)
    choice = house.store.choices.get(provider)
    if choice is not None and not choice.enabled:
        return Service(provider, name, ready=False, keys=len(keys), lacks="it is switched off")
    lacks = None if any(key.state == "ready" for key in keys) else keys[0].why or f"its key is {keys[0].state}"
    return Service(provider, name, ready=lacks is None, keys=len(keys), lacks=lacks)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
