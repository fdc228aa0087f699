"""`ownkey history`: your chats, where you want them kept."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec
import typer

from ownkey.app.history import PAGE, Kept
from ownkey.app.ownkey import Ownkey
from ownkey.cli.show import JsonOption, opened, print_json, print_table, usd, when
from ownkey.engine.said import Piece
from ownkey.talk.errors import InvalidRequest

app = typer.Typer(no_args_is_help=True, help="Your chats, kept where you want that, encrypted. Off by default.")

_WIDE = 60
_LimitOption = typer.Option(PAGE, min=1, help="How many at most.")


@app.command("on")
def on(days: int | None = typer.Option(None, help="Delete each after so many days; without it none is.")) -> None:
    """Keep your chats from now on."""
    with opened() as ownkey:
        ownkey.history.on(days)
        how_long = "until you delete them" if days is None else f"for {days} days"
        typer.echo(f"Your chats are kept from now on, {how_long}.")


@app.command("off")
def off() -> None:
    """Keep nothing from now on. What is kept stays until you delete it."""
    with opened() as ownkey:
        ownkey.history.off()
        left = ownkey.history.count()
        typer.echo("Nothing is kept from now on." + (f" {left} are still there." if left else ""))
        if left:
            typer.echo("Delete them: ownkey history delete --all", err=True)


@app.command("list")
def list_kept(limit: int = _LimitOption, as_json: bool = JsonOption) -> None:
    """The newest first."""
    with opened() as ownkey:
        found: list[Kept] = []
        before: str | None = None
        while len(found) < limit:
            page = ownkey.history.page(before, min(PAGE, limit - len(found)))
            found += page.entries
            if (before := page.next) is None:
                break
        _show(ownkey, found, as_json=as_json)


@app.command("search")
def search(
    text: str = typer.Argument(help="What to look for, in whatever case."),
    limit: int = _LimitOption,
    as_json: bool = JsonOption,
) -> None:
    """Those in which a text stands, the newest first."""
    with opened() as ownkey:
        found: list[Kept] = []
        before: str | None = None
        looked = 0
        while len(found) < limit:
            page = ownkey.history.search(text, before, min(PAGE, limit - len(found)))
            found += page.entries
            looked += page.looked_at
            if (before := page.next) is None:
                break
            if sys.stderr.isatty():
                typer.secho(f"Looked at {looked} chats …", dim=True, err=True)
        _show(ownkey, found, as_json=as_json)


@app.command("show")
def show(id: str = typer.Argument(help="As the list names it."), as_json: bool = JsonOption) -> None:
    """One chat, whole."""
    with opened() as ownkey:
        kept = ownkey.history.get(id)
    if as_json:
        print_json(kept)
        return
    entry = kept.entry
    if entry is None:
        typer.echo(f"{when(kept.at_ms)}: it could not be kept ({kept.lost}).")
        return
    typer.echo(f"{when(kept.at_ms)}  {entry.provider}/{entry.model}  {usd(kept.cost_nano)}{_how(kept)}")
    if entry.left_out:
        typer.echo(f"[{entry.left_out} messages before are not kept]")
    for said in entry.messages:
        typer.echo(f"\n{said.role}:\n{_told(said.pieces)}")
    typer.echo(f"\nanswer:\n{_told(entry.answer)}")


@app.command("export")
def export(
    file: Path = typer.Argument(help="Where to; `-` is standard output."),  # noqa: B008
    force: bool = typer.Option(False, "--force", help="Write over a file that is there."),
) -> None:
    """All of it as JSON lines, in plain text: whoever has the file can read it."""
    with opened() as ownkey:
        if str(file) == "-":
            for kept in ownkey.history.export():
                sys.stdout.write(msgspec.json.encode(kept).decode() + "\n")
            return
        flags = os.O_CREAT | os.O_WRONLY | (os.O_TRUNC if force else os.O_EXCL)
        try:
            descriptor = os.open(file, flags, 0o600)
        except OSError as error:
            raise InvalidRequest(f"{file} cannot be written: {error.strerror}.", param="file") from None
        count = 0
        with os.fdopen(descriptor, "wb") as out:
            for kept in ownkey.history.export():
                out.write(msgspec.json.encode(kept) + b"\n")
                count += 1
        typer.echo(f"{count} chats written to {file}.")


@app.command("delete")
def delete(
    id: str | None = typer.Argument(None, help="One, as the list names it."),
    every: bool = typer.Option(False, "--all", help="All of them."),
    older_than: int | None = typer.Option(None, help="Those older than so many days."),
) -> None:
    """Delete one, all, or the old ones. It cannot be undone."""
    if sum((id is not None, every, older_than is not None)) != 1:
        raise InvalidRequest("Say what to delete.", "Give an id, --all, or --older-than DAYS.", param="id")
    with opened() as ownkey:
        if id is not None:
            ownkey.history.delete(id)
            typer.echo("Deleted.")
            return
        typer.echo(f"{ownkey.history.clear(older_than)} chats deleted.")


def _show(ownkey: Ownkey, found: list[Kept], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    on = ownkey.history.terms.history
    print_table(
        ("WHEN", "MODEL", "ASKED", "ANSWERED", "COST", "ID"),
        [_row(kept) for kept in found],
        empty="Nothing here." if on else "Nothing is kept: `ownkey history on` keeps your chats from then on.",
    )


def _row(kept: Kept) -> tuple[str, ...]:
    entry = kept.entry
    if entry is None:
        return when(kept.at_ms), "", f"[not kept: {kept.lost}]", "", usd(kept.cost_nano), kept.id
    asked = next((said.text for said in reversed(entry.messages) if said.role == "user"), "")
    answered = _short(entry.text) + _how(kept)
    name = f"{entry.provider}/{entry.model}"
    return when(kept.at_ms), name, _short(asked), answered, usd(kept.cost_nano), kept.id


def _how(kept: Kept) -> str:
    entry = kept.entry
    if entry is None or (entry.whole and not entry.cached):
        return ""
    return " [from the cache]" if entry.cached else f" [broke off: {entry.error or 'the client went away'}]"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDE else f"{line[: _WIDE - 1]}…"


def _told(pieces: tuple[Piece, ...]) -> str:
    return "\n".join(map(_piece, pieces))


def _piece(piece: Piece) -> str:
    if piece.kind == "text":
        return piece.text
    named = " ".join(filter(None, [piece.name, piece.media_type, piece.url]))
    size = f" {piece.bytes} bytes, SHA-256 {piece.sha256}" if piece.sha256 else ""
    return f"[{piece.kind} {named}{size}] {piece.text}".replace(" ]", "]").rstrip()
