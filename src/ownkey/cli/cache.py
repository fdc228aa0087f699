"""`ownkey cache`: answers that are given again instead of being asked for and paid again."""

from __future__ import annotations

import typer

from ownkey.cli.show import JsonOption, opened, print_json, usd
from ownkey.engine.remember import TTL_S

app = typer.Typer(no_args_is_help=True, help="The same question again: the same answer, at no cost. Off by default.")


@app.command("on")
def on(
    ttl: int = typer.Option(TTL_S, help="For how many seconds an answer is given again."),
    models: str | None = typer.Option(
        None, "--for", help="Only for models asked for by a name like these: `openai/*`, a route; blanks between."
    ),
) -> None:
    """Give the same answer to whoever of you asks the same: same words, same settings."""
    with opened() as ownkey:
        terms = ownkey.cache.on(ttl, models)
        typer.echo(f"Answers{f' of {terms.cache_models}' if terms.cache_models else ''} are given again for {ttl} s.")


@app.command("off")
def off() -> None:
    """Ask each time, but for requests that say otherwise. `clear` deletes what is kept."""
    with opened() as ownkey:
        ownkey.cache.off()
        typer.echo("Each request is asked again.")


@app.command("stats")
def stats(as_json: bool = JsonOption) -> None:
    """Whether it is on, what it holds, what it saved."""
    with opened() as ownkey:
        told = ownkey.cache.stats()
        if as_json:
            print_json(told)
            return
        which = f" for {told.models}" if told.models else ""
        typer.echo("Off." if told.ttl_s is None else f"On{which}: answers are given again for {told.ttl_s} s.")
        typer.echo(
            f"It holds {told.held.answers} answers in {told.held.bytes / (1 << 20):.1f} "
            f"of {told.most_bytes >> 20} MiB, and gave {told.saved.hits} again."
        )
        more = f", and of {told.saved.unpriced} more the cost is not known" if told.saved.unpriced else ""
        typer.echo(f"That saved {usd(told.saved.saved_nano)}{more}.")


@app.command("clear")
def clear() -> None:
    """Delete every answer that is kept to be given again."""
    with opened() as ownkey:
        typer.echo(f"{ownkey.cache.clear()} answers deleted.")
