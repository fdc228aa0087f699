"""What was used and what it cost: one's own, and for who may see it everybody's."""

from __future__ import annotations

from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from fastapi import APIRouter, Query

from ownkey.app.usage import UsageBook
from ownkey.server.api.forms import Known, Shape, TheHouse
from ownkey.store.usage import FOREVER_MS, Dimension
from ownkey.talk.errors import InvalidRequest

router = APIRouter(prefix="/api/byok/usage", tags=["usage"])

MOST_RUNS = 1_000


class TotalShape(Shape):
    """Sums over tries; `group` is what they agree in. Costs in nano-USD, times in ms."""

    group: dict[str, str | int]
    calls: int
    failed: int
    unpriced: int
    cost_nano: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    input_audio_tokens: int
    output_audio_tokens: int
    runs: int
    p50_ms: int | None = None
    p95_ms: int | None = None
    first_p50_ms: int | None = None
    first_p95_ms: int | None = None


class TotalsShape(Shape):
    totals: list[TotalShape]


class RunShape(Shape):
    """One try, as the book has it."""

    id: str
    request_id: str
    attempt: int
    owner: str
    token_id: str | None
    key_id: str | None
    provider: str
    model: str
    automation: str | None
    state: str
    held_nano: int
    cost_nano: int
    priced: bool
    input_tokens: int | None
    output_tokens: int | None
    finish: str | None
    error: str | None
    status: int | None
    first_ms: int | None
    total_ms: int | None
    started_at_ms: int
    ended_at_ms: int | None


class RunsShape(Shape):
    runs: list[RunShape]


@router.get("")
def totals(
    principal: Known,
    house: TheHouse,
    by: Annotated[list[Dimension] | None, Query()] = None,
    since_ms: Annotated[int, Query(ge=0, le=FOREVER_MS)] = 0,
    until_ms: Annotated[int, Query(ge=0, le=FOREVER_MS)] = FOREVER_MS,
    provider: str | None = None,
    model: str | None = None,
    automation: str | None = None,
    token_id: str | None = None,
) -> TotalsShape:
    """By provider and model, or by what is asked for. Days and hours are those of UTC."""
    given = {"provider": provider, "model": model, "automation": automation, "token_id": token_id}
    where = {name: value for name, value in given.items() if value is not None}
    wanted = by or ["provider", "model"]
    if len(set(wanted)) < len(wanted):
        raise InvalidRequest("Each is named once.", param="by")
    found = UsageBook(house, principal.house_wide).totals(wanted, since_ms=since_ms, until_ms=until_ms, where=where)
    return TotalsShape(
        totals=[TotalShape(**{name: getattr(one, name) for name in TotalShape.model_fields}) for one in found]
    )


@router.get("/summary")
def summary(principal: Known, house: TheHouse, zone: Annotated[str, Query(max_length=64)] = "UTC") -> dict[str, Any]:
    """Today, this month, what it will come to, what is left of each budget, what was saved. Amounts in nano-USD."""
    return msgspec.to_builtins(UsageBook(house, principal.house_wide).summary(_zone(zone)))


@router.get("/days")
def days(
    principal: Known, house: TheHouse, zone: Annotated[str, Query(max_length=64)] = "UTC",
    count: Annotated[int, Query(ge=1, le=400)] = 60,
) -> dict[str, int]:  # fmt: skip
    """What each day cost, in nano-USD; a day on which nothing was asked is not there."""
    found = UsageBook(house, principal.house_wide).by_day(count, _zone(zone))
    return {day.isoformat(): nano for day, nano in found.items()}


@router.get("/runs")
def runs(
    principal: Known,
    house: TheHouse,
    provider: str | None = None,
    before_ms: Annotated[int | None, Query(ge=0, le=FOREVER_MS)] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_RUNS)] = 100,
) -> RunsShape:
    """The newest tries first."""
    rows = house.store.book.rows(provider=provider, owner=principal.house_wide, until_ms=before_ms, limit=limit)
    return RunsShape(runs=[RunShape(**{name: getattr(row, name) for name in RunShape.model_fields}) for row in rows])


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise InvalidRequest("There is no such time zone.", "One such as Europe/Berlin.", param="zone") from None
