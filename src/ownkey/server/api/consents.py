"""What a person has said yes to, and what waits for it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path
from pydantic import Field

from ownkey.app.consent import ConsentBook
from ownkey.app.waiting import Waiting
from ownkey.server.api.forms import Form, Known, Owner, Removed, Shape, TheHouse
from ownkey.server.doors import nothing_here
from ownkey.talk.consent import Kind, remembered
from ownkey.talk.errors import NotFound

router = APIRouter(prefix="/api/byok/consents", tags=["consent"])
waiting_router = APIRouter(prefix="/api/byok/waiting", tags=["consent"])

Id = Annotated[str, Path(max_length=64)]


class ConsentShape(Shape):
    """`kind`: `switch`, from the provider `source` to `target`; `soft_cap`, of the budget `target`; `price_unknown`, of
    the model `target`, or of the field `source` of a request to it."""

    id: str
    kind: str
    source: str
    target: str
    created_at_ms: int
    until_ms: int


class ConsentsShape(Shape):
    consents: list[ConsentShape]


class ReasonShape(Shape):
    """One thing to say yes to; only what its kind tells is there. `from` is the provider that was to be asked, `error`
    what came of that; `about` is what the run takes, where the `budget` has `cap` for it, in its `unit`; `field` of the
    request is what has no bound."""

    kind: Kind
    says: str
    model: str = ""
    source: Annotated[str, Field(alias="from")] = ""
    error: str = ""
    budget: str = ""
    name: str = ""
    unit: str = ""
    about: int = 0
    cap: int = 0
    field: str = ""


class EstimateShape(Shape):
    """Dollars as text, exactly; null where the price is not known."""

    model: str
    low_usd: str | None
    expected_usd: str | None
    most_usd: str | None


class WaitingShape(Shape):
    """`reasons` and `quote` are those of the answer that a request would get which does not wait."""

    id: str
    model: str
    automation: str | None
    reasons: list[ReasonShape]
    quote: EstimateShape | None
    since_ms: int
    until_ms: int


class WaitingsShape(Shape):
    waiting: list[WaitingShape]


class ApproveForm(Form):
    """`remember`: not to be asked about the same for thirty days."""

    remember: bool = False


class DecidedShape(Shape):
    approved: bool


@router.get("")
def list_consents(principal: Known, house: TheHouse) -> ConsentsShape:
    """Those that are good now."""
    found = ConsentBook(house, principal.owner).all()
    fields = ConsentShape.model_fields
    return ConsentsShape(consents=[ConsentShape(**{name: getattr(one, name) for name in fields}) for one in found])


@router.delete("/{consent}")
def remove_consent(consent: Id, principal: Owner, house: TheHouse) -> Removed:
    """Ask about it again."""
    try:
        ConsentBook(house, principal.owner).remove(consent)
    except NotFound:
        raise nothing_here() from None
    return Removed(removed=1)


@waiting_router.get("", response_model_exclude_unset=True)
def list_waiting(principal: Known, house: TheHouse) -> WaitingsShape:
    """One's own requests that wait for a yes, the longest waiting first."""
    return WaitingsShape(waiting=[_shape(one) for one in house.waiting.listed(principal.owner)])


@waiting_router.post("/{waiting}/approve")
def approve_waiting(waiting: Id, form: ApproveForm, principal: Owner, house: TheHouse) -> DecidedShape:
    """Let it go on. What it asks besides is asked anew."""
    one = house.waiting.get(principal.owner, waiting)
    with house.audit.within("consent.approved", principal.owner, owner=principal.owner, detail=_told(one)):
        house.waiting.decide(principal.owner, waiting, True)
    if form.remember and (kept := remembered(one.reasons)):
        ConsentBook(house, principal.owner).remember(kept)
    return DecidedShape(approved=True)


@waiting_router.post("/{waiting}/refuse")
def refuse_waiting(waiting: Id, principal: Owner, house: TheHouse) -> DecidedShape:
    """Its client is told so."""
    one = house.waiting.get(principal.owner, waiting)
    with house.audit.within("consent.refused", principal.owner, owner=principal.owner, detail=_told(one)):
        house.waiting.decide(principal.owner, waiting, False)
    return DecidedShape(approved=False)


def _told(one: Waiting) -> dict[str, Any]:
    return {"model": one.model, "reasons": [reason.kind for reason in one.reasons]}


def _shape(one: Waiting) -> WaitingShape:
    return WaitingShape(
        id=one.id,
        model=one.model,
        automation=one.automation,
        reasons=[ReasonShape.model_validate(msgspec.to_builtins(reason)) for reason in one.reasons],
        quote=None if one.quote is None else EstimateShape.model_validate(one.quote.plain()),
        since_ms=one.since_ms,
        until_ms=one.until_ms,
    )
