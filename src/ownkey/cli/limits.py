"""`ownkey limits`: how much is asked of a provider in a minute and at once, and by whom."""

from __future__ import annotations

import typer

from ownkey.app.limits import RuleView
from ownkey.cli.show import JsonOption, opened, print_json, print_table

app = typer.Typer(no_args_is_help=True, help="Limits on requests and tokens a minute, and on parallel calls.")

_Kind = typer.Argument(help="provider, model, key, user or token.")
_Name = typer.Argument(help="OPENAI, OPENAI/MODEL, a key as PROVIDER/LABEL, a person, a token's name.")


@app.command("list")
def list_limits(as_json: bool = JsonOption) -> None:
    """Those that are set, and what holds for providers where nobody has set any."""
    with opened() as ownkey:
        views, defaults = ownkey.limits.all(), ownkey.limits.defaults()
        if as_json:
            print_json({"limits": views, "defaults": defaults})
            return
        print_table(
            ("FOR", "NAME", "REQUESTS/MIN", "TOKENS/MIN", "AT ONCE", "SET BY"),
            [_row(view) for view in (*views, *defaults)],
            empty="No limits. Set one: `ownkey limits set provider openai --requests 100`.",
        )


@app.command("set")
def set_limit(
    kind: str = _Kind,
    name: str = _Name,
    requests: str | None = typer.Option(None, help="Requests a minute; 0: any number, `none`: nothing is said."),
    tokens: str | None = typer.Option(None, help="Tokens a minute, in and out."),
    parallel: str | None = typer.Option(None, help="Calls at once."),
    as_json: bool = JsonOption,
) -> None:
    """Set a limit, or change what is given of one. For a provider or a model each person is counted apart."""
    given = {"requests_per_minute": requests, "tokens_per_minute": tokens, "parallel": parallel}
    with opened() as ownkey:
        asked = {part: None if value == "none" else value for part, value in given.items() if value is not None}
        view = ownkey.limits.set(kind, name, **asked)
        if as_json:
            print_json(view)
        else:
            typer.echo(f"{view.kind} {view.named}: {_said(view)}.")


@app.command("remove")
def remove_limit(kind: str = _Kind, name: str = _Name) -> None:
    """Remove a limit; a provider goes back to what holds for it where none is set."""
    with opened() as ownkey:
        view = ownkey.limits.remove(kind, name)
        typer.echo(f"Removed the limit for the {view.kind} {view.named}.")


def _row(view: RuleView) -> tuple[str, ...]:
    limit = view.limit
    shown = tuple(map(_shown, (limit.requests_per_minute, limit.tokens_per_minute, limit.parallel)))
    return (view.kind, view.named, *shown, "nobody: the default" if view.id is None else view.owner or "the house")


def _shown(amount: int | None) -> str:
    return "" if amount is None else str(amount or "any")


def _said(view: RuleView) -> str:
    limit = view.limit
    parts = (
        (limit.requests_per_minute, "requests a minute"),
        (limit.tokens_per_minute, "tokens a minute"),
        (limit.parallel, "calls at once"),
    )
    return ", ".join(f"{_shown(amount)} {what}" for amount, what in parts if amount is not None)
