"""`ownkey keys`: stored from the prompt or standard input, and never shown again."""

from __future__ import annotations

import sys
from typing import Any

import typer
from msgspec import to_builtins

from ownkey.app.blocking import Blocking
from ownkey.app.keys import DEFAULT, Stored
from ownkey.app.ownkey import Ownkey
from ownkey.app.standing import KeyView
from ownkey.cli.show import JsonOption, ProviderArgument, opened, print_json, print_table, usd, when
from ownkey.talk.errors import EndpointNotAllowed, InvalidCredentials, InvalidRequest, OwnkeyError, ProviderError

app = typer.Typer(no_args_is_help=True, help="Your providers' keys.")

# A key is at most 4,096 characters; more on standard input is a file by mistake.
MAX_INPUT = 8192

_Label = typer.Option(None, "--label", "-l", help="Which of the provider's keys.")
_Models = typer.Option(None, help="The models that it may be used for: `gpt-4o*,o3`; `none` for all.")
_Expires = typer.Option(None, help="The last day on which it is used: 2026-12-31; `none` for ever.")
_Weight = typer.Option(None, help="How much of what is asked it gets, beside the others; `none`: tried in order.")
_Limit = typer.Option(None, help="The most that is spent with it in a month, in dollars; `none` for no limit.")


