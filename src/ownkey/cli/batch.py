"""`ownkey batch`: many requests from a file, worked through side by side."""

from __future__ import annotations

import asyncio
import shlex
import signal
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import typer
from msgspec import Struct, structs

from ownkey.app.batches.asking import Terms
from ownkey.app.batches.files import sweep
from ownkey.app.batches.local import LocalBatch, LocalFile, Outcome
from ownkey.app.batches.quoting import BatchQuote
from ownkey.app.budgets import amount_of
from ownkey.app.ownkey import Ownkey
from ownkey.cli.show import JsonOption, print_json, print_table, usd
from ownkey.server.problems import status_of
from ownkey.store.batches import BatchRow, LineState, Tally
from ownkey.talk.errors import InvalidRequest, NotFound, OwnkeyError
from ownkey.talk.money import NANO_PER_USD, say_usd

STOPPED = 130
LOOKS_EVERY_S = 0.5
ENOUGH = 10
"""Answered lines, of which the average says something."""

_File = typer.Argument(help="Requests in the form of OpenAI's batches, one in a line.")
_Out = typer.Option(None, help="Where results go; FILE.results.jsonl unless set.")


def batch(
    file: Path = _File,
    out: Path | None = _Out,
    parallel: int | None = typer.Option(None, min=1, max=256, help="Lines under way side by side; 8 unless set."),
    limit: str | None = typer.Option(None, help="Dollars that this batch may cost, never more."),
    accept_unknown_price: bool = typer.Option(False, help="Go on where the price is not known."),
    accept_over_budget: bool = typer.Option(False, help="Go on where a budget that asks is passed."),
    retry_failed: bool = typer.Option(False, "--retry-failed", help="Send again what failed."),
    retry_doubtful: bool = typer.Option(
        False, "--retry-doubtful", help="Send again what may have been paid for, but whose answer was lost."
    ),
    provider_batch: bool | None = typer.Option(
        None,
        "--provider-batch/--no-provider-batch",
        help="Send lines to their provider's own batch endpoint, where it has one: cheaper, within 24 hours.",
    ),
    cancel: bool = typer.Option(False, "--cancel", help="Send nothing more of it, and cancel it at its providers."),
    again: bool = typer.Option(False, "--again", help="Send all of a file that was run before, and pay for it again."),
    yes: bool = typer.Option(False, "--yes", "-y", help="Do not ask."),
    as_json: bool = JsonOption,
) -> None:
    """Work through a file of requests: say what it costs, send them, write the answers. Run again, it goes on where it
    was, and pays for nothing twice."""
    terms = Terms(
        price_accepted=accept_unknown_price, over_accepted=accept_over_budget, provider_batch=provider_batch is True
    )
    amount_of(limit, "usd", "limit")
    asked = _Asked(limit, retry_failed, retry_doubtful, again, yes, as_json, provider_batch, cancel)
    given = LocalFile(file.expanduser(), None if out is None else out.expanduser())
    try:
        outcome = asyncio.run(_run(given, terms, asked, parallel))
    finally:
        given.close()
    _tell(outcome, given, as_json=as_json)
    if outcome.error is not None:
        raise outcome.error
    if outcome.stopped:
        raise typer.Exit(STOPPED)


class _Asked(Struct, frozen=True):
    """What the command was told."""

    limit: str | None
    retry_failed: bool
    retry_doubtful: bool
    again: bool
    yes: bool
    as_json: bool
    provider_batch: bool | None
    cancel: bool

    @property
    def states(self) -> tuple[LineState, ...]:
        states: list[LineState] = ["failed"] if self.retry_failed else []
        return (*states, "doubtful") if self.retry_doubtful else tuple(states)


