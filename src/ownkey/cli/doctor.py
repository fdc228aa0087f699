"""`ownkey doctor`: is everything as it should be."""

from __future__ import annotations

import sys

import typer

from ownkey.cli.show import JsonOption, opened, print_json

MARKS = {"ok": ("ok", None), "look": ("look", typer.colors.YELLOW), "wrong": ("WRONG", typer.colors.RED)}


def doctor(as_json: bool = JsonOption) -> None:
    """Look at the home folder, database, vault, providers and keys; exits 1 where something is wrong."""
    from ownkey.app.health import examine

    with opened() as ownkey:
        findings = list(examine(ownkey.house, ownkey.owner))
        if as_json:
            print_json(findings)
        else:
            for finding in findings:
                mark, colour = MARKS[finding.state]
                shown = typer.style(f"{mark:<6}", fg=colour) if sys.stdout.isatty() else f"{mark:<6}"
                typer.echo(f"{shown}{finding.about:<16}{finding.says}")
        if any(finding.state == "wrong" for finding in findings):
            raise typer.Exit(1)
