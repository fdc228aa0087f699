"""The command itself: its groups, and what an error looks like."""

from __future__ import annotations

import io
import os
import signal
import sys
from importlib import metadata

import typer

from ownkey.cli.problems import exit_code, todo
from ownkey.cli.table import Commands
from ownkey.talk.errors import OwnkeyError
from ownkey.talk.notices import notice


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"ownkey {metadata.version('ownkey')}")
        raise typer.Exit


app = typer.Typer(
    name="ownkey",
    cls=Commands,
    help="Your own keys for every language-model provider, behind one door.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def ownkey(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and exit."
    ),
) -> None:
    """Your own keys for every language-model provider, behind one door."""


def main() -> None:
    """Runs the command. An error is one sentence on stderr and an exit code, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # An answer may hold what the terminal's encoding does not.
            stream.reconfigure(errors="replace")
    try:
        app()
    except OwnkeyError as error:
        typer.secho(f"ownkey: {error}", fg=typer.colors.RED if sys.stderr.isatty() else None, err=True)
        if (told := notice(error, retries=False)) is not None:
            typer.echo(f"{told.message} {todo(error, told)}".rstrip(), err=True)
        sys.exit(exit_code(error))
    except OSError as error:
        # Nothing more can be written where the disk is full, not even at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        typer.echo(f"ownkey: {error.strerror or error}.", err=True)
        sys.exit(1)
    except SystemExit as end:
        sys.exit(_as_shells_know(end))


def _as_shells_know(end: SystemExit) -> str | int | None:
    """Typer ends with 1 where it was interrupted or nobody reads on; by custom that is 128 and the signal's number."""
    cause = end.__context__
    while cause is not None:
        if isinstance(cause, KeyboardInterrupt):
            return 128 + signal.SIGINT
        if isinstance(cause, BrokenPipeError):
            return 141
        cause = cause.__cause__ or cause.__context__
    return end.code
