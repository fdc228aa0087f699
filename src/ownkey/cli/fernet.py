"""`ownkey keys import-fernet`: keys that another program has encrypted with Fernet."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from ownkey.cli.show import JsonOption, opened, print_json
from ownkey.talk.errors import InvalidRequest

FileArgument = typer.Argument(help="The file of values, JSON or CSV; `-` for standard input.")
KeyFileOption = typer.Option(..., help="A file with the Fernet key; several, one to a line, where it was changed.")
UserOption = typer.Option(None, help="Of a file with several users: whose keys are to be yours.")
EachOption = typer.Option(False, help="Keep each user's keys apart, under the users' own names.")
ReplaceOption = typer.Option(False, help="Replace keys that are there already; unless set they stay.")


def import_fernet(
    file: str = FileArgument,
    key_file: Path = KeyFileOption,
    user: str | None = UserOption,
    each_user: bool = EachOption,
    replace: bool = ReplaceOption,
    as_json: bool = JsonOption,
) -> None:
    """Bring in keys that another program has encrypted with Fernet. Exits 1 where one could not be."""
    from ownkey.app import fernet

    keys = fernet.read_keys(_read(key_file))
    values = fernet.read_values(sys.stdin.buffer.read(fernet.MOST_BYTES + 1) if file == "-" else _read(Path(file)))
    with opened() as ownkey:
        users = {value.user for value in values}
        if user is not None:
            owners: dict[str | None, str] = {user: ownkey.owner}
        elif each_user:
            owners = {one: one or ownkey.owner for one in users}
        elif len(users) == 1:
            owners = dict.fromkeys(users, ownkey.owner)
        else:
            raise InvalidRequest(
                f"This file has keys of {len(users)} users. Nothing was imported.",
                "Name yours with `--user NAME`, or take all with `--each-user`.",
            )
        if not users & owners.keys():
            raise InvalidRequest("This file has no keys of that user. Nothing was imported.", param="user")
        done = fernet.import_fernet(ownkey.house, values, keys, owners, replace=replace)
    if as_json:
        kept = [{"owner": row.owner, "provider": row.provider, "masked": row.masked} for row in done.kept]
        print_json({"kept": kept, "left": done.left, "bad": done.bad})
    else:
        for row in done.kept:
            typer.echo(f"Stored {row.masked} for {row.provider}, to be sent to {row.origin} only.")
        for place in done.left:
            typer.echo(f"There is a key already for this, which stays (`--replace` replaces it): {place}")
        for bad in done.bad:
            typer.echo(f"Not imported: {bad.place}: {bad.why}", err=True)
    if done.bad:
        raise typer.Exit(1)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror}.") from None
