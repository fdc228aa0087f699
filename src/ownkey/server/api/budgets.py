"""Budgets: limits that hold, each with what is spent, pending and left of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import Field

from ownkey.app.budgets import BudgetBook, Impact
from ownkey.app.house import House
from ownkey.server.api.forms import Form, Known, Owner, Removed, Shape, TheHouse
from ownkey.server.doors import Principal, nothing_here
from ownkey.spending.budget import Exhausted, Room, Unit
from ownkey.spending.preview import Preview, sentences
from ownkey.spending.window import Period

router = APIRouter(prefix="/api/byok/budgets", tags=["budgets"])
# Not under the others: a budget may be called anything.
preview_router = APIRouter(prefix="/api/byok/budget-preview", tags=["budgets"])

Amount = str | int | None
"""In dollars as text, such as "20" or "0.05"; tokens or requests as a whole number."""


class BudgetForm(Form):
    """What is given is changed, and nothing else; null takes it away. `model` is PROVIDER/MODEL. People who do not keep
    this Ownkey make budgets for what is their own: `owner` is theirs whatever they send."""

    limit: Amount = None
    unit: Literal["usd", "tokens", "requests"] | None = None
    per: Literal["day", "week", "month", "cycle", "ever"] | None = None
    zone: str | None = None
    anchor_day: int | None = None
    owner: str | None = None
    provider: str | None = None
    model: str | None = None
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


class NewBudgetForm(BudgetForm):
    name: str = Field(min_length=1, max_length=100)


class PreviewForm(BudgetForm):
    """A budget as it would be set: that of this id or name, changed, or a new one."""

    name: str = Field(default="", max_length=100)


class BudgetTerms(Shape):
    """What a budget is for and what it allows. `model` is one of `provider`; `limit` is in nano-USD, tokens or
    requests, as `unit` says."""

    id: str
    name: str
    owner: str | None
    provider: str | None
    model: str | None
    key_id: str | None
    token_id: str | None
    automation: str | None
    unit: Unit
    limit: int | None
    exhausted: Exhausted
    alert_percent: int | None
    share_percent: int | None
    run_soft: Literal["warn", "ask"]
    run_soft_nano: int | None
    run_hard_nano: int | None
    run_soft_tokens: int | None
    run_hard_tokens: int | None


class BudgetShape(BudgetTerms):
    """`spent`, `pending` and `left` are counted as `limit` is."""

    per: Period
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


class StopShape(Shape):
    """In one window: what was used of it, and the hour in which the limit was passed."""

    start_ms: int
    used: int
    at_ms: int


class CutShape(Shape):
    """Of so many tries last month, how many took more than a run may."""

    runs: int
    cut: int


class PreviewShape(Shape):
    """`says` it in sentences. Of last month's `windows`, in which of them the limit would have stopped runs (`stops`).
    `spent` and `pending` are of the window that is running, `over` by how much they are above the limit already;
    `refuses`: every run would be refused. Amounts are in the budget's unit, nano-USD where that is usd."""

    says: list[str]
    unit: str
    limit: int | None
    since_ms: int
    until_ms: int
    used: int
    windows: int
    stops: list[StopShape]
    cut: CutShape | None
    spent: int
    pending: int
    left: int | None
    over: int
    refuses: bool
    end_ms: int


@router.get("")
def list_budgets(principal: Known, house: TheHouse) -> BudgetsShape:
    rooms = BudgetBook(house, principal.owner, only=principal.house_wide).rooms()
    return BudgetsShape(budgets=[budget_shape(room) for room in rooms])


@router.post("", status_code=201)
def add_budget(form: NewBudgetForm, principal: Owner, house: TheHouse) -> ImpactShape:
    given = form.model_dump(exclude_unset=True, exclude={"name"})
    _check_owner(given, principal)
    return _impact_shape(_book(principal, house).add(form.name, **given))


@router.put("/{budget}")
def set_budget(
    budget: Annotated[str, Path(min_length=1, max_length=100)], form: BudgetForm, principal: Owner, house: TheHouse
) -> ImpactShape:
    """Change the one of this id or name, or make one of this name."""
    given = form.model_dump(exclude_unset=True)
    _check_owner(given, principal)
    return _impact_shape(_book(principal, house).set(budget, **given))


@preview_router.post("")
def preview_budget(form: PreviewForm, principal: Owner, house: TheHouse) -> PreviewShape:
    """What it would have done last month, and what it would do now. Nothing is set."""
    given = form.model_dump(exclude_unset=True, exclude={"name"})
    _check_owner(given, principal)
    return _preview(_book(principal, house).preview(form.name, **given))


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


def _impact_shape(impact: Impact) -> ImpactShape:
    return ImpactShape(budget=budget_shape(impact.room), refuses=impact.refuses)


def _check_owner(given: dict[str, Any], principal: Principal) -> None:
    if not principal.keeper and given.get("owner") not in (None, principal.owner):
        raise nothing_here()


def _preview(one: Preview) -> PreviewShape:
    room = one.room
    return PreviewShape(
        says=sentences(one),
        unit=room.budget.unit,
        limit=room.budget.limit,
        since_ms=one.since_ms,
        until_ms=one.until_ms,
        used=one.used,
        windows=one.windows,
        stops=[StopShape(start_ms=stop.start_ms, used=stop.used, at_ms=stop.at_ms) for stop in one.stops],
        cut=None if one.cut is None else CutShape(runs=one.cut.runs, cut=one.cut.cut),
        spent=room.spent,
        pending=room.pending,
        left=room.left,
        over=one.over,
        refuses=one.refuses,
        end_ms=room.end_ms,
    )


def _book(principal: Principal, house: House) -> BudgetBook:
    return BudgetBook(house, principal.owner, only=None if principal.keeper else principal.owner)
