"""`ownkey providers check`: whether a provider does what its file says."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import typer

from ownkey.app.conformance import Conformance, Finding
from ownkey.app.ownkey import Ownkey
from ownkey.catalog.read import Problem, read_manifest
from ownkey.cli.show import JsonOption, print_json, print_table, usd
from ownkey.settings import load
from ownkey.talk.errors import InvalidRequest
from ownkey.wires.wire import wire_names

MAX_KEY = 8192


def check_provider(
    provider: str = typer.Argument(help="A provider, or a TOML file that need not be added yet."),
    model: str | None = typer.Option(None, "--model", "-m", help="The model to ask; its default, if none is named."),
    accept_unknown_price: bool = typer.Option(False, help="Go on where the model's price is not known."),
    as_json: bool = JsonOption,
) -> None:
    """Ask a provider at its real address: key, models, chat, stream, usage, tools, JSON, errors.

    The few short answers are paid for. A file that was not added is tried apart from everything that is stored: its
    key comes from the prompt or standard input, and is forgotten.
    """
    with _at(provider) as (ownkey, name), ownkey.blocking() as blocking:
        conformance = Conformance(ownkey, name, model, price_accepted=accept_unknown_price)
        findings: list[Finding] = []
        for check in conformance.checks:
            if sys.stderr.isatty():
                typer.echo(f"\r\033[K{check} …", nl=False, err=True)
            findings.append(blocking.run(conformance.check(check)))
            if check == "key" and findings[0].state == "failed":
                break
        if sys.stderr.isatty():
            typer.echo("\r\033[K", nl=False, err=True)
        _show(findings, as_json)
    if any(finding.state == "failed" for finding in findings):
        raise typer.Exit(1)


def _show(findings: list[Finding], as_json: bool) -> None:
    costs = [finding.cost.nano_usd for finding in findings if finding.cost is not None]
    if as_json:
        rows = [
            {
                "check": one.check,
                "state": one.state,
                "says": one.says,
                "took_ms": one.took_ms,
                "cost_usd": usd(one.cost.nano_usd)[1:] if one.cost else None,
            }
            for one in findings
        ]
        print_json(rows)
        return
    rows = [(one.check, one.state, f"{one.took_ms} ms", one.says) for one in findings]
    print_table(("CHECK", "", "TOOK", "FOUND"), rows, empty="Nothing was checked.")
    if costs:
        typer.echo(f"It cost {usd(sum(costs))}.", err=True)


@contextmanager
def _at(provider: str) -> Generator[tuple[Ownkey, str]]:
    """The provider where it is known; else its file in a house of its own, gone afterwards."""
    path = Path(provider)
    if not (path.suffix == ".toml" or os.sep in provider):
        yield Ownkey(), provider
        return
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidRequest(f"{provider} cannot be read: {error.strerror}.") from None
    wires = load().wires
    found = read_manifest(data, path.name, wires=wire_names(wires))
    if isinstance(found, Problem):
        raise InvalidRequest(str(found), "docs/providers.md has every key.", param=found.key)
    with tempfile.TemporaryDirectory(prefix="ownkey-check-") as home:
        ownkey = Ownkey(home, keychain=False, database_url=f"sqlite:///{home}/ownkey.db", wires=wires)
        try:
            ownkey.providers.add(data, path.name)
            if found.kind == "cloud":
                ownkey.keys.set(found.id, _key(found.name))
            yield ownkey, found.id
        finally:
            ownkey.close()


def _key(name: str) -> str:
    if sys.stdin.isatty():
        return typer.prompt(f"A key for {name}, which is not stored", hide_input=True, show_default=False)
    return sys.stdin.read(MAX_KEY).strip("\r\n \t")
