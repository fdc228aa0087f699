"""`ownkey vault`: how the vault stands, sealing it, and another root key."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from ownkey.cli.show import JsonOption, opened, print_json, print_table, when
from ownkey.settings import Password
from ownkey.talk.errors import InvalidRequest

if TYPE_CHECKING:
    from ownkey.app.ownkey import Ownkey
    from ownkey.app.safe import SafeStatus
    from ownkey.vault.rotate import Target

app = typer.Typer(no_args_is_help=True, help="Where your keys are sealed, and the root key that opens them.")

Place = Literal["home", "file", "password", "keychain", "transit"]

ToOption = typer.Option(None, help="Where the new root key is kept; where the old one is, unless set.")
PathOption = typer.Option(
    None, help="With `--to file`: the file, made where there is none; one that is there holds the new root key."
)

_MOST = 4096


@app.command("status")
def status(as_json: bool = JsonOption) -> None:
    """Whether it is open, where the root key comes from, and how many keys are sealed under which."""
    with opened() as ownkey:
        found = ownkey.vault.status()
        if as_json:
            print_json(found)
        else:
            _show(found)


@app.command("seal")
def seal(as_json: bool = JsonOption) -> None:
    """No process gives a key from a second later on, until `ownkey vault unseal`."""
    with opened() as ownkey:
        ownkey.vault.seal()
        _told(ownkey, as_json, "Sealed. No key is given any more, by any process, until: ownkey vault unseal")


@app.command("unseal")
def unseal(as_json: bool = JsonOption) -> None:
    """Give keys again."""
    with opened() as ownkey:
        ownkey.vault.unseal()
        _told(ownkey, as_json, "Open.")


@app.command("rotate")
def rotate(
    to: Place | None = ToOption,
    path: Path | None = PathOption,
    as_json: bool = JsonOption,
) -> None:
    """Make a new root key and seal every key under it, while gateways go on. One that was cut short goes on."""
    with opened() as ownkey:
        before = ownkey.vault.status()
        target, was, file = None, before.source, None if path is None else str(path.expanduser().absolute())
        if before.rotation is None:
            target = _target(to, path, before.source)
        else:
            was, file = before.rotation.from_source, before.rotation.to_path
            typer.echo("Another root key was taking over: this goes on with it.", err=True)
        _go_through(ownkey, target, quiet=as_json)
        after = ownkey.vault.status()
        if as_json:
            print_json(after)
            return
        typer.echo(f"Root key {after.kek_id} has taken over; {_keys(sum(root.keys for root in after.keys))} under it.")
        for step in ownkey.vault.to_do(was, file or _named(ownkey)):
            typer.echo(step)


def _target(to: Place | None, path: Path | None, source: str) -> Target:
    from ownkey.vault.rotate import Target

    if path is not None and (to or source) != "file":
        raise InvalidRequest("A path goes with `--to file`.", param="path")
    if (to or source) != "password":
        return Target(to, path)
    if sys.stdin.isatty():
        typer.echo("The new password, 12 characters or more, and the new salt, 8 or more. Keep both.")
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
        salt = typer.prompt("Salt")
    else:
        password, _, salt = sys.stdin.read(_MOST).strip("\r\n").partition("\n")
    if not password or not salt.strip():
        raise InvalidRequest("A new password and a new salt are needed.", "On standard input: one line for each.")
    return Target(to, None, Password(password.rstrip("\r")), Password(salt.strip()))


def _named(ownkey: Ownkey) -> str | None:
    file = ownkey.settings.master_key_file
    return None if file is None else str(file)


def _go_through(ownkey: Ownkey, target: Target | None, *, quiet: bool) -> None:
    progress = ownkey.vault.rotate(target)
    if quiet or not sys.stderr.isatty():
        said = ""
        for step in progress:
            if not quiet and step.step != said:
                said = step.step
                typer.echo(f"{_STEPS[said]}", err=True)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(_STEPS["making"], total=None)
        for step in progress:
            bar.update(task, description=_STEPS[step.step], completed=step.done, total=step.total or None)


def _show(found: SafeStatus) -> None:
    from ownkey.app.safe import SOURCES

    typer.echo(f"The vault is {found.state}.")
    if found.reason:
        typer.echo(f"{found.reason} {found.hint}")
    if found.sealed_at_ms is not None:
        typer.echo(f"Sealed by its owner since {when(found.sealed_at_ms)}.")
    if found.source:
        since = f", since {when(found.since_ms)}" if found.since_ms is not None else ""
        typer.echo(f"The root key {found.kek_id or ''} comes from {SOURCES[found.source]}{since}.".replace("  ", " "))
    if found.rotation is not None:
        turning = found.rotation
        typer.echo(
            f"Another root key is taking over ({turning.from_source} to {turning.to_source}, {turning.step}):"
            " `ownkey vault rotate` goes on with it."
        )
    rows = [(root.kek_id, str(root.keys), root.role) for root in found.keys]
    print_table(("ROOT KEY", "KEYS", ""), rows, empty="No keys are sealed yet.")


def _told(ownkey: Ownkey, as_json: bool, text: str) -> None:
    if as_json:
        print_json(ownkey.vault.status())
    else:
        typer.echo(text)


def _keys(count: int) -> str:
    return f"{count} key{'' if count == 1 else 's'}"


_STEPS = {
    "making": "Putting the new root key in its place",
    "sharing": "Waiting until every process knows it",
    "wrapping": "Sealing keys under it",
    "verifying": "Opening each with it",
    "leaving": "Removing the old one",
    "done": "Done",
}
