"""`ownkey consents`: what you have said yes to for good."""

from __future__ import annotations

import typer
from msgspec import structs

from ownkey.cli.show import JsonOption, opened, print_json, print_table, when
from ownkey.store.consents import Consent

app = typer.Typer(no_args_is_help=True, help="What you are not asked about again.")


@app.command("list")
def list_consents(as_json: bool = JsonOption) -> None:
    """What you have said yes to, and until when."""
    with opened() as ownkey:
        found = ownkey.consents.all()
        if as_json:
            print_json([structs.asdict(one) for one in found])
            return
        rows = [(one.id, _said(one), when(one.until_ms)) for one in found]
        print_table(("ID", "YES TO", "UNTIL"), rows, empty="You are asked about everything.")


@app.command("remove")
def remove_consent(id: str = typer.Argument(help="As `ownkey consents list` shows it.")) -> None:
    """Be asked about it again."""
    with opened() as ownkey:
        ownkey.consents.remove(id)
        typer.echo(f"Removed {id}: you are asked again.")


def _said(one: Consent) -> str:
    if one.kind == "switch":
        return f"{one.target} in place of {one.source}"
    if one.kind == "soft_cap":
        return f"runs above the soft cap of the budget {one.target}"
    return f"{one.target}, whose price is not known" + (f" with {one.source}" if one.source else "")
