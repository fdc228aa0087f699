"""How a summary of usage is answered. Amounts in nano-USD."""

from __future__ import annotations

from datetime import date

import msgspec

from ownkey.app.usage import Summary
from ownkey.server.api.budgets import BudgetTerms
from ownkey.server.api.forms import Shape
from ownkey.spending.window import Period


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


class ProjectionShape(Shape):
    """Of the month: spent so far, what it will come to, and between which two in 8 of 10 months. `days` it is worked
    out from."""

    spent: int
    expected: int
    low: int
    high: int
    days: int


class CoverageShape(Shape):
    """How projections of past months fared; `within` and `median_error` are shares."""

    projections: int
    within: float
    median_error: float


class WindowShape(Shape):
    period: Period
    zone: str
    anchor_day: int


class BudgetTermsShape(BudgetTerms):
    window: WindowShape
    created_at_ms: int


class RoomShape(Shape):
    """A budget in its window that is running; amounts in its unit."""

    budget: BudgetTermsShape
    start_ms: int
    end_ms: int
    spent: int
    pending: int


class EndsShape(Shape):
    """`runs_out`: the day on which it will be used up, null where it lasts or nobody knows."""

    room: RoomShape
    runs_out: date | None


class SavingShape(Shape):
    """`instead`: what all of it would have cost at that model."""

    provider: str
    model: str
    actual: int
    instead: int


class SavedShape(Shape):
    """What the cache gave again; `unpriced` of the answers had a cost that is not known."""

    hits: int
    saved_nano: int
    unpriced: int
    input_tokens: int
    output_tokens: int


class SummaryShape(Shape):
    """Totals are null where nothing was asked. `last_month_by_now`: after as much of it as has passed of this one.
    `projection` is null while nothing is known; `checked` says how it fared on past months."""

    today: TotalShape | None
    month: TotalShape | None
    last_month: TotalShape | None
    last_month_by_now: TotalShape | None
    pending_nano: int
    projection: ProjectionShape | None
    checked: CoverageShape | None
    budgets: list[EndsShape]
    savings: list[SavingShape]
    cached: SavedShape


def summary_shape(summary: Summary) -> SummaryShape:
    return SummaryShape.model_validate(msgspec.to_builtins(summary))
