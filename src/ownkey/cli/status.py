"""`ownkey providers status`: how each provider is."""

from __future__ import annotations

import sys
import time
from typing import Any

import msgspec
import typer

from ownkey.app.condition import ProviderHealth, TargetHealth
from ownkey.app.ownkey import Ownkey
from ownkey.cli.show import JsonOption, opened, print_json, print_table, when

EVERY_S = 2.0
COLUMNS = ("PROVIDER", "MODEL", "STATE", "SINCE", "ANSWERED", "FIRST WORD", "WHOLE", "SPEED", "LAST ERROR")


def providers_status(
    as_json: bool = JsonOption,
    watch: bool = typer.Option(False, "--watch", help="Show it anew every two seconds, until Ctrl-C."),
    every: bool = typer.Option(False, "--all", help="Also providers of which nothing is known."),
) -> None:
    """How each provider is, by its answers to everybody in the last quarter of an hour."""
    with opened() as ownkey:
        _show(ownkey, as_json=as_json, every=every)
        while watch:
            time.sleep(EVERY_S)
            if sys.stdout.isatty():
                typer.echo("\x1b[H\x1b[2J", nl=False)
            _show(ownkey, as_json=as_json, every=every)


def _show(ownkey: Ownkey, *, as_json: bool, every: bool) -> None:
    found = [one for one in ownkey.condition.listed() if every or one.targets]
    if as_json:
        print_json([plain(one) for one in found])
        return
    rows = [_row(one, target) for one in found for target in one.targets]
    rows += [(one.provider, "", one.state, *[""] * 6) for one in found if not one.targets]
    print_table(COLUMNS, rows, empty="Nothing was asked in the last quarter of an hour.")


def _row(one: ProviderHealth, target: TargetHealth) -> tuple[str, ...]:
    return (
        one.provider,
        target.model,
        target.state,
        when(target.since_ms),
        "" if target.success is None else f"{100 * target.success:.0f} %",
        _seconds(target.first_ms),
        _seconds(target.whole_ms),
        "" if target.tokens_per_s is None else f"{target.tokens_per_s:.0f} tokens/s",
        target.last_error or "",
    )


def _seconds(ms: int | None) -> str:
    return "" if ms is None else f"{ms / 1000:.2f} s"


def plain(one: ProviderHealth) -> dict[str, Any]:
    """For scripts: what only a running gateway knows is left out."""
    told: dict[str, Any] = msgspec.to_builtins(one)
    for name in ("reached", "reached_ms"):
        del told[name]
    for target in told["targets"]:
        for name in ("allowance", "live"):
            del target[name]
    return told