async def _run(given: LocalFile, terms: Terms, asked: _Asked, parallel: int | None) -> Outcome:
    async with Ownkey() as ownkey:
        await asyncio.to_thread(sweep, ownkey.house, time.time_ns() // 1_000_000)
        local = LocalBatch(ownkey.house, ownkey.owner, given)
        batch, expected_nano = None if asked.again else local.begun(), 0
        if batch is None and asked.cancel:
            raise NotFound("No batch was made of this file.", "There is nothing to cancel.")
        if batch is None:
            local.check_free(force=asked.again)
            quote = await asyncio.to_thread(local.quote, terms)
            whole = quote.whole
            expected_nano = whole.expected_nano
            if asked.provider_batch:
                expected_nano -= whole.apart_nano - whole.later_nano
            _ask(quote, asked)
            batch = await asyncio.to_thread(local.make, terms)
        else:
            _goes_on(local.tally(batch), asked)
            if asked.states:
                local.put_back(batch, asked.states)
                batch = local.now(batch)
            if asked.provider_batch is not None:
                batch = local.settle_on(batch, provider_batch=asked.provider_batch)
            if asked.cancel:
                batch = local.cancel(batch)
        if asked.limit is not None:
            ownkey.budgets.set(_budget(batch), limit=asked.limit, per="ever", automation=batch.id, alert_percent=None)
        outcome = await _worked(local, batch, parallel or ownkey.settings.batch_parallel, expected_nano, asked.as_json)
        if outcome.batch.status == "completed" and any(_budget(batch) == one.name for one in ownkey.budgets.all()):
            ownkey.budgets.remove(_budget(batch))
        return outcome


async def _worked(local: LocalBatch, batch: BatchRow, parallel: int, expected_nano: int, as_json: bool) -> Outcome:
    work, shown = await asyncio.to_thread(local.ready, batch, parallel, status_of)
    task = asyncio.create_task(work.run())
    hits: list[int] = []

    def interrupted() -> None:
        hits.append(1)
        if len(hits) > 1:
            task.cancel()
            return
        work.stop()
        typer.echo("Stopping: lines under way come to their ends. Once more leaves them, in doubt.", err=True)

    if batch.status == "cancelling":
        work.wind_up()

    with _heeding(interrupted):
        try:
            with _bar(batch.total, expected_nano, shown=sys.stderr.isatty() and not as_json) as move:
                while not task.done():
                    await asyncio.wait([task], timeout=LOOKS_EVERY_S)
                    move(await asyncio.to_thread(local.tally, batch), await asyncio.to_thread(local.there, batch))
            error = await _error_of(task)
            ended = await work.finish()
        finally:
            shown.close()
            local.end(batch)
    tally, there = await asyncio.to_thread(local.tally, ended), await asyncio.to_thread(local.there, ended)
    return Outcome(ended, tally, error or work.error, stopped=bool(hits), there=there)


async def _error_of(task: asyncio.Task[None]) -> OwnkeyError | None:
    try:
        await task
    except OwnkeyError as error:
        return error
    except asyncio.CancelledError:
        return None
    return None


@contextmanager
def _heeding(interrupted: Callable[[], None]) -> Generator[None]:
    """Ctrl-C is for the batch, not for whatever runs at that moment."""
    if sys.platform == "win32":
        yield
        return
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


@contextmanager
def _bar(total: int, expected_nano: int, *, shown: bool) -> Generator[Callable[[Tally, int], None]]:
    if not shown:
        yield lambda tally, there: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total)
        yield lambda tally, there: progress.update(
            task, completed=total - tally.waiting, description=_so_far(tally, expected_nano, there)
        )


def _so_far(tally: Tally, expected_nano: int, there: int) -> str:
    at_providers = f"{there:,} at batch endpoints, " if there else ""
    failed = f"{tally.failed + tally.doubtful} failed, " if tally.failed + tally.doubtful else ""
    so_far = f"{at_providers}{failed}${_about(tally.cost_nano)} so far"
    return f"{so_far}, about ${_about(to_come(tally, expected_nano))} to come"


def to_come(tally: Tally, expected_nano: int) -> int:
    """What the lines that wait will cost: as those that were answered did, where there are enough of them."""
    if tally.done >= ENOUGH or not expected_nano:
        return tally.cost_nano * tally.waiting // max(1, tally.total - tally.waiting)
    return expected_nano * tally.waiting // max(1, tally.total)


def _about(nano_usd: int) -> str:
    return f"{nano_usd / NANO_PER_USD:.4f}" if nano_usd < NANO_PER_USD else f"{nano_usd / NANO_PER_USD:.2f}"


