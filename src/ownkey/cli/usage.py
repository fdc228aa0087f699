"""`ownkey usage`: what was spent."""

from __future__ import annotations

import time

import typer

from ownkey.cli.alerts import mention
from ownkey.cli.show import JsonOption, opened, print_json, print_table, usd, when
from ownkey.store.book import Total

DAY_MS = 86_400_000


def usage(
    days: int = typer.Option(30, min=1, help="How many days back."),
    rows: int = typer.Option(20, min=0, help="How many of the last tries to list."),
    as_json: bool = JsonOption,
) -> None:
    """Totals by provider and model, and the last tries, each with its tokens and cost."""
    with opened() as ownkey:
        mention(ownkey.alerts)
        book = ownkey.house.store.book
        since_ms = time.time_ns() // 1_000_000 - days * DAY_MS
        totals = book.totals(by=("provider", "model"), since_ms=since_ms)
        last = book.rows(limit=rows, since_ms=since_ms)
        if as_json:
            print_json({"totals": totals, "rows": last})
            return
        print_table(
            ("PROVIDER", "MODEL", "TRIES", "TOKENS IN", "TOKENS OUT", "COST", "PENDING"),
            [
                (
                    total.group["provider"] or "",
                    total.group["model"] or "",
                    str(total.attempts),
                    str(total.input_tokens),
                    str(total.output_tokens),
                    _cost(total),
                    usd(total.pending_nano) if total.pending_nano else "",
                )
                for total in totals
            ],
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


def _cost(total: Total) -> str:
    """What is known of it; an unknown price is not 0."""
    if not total.unpriced:
        return usd(total.cost_nano)
    return "unknown" if total.unpriced == total.attempts else f"{usd(total.cost_nano)} + unknown"
