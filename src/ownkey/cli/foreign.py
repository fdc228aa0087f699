"""`ownkey keys import`: keys out of other programs' files, shown before anything is stored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from msgspec import to_builtins

from ownkey.app.foreign.finding import BESIDE, FORMS
from ownkey.app.ownkey import Ownkey
from ownkey.cli.show import JsonOption, print_json, print_table
from ownkey.talk.errors import InvalidRequest

if TYPE_CHECKING:
    from ownkey.app.foreign.imports import Outcome
    from ownkey.app.foreign.plan import Preview, Row

FileArgument = typer.Argument(help="A file of LiteLLM, LibreChat, llm, One API or New API, or a .env file.")
FromOption = typer.Option(None, "--from", help=f"Whose it is, where that is not seen: {', '.join(FORMS)}.")
DryRunOption = typer.Option(False, "--dry-run", help="Show what would be stored, and store nothing.")
YesOption = typer.Option(False, "--yes", help="Do not ask, not even about addresses that are new.")
NoCheckOption = typer.Option(False, "--no-check", help="Store them without asking their providers.")


def import_keys(
    file: Path = FileArgument,
    form: str | None = FromOption,
    dry_run: bool = DryRunOption,
    yes: bool = YesOption,
    no_check: bool = NoCheckOption,
    as_json: bool = JsonOption,
) -> None:
    """Bring in keys from another program's file: shows what goes where, asks once, and stores each as `keys set` does.

    The file is not changed. Exits 1 where a key that was to be stored was not.
    """
    if form is not None and form not in FORMS:
        raise InvalidRequest(f"Files can be of {', '.join(FORMS)}.", "Nothing was imported.", param="from")
    if as_json and not (yes or dry_run):
        raise InvalidRequest("With --json nobody is asked.", "Add --dry-run to look, or --yes to store.")
    ownkey = Ownkey()
    with ownkey.blocking() as blocking:
        preview = ownkey.imports.preview(file, form)
        if not as_json:
            _show(preview)
        outcomes: list[Outcome] = []
        if preview.wanted and not dry_run:
            if not yes:
                typer.confirm(_question(preview), abort=True)
            outcomes = blocking.run(ownkey.imports.add(preview, check=not no_check))
        if as_json:
            print_json(_plain(preview, outcomes))
        else:
            for outcome in outcomes:
                _tell(outcome)
    if any(not outcome.stored for outcome in outcomes):
        raise typer.Exit(1)


def _show(preview: Preview) -> None:
    beside = f", with the {BESIDE} beside it" if preview.beside else ""
    typer.echo(f"A file of {preview.form}{beside}.")
    print_table(
        ("PROVIDER", "LABEL", "KEY", "GOES TO", "FROM", ""),
        [_line(row) for row in preview.rows],
        empty="No keys stand in it.",
    )
    for adds in dict.fromkeys(row.adds for row in preview.rows if row.adds and row.why is None):
        typer.echo(f"New here: {adds}.")


def _line(row: Row) -> tuple[str, ...]:
    why = "" if row.why is None else f"not taken: {row.why}"
    return (row.provider or row.named, row.label or "", row.masked or "", row.goes_to or "", row.place, why)


def _question(preview: Preview) -> str:
    wanted = [one.row for one in preview.wanted]
    new = len({row.goes_to for row in wanted if row.adds})
    keys = "this key" if len(wanted) == 1 else f"these {len(wanted)} keys"
    if not new:
        return f"Store {keys}?"
    return f"Store {keys}, {new} of the addresses being new here?"


def _tell(outcome: Outcome) -> None:
    row = outcome.row
    if not outcome.stored:
        typer.echo(f"Not stored: {row.place}, {row.masked} for {row.provider}: {outcome.says}", err=True)
        return
    typer.echo(f"Stored {row.masked} for {row.provider}, {row.label}, to be sent to {row.goes_to} only.")
    if outcome.says:
        typer.echo(outcome.says, err=True)


def _plain(preview: Preview, outcomes: list[Outcome]) -> dict[str, Any]:
    told = {outcome.row.place: outcome for outcome in outcomes}
    rows: list[dict[str, Any]] = []
    for row in preview.rows:
        outcome = told.get(row.place)
        came = {"stored": bool(outcome and outcome.stored), "says": outcome.says if outcome else None}
        rows.append({**to_builtins(row), **came})
    return {"form": preview.form, "rows": rows}
