"""`ownkey serve`: the gateway."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import typer

from ownkey.settings import load


def serve(
    host: str | None = typer.Option(None, help="Address to listen at; 127.0.0.1 unless set."),
    port: int | None = typer.Option(None, help="Port to listen at; 3010 unless set."),
) -> None:
    """Run the gateway until it is told to stop. At SIGHUP it reads its configuration anew."""
    from ownkey.server.run import run

    chosen: dict[str, Any] = {"host": host, "port": port}
    run(load(**chosen), announce=typer.echo, command=_called(), reload=lambda: load(**chosen))


def _called() -> str:
    """What to type in this folder for `ownkey`: the bare name where the PATH leads to this one, else where it is."""
    own = Path(sys.executable).with_name("ownkey")
    found = shutil.which("ownkey")
    if not own.exists() or (found and Path(found).samefile(own)):
        return "ownkey"
    here = Path.cwd()
    return shlex.quote(str(own.relative_to(here) if own.is_relative_to(here) else own))
