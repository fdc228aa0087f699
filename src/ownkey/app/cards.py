"""Providers as cards: each with how it stands in words, and what this month cost."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from ownkey.app.condition import ConditionBook, ProviderHealth
from ownkey.app.providers import Providers, ProviderView
from ownkey.app.standing import KeyView, views
from ownkey.catalog.manifest import Provider
from ownkey.spending.window import Window, span

if TYPE_CHECKING:
    from ownkey.app.house import House

State = Literal[
    "off", "no_key", "wanting", "refused", "paused", "expired", "resting", "failing", "connected", "untested"
]


class Card(Struct, frozen=True, kw_only=True):
    """`state`, in words in `says`, since `since_ms` or until `until_ms` where that is known. `keys`: the asking
    person's. `own`: a file was added for it. `month_nano`: what that person spent there this month, UTC."""

    view: ProviderView
    state: State
    says: str
    since_ms: int | None
    until_ms: int | None
    own: bool
    month_nano: int
    prices_known: bool


def cards(house: House, owner: str, found: Sequence[ProviderView] | None = None) -> list[Card]:
    """Of these, or of all."""
    found = Providers(house, owner).listed() if found is None else found
    keys: dict[str, list[KeyView]] = {}
    for key in views(house, owner):
        keys.setdefault(key.provider, []).append(key)
    health = {one.provider: one for one in ConditionBook(house, owner).listed()}
    since_ms, _ = span(Window("month"), time.time_ns() // 1_000_000)
    totals = house.store.usage.totals(("provider",), since_ms=since_ms, where={"owner": owner})
    spent = {str(total.group["provider"]): total.cost_nano for total in totals}
    return [
        _card(house, view, keys.get(view.provider.id, []), health.get(view.provider.id), spent.get(view.provider.id, 0))
        for view in found
    ]


def _card(
    house: House, view: ProviderView, keys: Sequence[KeyView], health: ProviderHealth | None, month_nano: int
) -> Card:
    state, says, since_ms, until_ms = _standing(view, keys, health)
    return Card(
        view=view,
        state=state,
        says=says,
        since_ms=since_ms,
        until_ms=until_ms,
        own=not house.catalogue.is_shipped(view.provider.id),
        month_nano=month_nano,
        prices_known=prices_known(view.provider),
    )


def prices_known(provider: Provider) -> bool:
    """Of any of its models, or that nothing is paid."""
    priced = any(model.price is not None for model in provider.models)
    return provider.free or provider.kind != "cloud" or provider.prices is not None or priced


def _standing(
    view: ProviderView, keys: Sequence[KeyView], health: ProviderHealth | None
) -> tuple[State, str, int | None, int | None]:
    name = view.provider.name
    if not view.enabled:
        return "off", "Switched off.", None, None
    if view.provider.kind == "cloud" and not keys:
        return "no_key", "No key yet.", None, None
    ready = [key for key in keys if key.state == "ready"]
    if keys and not ready and keys[0].state != "elsewhere":
        return _of_key(name, keys[0])
    if view.lack is not None:
        return "wanting", f"{view.lack.says[:1].upper()}{view.lack.says[1:]}.", None, None
    if ready and all(key.rests_until_ms for key in ready):
        until_ms = min(key.rests_until_ms or 0 for key in ready)
        return "resting", f"{name} wants no more requests just now.", None, until_ms
    if health is not None and health.state in ("resting", "failing"):
        since_ms = min((one.since_ms for one in health.targets if one.since_ms), default=None)
        return health.state, f"{name} does not answer as it should just now.", since_ms, None
    answers = health is not None and health.state in ("well", "probing")
    taken = any(key.valid or (answers and key.used_at_ms) for key in ready)
    if taken or (answers and not keys) or view.provider.kind == "demo":
        return "connected", "Connected.", None, None
    return "untested", "Not asked yet.", None, None


def _of_key(name: str, key: KeyView) -> tuple[State, str, int | None, int | None]:
    if key.state == "refused":
        why = key.why or "its provider refuses it"
        says = f"{name} refuses the key." if why == "its provider refuses it" else f"{why[:1].upper()}{why[1:]}."
        return "refused", says, key.checked_at_ms, None
    if key.state == "expired":
        return "expired", "The key has expired.", key.expires_at_ms, None
    return "paused", "The key is paused.", None, None
