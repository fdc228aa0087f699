"""`ownkey chat`: an answer in the terminal, as it comes."""

from __future__ import annotations

import sys
import time
from typing import Any

import typer

from ownkey.app.blocking import Blocking
from ownkey.app.ownkey import Ownkey
from ownkey.cli.alerts import mention
from ownkey.cli.quote import given, named, tokens_in
from ownkey.cli.show import print_json
from ownkey.spending.quote import Quote, about
from ownkey.talk.chat import Chat, Message, system, user
from ownkey.talk.consent import remembered
from ownkey.talk.errors import ConsentRequired, InvalidRequest, OwnkeyError
from ownkey.talk.reply import Collector, Receipt, RefusalDelta, Reply, TextDelta

YES = ("switch", "soft_cap")
"""What `--yes` says yes to."""


def chat(
    prompt: list[str] | None = typer.Argument(None, help="What to say; from standard input where it is left out."),  # noqa: B008
    model: str = typer.Option("auto", "--model", "-m", help="PROVIDER/MODEL, a model, `auto`, or several with commas."),
    instruction: str | None = typer.Option(None, "--system", "-s", help="An instruction that goes before."),
    max_tokens: int | None = typer.Option(None, min=1, help="The longest answer, in tokens."),
    temperature: float | None = typer.Option(None, help="0 keeps to the likeliest words; most models take up to 2."),
    stream: bool = typer.Option(True, help="Print the answer as it comes."),
    accept_unknown_price: bool = typer.Option(False, help="Go on where the price is not known."),
    accept_over_budget: bool = typer.Option(False, help="Go on where a budget that asks is passed."),
    accept: bool = typer.Option(
        False, "--yes", help="Go on past soft caps and with another provider, never past limits."
    ),
    automation: str | None = typer.Option(None, help="The automation that this is a run of."),
    quote: bool | None = typer.Option(
        None, help="Say first what it will cost, on standard error; done by itself on a terminal.", show_default=False
    ),
    as_json: bool = typer.Option(False, "--json", help="Print the whole answer as JSON, for scripts."),
) -> None:
    """Ask a model."""
    text = " ".join(prompt) if prompt else "" if sys.stdin.isatty() else given()
    if not text.strip():
        raise InvalidRequest("There is nothing to ask.", 'For example: ownkey chat "What is a key for?"')
    messages: tuple[Message, ...] = (system(instruction), user(text)) if instruction else (user(text),)
    asked = Chat(messages, max_output_tokens=max_tokens, temperature=temperature)
    yes: dict[str, Any] = {"accept_unknown_price": accept_unknown_price, "accept_over_budget": accept_over_budget}
    told = quote if quote is not None else sys.stderr.isatty() and sys.stdout.isatty()
    with Ownkey().blocking() as ownkey:
        if told:
            _tell(ownkey, asked, model, automation, streamed=stream and not as_json)
        while True:
            try:
                _answer(ownkey, asked, model, yes | {"automation": automation}, streamed=stream, as_json=as_json)
                mention(ownkey.alerts)
                return
            except ConsentRequired as error:
                if error.begun or error.token is None:
                    raise
                if not (accept and all(reason.kind in YES for reason in error.reasons)):
                    _ask(ownkey, error)
                yes["consent"] = error.token


