"""`ownkey usage reprice`: what a past month would have cost."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

import typer

from ownkey.app.repricing import Repriced, reprice
from ownkey.cli.show import JsonOption, opened, print_json, print_table, usd
from ownkey.talk.errors import InvalidRequest


def reprice_usage(
    month: str | None = typer.Option(None, help="Such as 2026-10; the present one, if none is named."),
    model: str | None = typer.Option(None, "--model", "-m", help="PROVIDER/MODEL, for everything."),
    swap: list[str] = typer.Option([], "--swap", help="PROVIDER/MODEL=PROVIDER/MODEL: one for another; repeatable."),  # noqa: B008
    prices: str = typer.Option("today", help="today, or then: those of the time of each run."),
    as_json: bool = JsonOption,
) -> None:
    """What a month would have cost on other models, or at today's prices."""
    since_ms, until_ms = _month(month)
    if prices not in ("today", "then"):
        raise InvalidRequest("Prices are those of `today` or of `then`.", param="prices")
    chosen: Literal["today", "then"] = "today" if prices == "today" else "then"
    pairs = [one.partition("=") for one in swap]
    if not all(old and new for old, _, new in pairs):
        raise InvalidRequest("A swap is PROVIDER/MODEL=PROVIDER/MODEL.", param="swap")
    with opened() as ownkey:

        def run(progress: Callable[[int], None] | None) -> list[Repriced]:
            return reprice(
                ownkey.house,
                since_ms=since_ms,
                until_ms=until_ms,
                to=model,
                instead_of={old: new for old, _, new in pairs},
                prices=chosen,
                progress=progress,
            )

        found = _watched(run)
    if as_json:
        print_json([_plain(one) for one in found])
        return
    _show(found)


def _watched(run: Callable[[Callable[[int], None] | None], list[Repriced]]) -> list[Repriced]:
    if not sys.stderr.isatty():
        return run(None)
    from rich.console import Console

    with Console(stderr=True).status("Working it out…") as status:
        return run(lambda done: status.update(f"Working it out… {done:,} runs"))


def _show(found: list[Repriced]) -> None:
    print_table(
        ("WAS", "BECOMES", "RUNS", "NOT KNOWN", "DID COST", "WOULD HAVE", "DIFFERENCE"),
        [
            (
                one.was,
                one.becomes if one.becomes != one.was else "",
                str(one.calls),
                str(one.unknown or ""),
                usd(one.actual),
                usd(one.instead),
                _signed(one.difference),
            )
            for one in found
        ],
        empty="Nothing was asked in that month.",
    )
    if found:
        actual, instead = sum(one.actual for one in found), sum(one.instead for one in found)
        typer.echo(f"In all {usd(actual)}, and it would have been {usd(instead)}: {_signed(instead - actual)}.")


def _signed(nano: int) -> str:
    return f"{'+' if nano > 0 else '-' if nano < 0 else ''}{usd(abs(nano))}"


def _plain(one: Repriced) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__struct_fields__} | {"difference": one.difference}


def _month(text: str | None) -> tuple[int, int]:
    now = datetime.now(UTC)
    try:
        first = datetime.strptime(text or f"{now:%Y-%m}", "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        raise InvalidRequest("A month is such as 2026-10.", param="month") from None
    after = first.replace(year=first.year + 1, month=1) if first.month == 12 else first.replace(month=first.month + 1)
    return int(first.timestamp() * 1000), int(after.timestamp() * 1000)
