"""Alerts: what a person should know of."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from ownkey.app.alerting import AlertBox
from ownkey.app.house import House
from ownkey.server.api.forms import Form, Known, Shape, SignedIn, TheHouse
from ownkey.server.doors import Principal, nothing_here
from ownkey.spending.budget import Unit
from ownkey.store.alerts import AlertRow

router = APIRouter(prefix="/api/byok/alerts", tags=["alerts"])


class FactsShape(BaseModel):
    """What an alert is about: what its kind tells. Of a budget: `limit`, `spent` and `pending` in its `unit`, `about`
    the per cent that are spent, or `refused`. Of a price: nano-USD per million tokens, as it was and is. Of a key
    that fails: which, and since when. Of a day: what was spent, and is otherwise, in nano-USD."""

    model_config = ConfigDict(extra="allow")

    name: str | None = None
    limit: int | None = None
    spent: int | None = None
    pending: int | None = None
    unit: Unit | None = None
    about: str | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    provider: str | None = None
    model: str | None = None
    before: dict[str, Any] | None = None
    now: dict[str, Any] | None = None
    key_id: str | None = None
    label: str | None = None
    since_ms: int | None = None
    spent_nano: int | None = None
    expected_nano: int | None = None
    day_ms: int | None = None


class AlertShape(Shape):
    """`facts` has what its kind tells, and nothing else."""

    id: str
    kind: str
    message: str
    facts: FactsShape
    budget_id: str | None
    at_ms: int
    seen_at_ms: int | None


class AlertsShape(Shape):
    alerts: list[AlertShape]


class SeenForm(Form):
    ids: list[str]


class SeenShape(Shape):
    """How many had not been seen before."""

    seen: int


@router.get("", response_model_exclude_unset=True)
def list_alerts(principal: Known, house: TheHouse, seen: Annotated[bool, Query()] = False) -> AlertsShape:
    """Those not seen yet, newest first; with `seen` the others after them."""
    return AlertsShape(alerts=[_shape(row) for row in _of(principal, house, seen=seen)])


@router.post("/seen")
def see_alerts(form: SeenForm, principal: SignedIn, house: TheHouse) -> SeenShape:
    principal.changes()
    there = {row.id for row in _of(principal, house, seen=True)}
    if any(id not in there for id in form.ids):
        raise nothing_here()
    return SeenShape(seen=AlertBox(house, principal.owner).see(form.ids))


def _of(principal: Principal, house: House, *, seen: bool) -> list[AlertRow]:
    """What concerns everybody tells what everybody spends: it is for who may see that."""
    rows = AlertBox(house, principal.owner).listed(seen=seen, limit=2**31 - 1)
    return [row for row in rows if principal.sees_all or row.owner == principal.owner]


def _shape(row: AlertRow) -> AlertShape:
    plain = {name: getattr(row, name) for name in AlertShape.model_fields if name != "facts"}
    return AlertShape(facts=FactsShape.model_validate_json(row.facts), **plain)
