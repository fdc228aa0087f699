"""`ownkey budgets`: limits that hold, and what is left of them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import typer

from ownkey.cli.show import JsonOption, opened, print_json, print_table
from ownkey.spending.budget import Budget, Room
from ownkey.spending.refusal import run_cap, show

app = typer.Typer(no_args_is_help=True, help="Limits on what is spent; none is ever passed.")

_BAR = 20
_NameArgument = typer.Argument(help="Its name.")


@app.command("set")
def set_budget(
    name: str = _NameArgument,
    limit: str | None = typer.Option(None, help="In dollars, or in the unit; `none` takes it away."),
    unit: str | None = typer.Option(None, help="usd, tokens or requests."),
    per: str | None = typer.Option(None, help="day, week, month, cycle (a billing month) or ever."),
    zone: str | None = typer.Option(None, help="The time zone whose days it counts, such as Europe/Berlin."),
    anchor_day: int | None = typer.Option(None, help="The day on which a cycle begins, or the weekday of a week."),
    provider: str | None = typer.Option(None, help="Only for this provider."),
    model: str | None = typer.Option(None, help="Only for this model: PROVIDER/MODEL."),
    owner: str | None = typer.Option(None, help="Only for this person: an id or e-mail address."),
    key: str | None = typer.Option(None, help="Only for this key: PROVIDER or PROVIDER/LABEL."),
    token: str | None = typer.Option(None, help="Only for this gateway token."),
    automation: str | None = typer.Option(None, help="Only for this automation."),
    when_exhausted: str | None = typer.Option(None, help="refuse, fall_back (to what still fits) or ask."),
    alert: int | None = typer.Option(None, help="Tell me when so many per cent are spent."),
    run_soft_usd: str | None = typer.Option(None, help="Warn of a run that costs about more, in dollars."),
    run_soft_tokens: str | None = typer.Option(None, help="The same in tokens."),
    run_soft: str | None = typer.Option(None, help="warn, or ask first."),
    run_hard_usd: str | None = typer.Option(None, help="The most that one run may cost, in dollars."),
    run_hard_tokens: str | None = typer.Option(None, help="The most that one run may take, in tokens."),
    share: int | None = typer.Option(None, help="The per cent of it that one person may have pending."),
    as_json: bool = JsonOption,
) -> None:
    """Make a budget, or change what is given of one. `none` takes a value away."""
    given: dict[str, Any] = {
        "limit": limit,
        "unit": unit,
        "per": per,
        "zone": zone,
        "anchor_day": anchor_day,
        "provider": provider,
        "model": model,
        "owner": owner,
        "key": key,
        "token": token,
        "automation": automation,
        "exhausted": when_exhausted.replace("-", "_") if when_exhausted else None,
        "alert_percent": alert,
        "run_soft_usd": run_soft_usd,
        "run_soft_tokens": run_soft_tokens,
        "run_soft": run_soft,
        "run_hard_usd": run_hard_usd,
        "run_hard_tokens": run_hard_tokens,
        "share_percent": share,
    }
    with opened() as ownkey:
        asked = {field: None if value == "none" else value for field, value in given.items() if value is not None}
        impact = ownkey.budgets.set(name, **asked)
        if as_json:
            print_json(_plain(impact.room))
            return
        typer.echo(_sentence(impact.room))
        if impact.refuses:
            typer.echo("Nothing is left of it: every run that falls under it is refused from now on.", err=True)


@app.command("list")
def list_budgets(as_json: bool = JsonOption) -> None:
    """Each budget with what is spent, pending and left of it."""
    with opened() as ownkey:
        rooms = ownkey.budgets.rooms()
        if as_json:
            print_json([_plain(room) for room in rooms])
            return
        names = {view.id: f"{view.provider}/{view.label}" for view in ownkey.keys.all()}
        print_table(
            ("BUDGET", "FOR", "LIMIT", "SPENT", "PENDING", "LEFT", "USED", "BEGINS ANEW"),
            [_row(room, names) for room in rooms],
            empty="No budgets yet. Make one: `ownkey budgets set NAME --limit 20 --per month`.",
        )


@app.command("remove")
def remove_budget(name: str = _NameArgument) -> None:
    """Take a budget away: what it held back is held back no more."""
    with opened() as ownkey:
        typer.echo(f"Removed the budget {ownkey.budgets.remove(name).name}.")


@app.command("check")
def check_budgets(mend: bool = typer.Option(False, help="Count those anew that are wrong.")) -> None:
    """Compare every counter with the rows of the book; exits 1 where one is wrong and was not mended."""
    with opened() as ownkey:
        wrong = ownkey.budgets.mend() if mend else ownkey.budgets.wrong()
        if not wrong:
            typer.echo("Every counter is what the book says.")
        elif mend:
            typer.echo(f"Mended {wrong} counters.")
        else:
            typer.echo(f"{wrong} counters are not what the book says. `ownkey budgets check --mend` mends them.")
            raise typer.Exit(1)


def _row(room: Room, names: Mapping[str, str]) -> tuple[str, ...]:
    budget = room.budget
    if budget.limit is None:
        return (budget.name, _scope(budget, names), f"{run_cap(budget) or 'soft'} a run", "", "", "", "", "")
    return (
        budget.name,
        _scope(budget, names),
        f"{show(budget.limit, budget.unit)} {_per(budget)}",
        show(room.spent, budget.unit),
        show(room.pending, budget.unit) if room.pending else "",
        show(room.left or 0, budget.unit),
        _used(room),
        _anew(room),
    )


def _used(room: Room) -> str:
    """A bar where people look, else the per cent."""
    limit = room.budget.limit or 0
    share = min(1.0, (room.spent + room.pending) / limit) if limit else 1.0
    if not sys.stdout.isatty():
        return f"{share:.0%}"
    full = round(share * _BAR)
    return f"{'█' * full}{'░' * (_BAR - full)} {share:.0%}"


def _scope(budget: Budget, names: Mapping[str, str] = MappingProxyType({})) -> str:
    """`names` are those of keys, by id."""
    model = f"{budget.provider}/{budget.model}" if budget.model else None
    named = {"model": model} if model else {"provider": budget.provider}
    named |= {"person": budget.owner, "automation": budget.automation}
    named |= {"key": names.get(budget.key_id or "", budget.key_id), "token": budget.token_id}
    return ", ".join(f"{what} {which}" for what, which in named.items() if which) or "everything"


def _per(budget: Budget) -> str:
    period = budget.window.period
    return {"ever": "in all", "cycle": "a cycle"}.get(period, f"a {period}")


def _anew(room: Room) -> str:
    if room.budget.window.period == "ever":
        return "never"
    zone = ZoneInfo(room.budget.window.zone)
    return datetime.fromtimestamp(room.end_ms / 1000, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M")


def _sentence(room: Room) -> str:
    budget = room.budget
    if budget.limit is None:
        return f"The budget {budget.name} caps each run at {run_cap(budget) or 'a soft limit'}, for {_scope(budget)}."
    most, left = show(budget.limit, budget.unit), show(room.left or 0, budget.unit)
    return f"The budget {budget.name} is {most} {_per(budget)}, for {_scope(budget)}. {left} of it are left."


def _plain(room: Room) -> dict[str, Any]:
    budget = room.budget
    fields = (
        *("id", "name", "owner", "provider", "model", "key_id", "token_id", "automation", "unit", "limit", "exhausted"),
        *("alert_percent", "run_soft", "run_soft_nano", "run_hard_nano", "run_soft_tokens", "run_hard_tokens"),
        "share_percent",
    )
    window = budget.window
    return {name: getattr(budget, name) for name in fields} | {
        "per": window.period,
        "zone": window.zone,
        "anchor_day": window.anchor_day,
        "spent": room.spent,
        "pending": room.pending,
        "left": room.left,
        "start_ms": room.start_ms,
        "end_ms": room.end_ms,
    }
