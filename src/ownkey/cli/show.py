"""Tables for people, JSON for scripts."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from datetime import datetime

import msgspec
import typer

from ownkey.app.ownkey import Ownkey
from ownkey.talk.money import say_usd

ProviderArgument = typer.Argument(help="A provider, as `ownkey providers list` names it.")
JsonOption = typer.Option(False, "--json", help="Print JSON, for scripts.")


@contextmanager
def opened() -> Generator[Ownkey]:
    """Ownkey for a command that asks no provider."""
    ownkey = Ownkey()
    try:
        yield ownkey
    finally:
        ownkey.close()


def print_json(value: object) -> None:
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str) -> None:
    """A table as wide as the terminal; plain columns where there is none. `empty` says what to do next."""
    listed = [list(row) for row in rows]
    if not listed:
        typer.echo(empty)
        return
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(*columns, box=None, header_style="bold", pad_edge=False)
        for row in listed:
            table.add_row(*(Text(cell) for cell in row))
        Console().print(table)
        return
    for row in [list(columns), *listed]:
        typer.echo("\t".join(row))


def usd(nano_usd: int | None) -> str:
    return "unknown" if nano_usd is None else say_usd(nano_usd)


def per_million(nano_usd: int | None) -> str:
    """A rate in nano-USD per million tokens, as people know it."""
    return "" if nano_usd is None else say_usd(nano_usd)


def when(epoch_ms: int | None) -> str:
    return "" if epoch_ms is None else datetime.fromtimestamp(epoch_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M")
