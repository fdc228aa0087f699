"""`ownkey routes`: names for whom to ask, how one is chosen, and why."""

from __future__ import annotations

from typing import Any, cast

import msgspec
import typer

from ownkey.app.routes import FAILURES, PROMPT, Candidate, Explained
from ownkey.cli.show import JsonOption, opened, per_million, print_json, print_table, usd
from ownkey.routing.rules import NAMED, Route

app = typer.Typer(no_args_is_help=True, help="Whom to ask, how one is chosen, and why.")

_NameArgument = typer.Argument(help="Its name, which can be asked for as a model.")
_ModelArgument = typer.Argument(help="A route, a model, or several with commas between.")
_PromptArgument = typer.Argument(help="What would be asked.")
EverybodyOption = typer.Option(False, "--everybody", help="The route of all people here, not your own.")


@app.command("list")
def list_routes(as_json: bool = JsonOption) -> None:
    """Your routes, everybody's, and those that are always there."""
    with opened() as ownkey:
        routes = ownkey.routes.all()
    if as_json:
        print_json([_plain(route) for route in routes])
        return
    print_table(
        ("ROUTE", "WHOSE", "CHOOSES", "AMONG", "RULES"),
        [(route.name, _whose(route), _chooses(route), " ".join(route.targets), _rules(route)) for route in routes],
        empty="",
    )


@app.command("show")
def show_route(name: str = _NameArgument, as_json: bool = JsonOption) -> None:
    """All that a route says."""
    with opened() as ownkey:
        route = ownkey.routes.get(name)
    if as_json:
        print_json(_plain(route))
        return
    for field, value in _plain(route).items():
        typer.echo(f"{field}\t{_shown(value)}")


@app.command("set")
def set_route(
    name: str = _NameArgument,
    target: list[str] | None = typer.Option(  # noqa: B008
        None, "--target", help="PROVIDER/MODEL, PROVIDER, `auto` or `auto:every`; may be given several times."
    ),
    choose: str | None = typer.Option(None, help="listed, cheapest, fastest, best, balanced or learned."),
    task: str | None = typer.Option(None, help="For `best`: code, reasoning, writing, vision, long-context."),
    local_only: bool | None = typer.Option(None, help="Nothing leaves your own network."),
    exclude: str | None = typer.Option(None, help="Providers that are never asked, with commas; `none` for all."),
    regions: str | None = typer.Option(None, help="Only where a provider answers in these, such as eu,us."),
    not_regions: str | None = typer.Option(None, help="Never where a provider may answer in these."),
    retries: str | None = typer.Option(None, help="More tries at one target; `none` as the settings say."),
    first_token_timeout: str | None = typer.Option(None, help="Seconds that a first word is waited for."),
    total: str | None = typer.Option(None, help="Seconds that all tries and their answers may take."),
    carry_on: str | None = typer.Option(None, help="Whether another goes on where an answer breaks off: yes or no."),
    ask: bool | None = typer.Option(None, help="Ask a person before another target is asked."),
    fallback: bool | None = typer.Option(None, help="Whether others are asked where the first fails."),
    everybody: bool = EverybodyOption,
    as_json: bool = JsonOption,
) -> None:
    """Make a route, or change what is given of one. `none` takes a value away."""
    given: dict[str, Any] = {
        "targets": list(target) if target else None,
        "choose": choose,
        "task": task,
        "local_only": local_only,
        "exclude": _list(exclude),
        "regions": _list(regions),
        "not_regions": _list(not_regions),
        "retries": _number(retries),
        "first_token_timeout_s": _number(first_token_timeout),
        "total_s": _number(total),
        "carry_on": {"yes": True, "no": False}.get(carry_on, carry_on) if carry_on else None,
        "ask": ask,
        "fallback": fallback,
    }
    asked = {field: None if value == "none" else value for field, value in given.items() if value is not None}
    with opened() as ownkey:
        route = ownkey.routes.set(name, everybody=everybody, **asked)
    if as_json:
        print_json(_plain(route))
        return
    typer.echo(f"Ask for the model {route.name}: it takes the {_chooses(route)} of {' '.join(route.targets)}.")


@app.command("remove")
def remove_route(name: str = _NameArgument, everybody: bool = EverybodyOption) -> None:
    """Take a route away."""
    with opened() as ownkey:
        typer.echo(f"Removed the route {ownkey.routes.remove(name, everybody=everybody).name}.")