def _ask(ownkey: Blocking, error: ConsentRequired) -> None:
    """Goes on where they say yes; `always`: and they are not asked about the same again."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise error
    quote = error.quote
    if quote is not None and quote.expected is not None:
        typer.secho(f"about {about(quote.expected.nano_usd)}, at most {quote.most} · {quote.model}", dim=True, err=True)
    kept = remembered(error.reasons)
    choices = "y/N/always" if kept else "y/N"
    said = typer.prompt(f"{error.message} Ask all the same? [{choices}]", default="n", show_default=False, err=True)
    if said.lower() == "always" and kept:
        ownkey.consents.remember(kept)
    elif said.lower() not in ("y", "yes"):
        raise typer.Abort


def _tell(ownkey: Blocking, asked: Chat, model: str, automation: str | None, *, streamed: bool) -> None:
    """What it will cost, for people, before it is asked. Where that cannot be said, the asking says why."""
    try:
        quotes = ownkey.quote(asked, model, stream=streamed, automation=automation)
    except OwnkeyError:
        return
    for one in quotes:
        said = one.error.message if one.error is not None else f"{_price(one)} · {tokens_in(one)} in"
        typer.secho(f"{said} · {named(one)}", dim=True, err=True)


def _price(one: Quote) -> str:
    if one.rates is None or one.expected is None:
        return "price unknown"
    if one.rates.source == "free":
        return "free"
    return f"about {about(one.expected.nano_usd)}, at most {one.ceiling}"


def _answer(
    ownkey: Blocking, asked: Chat, model: str, options: dict[str, Any], *, streamed: bool, as_json: bool
) -> None:
    started_s = time.monotonic()
    if streamed and not as_json:
        reply = _streamed(ownkey, asked, model, options)
    else:
        reply = ownkey.chat(asked, model, **options)
        if as_json:
            print_json(_plain(reply))
            return
        sys.stdout.write((reply.text or reply.refusal or "") + "\n")
    _footer(reply, time.monotonic() - started_s)


def _streamed(ownkey: Blocking, asked: Chat, model: str, options: dict[str, Any]) -> Reply:
    collector, receipt, wrote = Collector(), None, False
    try:
        for event in ownkey.stream(asked, model, **options):
            if isinstance(event, Receipt):
                receipt = event
                continue
            collector.add(event)
            if isinstance(event, TextDelta | RefusalDelta):
                sys.stdout.write(event.text)
                sys.stdout.flush()
                wrote = True
    finally:
        if wrote:
            sys.stdout.write("\n")
    reply = collector.reply()
    return Reply(reply.parts, reply.finish, reply.usage, reply.id, reply.model, reply.created, reply.warnings, receipt)


def _footer(reply: Reply, took_s: float) -> None:
    """Below the answer, for people: what it cost and who gave it."""
    for call in reply.tool_calls:
        typer.echo(f"{call.name}({call.arguments})")
    for warning in (*reply.warnings, *(reply.receipt.warnings if reply.receipt else ())):
        typer.echo(warning, err=True)
    if reply.finish.unified in ("length", "content_filter"):
        typer.echo(f"The answer ends early: {reply.finish.raw}.", err=True)
    if reply.receipt is None or not sys.stderr.isatty():
        return
    receipt, usage = reply.receipt, reply.usage
    cost = "price unknown" if receipt.cost is None else str(receipt.cost)
    tokens = f"{_count(usage.input_tokens)} in, {_count(usage.output_tokens)} out"
    line = f"{cost} · {tokens} · {receipt.provider}/{receipt.model} · {took_s:.1f} s"
    typer.secho(line, dim=True, err=True)


def _count(tokens: int | None) -> str:
    return "?" if tokens is None else str(tokens)


def _plain(reply: Reply) -> dict[str, Any]:
    receipt = reply.receipt
    return {
        "text": reply.text,
        "refusal": reply.refusal,
        "reasoning": reply.reasoning or None,
        "tool_calls": [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in reply.tool_calls],
        "finish": reply.finish.unified,
        "usage": {name: getattr(reply.usage, name) for name in reply.usage.__struct_fields__},
        "provider": receipt.provider if receipt else None,
        "model": receipt.model if receipt else None,
        "cost_usd": str(receipt.cost)[1:] if receipt and receipt.cost is not None else None,
        "request_id": receipt.request_id if receipt else None,
        "attempts": receipt.attempts if receipt else None,
        "warnings": [*reply.warnings, *(receipt.warnings if receipt else ())],
    }
