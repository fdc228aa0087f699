"""`ownkey tokens`: what programs show to the gateway."""

from __future__ import annotations

import typer

from ownkey.cli.show import JsonOption, opened, print_json, print_table, when
from ownkey.talk.errors import InvalidRequest

app = typer.Typer(no_args_is_help=True, help="Tokens with which programs use the gateway.")


@app.command("create")
def create_token(name: str = typer.Argument(help="What it is for."), as_json: bool = JsonOption) -> None:
    """Make a token. It is shown this once."""
    with opened() as ownkey:
        row, secret = ownkey.house.tokens.create(ownkey.owner, name)
        value = secret.reveal().decode("ascii")
        if as_json:
            print_json({"id": row.id, "name": row.name, "token": value})
            return
        typer.echo(value)
        typer.echo("Keep it: it is not shown again. Send it as `Authorization: Bearer …`.", err=True)


@app.command("list")
def list_tokens(as_json: bool = JsonOption) -> None:
    """Which tokens there are."""
    with opened() as ownkey:
        rows = ownkey.house.tokens.listed()
        if as_json:
            fields = ("id", "name", "shown", "created_at_ms", "revoked_at_ms")
            print_json([{field: getattr(row, field) for field in fields} for row in rows])
            return
        print_table(
            ("NAME", "TOKEN", "MADE", "REVOKED"),
            [(row.name, row.shown, when(row.created_at_ms), when(row.revoked_at_ms)) for row in rows],
            empty="No tokens yet. Make one: `ownkey tokens create NAME`.",
        )


@app.command("revoke")
def revoke_token(name: str = typer.Argument(help="Its name or id.")) -> None:
    """End a token: within a second it opens nothing."""
    with opened() as ownkey:
        if not ownkey.house.tokens.revoke(name):
            raise InvalidRequest(f"There is no token {name!r}.", "`ownkey tokens list` shows those that there are.")
        typer.echo(f"Revoked {name}.")
