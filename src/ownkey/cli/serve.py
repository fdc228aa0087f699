"""`ownkey serve`: the gateway."""

from __future__ import annotations

from typing import Any

import typer

from ownkey.settings import load


def serve(
    host: str | None = typer.Option(None, help="Address to listen at; 127.0.0.1 unless set."),
    port: int | None = typer.Option(None, help="Port to listen at; 3010 unless set."),
) -> None:
    """Run the gateway until it is told to stop."""
    from ownkey.server.run import run

    chosen: dict[str, Any] = {"host": host, "port": port}
    run(load(**{name: value for name, value in chosen.items() if value is not None}), announce=typer.echo)
