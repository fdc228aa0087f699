"""`ownkey keys`: stored from the prompt or standard input, and never shown again."""

from __future__ import annotations

import sys

import typer

from ownkey.app.ownkey import Ownkey
from ownkey.cli.show import JsonOption, ProviderArgument, opened, print_json, print_table, when
from ownkey.talk.errors import InvalidRequest

app = typer.Typer(no_args_is_help=True, help="Your providers' keys.")

# A key is at most 4,096 characters; more on standard input is a file by mistake.
MAX_INPUT = 8192


# What stands after the provider is taken, so that the refusal need not repeat it: it may be a key.
@app.command("set", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def set_key(context: typer.Context, provider: str = ProviderArgument) -> None:
    """Store a key: from the prompt, or from standard input."""
    if context.args:
        raise InvalidRequest(
            "A key is not taken as an argument: it would stay in the shell's history. Nothing was stored.",
            'Enter it at the prompt, or: echo "$KEY" | ownkey keys set PROVIDER',
        )
    with opened() as ownkey:
        view = ownkey.providers.get(provider)
        if sys.stdin.isatty():
            page = view.provider.keys.page
            typer.echo(f"A key for {view.provider.name}{f' is made at {page}' if page else ''}.")
            key = typer.prompt("Key", hide_input=True, show_default=False)
        else:
            key = sys.stdin.read(MAX_INPUT)
        stored = ownkey.keys.set(provider, key.strip("\r\n \t"))
        typer.echo(f"Stored {stored.row.masked} for {view.provider.name}, to be sent to {stored.row.origin} only.")
        if stored.doubt:
            typer.echo(stored.doubt, err=True)
        if (lack := ownkey.providers.get(provider).lack) is not None:
            typer.echo(lack.hint, err=True)


@app.command("list")
def list_keys(as_json: bool = JsonOption) -> None:
    """Which keys there are, masked."""
    with opened() as ownkey:
        rows = ownkey.keys.listed()
        if as_json:
            fields = ("id", "provider", "label", "masked", "origin", "created_at_ms", "used_at_ms")
            print_json([{name: getattr(row, name) for name in fields} for row in rows])
            return
        print_table(
            ("PROVIDER", "KEY", "GOES TO", "STORED"),
            [(row.provider, row.masked, row.origin, when(row.created_at_ms)) for row in rows],
            empty="No keys yet. Store one: `ownkey keys set PROVIDER`.",
        )


@app.command("test")
def try_key(provider: str = ProviderArgument) -> None:
    """Ask the provider with the stored key: for its models, or for a short answer where everybody may see those."""
    with Ownkey().blocking() as ownkey:
        name = ownkey.providers.get(provider).provider.name
        tested = ownkey.test_key(provider)
        found = "it answers" if tested.models is None else f"{tested.models} models"
        typer.echo(f"{name} takes this key: {found}, in {tested.took_ms / 1000:.1f} s.")


@app.command("remove")
def remove_key(provider: str = ProviderArgument) -> None:
    """Remove the stored key."""
    with opened() as ownkey:
        name = ownkey.providers.get(provider).provider.name
        if not ownkey.keys.remove(provider):
            raise InvalidRequest(f"There is no key for {name}.", "`ownkey keys list` shows those that there are.")
        typer.echo(f"Removed the key for {name}.")
