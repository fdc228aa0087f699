"""`ownkey export` and `ownkey import`: everything that is kept, in one file that a passphrase opens."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from ownkey.app.parcel_in import Preview
from ownkey.cli.show import JsonOption, opened, print_json, print_table, when
from ownkey.settings import Password
from ownkey.talk.errors import InvalidRequest

MAX_INPUT = 4096

_To = typer.Argument(help="Where to write it.")
_From = typer.Argument(help="An exported file.")


def export(
    file: Path = _To,
    without_keys: bool = typer.Option(
        False, "--without-keys", help="Leave out keys, and whatever else lets somebody in."
    ),
    without_usage: bool = typer.Option(False, "--without-usage", help="Leave out what was used."),
    force: bool = typer.Option(False, "--force", help="Write over a file that is there."),
    as_json: bool = JsonOption,
) -> None:
    """Write everything to one file, encrypted with a passphrase from the prompt or standard input."""
    file = file.expanduser()
    if file.exists() and not force and sys.stdin.isatty():
        typer.confirm(f"{file} is there already. Write over it?", abort=True)
        force = True
    passphrase = _passphrase(twice=True)
    with opened() as ownkey:
        done = ownkey.parcels.export(file, passphrase, keys=not without_keys, usage=not without_usage, replace=force)
        if as_json:
            print_json(done)
            return
        told = ", ".join(f"{count} {table}" for table, count in done.rows.items())
        typer.echo(f"{file} holds {told}, {done.files} provider files, {len(done.settings)} settings.")
        for left in done.left:
            typer.echo(f"Left out: {left}.", err=True)
        typer.echo(
            "Without the passphrase nobody opens it, you neither. It opens with `ownkey import FILE`, and `age -d`."
        )


def import_(
    file: Path = _From,
    dry_run: bool = typer.Option(False, "--dry-run", help="Only show what would come."),
    replace: bool = typer.Option(False, "--replace", help="Where something here says something else, take the file's."),
    yes: bool = typer.Option(False, "--yes", "-y", help="Do not ask."),
    as_json: bool = JsonOption,
) -> None:
    """Take in such a file: shown first, then all of it or nothing."""
    file = file.expanduser()
    try:
        handle = file.open("rb")
    except OSError as error:
        raise InvalidRequest(f"{file} cannot be read: {error.strerror}.", param="file") from None
    with handle, opened() as ownkey:
        incoming = ownkey.parcels.open(handle, _passphrase(twice=False), replace=replace)
        preview = incoming.preview
        if not as_json:
            _show(preview)
        if dry_run:
            if as_json:
                print_json(preview)
            return
        if not (preview.conflicts or yes):
            if not sys.stdin.isatty():
                raise InvalidRequest("Nobody can be asked here. Nothing was imported.", "Say so beforehand: `--yes`.")
            typer.confirm("Take all of it in?", abort=True)
        incoming.take()
        if as_json:
            print_json(preview)
            return
        typer.echo("Imported.")
        if any(one.what.startswith("setting of") and one.new + one.replaced for one in preview.parts):
            typer.echo("Start `ownkey serve` anew for the settings of config.toml.")


def _show(preview: Preview) -> None:
    keys = "with keys" if preview.with_keys else "without keys"
    typer.echo(f"Exported {when(preview.made_at_ms)} by Ownkey {preview.ownkey}, {keys}.")
    rows = [(one.what, str(one.new), str(one.same), str(one.replaced)) for one in preview.parts]
    print_table(("WHAT", "NEW", "HERE ALREADY", "REPLACED"), rows, empty="There is nothing in it.")
    for conflict in preview.conflicts:
        typer.echo(f"Says something else here: {conflict}.", err=True)


def _passphrase(*, twice: bool) -> Password:
    if sys.stdin.isatty():
        return Password(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=twice))
    given = sys.stdin.read(MAX_INPUT).partition("\n")[0].rstrip("\r")
    if not given:
        raise InvalidRequest("There is no passphrase on standard input.", "It is the first line.", param="passphrase")
    return Password(given)
