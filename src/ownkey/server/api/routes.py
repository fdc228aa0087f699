"""Routes: names for whom to ask and how one is chosen, and what they would do."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Path, Query
from pydantic import Field

from ownkey.app.house import House
from ownkey.app.routes import RouteBook
from ownkey.routing.rules import NAMED, Choose, Route, Task
from ownkey.server.api.forms import Form, Known, Owner, Removed, Shape, TheHouse
from ownkey.server.doors import Principal, nothing_here

router = APIRouter(prefix="/api/byok/routes", tags=["routes"])
choosing_router = APIRouter(prefix="/api/byok/choosing", tags=["routes"])
runs_router = APIRouter(prefix="/api/byok/usage/runs", tags=["usage"])

Name = Annotated[str, Path(min_length=1, max_length=64)]
Model = Annotated[str, Query(min_length=1, max_length=1_000)]
MOST_PROMPT = 100_000


class RouteForm(Form):
    """What is given is changed, and nothing else; null goes back to what it is without. `everybody`: for all people
    here, which is for who keeps this Ownkey."""

    targets: list[str] | None = None
    choose: str | None = None
    task: str | None = None
    local_only: bool | None = None
    exclude: list[str] | None = None
    regions: list[str] | None = None
    not_regions: list[str] | None = None
    retries: int | None = None
    first_token_timeout_s: float | None = None
    total_s: float | None = None
    carry_on: bool | None = None
    ask: bool | None = None
    fallback: bool | None = None
    everybody: bool = False


class NewRouteForm(RouteForm):
    name: str = Field(min_length=1, max_length=64)


class RouteShape(Shape):
    """`whose`: `own`, `everybody`, or `ownkey` for those that are always there."""

    name: str
    whose: Literal["own", "everybody", "ownkey"]
    targets: list[str]
    choose: Choose
    task: Task | None
    local_only: bool
    exclude: list[str]
    regions: list[str]
    not_regions: list[str]
    retries: int | None
    first_token_timeout_s: float | None
    total_s: float | None
    carry_on: bool | None
    ask: bool
    fallback: bool


class RoutesShape(Shape):
    routes: list[RouteShape]


class ExplainForm(Form):
    """`needs`: what the request needs beside a chat: `tools`, `vision`, `json`."""

    model: str
    prompt: str = "Hello"
    needs: list[str] | None = None


class RehearseForm(Form):
    """`failing`: `unavailable`, `rate_limited`, `key_refused` or `silent`. With `failures`, by the names of candidates,
    those alone fail, each in its way, and the others answer."""

    model: str
    prompt: str = "Hello"
    failing: str = "unavailable"
    failures: Annotated[dict[str, str], Field(max_length=100)] | None = None


class CandidateShape(Shape):
    """Amounts in nano-USD, rates for a million tokens. `place` is null for one that is out; `why` says either."""

    name: str
    place: int | None
    why: str
    expected_nano: int | None
    ceiling_nano: int | None
    input_rate: int | None
    output_rate: int | None
    first_s: float | None
    tokens_per_s: float | None
    measured: int
    quality: float | None
    stands: str | None


class ExplainedShape(Shape):
    asked: str
    route: str | None
    choose: str | None
    kind: str
    candidates: list[CandidateShape]


class StepShape(Shape):
    """`failure` is how it fails; null: it answers."""

    name: str
    number: int
    wait_s: float
    at_s: float
    failure: str | None


class RehearsedShape(Shape):
    steps: list[StepShape]


class ThumbForm(Form):
    up: bool


class ThumbShape(Shape):
    """Who gave the answer."""

    target: str
    up: bool


@router.get("")
def list_routes(principal: Known, house: TheHouse) -> RoutesShape:
    return RoutesShape(routes=[route_shape(one) for one in RouteBook(house, principal.owner).all()])


@router.post("", status_code=201)
def add_route(form: NewRouteForm, principal: Owner, house: TheHouse) -> RouteShape:
    given: dict[str, Any] = form.model_dump(exclude_unset=True, exclude={"name", "everybody"})
    return route_shape(_book(principal, house).add(form.name, everybody=form.everybody, **given))


@router.put("/{route}")
def set_route(route: Name, form: RouteForm, principal: Owner, house: TheHouse) -> RouteShape:
    """Make one of this name, or change the one that there is."""
    given: dict[str, Any] = form.model_dump(exclude_unset=True, exclude={"everybody"})
    return route_shape(_book(principal, house).set(route, everybody=form.everybody, **given))


@router.delete("/{route}")
def remove_route(route: Name, principal: Owner, house: TheHouse, everybody: bool = False) -> Removed:
    book = _book(principal, house)
    if not everybody and house.store.routes.get(principal.owner, route) is None:
        raise nothing_here()
    book.remove(route, everybody=everybody)
    return Removed(removed=1)


@choosing_router.post("/explain")
def explain(form: ExplainForm, principal: Known, house: TheHouse) -> ExplainedShape:
    """Everybody who would be asked, in order and with the reason, and who would not. Nothing is asked."""
    needs: Any = form.needs or ()
    found = _book(principal, house).explain(form.model, form.prompt[:MOST_PROMPT], needs=needs)
    return ExplainedShape(
        asked=found.asked,
        route=found.route.name if found.route else None,
        choose=found.route.choose if found.route else None,
        kind=found.kind,
        candidates=[CandidateShape(**msgspec.structs.asdict(one)) for one in found.candidates],
    )


@choosing_router.post("/try")
def rehearse(form: RehearseForm, principal: Known, house: TheHouse) -> RehearsedShape:
    """What would be tried where each of them failed, or those that are named. Nothing is asked."""
    book = _book(principal, house)
    steps = book.rehearse(form.model, form.prompt[:MOST_PROMPT], failing=form.failing, failures=form.failures)
    return RehearsedShape(steps=[StepShape(**msgspec.structs.asdict(one)) for one in steps])


async def _written(house: TheHouse) -> None:
    """An answer is in the book up to a quarter of a second after it was given."""
    await house.store.book.drain()


@runs_router.post("/{run}/thumb", dependencies=[Depends(_written)])
def thumb(
    run: Annotated[str, Path(min_length=1, max_length=100)], form: ThumbForm, principal: Owner, house: TheHouse
) -> ThumbShape:
    """What you say of an answer of yours: routes that learn take it into account."""
    return ThumbShape(target=_book(principal, house).thumb(run, up=form.up), up=form.up)


def route_shape(route: Route) -> RouteShape:
    whose = "ownkey" if route.name in NAMED else "everybody" if route.owner is None else "own"
    plain: dict[str, Any] = msgspec.to_builtins(msgspec.structs.asdict(route))
    del plain["owner"]
    return RouteShape(whose=whose, **plain)


def _book(principal: Principal, house: House) -> RouteBook:
    return RouteBook(house, principal.owner, keeps=principal.keeper)
