"""`ownkey run`: an automation, with its cost shown first."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import typer

from ownkey.app.automations.book import Automation, Run
from ownkey.app.automations.given import MOST_FILE_BYTES, GivenFile
from ownkey.app.ownkey import Ownkey
from ownkey.app.starters import example
from ownkey.cli.alerts import mention
from ownkey.cli.automations import plain_run
from ownkey.cli.show import print_json
from ownkey.talk.errors import ConsentRequired, InvalidRequest, PriceUnknown


def run(
    name: str = typer.Argument(help="An automation, as `ownkey automations list` names it."),
    var: list[str] = typer.Option([], "--var", "-v", help="VARIABLE=VALUE; repeatable."),  # noqa: B008
    file: list[str] = typer.Option([], "--file", "-f", help="VARIABLE=PATH, or PATH alone; - for standard input."),  # noqa: B008
    model: str | None = typer.Option(None, "--model", "-m", help="For this run only."),
    with_example: bool = typer.Option(False, "--example", help="With the example that comes with its starter."),
    yes: bool = typer.Option(False, "--yes", "-y", help="Run it without asking."),
    quote: bool = typer.Option(False, "--quote", help="Say what it would cost, and no more."),
    accept_unknown_price: bool = typer.Option(False, help="Go on where the price is not known."),
    accept_over_budget: bool = typer.Option(False, help="Go on where a budget that asks is passed."),
    as_json: bool = typer.Option(False, "--json", help="Print the whole run as JSON, for scripts."),
) -> None:
    """Run an automation. What it will cost is said first, and asked about on a terminal."""
    accepted: dict[str, Any] = {"accept_unknown_price": accept_unknown_price, "accept_over_budget": accept_over_budget}
    with Ownkey().blocking() as ownkey:
        there = ownkey.automations.get(name)
        texts, files = example(there.document.starter) if with_example else ({}, {})
        texts |= _values(var)
        files |= _files(there, file)
        told = ownkey.automations.quote(name, texts, files, model=model)
        if quote:
            if as_json:
                amounts = {key: _usd(getattr(told, key)) for key in ("low", "expected", "most", "limit")}
                print_json({"models": told.models, "requests": told.requests, "says": told.says, **amounts})
            else:
                typer.echo(told.says)
            return
        typer.secho(told.says, dim=True, err=True)
        asked = sys.stdin.isatty() and sys.stderr.isatty()
        if asked and not yes and told.most is not None and told.most.nano_usd:
            typer.confirm("Run it?", default=True, abort=True, err=True)
        while True:
            try:
                ended = ownkey.run_automation(name, texts, files, model=model, **accepted)
                break
            except ConsentRequired as error:
                flag = "accept_unknown_price" if isinstance(error, PriceUnknown) else "accept_over_budget"
                if accepted[flag] or not asked:
                    raise
                typer.confirm(f"{error.message} Run it all the same?", abort=True, err=True)
                accepted[flag] = True
        print_run(ended, as_json=as_json)
        mention(ownkey.alerts)


def print_run(ended: Run, *, as_json: bool) -> None:
    """What it gave, for people or as JSON; below it, for people, what it cost."""
    if as_json:
        print_json(plain_run(ended))
        return
    if ended.result is None:
        typer.echo("There is no result: it was not kept, or its time is over.")
    else:
        output = ended.result.get("output")
        sys.stdout.write(f"{output}\n" if isinstance(output, str) else "\n".join(_lines(ended.result)) + "\n")
    for note in ended.notes or ():
        typer.echo(note, err=True)
    calls = f"{ended.calls} request{'' if ended.calls == 1 else 's'}"
    cost = str(ended.cost) if ended.priced else f"{ended.cost} and what is not known"
    typer.secho(f"{cost} · {calls} · {ended.model} · run {ended.id}", dim=True, err=True)


def _lines(value: Any, depth: int = 0) -> Iterator[str]:
    """JSON as an indented list; what is empty is left out."""
    indent = "  " * depth
    pairs: list[tuple[str | None, Any]] = (
        list(cast("dict[str, Any]", value).items()) if isinstance(value, dict) else [(None, one) for one in value]
    )
    for key, one in pairs:
        if _is_empty(one):
            continue
        label = "-" if key is None else f"{key.replace('_', ' ')}:"
        if isinstance(one, dict) and key is None:
            members = cast("dict[str, Any]", one).items()
            told = [f"{name.replace('_', ' ')}: {_short(each)}" for name, each in members if not _is_empty(each)]
            yield f"{indent}- {', '.join(told)}"
        elif isinstance(one, dict | list):
            yield f"{indent}{label}"
            yield from _lines(cast("Any", one), depth + 1)
        else:
            yield f"{indent}{label} {_short(one)}"


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def _short(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "; ".join(map(_short, cast("list[Any]", value)))
    return str(value)


def _values(given: Sequence[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals:
            raise InvalidRequest(
                f"{one[:60]!r} is no VARIABLE=VALUE.", "For example: --var language=German", param="var"
            )
        values[name] = value
    return values


def _files(there: Automation, given: Sequence[str]) -> dict[str, GivenFile]:
    taking = [name for name, variable in there.document.variables.items() if variable.kind == "file"]
    files: dict[str, GivenFile] = {}
    for one in given:
        name, equals, path = one.partition("=")
        if not equals or name not in there.document.variables:
            if len(taking) != 1:
                names = ", ".join(taking) or "none"
                raise InvalidRequest(
                    f"For which variable is {one[:60]!r}?", f"Those that take a file: {names}.", param="file"
                )
            name, path = taking[0], one
        files[name] = _read(path)
    return files


def _read(path: str) -> GivenFile:
    try:
        if path == "-":
            return GivenFile("standard input", sys.stdin.buffer.read(MOST_FILE_BYTES + 1))
        with Path(path).open("rb") as file:
            return GivenFile(Path(path).name, file.read(MOST_FILE_BYTES + 1))
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror}.", param="file") from None


def _usd(amount: Any) -> str | None:
    return None if amount is None else str(amount)[1:]
