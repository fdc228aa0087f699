"""The command itself: its groups, and what an error looks like."""

from __future__ import annotations

import signal
import sys

import typer

from ownkey.cli import chat, doctor, keys, models, providers, serve, simulate, tokens, usage
from ownkey.cli.problems import exit_code
from ownkey.talk.errors import OwnkeyError

app = typer.Typer(
    name="ownkey",
    help="Your own keys for every language-model provider, behind one door.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command()(serve.serve)
app.add_typer(keys.app, name="keys")
app.add_typer(providers.app, name="providers")
app.command()(models.models)
app.command()(chat.chat)
app.command()(usage.usage)
app.add_typer(tokens.app, name="tokens")
app.command()(simulate.simulate)
app.command()(doctor.doctor)


def main() -> None:
    """Runs the command. An error is one sentence on stderr and an exit code, never a traceback."""
    try:
        app()
    except OwnkeyError as error:
        typer.secho(f"ownkey: {error}", fg=typer.colors.RED if sys.stderr.isatty() else None, err=True)
        sys.exit(exit_code(error))
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
