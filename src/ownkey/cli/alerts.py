"""`ownkey alerts`: what you should know of, and whether it reaches you."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import msgspec
import typer

from ownkey.app.alerting import AlertBox
from ownkey.app.ownkey import Ownkey
from ownkey.cli.show import JsonOption, opened, print_json, print_table, when
from ownkey.store.alerts import AlertRow, Delivery
from ownkey.talk.errors import BadConfiguration, InvalidRequest

app = typer.Typer(help="What you should know of: budgets, prices, keys, unusual spending.")


@app.callback(invoke_without_command=True)
def list_alerts(
    context: typer.Context,
    every: bool = typer.Option(False, "--all", help="Those that were seen, too."),
    as_json: bool = JsonOption,
) -> None:
    """What you have not seen yet, newest first."""
    if context.invoked_subcommand is not None:
        return
    with opened() as ownkey:
        rows = ownkey.alerts.listed(seen=every)
        if as_json:
            deliveries = ownkey.alerts.deliveries(rows)
            print_json([_plain(row, [one for one in deliveries if one.alert_id == row.id]) for row in rows])
            return
        print_table(
            ("WHEN", "WHAT", "ID") if not every else ("WHEN", "WHAT", "ID", "SEEN"),
            [(when(row.at_ms), row.message, row.id, *([when(row.seen_at_ms)] if every else [])) for row in rows],
            empty="Nothing new. `ownkey alerts --all` shows what was seen.",
        )
        if rows and sys.stderr.isatty():
            typer.secho("Mark them: ownkey alerts seen --all", dim=True, err=True)


@app.command("seen")
def see(
    ids: list[str] | None = typer.Argument(None, help="Alerts, by their ids."),  # noqa: B008
    every: bool = typer.Option(False, "--all", help="All of them."),
) -> None:
    """Mark alerts as seen."""
    if every == bool(ids):
        raise InvalidRequest("Say which alerts were seen.", "Give their ids, or --all.", param="ids")
    with opened() as ownkey:
        count = ownkey.alerts.see(ids or None)
        typer.echo(f"{count} {'alert' if count == 1 else 'alerts'} marked as seen.")


@app.command("test")
def test() -> None:
    """Send a test to each channel, and say what came of it; exits 1 where one did not take it."""

    async def tried() -> int:
        async with Ownkey() as ownkey:
            told = await _with_channels(ownkey).test()
        for one in told:
            typer.echo(f"{one.channel}: {'sent' if one.error is None else one.error}")
        return sum(one.error is not None for one in told)

    if asyncio.run(tried()):
        raise typer.Exit(1)


@app.command("send")
def send() -> None:
    """Look for what is new, and send what was not sent yet; `ownkey serve` does both by itself."""

    async def sent() -> int:
        async with Ownkey() as ownkey:
            box = _with_channels(ownkey)
            await asyncio.to_thread(box.look)
            return await box.deliver_once()

    count = asyncio.run(sent())
    typer.echo(f"{count} {'alert' if count == 1 else 'alerts'} sent.")


def mention(alerts: AlertBox) -> None:
    """One line on a terminal where there is something to be seen."""
    if not sys.stderr.isatty():
        return
    asyncio.run(alerts.written())
    if count := alerts.unseen():
        them = "1 alert that you have not seen" if count == 1 else f"{count} alerts that you have not seen"
        typer.secho(f"{them}: ownkey alerts", dim=True, err=True)


def _with_channels(ownkey: Ownkey) -> AlertBox:
    if not ownkey.alerts.channels:
        raise BadConfiguration(
            "Alerts are sent nowhere: neither a webhook nor e-mails are set.",
            "Set OWNKEY_ALERT_WEBHOOK_URL and OWNKEY_ALERT_WEBHOOK_SECRET, or OWNKEY_SMTP_URL and "
            "OWNKEY_ALERT_EMAIL_TO.",
        )
    return ownkey.alerts


def _plain(row: AlertRow, deliveries: list[Delivery]) -> dict[str, Any]:
    fields = ("id", "kind", "message", "owner", "budget_id", "at_ms", "seen_at_ms", "sent_at_ms")
    told = [{name: getattr(one, name) for name in ("channel", "sent_at_ms", "error", "tries")} for one in deliveries]
    plain = {name: getattr(row, name) for name in fields}
    return plain | {"facts": msgspec.json.decode(row.facts), "deliveries": told}
