"""`ownkey serve`: the gateway."""

from __future__ import annotations

import os
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
    opens: bool = typer.Option(False, "--open", help="Open the page in your browser."),
    or_any_port: bool = typer.Option(False, "--or-any-port", help="Where that port is taken, listen at a free one."),
    stop_at_eof: bool = typer.Option(False, "--stop-at-eof", help="Stop when standard input ends."),
) -> None:
    """Run the gateway until it is told to stop. At SIGHUP it reads its configuration anew."""
    from ownkey.cli.opening import Opening
    from ownkey.server.run import run

    chosen: dict[str, Any] = {"host": host, "port": port}
    settings = load(**chosen)
    with Opening(settings.home) as opening:
        run(
            settings,
            announce=typer.echo,
            command=_called(),
            reload=lambda: load(**chosen),
            # What goes into a file or a log is for more people than a terminal is.
            links=sys.stdout.isatty(),
            show=opening.show if opens else None,
            or_any_port=or_any_port,
            until=_end_of_input if stop_at_eof else None,
        )


def _end_of_input() -> None:
    # Not by sys.stdin, whose lock a thread that reads would hold while Python ends.
    while os.read(0, 4096):
        pass


def _called() -> str:
    """What to type in this folder for `ownkey`: the bare name where the PATH leads to this one, else where it is."""
    own = Path(sys.executable).with_name("ownkey")
    found = shutil.which("ownkey")
    if not own.exists() or (found and Path(found).samefile(own)):
        return "ownkey"
    here = Path.cwd()
    return shlex.quote(str(own.relative_to(here) if own.is_relative_to(here) else own))
