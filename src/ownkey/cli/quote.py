"""`ownkey quote`: what it will cost, before it is asked."""

from __future__ import annotations

import base64
import mimetypes
import sys
from pathlib import Path

import typer

from ownkey.app.quoting import plain
from ownkey.cli.chat import given
from ownkey.cli.show import JsonOption, opened, print_json, print_table
from ownkey.spending.quote import Quote
from ownkey.talk.chat import Chat, File, Image, Message, Part, Text, system
from ownkey.talk.errors import InvalidRequest
from ownkey.talk.money import Money

LARGEST_FILE_BYTES = 64 << 20


def quote(
    prompt: list[str] | None = typer.Argument(None, help="What would be said; from standard input where left out."),  # noqa: B008
    model: list[str] = typer.Option(["auto"], "--model", "-m", help="A model; may be given several times."),  # noqa: B008
    current: str | None = typer.Option(None, help="The model that is used now; the first, if none is named."),
    instruction: str | None = typer.Option(None, "--system", "-s", help="An instruction that goes before."),
    image: list[Path] = typer.Option([], help="A picture that would go with it."),  # noqa: B008
    file: list[Path] = typer.Option([], help="A file that would go with it."),  # noqa: B008
    max_tokens: int | None = typer.Option(None, min=1, help="The longest answer, in tokens."),
    automation: str | None = typer.Option(None, help="The automation that it would be a run of."),
    as_json: bool = JsonOption,
) -> None:
    """What a request would cost at each model: at least, as expected, and at most. Nothing is sent."""
    text = " ".join(prompt) if prompt else "" if sys.stdin.isatty() else given()
    parts: list[Part] = [Text(text)] if text.strip() else []
    parts += [Image(data=_data(path), media_type=_type(path)) for path in image]
    parts += [File(data=_data(path), media_type=_type(path), name=path.name) for path in file]
    if not parts:
        raise InvalidRequest("There is nothing to quote.", 'For example: ownkey quote "What is a key for?"')
    said = Message("user", tuple(parts))
    chat = Chat((system(instruction), said) if instruction else (said,), max_output_tokens=max_tokens)
    with opened() as ownkey:
        quotes = ownkey.quote(chat, model, current=current, automation=automation)
    if as_json:
        print_json([plain(one) for one in quotes])
        return
    _show(quotes)


def _show(quotes: list[Quote]) -> None:
    rows: list[tuple[str, ...]] = []
    for one in quotes:
        mark = "" if one.how == "counted" else "~"
        left = "" if one.context_left is None else f"{one.context_left:,}"
        fits = ", ".join(f"{each.budget}: {'fits' if each.fits else 'does not fit'}" for each in one.budgets)
        amounts = (_usd(one.low), _usd(one.expected), _usd(one.ceiling))
        rows.append((one.model, f"{mark}{one.input_tokens.expected:,}", *amounts, one.says, left, fits))
    columns = ("MODEL", "TOKENS IN", "AT LEAST", "EXPECTED", "AT MOST", "COMPARED", "CONTEXT LEFT", "BUDGETS")
    print_table(columns, rows, empty="")
    sources = {one.rates.source for one in quotes if one.rates is not None}
    if sys.stderr.isatty():
        typer.secho(f"Prices: {', '.join(sorted(sources)) or 'not known'}.", dim=True, err=True)


def _usd(amount: Money | None) -> str:
    return "unknown" if amount is None else str(amount)


def _data(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise InvalidRequest(f"{path} is over {LARGEST_FILE_BYTES >> 20} MiB.", "Choose a smaller file.")
        return base64.b64encode(path.read_bytes()).decode("ascii")
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror}.") from None


def _type(path: Path) -> str:
    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"
