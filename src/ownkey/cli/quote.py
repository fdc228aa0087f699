"""`ownkey quote`: what it will cost, before it is asked."""

from __future__ import annotations

import base64
import mimetypes
import sys
from pathlib import Path

import typer

from ownkey.app.quoting import plain
from ownkey.cli.show import JsonOption, opened, print_json, print_table
from ownkey.spending.quote import Fits, NoQuote, Quote
from ownkey.spending.refusal import show
from ownkey.talk.chat import Chat, File, Image, Message, Part, Text, system
from ownkey.talk.errors import InvalidRequest
from ownkey.talk.money import Money

LARGEST_FILE_BYTES = 64 << 20


def quote(
    prompt: list[str] | None = typer.Argument(None, help="What would be said; from standard input where left out."),  # noqa: B008
    model: list[str] = typer.Option(["auto"], "--model", "-m", help="A model, or several with commas; repeatable."),  # noqa: B008
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


def _show(quotes: list[Quote | NoQuote]) -> None:
    columns = ("MODEL", "TOKENS IN", "AT LEAST", "EXPECTED", "AT MOST", "COMPARED", "CONTEXT LEFT", "BUDGETS")
    print_table(columns, [_row(one) for one in quotes], empty="")
    sources = {one.rates.source for one in quotes if one.error is None and one.rates is not None}
    if sys.stderr.isatty():
        typer.secho(f"Prices: {', '.join(sorted(sources)) or 'not known'}.", dim=True, err=True)


def _row(one: Quote | NoQuote) -> tuple[str, ...]:
    model = named(one)
    if one.error is not None:
        return model, "", "", "", "", str(one.error), "", ""
    left = "" if one.context_left is None else f"{one.context_left:,}"
    fits = ", ".join(f"{each.budget}: {_fits(each)}" for each in one.budgets)
    amounts = (_usd(one.low), _usd(one.expected), _usd(one.ceiling))
    return model, tokens_in(one), *amounts, one.says, left, fits


def named(one: Quote | NoQuote) -> str:
    """The model, and whether others of its list are asked before it."""
    return one.model if one.turn == 1 else f"then {one.model}"


def tokens_in(one: Quote) -> str:
    return f"{'' if one.how == 'counted' else '~'}{one.input_tokens.expected:,}"


def _fits(each: Fits) -> str:
    if each.how == "whole":
        return "fits"
    if each.how == "shorter":
        return f"fits with an answer of {each.answer_tokens:,} tokens"
    if each.over is None or each.over_unit is None:
        return "the price is not known"
    return f"{show(each.over, each.over_unit)} too much{', asks' if each.asks else ''}"


def _usd(amount: Money | None) -> str:
    return "unknown" if amount is None else str(amount)


def given() -> str:
    """Standard input, whatever the locale says of its encoding."""
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidRequest("Standard input is not text in UTF-8.", "Convert it first: iconv -t UTF-8.") from None


def _data(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise InvalidRequest(f"{path} is over {LARGEST_FILE_BYTES >> 20} MiB.", "Choose a smaller file.")
        return base64.b64encode(path.read_bytes()).decode("ascii")
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror}.") from None


def _type(path: Path) -> str:
    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"