@app.command("explain")
def explain(
    model: str = _ModelArgument,
    prompt: str = typer.Argument(PROMPT, help="What would be asked."),
    need: list[str] | None = typer.Option(None, "--need", help="tools, vision or json; may be given several times."),  # noqa: B008
    as_json: bool = JsonOption,
) -> None:
    """Everybody who would be asked, in order, and why; and who would not, and why. Nothing is asked."""
    needs: Any = need or ()
    with opened() as ownkey:
        found = ownkey.routes.explain(model, prompt, needs=needs)
    if as_json:
        print_json(_told(found))
        return
    print_table(
        ("", "MODEL", "WHY", "THIS REQUEST", "IN / 1M", "OUT / 1M", "FIRST TOKEN", "SPEED"),
        [_row(one) for one in found.candidates],
        empty="Nobody can be asked. `ownkey keys set PROVIDER` stores a key.",
    )


@app.command("try")
def rehearse(
    model: str = _ModelArgument,
    prompt: str = typer.Argument(PROMPT, help="What would be asked."),
    failing: str = typer.Option(FAILURES[0], help=f"How each of them fails: {', '.join(FAILURES)}."),
    as_json: bool = JsonOption,
) -> None:
    """What would be tried, and when, where each one failed. Nothing is asked."""
    with opened() as ownkey:
        steps = ownkey.routes.rehearse(model, prompt, failing=failing)
    if as_json:
        print_json(steps)
        return
    print_table(
        ("AFTER", "MODEL", "TRY"),
        [(f"{step.at_s:.2f} s", step.name, str(step.number)) for step in steps],
        empty="Nobody can be asked.",
    )
    typer.echo("Then the error of the first that was asked is told, with what became of the others.")


@app.command("forget")
def forget() -> None:
    """Let go of what was learned from your answers."""
    with opened() as ownkey:
        ownkey.routes.forget()
        typer.echo("What was learned from your answers is gone.")


def thumb(
    run: str = typer.Argument(help="The id of a request: x-request-id, or `ownkey usage --json`."),
    verdict: str = typer.Argument(help="up or down."),
) -> None:
    """Say whether an answer was good: routes that learn take it into account."""
    if verdict not in ("up", "down"):
        raise typer.BadParameter("It is up or down.")
    with opened() as ownkey:
        typer.echo(f"Noted: thumbs {verdict} for {ownkey.routes.thumb(run, up=verdict == 'up')}.")


def _row(one: Candidate) -> tuple[str, ...]:
    why = one.why if one.stands is None else f"{one.why}; {one.stands}"
    return (
        "out" if one.place is None else str(one.place),
        one.name,
        why,
        "" if one.expected_nano is None else usd(one.expected_nano),
        per_million(one.input_rate),
        per_million(one.output_rate),
        "" if one.first_s is None else f"{one.first_s:.2f} s",
        "" if one.tokens_per_s is None else f"{one.tokens_per_s:.0f}/s",
    )


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return " ".join(cast("list[str]", value)) if isinstance(value, list) else str(value)


def _chooses(route: Route) -> str:
    named = {"listed": "first", "best": f"best for {route.task}" if route.task else "best"}
    return named.get(route.choose, route.choose)


def _whose(route: Route) -> str:
    return "ownkey" if route.name in NAMED else "everybody" if route.owner is None else "own"


def _rules(route: Route) -> str:
    rules = ["local only"] if route.local_only else []
    rules += [f"not {name}" for name in route.exclude]
    rules += [f"only in {' '.join(route.regions)}"] if route.regions else []
    rules += [f"not in {' '.join(route.not_regions)}"] if route.not_regions else []
    return ", ".join(rules if route.fallback else [*rules, "no fallback"])


def _plain(route: Route) -> dict[str, Any]:
    plain = msgspec.to_builtins(msgspec.structs.asdict(route))
    del plain["owner"]
    return {"name": plain.pop("name"), "whose": _whose(route), **plain}


def _told(found: Explained) -> dict[str, Any]:
    return {
        "asked": found.asked,
        "route": None if found.route is None else _plain(found.route),
        "kind": found.kind,
        "candidates": msgspec.to_builtins(found.candidates),
    }


def _list(text: str | None) -> list[str] | None:
    if text is None:
        return None
    return [] if text == "none" else [part.strip() for part in text.split(",") if part.strip()]


def _number(text: str | None) -> float | int | str | None:
    if text is None or text == "none":
        return text
    try:
        return int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError:
        return text
