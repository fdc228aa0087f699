"""Runs: requests with all their tries, a page at a time, one by one, or all as a file."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse
from msgspec import structs

from ownkey.app.export import Form, stream
from ownkey.app.house import House
from ownkey.app.runs import Run, RunBook
from ownkey.server.api.filters import Filters, of
from ownkey.server.api.forms import Known, Shape, TheHouse
from ownkey.server.doors import Principal, nothing_here
from ownkey.spending.price import Rates
from ownkey.spending.reprice import kept_rates
from ownkey.store.book import BookRow

router = APIRouter(prefix="/api/byok/usage", tags=["usage"])

MOST_RUNS = 200
KINDS = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
_CELL = {"type": ["string", "integer", "number", "boolean", "null"]}
FILES = {
    "text/csv": {"schema": {"type": "string"}},
    "application/json": {"schema": {"type": "array", "items": {"type": "object", "additionalProperties": _CELL}}},
}


class RunShape(Shape):
    """A request: `provider` and `model` are those of its last try, of which `state`, `status`, `finish` and `error` are
    too; what it took and cost is of all of its `tries`. `priced`: what it cost is known."""

    id: str
    owner: str
    token_id: str | None
    automation: str | None
    provider: str
    model: str
    tries: int
    state: str
    status: int | None
    finish: str | None
    error: str | None
    held_nano: int
    cost_nano: int
    priced: bool
    input_tokens: int | None
    output_tokens: int | None
    started_at_ms: int
    ended_at_ms: int | None


class RunsShape(Shape):
    """`next` is sent as `before` for the page after it; null where this is the last."""

    runs: list[RunShape]
    next: str | None


class RatesShape(Shape):
    """In nano-USD per million tokens; null: charged as the wider kind that it is a part of. `tier`: the one that these
    rates are for. `source` says where they are from, `dated` since when they hold."""

    tier: str
    input: int
    output: int
    cached: int | None
    cache_write: int | None
    reasoning: int | None
    per_request: int
    source: str
    dated: str | None


class TryShape(Shape):
    """`held_ms`, `sent_ms`, `first_token_ms` and `ended_ms` are from the beginning of the run on; `after` is the error
    that the try before it ended with. `key` is shown, masked, where it is one's own and still there. `rates`: those
    that it was, or may have been, charged at."""

    attempt: int
    provider: str
    model: str
    wire: str
    stream: bool
    key_id: str | None
    key: str | None
    after: str | None
    state: str
    status: int | None
    finish: str | None
    error: str | None
    held_ms: int
    sent_ms: int | None
    first_token_ms: int | None
    ended_ms: int | None
    held_nano: int
    cost_nano: int
    priced: bool
    tier: str | None
    rates: list[RatesShape]
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None


class OpenedShape(Shape):
    run: RunShape
    tries: list[TryShape]


@router.get("/runs")
def list_runs(
    principal: Known,
    house: TheHouse,
    wanted: Filters,
    failed: bool | None = None,
    before: Annotated[str | None, Query(max_length=220)] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_RUNS)] = 100,
) -> RunsShape:
    """The newest first: those with a try that agrees with all that is asked for. `failed`: it ended in an error."""
    wanted = structs.replace(of(principal, wanted), failed=failed)
    page = RunBook(house, principal.house_wide).page(wanted, limit, before)
    return RunsShape(runs=[run_shape(run) for run in page.runs], next=page.next)


@router.get("/runs/{run}")
def open_run(run: Annotated[str, Path(min_length=1, max_length=100)], principal: Known, house: TheHouse) -> OpenedShape:
    """A run with its tries, as the book has them."""
    found = RunBook(house, principal.house_wide).get(run)
    if found is None:
        raise nothing_here()
    return OpenedShape(run=run_shape(found), tries=_tries(principal, house, found))


@router.get("/export", response_class=StreamingResponse, responses={200: {"content": FILES}})
def export_usage(
    principal: Known,
    house: TheHouse,
    wanted: Filters,
    failed: bool | None = None,
    form: Annotated[Form, Query()] = "csv",
) -> StreamingResponse:
    """Every try that agrees with all that is asked for, oldest first. `failed`: it ended in an error. Costs stand in
    nano-USD and in dollars."""
    pieces = stream(house, form, structs.replace(of(principal, wanted), failed=failed), principal.actor)
    named = {"content-disposition": f'attachment; filename="ownkey-usage.{form}"'}
    return StreamingResponse(pieces, media_type=KINDS[form], headers=named)


def run_shape(run: Run) -> RunShape:
    last = run.last
    return RunShape(
        id=run.id,
        owner=last.owner,
        token_id=last.token_id,
        automation=last.automation,
        provider=last.provider,
        model=last.model,
        tries=len(run.tries),
        state=last.state,
        status=last.status,
        finish=last.finish,
        error=last.error,
        held_nano=sum(one.held_nano for one in run.tries if one.state == "held"),
        cost_nano=run.cost_nano,
        priced=run.priced,
        input_tokens=_sum([one.input_tokens for one in run.tries]),
        output_tokens=_sum([one.output_tokens for one in run.tries]),
        started_at_ms=run.tries[0].started_at_ms,
        ended_at_ms=last.ended_at_ms,
    )


def _tries(principal: Principal, house: House, run: Run) -> list[TryShape]:
    own = {row.id: row.masked for row in house.vault.listed(principal.owner)}
    errors = [None, *(one.error for one in run.tries)]
    return [_try(one, run.tries[0].started_at_ms, own, error) for one, error in zip(run.tries, errors, strict=False)]


def _try(row: BookRow, begun_ms: int, own: dict[str, str], after: str | None) -> TryShape:
    held_ms = row.started_at_ms - begun_ms

    def since_begun(ms: int | None) -> int | None:
        return None if ms is None else held_ms + ms

    plain = {name: getattr(row, name) for name in TryShape.model_fields if hasattr(row, name) and name != "sent_ms"}
    return TryShape(
        **plain,
        key=own.get(row.key_id or ""),
        after=after,
        held_ms=held_ms,
        sent_ms=since_begun(row.sent_ms),
        first_token_ms=since_begun(row.first_ms),
        ended_ms=None if row.ended_at_ms is None else row.ended_at_ms - begun_ms,
        rates=[_rates(tier, rates) for tier, rates in kept_rates(row.price).items()],
    )


def _rates(tier: str, rates: Rates) -> RatesShape:
    plain = {name: getattr(rates, name) for name in RatesShape.model_fields if name != "tier"}
    return RatesShape(tier=tier, **plain)


def _sum(values: list[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
