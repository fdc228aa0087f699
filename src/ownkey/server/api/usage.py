"""What was used and what it cost: one's own, and for who may see it everybody's."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Query

from ownkey.app.usage import UsageBook
from ownkey.server.api.filters import Filters, of
from ownkey.server.api.forms import Known, Shape, TheHouse
from ownkey.server.api.summary import SummaryShape, TotalShape, summary_shape
from ownkey.store.usage import FOREVER_MS, Dimension
from ownkey.talk.errors import InvalidRequest

router = APIRouter(prefix="/api/byok/usage", tags=["usage"])


class TotalsShape(Shape):
    totals: list[TotalShape]


class AvoidedShape(Shape):
    """In nano-USD; below 0 where it cost more."""

    count: int
    saved_nano: int


class InsteadShape(Shape):
    """What everything would have cost at that one model, in nano-USD."""

    provider: str
    model: str
    actual_nano: int
    instead_nano: int
    saved_nano: int


class SavingsShape(Shape):
    """`cache`: answers given again; `cached_prompts`: tokens that a provider had kept, and what they cost less, with
    what it cost to have them kept; `batches`: tries at a provider's batch price. `choices`: beside one model for
    everything, the most saved first."""

    cache: AvoidedShape
    cached_prompts: AvoidedShape
    batches: AvoidedShape
    choices: list[InsteadShape]


@router.get("")
def totals(
    principal: Known,
    house: TheHouse,
    wanted: Filters,
    by: Annotated[list[Dimension] | None, Query()] = None,
    whole: bool = False,
) -> TotalsShape:
    """By provider and model, by what is asked for, or all in one as a `whole`. Days and hours are those of UTC."""
    groups: list[Dimension] = [] if whole else by or ["provider", "model"]
    if len(set(groups)) < len(groups):
        raise InvalidRequest("Each is named once.", param="by")
    found = UsageBook(house, principal.house_wide).totals(
        groups,
        since_ms=wanted.since_ms or 0,
        until_ms=FOREVER_MS if wanted.until_ms is None else wanted.until_ms,
        where=of(principal, wanted).where,
    )
    return TotalsShape(
        totals=[TotalShape(**{name: getattr(one, name) for name in TotalShape.model_fields}) for one in found]
    )


@router.get("/summary")
def summary(principal: Known, house: TheHouse, zone: Annotated[str, Query(max_length=64)] = "UTC") -> SummaryShape:
    """Today, this month, what it will come to, what is left of each budget, what was saved. Amounts in nano-USD."""
    return summary_shape(UsageBook(house, principal.house_wide).summary(zone_of(zone)))


@router.get("/days")
def days(
    principal: Known,
    house: TheHouse,
    wanted: Filters,
    zone: Annotated[str, Query(max_length=64)] = "UTC",
    count: Annotated[int, Query(ge=1, le=400)] = 60,
) -> dict[str, int]:
    """What each of the last days cost, in nano-USD; a day on which nothing was asked is not there."""
    where = of(principal, wanted).where
    found = UsageBook(house, principal.house_wide).by_day(count, zone_of(zone), where)
    return {day.isoformat(): nano for day, nano in found.items()}


@router.get("/savings")
def savings(principal: Known, house: TheHouse, zone: Annotated[str, Query(max_length=64)] = "UTC") -> SavingsShape:
    """What was saved this month, by each way. Prices are today's."""
    book = UsageBook(house, principal.house_wide)
    since_ms = book.month_ms(zone_of(zone))
    cached, batches, prompts = book.cached(since_ms), book.batches(since_ms), book.cached_prompts(since_ms)
    return SavingsShape(
        cache=AvoidedShape(count=cached.hits, saved_nano=cached.saved_nano),
        cached_prompts=AvoidedShape(count=prompts.count, saved_nano=prompts.saved_nano),
        batches=AvoidedShape(count=batches.count, saved_nano=batches.saved_nano),
        choices=[
            InsteadShape(
                provider=one.provider,
                model=one.model,
                actual_nano=one.actual,
                instead_nano=one.instead,
                saved_nano=one.saved,
            )
            for one in book.savings(since_ms)
        ],
    )


def zone_of(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise InvalidRequest("There is no such time zone.", "One such as Europe/Berlin.", param="zone") from None
