"""Limits on requests and tokens a minute and on parallel calls."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import Field

from ownkey.app.limits import LimitBook, RuleView
from ownkey.routing.limits import Kind
from ownkey.server.api.forms import Form, Known, Owner, Removed, Shape, TheHouse

router = APIRouter(prefix="/api/byok/limits", tags=["limits"])

Amount = Annotated[int, Field(ge=0, le=1_000_000_000)] | None


class LimitForm(Form):
    """What is given is changed, and nothing else; null takes it away, 0 is any number. `name`: a provider, a model as
    PROVIDER/MODEL, a key as PROVIDER/LABEL, or the id of a person or a token. People who do not keep this Ownkey set
    what holds for their own calls."""

    kind: Literal["provider", "model", "key", "user", "token"]
    name: Annotated[str, Field(min_length=1, max_length=300)]
    requests_per_minute: Amount = None
    tokens_per_minute: Amount = None
    parallel: Amount = None


class LimitShape(Shape):
    """`id` is null where nobody has set it; `owner` is null where it holds for everybody."""

    id: str | None
    owner: str | None
    kind: Kind
    name: str
    named: str
    requests_per_minute: int | None
    tokens_per_minute: int | None
    parallel: int | None


class LimitsShape(Shape):
    """`defaults` hold for providers for which nobody has set any."""

    limits: list[LimitShape]
    defaults: list[LimitShape]


@router.get("")
def list_limits(principal: Known, house: TheHouse) -> LimitsShape:
    book = LimitBook(house, principal.owner, only=principal.house_wide)
    return LimitsShape(limits=list(map(_shape, book.all())), defaults=list(map(_shape, book.defaults())))


@router.put("")
def set_limit(form: LimitForm, principal: Owner, house: TheHouse) -> LimitShape:
    """Set one, or change the one that there is for the same."""
    given: dict[str, Any] = form.model_dump(exclude_unset=True, exclude={"kind", "name"})
    book = LimitBook(house, principal.owner, only=None if principal.keeper else principal.owner)
    return _shape(book.set(form.kind, form.name, **given))


@router.delete("/{limit}")
def remove_limit(limit: Annotated[str, Path(max_length=64)], principal: Owner, house: TheHouse) -> Removed:
    """By its id."""
    LimitBook(house, principal.owner, only=None if principal.keeper else principal.owner).remove_by_id(limit)
    return Removed(removed=1)


def _shape(view: RuleView) -> LimitShape:
    limit = view.limit
    return LimitShape(
        id=view.id,
        owner=view.owner,
        kind=view.kind,
        name=view.name,
        named=view.named,
        requests_per_minute=limit.requests_per_minute,
        tokens_per_minute=limit.tokens_per_minute,
        parallel=limit.parallel,
    )