# What stands after the provider is taken, so that the refusal need not repeat it: it may be a key.
@app.command("set", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def set_key(
    context: typer.Context,
    provider: str = ProviderArgument,
    label: str = typer.Option(DEFAULT, "--label", "-l", help="Its name; a key of that name is replaced."),
    models: str | None = _Models,
    expires: str | None = _Expires,
    monthly_limit: str | None = _Limit,
    weight: str | None = _Weight,
    no_check: bool = typer.Option(False, "--no-check", help="Store it without asking the provider."),
    force: bool = typer.Option(False, "--force", help="Store it though it looks unlike the provider's keys."),
    as_json: bool = JsonOption,
) -> None:
    """Store a key, from the prompt or standard input, once its provider has taken it."""
    if context.args:
        raise InvalidRequest(
            "A key is not taken as an argument: it would stay in the shell's history. Nothing was stored.",
            'Enter it at the prompt, or: echo "$KEY" | ownkey keys set PROVIDER',
        )
    terms = _terms(models, expires, monthly_limit, weight)
    with Ownkey().blocking() as ownkey:
        view = ownkey.providers.get(provider)
        key = _key(view.provider.name, view.provider.keys.page)
        stored = _stored(ownkey, provider, key, label, check=not no_check, force=force, terms=terms)
        if as_json:
            print_json(ownkey.keys.get(provider, label))
        else:
            name = view.provider.name if label == DEFAULT else f"{view.provider.name}, {label}"
            typer.echo(f"Stored {stored.row.masked} for {name}, to be sent to {stored.row.origin} only.")
        if stored.says:
            typer.echo(stored.says, err=True)
        if (lack := ownkey.providers.get(provider).lack) is not None:
            typer.echo(lack.hint, err=True)


@app.command("change")
def change_key(
    provider: str = ProviderArgument,
    label: str | None = _Label,
    rename: str | None = typer.Option(None, help="Another label."),
    models: str | None = _Models,
    expires: str | None = _Expires,
    monthly_limit: str | None = _Limit,
    weight: str | None = _Weight,
) -> None:
    """Change a key's label or terms."""
    with opened() as ownkey:
        view = ownkey.keys.change(provider, label, rename=rename, **_terms(models, expires, monthly_limit, weight))
        typer.echo(_sentence(view))


@app.command("list")
def list_keys(provider: str | None = typer.Argument(None, help="Only this one's."), as_json: bool = JsonOption) -> None:
    """All keys, masked: in the order in which they are tried, and how each stands."""
    with opened() as ownkey:
        views = ownkey.keys.all(provider)
        if as_json:
            print_json(views)
            return
        print_table(
            ("PROVIDER", "LABEL", "KEY", "STATE", "FOR", "THIS MONTH", "USED", "GOES TO"),
            [_row(view) for view in views],
            empty="No keys yet. Store one: `ownkey keys set PROVIDER`.",
        )


@app.command("get")
def get_key(provider: str = ProviderArgument, label: str | None = _Label, as_json: bool = JsonOption) -> None:
    """One key, masked, with its terms."""
    with opened() as ownkey:
        view = ownkey.keys.get(provider, label)
        if as_json:
            print_json(view)
            return
        lines = {
            "key": view.masked,
            "label": view.label,
            "state": _state(view),
            "goes to": view.origin,
            "models": ", ".join(view.models) or "all",
            "expires": when(view.expires_at_ms) or "never",
            "weight": "none: tried in order" if view.weight is None else str(view.weight),
            "this month": _month(view),
            "stored": when(view.created_at_ms) or "nowhere: it stands in the environment",
            "last used": when(view.used_at_ms) or "never",
            "last checked": _checked(view),
        }
        for name, value in lines.items():
            typer.echo(f"{name:<14}{value}")


@app.command("has")
def has_key(provider: str = ProviderArgument) -> None:
    """Whether there is a key for the provider: exits 1 where there is none."""
    with opened() as ownkey:
        there = ownkey.keys.has(provider)
        typer.echo("yes" if there else "no")
        raise typer.Exit(0 if there else 1)


@app.command("test")
def try_key(provider: str = ProviderArgument, label: str | None = _Label, as_json: bool = JsonOption) -> None:
    """Ask the provider with each stored key: for its models, or for a short answer where everybody may see those."""
    with Ownkey().blocking() as ownkey:
        name = ownkey.providers.get(provider).provider.name
        labels = [label] if label else [view.label for view in ownkey.keys.all(provider)] or [None]
        found: list[dict[str, Any]] = []
        failed: OwnkeyError | None = None
        for one in labels:
            try:
                tested = ownkey.test_key(provider, one)
            except OwnkeyError as error:
                if len(labels) == 1 and not as_json:
                    raise
                failed = failed or error
                found.append({"label": one, "valid": False, "error": error.code, "says": str(error)})
            else:
                found.append({"label": one, "valid": True, **to_builtins(tested)})
        if as_json:
            print_json(found)
        else:
            for line in found:
                typer.echo(_tested(name, line, alone=len(labels) == 1))
        if failed is not None:
            raise typer.Exit(5)


@app.command("order")
def order_keys(
    provider: str = ProviderArgument,
    labels: list[str] = typer.Argument(help="The labels, first to last; others come after."),  # noqa: B008
) -> None:
    """Say in which order a provider's keys are tried."""
    with opened() as ownkey:
        typer.echo(", ".join(view.label for view in ownkey.keys.order(provider, labels)))


@app.command("pause")
def pause_key(provider: str = ProviderArgument, label: str | None = _Label) -> None:
    """Use a key no more, until it is resumed."""
    with opened() as ownkey:
        typer.echo(_sentence(ownkey.keys.pause(provider, label)))


@app.command("resume")
def resume_key(provider: str = ProviderArgument, label: str | None = _Label) -> None:
    """Use a paused key again."""
    with opened() as ownkey:
        typer.echo(_sentence(ownkey.keys.resume(provider, label)))


@app.command("remove")
def remove_key(
    provider: str = ProviderArgument,
    label: str | None = _Label,
    all_keys: bool = typer.Option(False, "--all", help="All of the provider's keys."),
) -> None:
    """Remove a stored key, with the budgets that are its alone."""
    with opened() as ownkey:
        views = ownkey.keys.all(provider)
        known = next((one.provider.name for one in ownkey.providers.listed() if one.provider.id == provider), provider)
        name = known if label is None else f"{known}, {label}"
        if label is None and len(views) > 1 and not all_keys:
            ownkey.keys.get(provider)
        if not ownkey.keys.remove(provider, label):
            raise InvalidRequest(
                f"There is no key for {name} stored.", "`ownkey keys list` shows those that there are."
            )
        typer.echo(
            f"Removed the key for {name}." if len(views) < 2 or label else f"Removed {len(views)} keys for {name}."
        )


@app.command("clear")
def clear_keys(yes: bool = typer.Option(False, "--yes", help="Do not ask.")) -> None:
    """Remove every stored key, of all providers."""
    with opened() as ownkey:
        stored = [view for view in ownkey.keys.all() if view.source == "stored"]
        if stored and not yes:
            typer.confirm(f"Remove all {len(stored)} keys? They cannot be brought back", abort=True)
        typer.echo(f"Removed {ownkey.keys.clear()} keys.")


def _key(name: str, page: str | None) -> str:
    if sys.stdin.isatty():
        typer.echo(f"A key for {name}{f' is made at {page}' if page else ''}.")
        return typer.prompt("Key", hide_input=True, show_default=False).strip("\r\n \t")
    return sys.stdin.read(MAX_INPUT).strip("\r\n \t")


def _stored(
    ownkey: Blocking, provider: str, key: str, label: str, *, check: bool, force: bool, terms: dict[str, Any]
) -> Stored:
    """Where the provider cannot be asked, the person at the terminal is."""
    try:
        return ownkey.add_key(provider, key, label, check=check, force=force, **terms)
    except (ProviderError, EndpointNotAllowed) as error:
        if isinstance(error, InvalidCredentials) or not sys.stdin.isatty():
            raise
        typer.echo(error.message, err=True)
        if not typer.confirm("It could not be checked. Store it all the same?"):
            raise
        return ownkey.keys.set(provider, key, label, force=force, **terms)


def _terms(models: str | None, expires: str | None, monthly_limit: str | None, weight: str | None) -> dict[str, Any]:
    """What is given; `none` takes a term away."""
    asked = {"models": models, "expires": expires, "monthly_limit": monthly_limit, "weight": weight}
    given = {name: None if value == "none" else value for name, value in asked.items() if value is not None}
    return given | ({"models": [given["models"]]} if given.get("models") else {})


def _row(view: KeyView) -> tuple[str, ...]:
    models = ", ".join(view.models) or "all models"
    label = f"{view.label} (environment)" if view.source == "environment" else view.label
    return (view.provider, label, view.masked, _state(view), models, _month(view), when(view.used_at_ms), view.origin)


def _state(view: KeyView) -> str:
    said = f"{view.state}: {view.why}" if view.why else view.state
    if view.state == "ready" and view.weight is not None:
        said = f"{said}, weight {view.weight}"
    if view.rests_until_ms is not None:
        return f"{said}, rests until {when(view.rests_until_ms)}"
    if view.state == "ready" and view.expires_at_ms is not None:
        return f"{said} until {when(view.expires_at_ms)}"
    return said


def _month(view: KeyView) -> str:
    spent = usd(view.spent_nano)
    return spent if view.limit_nano is None else f"{spent} of {usd(view.limit_nano)}"


def _checked(view: KeyView) -> str:
    if view.checked_at_ms is None:
        return "never"
    return f"{when(view.checked_at_ms)}, {'taken' if view.valid else view.why or 'refused'}"


def _sentence(view: KeyView) -> str:
    models = f", for {', '.join(view.models)}" if view.models else ""
    return f"{view.provider}, {view.label}: {view.masked} is {_state(view)}{models}. This month: {_month(view)}."


def _tested(name: str, line: dict[str, Any], *, alone: bool) -> str:
    which = "this key" if alone else f"the key {line['label']}"
    if not line["valid"]:
        return f"{line['label']}: {line['says']}"
    found = "it answers" if line["models"] is None else f"{line['models']} models"
    return f"{name} takes {which}: {found}, in {line['took_ms'] / 1000:.1f} s."
