"""What Home shows, in one answer; and how this Ownkey is, which is told while its vault is sealed too."""

from __future__ import annotations

from importlib import metadata
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query

from ownkey.app.home import HomeBook, Need, NeedKind, local_zone, only_demo, vault_of
from ownkey.routing.health import State
from ownkey.server.api.budgets import BudgetShape, budget_shape
from ownkey.server.api.forms import Came, Known, Shape, TheHouse, came
from ownkey.server.api.runs import RunShape, run_shape
from ownkey.server.api.usage import zone_of

router = APIRouter(prefix="/api/byok", tags=["home"])

TheRequest = Annotated[Came, Depends(came)]


class VaultShape(Shape):
    """`why` it is sealed, and what to do; null where it is open."""

    state: Literal["open", "sealed"]
    why: str | None
    hint: str | None


class StatusShape(Shape):
    """`demo`: nobody can be asked but the demo. `keeper`: the asking person keeps what is everybody's, `sees_all` sees
    it. `base_url` is what programs are pointed at; `zone` this machine's time zone."""

    version: str
    vault: VaultShape
    demo: bool
    keeper: bool
    sees_all: bool
    base_url: str
    zone: str


class OutlookShape(Shape):
    """What the month will come to, and between which two amounts in 8 of 10 months, in nano-USD; `days` is how many
    past days that is worked out from. `says` it in one sentence."""

    expected_nano: int
    low_nano: int
    high_nano: int
    days: int
    says: str


class DayShape(Shape):
    day: str
    cost_nano: int


class LimitLineShape(Shape):
    """The limit of the month, in nano-USD, and the budget that it is of."""

    budget_id: str
    name: str
    limit_nano: int
    left_nano: int


class DotShape(Shape):
    """How one provider is."""

    provider: str
    name: str
    kind: str
    state: State


class NeedShape(Shape):
    """Something that needs a hand. `id` is that of the key, the request that waits, or the alert; `target` a provider,
    or provider/model; `until_ms`: when it will be too late."""

    kind: NeedKind
    says: str
    id: str | None
    target: str | None
    until_ms: int | None


class HomeShape(Shape):
    """`days`: the last thirty in the zone that was asked for, today the last. `unpriced`: so many of this month's tries
    have a price that nobody knows, and are in no amount. `limit` is the least of what limits the whole month."""

    month_nano: int
    pending_nano: int
    unpriced: int
    outlook: OutlookShape | None
    days: list[DayShape]
    limit: LimitLineShape | None
    budgets: list[BudgetShape]
    health: list[DotShape]
    runs: list[RunShape]
    needs: list[NeedShape]


@router.get("/home")
def home(principal: Known, house: TheHouse, zone: Annotated[str, Query(max_length=64)] = "UTC") -> HomeShape:
    found = HomeBook(house, principal.owner, only=principal.house_wide).now(zone_of(zone))
    projection, limit = found.projection, found.limit
    return HomeShape(
        month_nano=found.month_nano,
        pending_nano=found.pending_nano,
        unpriced=found.unpriced,
        outlook=None
        if projection is None
        else OutlookShape(
            expected_nano=projection.expected,
            low_nano=projection.low,
            high_nano=projection.high,
            days=projection.days,
            says=str(projection),
        ),
        days=[DayShape(day=day, cost_nano=nano) for day, nano in found.days.items()],
        limit=None
        if limit is None or limit.budget.limit is None
        else LimitLineShape(
            budget_id=limit.budget.id,
            name=limit.budget.name,
            limit_nano=limit.budget.limit,
            left_nano=limit.left or 0,
        ),
        budgets=[budget_shape(room) for room in found.budgets],
        health=[DotShape(provider=one.provider, name=one.name, kind=one.kind, state=one.state) for one in found.health],
        runs=[run_shape(run) for run in found.runs],
        needs=[_need(one) for one in found.needs],
    )


@router.get("/status")
def status(principal: Known, house: TheHouse, request: TheRequest) -> StatusShape:
    vault = vault_of(house)
    return StatusShape(
        version=metadata.version("ownkey"),
        vault=VaultShape(state=vault.state, why=vault.why, hint=vault.hint),
        demo=only_demo(house.targets.candidates(principal.owner).values()),
        keeper=principal.keeper,
        sees_all=principal.sees_all,
        base_url=f"{request.doors.origin(request.head).decode('ascii')}/v1",
        zone=local_zone(),
    )


def _need(one: Need) -> NeedShape:
    return NeedShape(kind=one.kind, says=one.says, id=one.id, target=one.target, until_ms=one.until_ms)
