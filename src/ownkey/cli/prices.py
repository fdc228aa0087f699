"""`ownkey prices`: what models cost, where that is from, and what they cost you."""

from __future__ import annotations

import typer

from ownkey.cli.show import JsonOption, opened, per_million, print_json, print_table
from ownkey.spending.override import Override

app = typer.Typer(no_args_is_help=True, help="Prices of models, per million tokens, and your own in their place.")

_NameArgument = typer.Argument(help="PROVIDER/MODEL, or a provider.")


@app.command("list")
def list_prices(
    provider: str | None = typer.Option(None, help="Only this provider's."),
    search: str = typer.Option("", help="A part of the name."),
    as_json: bool = JsonOption,
) -> None:
    """What each model costs, with the source of its price, since when it holds, and when it was set or fetched."""
    with opened() as ownkey:
        every = ownkey.prices.listed(provider, search)
        if as_json:
            print_json(every)
            return
        print_table(
            ("MODEL", "IN", "OUT", "CACHED", "SOURCE", "SINCE", "WHOSE", "TAKEN"),
            [
                (
                    f"{one.provider}/{one.model}",
                    per_million(one.rates.input) if one.rates else "unknown",
                    per_million(one.rates.output) if one.rates else "unknown",
                    per_million(one.rates.cached) if one.rates else "",
                    one.rates.source if one.rates else "",
                    (one.rates.dated or "") if one.rates else "",
                    one.origin or "",
                    one.taken or "",
                )
                for one in every
            ],
            empty="No model of that name.",
        )


@app.command("set")
def set_price(
    name: str = typer.Argument(help="PROVIDER/MODEL."),
    input: str = typer.Option(help="Dollars per million tokens of input."),
    output: str = typer.Option(help="Dollars per million tokens of output."),
    cached: str | None = typer.Option(None, help="Of cached input."),
    cache_write: str | None = typer.Option(None, help="Of input that is written to a cache."),
    reasoning: str | None = typer.Option(None, help="Of thoughts."),
    input_audio: str | None = typer.Option(None, help="Of sounds in."),
    output_audio: str | None = typer.Option(None, help="Of sounds out."),
    per_request: str | None = typer.Option(None, help="Dollars for each call, such as one of a model that searches."),
    note: str = typer.Option("", help="Where it is from."),
) -> None:
    """Say yourself what a model costs."""
    given = {
        "input": input,
        "output": output,
        "cached": cached,
        "cache_write": cache_write,
        "reasoning": reasoning,
        "input_audio": input_audio,
        "output_audio": output_audio,
        "per_request": per_request,
    }
    with opened() as ownkey:
        ownkey.prices.set(name, {rate: amount for rate, amount in given.items() if amount is not None}, note)
        typer.echo(f"{name} costs ${input} in and ${output} out, per million tokens.")


@app.command("discount")
def discount(
    name: str = _NameArgument,
    percent: str = typer.Argument(help="Per cent less than the list price, such as 15."),
    note: str = typer.Option("", help="Where it is from."),
) -> None:
    """Take so many per cent off a provider's list prices, or off one model's."""
    with opened() as ownkey:
        ownkey.prices.discount(name, percent, note)
        typer.echo(f"{name} costs {percent.rstrip('% ')} % less than its list price.")


@app.command("own")
def own_prices(as_json: bool = JsonOption) -> None:
    """What you have set."""
    with opened() as ownkey:
        own = ownkey.prices.own()
        if as_json:
            print_json(own)
            return
        print_table(
            ("FOR", "PRICE", "NOTE"),
            [(name, _told(one), one.note) for name, one in own.items()],
            empty="No prices of your own. `ownkey prices set PROVIDER/MODEL --input 2.50 --output 10`.",
        )


@app.command("remove")
def remove_price(name: str = _NameArgument) -> None:
    """Go back to the list price."""
    with opened() as ownkey:
        ownkey.prices.remove(name)
        typer.echo(f"{name} costs its list price again.")


def _told(override: Override) -> str:
    if override.rates is None:
        return f"{override.discount} % less"
    return ", ".join(f"{name} ${amount}" for name, amount in override.rates.items())