def _ask(quote: BatchQuote, asked: _Asked) -> None:
    whole = quote.whole
    if not asked.as_json:
        rows = [
            (one.model, f"{one.lines:,}", usd(one.low_nano), usd(one.expected_nano), usd(one.most_nano))
            for one in (*quote.models, *([structs.replace(whole, model="all")] if len(quote.models) > 1 else []))
        ]
        print_table(("MODEL", "LINES", "AT LEAST", "EXPECTED", "AT MOST"), rows, empty="No line can be asked.")
    if whole.unknown:
        typer.echo(f"Of {whole.unknown:,} lines the price is not known: they are in none of these sums.", err=True)
    _tell_of_batches(quote, asked)
    for error, count in quote.refused.items():
        typer.echo(f"{count:,} lines cannot be asked: {error}", err=True)
    if asked.limit is not None:
        typer.echo(f"It stops before it has cost more than ${asked.limit.removeprefix('$')}.", err=True)
    if not quote.models:
        raise InvalidRequest("No line can be asked. Nothing was sent.", param="file")
    if not asked.yes:
        if not sys.stdin.isatty():
            raise InvalidRequest("Nobody can be asked here. Nothing was sent.", "Say so beforehand: `--yes`.")
        typer.confirm("Send them?", abort=True, err=True)


def _tell_of_batches(quote: BatchQuote, asked: _Asked) -> None:
    whole = quote.whole
    costs = f"{usd(whole.apart_nano)} now, {usd(whole.later_nano)} within 24 hours"
    if asked.provider_batch:
        here = whole.lines - whole.apart
        if whole.apart:
            typer.echo(f"{whole.apart:,} lines go to their providers' own batch endpoints: {costs}.", err=True)
        if here:
            typer.echo(f"{here:,} lines go the usual way: no batch endpoint is known for them.", err=True)
    elif whole.apart and whole.apart == whole.lines:
        typer.echo(f"{costs}: `--provider-batch` sends them to their providers' own batch endpoints.", err=True)


def _goes_on(tally: Tally, asked: _Asked) -> None:
    counts = f"{tally.done:,} answered, {tally.failed:,} failed, {tally.doubtful:,} in doubt, {tally.waiting:,} to go"
    typer.echo(f"This file was begun before: {counts}; {say_usd(tally.cost_nano)} so far.", err=True)
    if asked.retry_doubtful and tally.doubtful and not asked.yes:
        if not sys.stdin.isatty():
            raise InvalidRequest("Nobody can be asked here. Nothing was sent.", "Say so beforehand: `--yes`.")
        average_nano = tally.cost_nano // max(1, tally.total - tally.waiting)
        more = usd(average_nano * tally.doubtful)
        typer.confirm(
            f"Lines in doubt may be paid for twice: about {more} more. Send them again?", abort=True, err=True
        )


def _tell(outcome: Outcome, given: LocalFile, *, as_json: bool) -> None:
    tally, batch = outcome.tally, outcome.batch
    has_errors = bool(tally.failed + tally.doubtful)
    if as_json:
        told = {name: getattr(tally, name) for name in ("total", "done", "failed", "doubtful", "waiting", "cost_nano")}
        files = {"results": str(given.results), "errors": str(given.errors) if has_errors else None}
        told["at_providers"] = outcome.there
        print_json({"batch": batch.id, "status": batch.status, **told, **files})
    else:
        typer.echo(f"{tally.done:,} of {tally.total:,} answered for {say_usd(tally.cost_nano)}: {given.results}")
    say = partial(typer.echo, err=True)
    command = f"ownkey batch {shlex.quote(str(given.path))}"
    if tally.failed:
        say(f"{tally.failed:,} failed: {given.errors}. Send them again: {command} --retry-failed")
    if tally.doubtful:
        say(
            f"{tally.doubtful:,} in doubt: they may have been paid for, and their answers are lost. They are in"
            f" {given.errors}, and are not sent again by themselves: {command} --retry-doubtful"
        )
    if outcome.there:
        say(
            f"{outcome.there:,} are for batch endpoints of providers, and what is there goes on there. Come back for"
            f" the answers: {command}. Give them up: {command} --cancel"
        )
    if tally.waiting > outcome.there:
        say(f"{tally.waiting - outcome.there:,} are still to be sent. Go on: {command}")


def _budget(batch: BatchRow) -> str:
    return f"the limit of {batch.id}"
