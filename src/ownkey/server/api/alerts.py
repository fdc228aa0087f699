"""Alerts: what a person should know of."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query

from ownkey.app.alerting import AlertBox
from ownkey.app.house import House
from ownkey.server.api.forms import Form, Known, Shape, SignedIn, TheHouse
from ownkey.server.doors import Principal, nothing_here
from ownkey.store.alerts import AlertRow

router = APIRouter(prefix="/api/byok/alerts", tags=["alerts"])


class AlertShape(Shape):
    id: str
    kind: str
    message: str
    facts: dict[str, Any]
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


@router.get("")
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
    return AlertShape(facts=msgspec.json.decode(row.facts), **plain)
