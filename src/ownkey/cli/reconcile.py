"""`ownkey usage reconcile`: a provider's own bill beside the book."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from ownkey.app.reconcile import Reconciled
from ownkey.app.reconcile import reconcile as compared
from ownkey.cli.show import JsonOption, ProviderArgument, opened, print_json, print_table, usd
from ownkey.spending.drift import Line, farthest

SHOWN = 20
"""Days and unread rows that are listed; `--json` has all."""


def reconcile(
    provider: str = ProviderArgument,
    bill: Path = typer.Argument(help="The provider's costs, exported as CSV."),  # noqa: B008
    zone: str = typer.Option("UTC", help="The zone whose days the bill has, such as Asia/Shanghai."),
    as_json: bool = JsonOption,
) -> None:
    """Compare a provider's own bill with the book, by day and model."""
    with opened() as ownkey:
        found = compared(ownkey.house, provider, bill, zone)
    if as_json:
        print_json(_plain(found))
    else:
        _show(found)


def _show(found: Reconciled) -> None:
    bill, drift = found.bill, found.drift
    models = (*drift.models, drift.total) if len(drift.models) > 1 else drift.models or (drift.total,)
    typer.echo(f"From {bill.first} to {bill.last}.")
    print_table(
        ("MODEL", "BILL", "BOOK", "DRIFT", "PER CENT", "TRIES"),
        [(_model(one), *_figures(one), str(one.calls or "")) for one in models],
        empty="",
    )
    apart = farthest(drift.lines)
    if apart:
        typer.echo()
        print_table(
            ("DAY", "MODEL", "BILL", "BOOK", "DRIFT", "PER CENT", "WHY"),
            [(str(one.day), _model(one), *_figures(one), _why(one)) for one in apart[:SHOWN]],
            empty="",
        )
        if len(apart) > SHOWN:
            typer.echo(f"And {len(apart) - SHOWN} more: --json has them all.")
    typer.echo()
    typer.echo(_says(drift.total))
    if bill.unread_rows:
        typer.echo(f"Rows of the bill that cannot be read, and are in none of this: {bill.unread_rows}.")
        for one in bill.unread[:SHOWN]:
            typer.echo(f"  line {one.line}: {one.why}")


def _says(total: Line) -> str:
    if total.agrees:
        return "The bill and the book agree."
    said = [f"Tries without a known price: {total.unpriced}." if total.unpriced else ""]
    if total.drift:
        share = "" if total.percent is None else f" ({abs(total.percent):.2f} %)"
        said.insert(
            0, f"The bill is {usd(abs(total.drift))}{share} {'more' if total.drift > 0 else 'less'} than the book."
        )
    elif total.drift == 0:
        said.insert(0, "The sums agree.")
    return " ".join(filter(None, said))


def _why(one: Line) -> str:
    """What the book knows about a drift."""
    said = [
        "not on the bill" if one.billed is None else "",
        "not in the book" if one.calls == 0 and not one.pending else "",
        f"{one.unpriced} without a price" if one.unpriced else "",
        f"{usd(one.assumed)} assumed" if one.assumed else "",
        f"{usd(one.pending)} pending" if one.pending else "",
    ]
    return ", ".join(filter(None, said))


def _model(one: Line) -> str:
    if one.model:
        return one.model
    return "all" if one.day is None else "–"


def _figures(one: Line) -> tuple[str, str, str, str]:
    booked = "unknown" if one.booked is None and one.calls else _amount(one.booked)
    percent = "" if one.percent is None else f"{one.percent:+.2f}"
    return _amount(one.billed), booked, "unknown" if one.drift is None else _signed(one.drift), percent


def _amount(nano: int | None) -> str:
    return "" if nano is None else usd(nano)


def _signed(nano: int) -> str:
    return f"{'+' if nano > 0 else '-' if nano < 0 else ''}{usd(abs(nano))}"


def _plain(found: Reconciled) -> dict[str, Any]:
    bill, drift = found.bill, found.drift
    return {
        "first": bill.first,
        "last": bill.last,
        "total": _line(drift.total),
        "models": [_line(one) for one in drift.models],
        "lines": [_line(one) for one in drift.lines],
        "unread_rows": bill.unread_rows,
        "unread": bill.unread,
    }


def _line(one: Line) -> dict[str, Any]:
    values = {name: getattr(one, name) for name in one.__struct_fields__}
    return values | {"drift": one.drift, "percent": one.percent, "agrees": one.agrees}
