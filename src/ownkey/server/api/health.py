"""How the providers are, as this process knows it."""

from __future__ import annotations

import time

from fastapi import APIRouter

from ownkey.app.condition import ConditionBook, ProviderHealth, TargetHealth
from ownkey.catalog.manifest import Kind
from ownkey.routing.health import State
from ownkey.server.api.forms import Known, Shape, TheHouse
from ownkey.wires.remaining import Allowance

router = APIRouter(prefix="/api/health", tags=["health"])


class AllowanceShape(Shape):
    """What the provider said with its last answer to the asking person; `age_s`: how long ago that was. `reset_s`: in
    how many seconds from then there is all of it again."""

    age_s: float
    requests: int | None
    requests_limit: int | None
    requests_reset_s: float | None
    tokens: int | None
    tokens_limit: int | None
    tokens_reset_s: float | None


class TargetHealthShape(Shape):
    """`success`, from 0 to 1, and the times are of everybody's tries in the last quarter of an hour. `live`: `state` is
    what this process has learned; else it is worked out from the book."""

    model: str
    state: State
    live: bool
    since_ms: int | None
    success: float | None
    first_ms: int | None
    whole_ms: int | None
    tokens_per_s: float | None
    last_error: str | None
    allowance: AllowanceShape | None


class ProbeShape(Shape):
    """`error`: a code, null where it answered."""

    at_ms: int
    took_ms: int
    error: str | None


class ProviderHealthShape(Shape):
    provider: str
    name: str
    kind: Kind
    state: State
    probe: ProbeShape | None
    targets: list[TargetHealthShape]


class HealthShape(Shape):
    providers: list[ProviderHealthShape]


@router.get("/providers")
def list_health(principal: Known, house: TheHouse) -> HealthShape:
    """Of the providers that the asking person can use."""
    return HealthShape(providers=[health_shape(one) for one in ConditionBook(house, principal.owner).listed()])


def health_shape(one: ProviderHealth) -> ProviderHealthShape:
    probe = None
    if one.reached is not None and one.reached_ms is not None:
        probe = ProbeShape(at_ms=one.reached_ms, took_ms=round(one.reached.took_s * 1000), error=one.reached.error)
    return ProviderHealthShape(
        provider=one.provider,
        name=one.name,
        kind=one.kind,
        state=one.state,
        probe=probe,
        targets=[_target(target) for target in one.targets],
    )


def _target(target: TargetHealth) -> TargetHealthShape:
    plain = {name: getattr(target, name) for name in TargetHealthShape.model_fields if name != "allowance"}
    return TargetHealthShape(**plain, allowance=None if target.allowance is None else _allowance(target.allowance))


def _allowance(told: Allowance) -> AllowanceShape:
    plain = {name: getattr(told, name) for name in AllowanceShape.model_fields if name != "age_s"}
    return AllowanceShape(age_s=max(0.0, time.monotonic() - told.at_s), **plain)
