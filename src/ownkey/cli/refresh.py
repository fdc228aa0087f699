"""`ownkey prices refresh`, `history`, `revert`: a newer price catalogue, looked at before it is taken."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import typer

from ownkey.app.ownkey import Ownkey
from ownkey.app.refreshing import Proposal
from ownkey.cli.show import JsonOption, opened, print_json, print_table, when
from ownkey.spending.changes import Change, percent
from ownkey.spending.price import Rates
from ownkey.store.catalogues import Edition
from ownkey.talk.errors import InvalidRequest
from ownkey.talk.money import say_usd

SHOWN = 40
"""Of the models that are not yours; `--json` has all."""


def refresh(
    place: str | None = typer.Argument(None, help="A file or a URL. Without: OWNKEY_PRICES_URL."),
    yes: bool = typer.Option(False, "--yes", help="Take them without asking, unless a change is large."),
    accept_large_changes: bool = typer.Option(
        False, "--accept-large-changes", help="With --yes: take even prices that are gone, nothing, or tenfold."
    ),
    as_json: bool = JsonOption,
) -> None:
    """Fetch newer prices, show what they change, and take them if you say so."""

    async def run() -> None:
        async with Ownkey() as ownkey:
            proposal = await ownkey.prices.look(place)
            if as_json:
                taken = _take(ownkey, proposal, yes, accept_large_changes) if yes else None
                print_json(_plain(proposal, taken))
                return
            _show(proposal)
            if not proposal.changes:
                return
            edition = _take(ownkey, proposal, yes, accept_large_changes)
            typer.echo(f"Taken, as number {edition.number}. `ownkey prices revert` goes back.")

    asyncio.run(run())


def history(as_json: bool = JsonOption) -> None:
    """Every change of the price catalogue, newest first."""
    with opened() as ownkey:
        every, shipped = ownkey.prices.history(), ownkey.prices.shipped
    if as_json:
        print_json(every)
        return
    used = every[0].used if every else 0
    rows = [_row(one, used) for one in every]
    print_table(
        ("NUMBER", "WHEN", "WHAT", "SHA256", "IN USE"),
        [*rows, ("0", "", f"{shipped}, as they came with Ownkey", "", "yes" if not used else "")],
        empty="",
    )


def revert(
    number: int | None = typer.Argument(None, min=0, help="As `ownkey prices history` has it."),
    shipped: bool = typer.Option(False, "--shipped", help="To those that came with Ownkey."),
    as_json: bool = JsonOption,
) -> None:
    """Go back to the prices before, to those of a number, or to the shipped ones."""
    if shipped and number:
        raise InvalidRequest("Either a number or --shipped.", param="number")
    with opened() as ownkey:
        edition, changes = ownkey.prices.revert(0 if shipped else number)
        ownkey.alerts.look()
    if as_json:
        print_json({"taken": edition, "changes": changes})
        return
    _table(changes)
    what = f"the prices {edition.used}, from {edition.source}" if edition.used else "the shipped prices"
    typer.echo(f"In use are {what}.")


def _take(ownkey: Ownkey, proposal: Proposal, yes: bool, accept_large: bool) -> Edition:
    """Taken, and the alerts about it raised at once."""
    if not yes:
        for change in [] if accept_large else proposal.large:
            name = f"{change.provider}/{change.model}"
            typer.confirm(f"{name}: {_told(change)}. Is that right?", abort=True)
        typer.confirm("Take these prices?", abort=True)
    edition = ownkey.prices.take(proposal, proposal.large if accept_large or not yes else ())
    ownkey.alerts.look()
    return edition


def _show(proposal: Proposal) -> None:
    typer.echo(f"From {proposal.source}, sha256 {proposal.sha256}.")
    _table(proposal.changes)
    count = {kind: sum(one.kind == kind for one in proposal.changes) for kind in ("new", "gone", "dearer", "cheaper")}
    if proposal.changes:
        typer.echo(", ".join(f"{number} {kind}" for kind, number in count.items()) + ".")


def _table(changes: Sequence[Change]) -> None:
    near = [one for one in changes if one.near or one.large]
    others = [one for one in changes if not (one.near or one.large)]
    print_table(
        ("MODEL", "YOURS", "CHANGE", "IN", "OUT", "WHEN"),
        [
            (
                f"{one.provider}/{one.model}",
                one.near,
                f"{one.kind}, LARGE" if one.large else one.kind,
                _move(one, "input"),
                _move(one, "output"),
                _when(one),
            )
            for one in (*near, *others[:SHOWN])
        ],
        empty="No price changes.",
    )
    if len(others) > SHOWN:
        typer.echo(f"And {len(others) - SHOWN} more: --json has them all.")


def _told(change: Change) -> str:
    moves = ", ".join(f"{name} {_move(change, rate)}" for name, rate in (("in", "input"), ("out", "output")))
    place = _when(change)
    return f"{change.kind}, {moves}{f', {place}' if place else ''}"


def _move(change: Change, rate: str) -> str:
    was, is_ = _rate(change.before, rate), _rate(change.after, rate)
    if was == is_:
        return _usd(is_)
    by = percent(was, is_) if was is not None and is_ is not None else None
    return f"{_usd(was)} to {_usd(is_)}{'' if by is None else f' ({_percent(by)})'}"


def _when(change: Change) -> str:
    asked = ", ".join(f"{name}={value}" for name, value in change.asked.items())
    return " ".join(filter(None, (f"from {change.since}" if change.since else "", f"with {asked}" if asked else "")))


def _rate(rates: Rates | None, name: str) -> int | None:
    return None if rates is None else getattr(rates, name)


def _usd(nano: int | None) -> str:
    return "unknown" if nano is None else say_usd(nano)


def _percent(by: float) -> str:
    return f"{by:+,.2f}".rstrip("0").rstrip(".") + " %"


def _row(one: Edition, used: int) -> tuple[str, ...]:
    what = one.source if one.back_to is None else f"back to {one.back_to}"
    return (str(one.number), when(one.at_ms), what, one.sha256[:16], "yes" if one.number == used else "")


def _plain(proposal: Proposal, taken: Edition | None) -> dict[str, Any]:
    changes = [
        msgspec.to_builtins(one)
        | {
            f"{rate}_percent": percent(was, is_) if was is not None and is_ is not None else None
            for rate in ("input", "output")
            for was, is_ in ((_rate(one.before, rate), _rate(one.after, rate)),)
        }
        for one in proposal.changes
    ]
    return {"source": proposal.source, "sha256": proposal.sha256, "taken": taken, "changes": changes}
