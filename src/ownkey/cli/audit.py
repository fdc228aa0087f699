"""`ownkey audit`: who did what, and whether that is still what was written."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import typer

from ownkey.app.audit import plain
from ownkey.cli.show import JsonOption, opened, print_json, print_table, when
from ownkey.store.audit_chain import Row
from ownkey.store.audit_verify import Progress, Verdict
from ownkey.talk.errors import InvalidRequest

app = typer.Typer(no_args_is_help=True, help="Who did what: keys, providers, budgets, prices, tokens, fallbacks.")


@app.command("list")
def list_records(
    since: str | None = typer.Option(None, help="The first day, as 2026-11-01, or how far back: 7d, 12h."),
    actor: str | None = typer.Option(None, help="Who: an id, or owner, user, token, system."),
    action: str | None = typer.Option(None, help="What: a name, or what stands before its dot, such as key."),
    rows: int = typer.Option(100, min=1, help="How many at most."),
    as_json: bool = JsonOption,
) -> None:
    """The last records, newest first."""
    with opened() as ownkey:
        since_ms = None if since is None else _since_ms(since)
        found = ownkey.audit.listed(limit=rows, since_ms=since_ms, actor=actor, action=action)
        if as_json:
            print_json([plain(row) for row in found])
            return
        print_table(
            ("NO", "WHEN", "WHO", "WHAT", "OF", "OUTCOME", "DETAIL"),
            [
                (
                    *(str(row.seq), when(row.at_ms), f"{row.actor_kind} {row.actor}".strip(), row.action),
                    *(row.target, row.outcome, _told(row)),
                )
                for row in found
            ],
            empty="Nothing was recorded yet." if since is actor is action is None else "There are no such records.",
        )


@app.command("verify")
def verify(
    beside: Path | None = typer.Option(None, help="A file of the system's log, or an export, to compare."),  # noqa: B008
    as_json: bool = JsonOption,
) -> None:
    """Check every record against its hash, the seal, the data folder and the file; exits 1 where one is not right."""
    with opened() as ownkey:
        with _progress("Checking") as progress:
            found = ownkey.audit.verify(progress, log=beside)
        if as_json:
            print_json(msgspec.to_builtins(found) | {"whole": found.whole})
        else:
            _say(found)
        if not found.whole:
            raise typer.Exit(1)


@app.command("export")
def export(path: Path = typer.Argument(help="A file, such as audit.jsonl.")) -> None:  # noqa: B008
    """Write the whole trail to a file of JSON lines."""
    with opened() as ownkey:
        with _progress("Exporting") as progress:
            count = ownkey.audit.export(path, progress)
        typer.echo(f"{count:,} records are in {path}.")


@app.command("accept")
def accept(
    yes: bool = typer.Option(False, "--yes", help="Do not ask."),
) -> None:
    """Let a broken trail go on. What is broken stays so, and a record says what it was."""
    with opened() as ownkey:
        found = ownkey.audit.verify()
        _say(found)
        if not (found.whole or yes):
            typer.confirm("Have you found out why, and is it to go on from here?", abort=True, err=True)
        ownkey.audit.accept()
        typer.echo("A record of it was written; the trail goes on from there.")


def _say(found: Verdict) -> None:
    for note in found.notes:
        typer.echo(note, err=True)
    for broken in found.accepted:
        typer.echo(f"Accepted before: {broken.says}.", err=True)
    if found.whole:
        typer.echo(f"{found.count:,} records: each is there and is what was written.")
        return
    for broken in found.breaks:
        typer.secho(f"BROKEN at record {broken.seq}: {broken.says}.", fg=typer.colors.RED, err=True)
    if any(broken.kind == "older" for broken in found.breaks):
        typer.echo("If you have put a backup in place yourself: ownkey audit accept", err=True)


def _told(row: Row) -> str:
    detail: dict[str, Any] = msgspec.json.decode(row.detail)
    return ", ".join(f"{name} {_short(value)}" for name, value in detail.items() if value not in (None, {}, []))


def _short(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _since_ms(text: str) -> int:
    units = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}
    if text[-1:] in units and text[:-1].isdigit() and len(text) < 7:
        return int((datetime.now().astimezone() - int(text[:-1]) * units[text[-1]]).timestamp() * 1000)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InvalidRequest("--since is a day such as 2026-11-01, or how far back: 7d, 12h.", param="since") from None
    return int(datetime(day.year, day.month, day.day).astimezone().timestamp() * 1000)


@contextmanager
def _progress(doing: str) -> Generator[Progress | None]:
    """A bar on a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
