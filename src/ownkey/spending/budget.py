"""Budgets: what they are for, which of them an attempt falls under, and whether it fits. Pure.

What is counted of an attempt: nano-USD, tokens in and out together, or the attempt itself. What is held counts as
pending until it ends; what was charged counts as spent. An attempt is counted in the window in which it began.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from msgspec import Struct

from ownkey.spending.window import Window, span

Unit = Literal["usd", "tokens", "requests"]
Exhausted = Literal["refuse", "fall_back", "ask"]

SCOPES = ("owner", "provider", "model", "key_id", "token_id", "automation")
"""What a budget may be for; one that names none of them is for the whole house. Of a row of the book, in this order."""

RUN_TOKENS = 16_384
"""The most output that a run is given where a budget applies and nobody said how much."""


class Budget(Struct, frozen=True, kw_only=True):
    """A limit over a window, caps for each run, or both, for all attempts that agree with what it names.

    `limit` is in nano-USD, tokens or requests, as `unit` says. `exhausted`: what happens when an attempt does not fit.
    `run_hard_*` refuses a run that may take more; `run_soft_*` warns of it, or asks first, as `run_soft` says.
    `alert_percent` of the limit spent is told. `share_percent`: of the limit, what one owner may have pending.
    """

    id: str
    name: str = ""
    owner: str | None = None
    provider: str | None = None
    model: str | None = None
    key_id: str | None = None
    token_id: str | None = None
    automation: str | None = None
    unit: Unit = "usd"
    limit: int | None = None
    window: Window = Window()
    exhausted: Exhausted = "refuse"
    alert_percent: int | None = 80
    run_soft: Literal["warn", "ask"] = "warn"
    run_soft_nano: int | None = None
    run_hard_nano: int | None = None
    run_soft_tokens: int | None = None
    run_hard_tokens: int | None = None
    share_percent: int | None = None
    created_at_ms: int = 0


class Count(Struct):
    """Of one budget in one window, in the budget's unit."""

    spent: int = 0
    pending: int = 0


class Room(Struct, frozen=True, kw_only=True):
    """How one budget stands at a time: its window, what was spent, what is pending, and what is left of the limit."""

    budget: Budget
    start_ms: int
    end_ms: int
    spent: int
    pending: int

    @property
    def left(self) -> int | None:
        """None where there is no limit; 0 where it is passed, as by a limit that was lowered."""
        limit = self.budget.limit
        return None if limit is None else max(0, limit - self.spent - self.pending)


class Refused(Struct, frozen=True):
    """Why a hold was not given: the budget as it stood, and how much of its unit the attempt may take.

    `why`: the limit, the cap of a run, what one owner may have pending, or a price that nobody knows. `later`: it may
    fit when what is pending has ended.
    """

    room: Room
    needs: int
    why: Literal["limit", "run", "share", "price"]
    later: bool = False


Place = tuple[str, int, str]
"""A counter: the budget, the start of the window, and the owner whose pending share it counts, or nothing."""

Scope = tuple[str, str, str, str | None, str | None, str | None]
"""What an attempt is, in the order of `SCOPES`."""


class Falls(Struct, frozen=True):
    """Where an attempt is counted that begins in [from_ms, until_ms): for each budget with a limit its counters."""

    budgets: tuple[Budget, ...]
    places: tuple[tuple[Budget, Place], ...]
    from_ms: int
    until_ms: int


NOWHERE = Falls((), (), 0, 2**63)

_KEPT_AT_MOST = 10_000


class Budgets:
    """All of them, found by what an attempt is. `version` is that of the database they are from."""

    def __init__(self, budgets: Iterable[Budget] = (), version: int = 0) -> None:
        self.version = version
        self.all = {budget.id: budget for budget in budgets}
        self._shapes: dict[tuple[int, ...], dict[Any, list[Budget]]] = {}
        self._known: dict[Scope, Falls] = {}
        for budget in self.all.values():
            scope = [getattr(budget, name) for name in SCOPES]
            shape = tuple(place for place, named in enumerate(scope) if named is not None)
            named = tuple(scope[place] for place in shape)
            self._shapes.setdefault(shape, {}).setdefault(named, []).append(budget)

    def __bool__(self) -> bool:
        return bool(self.all)

    def of(self, scope: Scope, at_ms: int) -> Falls:
        """The budgets that an attempt falls under which begins at that time."""
        if not self.all:
            return NOWHERE
        known = self._known.get(scope)
        if known is None or not known.from_ms <= at_ms < known.until_ms:
            known = self._find(scope, at_ms)
            if len(self._known) >= _KEPT_AT_MOST:
                self._known.clear()
            self._known[scope] = known
        return known

    def _find(self, scope: Scope, at_ms: int) -> Falls:
        found: list[Budget] = []
        for shape, named in self._shapes.items():
            found += named.get(tuple(scope[place] for place in shape), ())
        places: list[tuple[Budget, Place]] = []
        from_ms, until_ms = 0, NOWHERE.until_ms
        for budget in found:
            if budget.limit is None:
                continue
            start_ms, end_ms = span(budget.window, at_ms)
            from_ms, until_ms = max(from_ms, start_ms), min(until_ms, end_ms)
            places.append((budget, (budget.id, start_ms, "")))
            if budget.share_percent is not None:
                places.append((budget, (budget.id, start_ms, scope[0])))
        return Falls(tuple(found), tuple(places), from_ms, until_ms)


def room_in(budget: Budget, place: Place, count: Count) -> int:
    """What may still be held at this counter; below 0 where the limit is passed."""
    assert budget.limit is not None
    if place[2]:
        assert budget.share_percent is not None
        return budget.limit * budget.share_percent // 100 - count.pending
    return budget.limit - count.spent - count.pending
