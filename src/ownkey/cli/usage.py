"""`ownkey usage`: what was spent, on what, what it will come to; and as files."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, cast, get_args

import typer

from ownkey.app.usage import Summary
from ownkey.cli.alerts import mention
from ownkey.cli.show import JsonOption, opened, print_json, print_table, usd, when
from ownkey.spending.quote import about
from ownkey.store.usage import Dimension, UsageTotal
from ownkey.talk.errors import InvalidRequest

DAY_MS = 86_400_000
BAR = 30

app = typer.Typer(invoke_without_command=True, help="What was spent, on what, and what it will come to.")

SinceOption = typer.Option(None, help="The first day, as 2026-11-01 (UTC).")
UntilOption = typer.Option(None, help="The last day.")


@app.callback(invoke_without_command=True)
def usage(
    context: typer.Context,
    days: int = typer.Option(30, min=1, help="How many days back."),
    rows: int = typer.Option(20, min=0, help="How many of the last tries to list."),
    as_json: bool = JsonOption,
) -> None:
    """This month and what it will come to, totals by provider and model, and the last tries."""
    if context.invoked_subcommand is not None:
        return
    with opened() as ownkey:
        mention(ownkey.alerts)
        since_ms = time.time_ns() // 1_000_000 - days * DAY_MS
        totals = ownkey.usage.totals(("provider", "model"), since_ms=since_ms)
        last = ownkey.house.store.book.rows(limit=rows, since_ms=since_ms)
        summary = ownkey.usage.summary()
        if as_json:
            print_json({"summary": _plain(summary), "totals": list(map(_told, totals)), "rows": last})
            return
        if totals:
            _show_summary(summary, ownkey.usage.by_day(14))
        print_table(
            ("PROVIDER", "MODEL", "TRIES", "FAILED", "TOKENS IN", "TOKENS OUT", "COST", "A RUN", "P50", "P95"),
            [(str(total.group["provider"]), str(total.group["model"]), *_figures(total)) for total in totals],
            empty=f"Nothing asked in the last {days} days. `ownkey chat` asks a model.",
        )
        if not last:
            return
        typer.echo()
        print_table(
            ("WHEN", "MODEL", "IN", "OUT", "COST", "ENDED"),
            [
                (
                    when(row.started_at_ms),
                    f"{row.provider}/{row.model}",
                    "" if row.input_tokens is None else str(row.input_tokens),
                    "" if row.output_tokens is None else str(row.output_tokens),
                    usd(row.cost_nano) if row.priced else "unknown",
                    row.error or row.state,
                )
                for row in last
            ],
            empty="",
        )


@app.command("by")
def usage_by(
    dimensions: str = typer.Argument(
        help="owner, provider, model, key_id, token_id, automation, day, hour: some, with commas."
    ),
    since: str | None = SinceOption,
    until: str | None = UntilOption,
    as_json: bool = JsonOption,
) -> None:
    """Totals by what you name, with tokens, cost and how long it took."""
    by = [part.strip() for part in dimensions.split(",") if part.strip()]
    known = get_args(Dimension)
    if not by or not set(by) <= set(known) or len(set(by)) < len(by):
        raise InvalidRequest(f"Totals are by some of: {', '.join(known)}.", param="dimensions")
    since_ms, until_ms = span_of(since, until)
    with opened() as ownkey:
        totals = ownkey.usage.totals(cast("list[Dimension]", by), since_ms=since_ms, until_ms=until_ms)
        if as_json:
            print_json(list(map(_told, totals)))
            return
        print_table(
            (*(name.upper() for name in by), "TRIES", "FAILED", "TOKENS IN", "TOKENS OUT", "COST", "P50", "P95"),
            [(*(_group(name, one.group[name]) for name in by), *_figures(one)) for one in totals],
            empty="Nothing was asked then.",
        )


@app.command("export")
def export_usage(
    path: Path = typer.Argument(help="Where to; its ending says the format: .csv, .json or .parquet."),  # noqa: B008
    since: str | None = SinceOption,
    until: str | None = UntilOption,
    rollups: bool = typer.Option(
        False, "--rollups/--rows", help="A row for each day and all that it is totalled by, or for each try."
    ),
) -> None:
    """Every try as a row of a file, for spreadsheets and other programs."""
    from ownkey.app.export import export

    since_ms, until_ms = span_of(since, until)
    with opened() as ownkey:
        if sys.stderr.isatty():
            from rich.console import Console

            with Console(stderr=True).status("Exporting…") as status:
                count = export(
                    ownkey.house,
                    path,
                    owner=ownkey.owner,
                    since_ms=since_ms,
                    until_ms=until_ms,
                    rollups=rollups,
                    progress=lambda done: status.update(f"Exporting… {done:,} rows"),
                )
        else:
            count = export(
                ownkey.house, path, owner=ownkey.owner, since_ms=since_ms, until_ms=until_ms, rollups=rollups
            )
        typer.echo(f"{count:,} rows are in {path}.")


def span_of(since: str | None, until: str | None) -> tuple[int, int]:
    """From the first moment of one day to the last of another, UTC. Raises InvalidRequest."""
    first = 0 if since is None else _day_ms(since, "since")
    last = 2**53 if until is None else _day_ms(until, "until") + DAY_MS
    if last <= first:
        raise InvalidRequest("The last day is before the first.", param="until")
    return first, last


def _day_ms(text: str, param: str) -> int:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(f"{param} is a day such as 2026-11-01.", param=param) from None
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)


def _show_summary(summary: Summary, by_day: dict[date, int]) -> None:
    month = summary.month.cost_nano if summary.month else 0
    today = summary.today.cost_nano if summary.today else 0
    pending = f", {usd(summary.pending_nano)} pending" if summary.pending_nano else ""
    typer.echo(f"{usd(month)} this month, {usd(today)} today{pending}.")
    if summary.last_month is not None:
        by_now = summary.last_month_by_now.cost_nano if summary.last_month_by_now else 0
        typer.echo(f"Last month {about(summary.last_month.cost_nano)}, of which {about(by_now)} by this time of it.")
    if summary.projection is not None:
        checked = summary.checked
        note = f" Past months: within it in {checked.within:.0%}." if checked and checked.projections > 10 else ""
        typer.echo(f"{summary.projection}{note}")
    for ends in summary.budgets:
        if ends.runs_out is not None:
            typer.echo(f"The budget {ends.room.budget.name} will be used up on {ends.runs_out}.")
    best = next((one for one in summary.savings if one.saved > 0), None)
    if best is not None:
        name = f"{best.provider}/{best.model}"
        typer.echo(f"You saved {about(best.saved)} ({best.percent:.0f} %) against {name} for everything.")
    if hits := summary.cached.hits:
        them = "1 answer" if hits == 1 else f"{hits} answers"
        typer.echo(f"The cache gave {them} again this month, which saved {about(summary.cached.saved_nano)}.")
    if sys.stdout.isatty() and by_day:
        _bars(by_day)
    typer.echo()


def _bars(by_day: dict[date, int]) -> None:
    most = max(by_day.values()) or 1
    last = max(by_day)
    for back in range(13, -1, -1):
        day = last - timedelta(days=back)
        amount = by_day.get(day, 0)
        typer.echo(f"{day:%a %d %b}  {'█' * round(BAR * amount / most):<{BAR}}  {about(amount) if amount else ''}")


def _figures(one: UsageTotal) -> tuple[str, ...]:
    return (
        str(one.calls),
        str(one.failed or ""),
        str(one.input_tokens),
        str(one.output_tokens),
        _cost(one),
        "" if one.nano_a_run is None else about(one.nano_a_run),
        _seconds(one.p50_ms),
        _seconds(one.p95_ms),
    )


def _seconds(ms: int | None) -> str:
    return "" if ms is None else f"{ms / 1000:.2f} s"


def _group(name: str, value: str | int) -> str:
    if name in ("day", "hour"):
        return datetime.fromtimestamp(int(value) / 1000, UTC).strftime(
            "%Y-%m-%d" if name == "day" else "%Y-%m-%d %H:00"
        )
    return str(value) or "–"


def _cost(total: UsageTotal) -> str:
    """What is known of it; an unknown price is not 0."""
    if not total.unpriced:
        return usd(total.cost_nano)
    return "unknown" if not total.cost_nano else f"{usd(total.cost_nano)} + unknown"


def _told(one: UsageTotal) -> dict[str, Any]:
    names: Iterable[str] = one.__struct_fields__
    return {name: getattr(one, name) for name in names} | {"succeeded": one.succeeded, "nano_a_run": one.nano_a_run}


def _plain(summary: Summary) -> dict[str, Any]:
    projection, checked = summary.projection, summary.checked
    return {
        "today": _told(summary.today) if summary.today else None,
        "month": _told(summary.month) if summary.month else None,
        "last_month": _told(summary.last_month) if summary.last_month else None,
        "last_month_by_now": _told(summary.last_month_by_now) if summary.last_month_by_now else None,
        "pending_nano": summary.pending_nano,
        "projection": None if projection is None else {"says": str(projection)} | _fields(projection),
        "checked": None if checked is None else _fields(checked),
        "budgets": [
            {"budget": one.room.budget.name, "left": one.room.left, "runs_out": one.runs_out} for one in summary.budgets
        ],
        "savings": [{**_fields(one), "saved": one.saved, "percent": one.percent} for one in summary.savings],
        "cached": _fields(summary.cached),
    }


def _fields(struct: Any) -> dict[str, Any]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}
