"""`ownkey serve`: the gateway."""

from __future__ import annotations

import typer

from ownkey.settings import load


def serve(
    host: str | None = typer.Option(None, help="Address to listen at; 127.0.0.1 unless set."),
    port: int | None = typer.Option(None, help="Port to listen at; 3010 unless set."),
) -> None:
    """Run the gateway until it is told to stop."""
    from ownkey.server.run import run

    chosen = {name: value for name, value in {"host": host, "port": port}.items() if value is not None}
    run(load(**chosen), announce=typer.echo)
