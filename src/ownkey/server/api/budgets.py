"""Budgets: limits that hold, each with what is spent, pending and left of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path

from ownkey.app.budgets import BudgetBook
from ownkey.app.house import House
from ownkey.server.api.forms import Form, Known, Owner, Removed, Shape, TheHouse
from ownkey.server.doors import Principal, nothing_here
from ownkey.spending.budget import Room

router = APIRouter(prefix="/api/byok/budgets", tags=["budgets"])

Amount = str | int | None
"""In dollars as text, such as "20" or "0.05"; tokens or requests as a whole number."""


class BudgetForm(Form):
    """What is given is changed, and nothing else; null takes it away. People who do not keep this Ownkey make budgets
    for what is their own: `owner` is theirs whatever they send."""

    limit: Amount = None
    unit: Literal["usd", "tokens", "requests"] | None = None
    per: Literal["day", "week", "month", "cycle", "ever"] | None = None
    zone: str | None = None
    anchor_day: int | None = None
    owner: str | None = None
    provider: str | None = None
    key: str | None = None
    token: str | None = None
    automation: str | None = None
    exhausted: Literal["refuse", "fall_back", "ask"] | None = None
    alert_percent: int | None = None
    share_percent: int | None = None
    run_soft: Literal["warn", "ask"] | None = None
    run_soft_usd: Amount = None
    run_hard_usd: Amount = None
    run_soft_tokens: Amount = None
    run_hard_tokens: Amount = None


class BudgetShape(Shape):
    """Amounts of `limit`, `spent`, `pending` and `left` are in nano-USD, tokens or requests, as `unit` says."""

    id: str
    name: str
    owner: str | None
    provider: str | None
    key_id: str | None
    token_id: str | None
    automation: str | None
    unit: str
    limit: int | None
    exhausted: str
    alert_percent: int | None
    share_percent: int | None
    run_soft: str
    run_soft_nano: int | None
    run_hard_nano: int | None
    run_soft_tokens: int | None
    run_hard_tokens: int | None
    per: str
    zone: str
    anchor_day: int
    spent: int
    pending: int
    left: int | None
    start_ms: int
    end_ms: int


class BudgetsShape(Shape):
    budgets: list[BudgetShape]


class ImpactShape(Shape):
    """`refuses`: nothing is left of it, so that every run that falls under it is refused from now on."""

    budget: BudgetShape
    refuses: bool


@router.get("")
def list_budgets(principal: Known, house: TheHouse) -> BudgetsShape:
    rooms = BudgetBook(house, principal.owner, only=principal.house_wide).rooms()
    return BudgetsShape(budgets=[budget_shape(room) for room in rooms])


@router.put("/{budget}")
def set_budget(
    budget: Annotated[str, Path(min_length=1, max_length=100)], form: BudgetForm, principal: Owner, house: TheHouse
) -> ImpactShape:
    """Make one of this name, or change the one that there is."""
    given: dict[str, Any] = form.model_dump(exclude_unset=True)
    if not principal.keeper and given.get("owner") not in (None, principal.owner):
        raise nothing_here()
    impact = _book(principal, house).set(budget, **given)
    return ImpactShape(budget=budget_shape(impact.room), refuses=impact.refuses)


@router.delete("/{budget}")
def remove_budget(
    budget: Annotated[str, Path(min_length=1, max_length=100)], principal: Owner, house: TheHouse
) -> Removed:
    """By its id."""
    book = _book(principal, house)
    if all(one.id != budget for one in book.all()):
        raise nothing_here()
    book.remove(budget)
    return Removed(removed=1)


def budget_shape(room: Room) -> BudgetShape:
    budget, window = room.budget, room.budget.window
    plain = {name: getattr(budget, name) for name in BudgetShape.model_fields if hasattr(budget, name)}
    times = {"per": window.period, "zone": window.zone, "anchor_day": window.anchor_day}
    counted = {name: getattr(room, name) for name in ("spent", "pending", "left", "start_ms", "end_ms")}
    return BudgetShape(**plain, **times, **counted)


def _book(principal: Principal, house: House) -> BudgetBook:
    return BudgetBook(house, principal.owner, only=None if principal.keeper else principal.owner)
