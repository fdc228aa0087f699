"""`ownkey users link`: a way in for who has the terminal."""

from __future__ import annotations

import typer

from ownkey.app.signing import SignIn
from ownkey.cli.show import opened


def sign_in_link(
    who: str = typer.Argument("owner", help="Their id or e-mail address; yours unless said."),
    port: int | None = typer.Option(None, help="The port that `ownkey serve` listens at, where it was given one."),
) -> None:
    """Print a link that signs a browser in once, within 15 minutes."""
    with opened() as ownkey:
        user = ownkey.people.get(who)
        settings = ownkey.settings
        root = settings.public_url or f"http://{settings.host}:{port or settings.port}"
        typer.echo(f"{root}/#link={SignIn(ownkey.house).link(user.id).reveal().decode('ascii')}")
