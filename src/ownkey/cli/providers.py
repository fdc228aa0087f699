"""`ownkey providers`: who can be asked, and how."""

from __future__ import annotations

from typing import Any

import typer

from ownkey.app.providers import ProviderView
from ownkey.catalog.manifest import Field
from ownkey.cli.show import JsonOption, ProviderArgument, opened, print_json, print_table
from ownkey.talk.errors import InvalidRequest

app = typer.Typer(no_args_is_help=True, help="Providers, and what is set for them.")


@app.command("list")
def list_providers(as_json: bool = JsonOption) -> None:
    """Every provider, and whether it can be used."""
    with opened() as ownkey:
        views = ownkey.providers.listed()
        if as_json:
            print_json([_plain(view) for view in views])
        else:
            rows = [(view.provider.id, view.provider.name, view.provider.kind, _state(view)) for view in views]
            print_table(("PROVIDER", "NAME", "KIND", "STATE"), rows, empty="No providers.")
        for problem in ownkey.providers.problems():
            typer.echo(problem, err=True)


@app.command("show")
def show_provider(provider: str = ProviderArgument, as_json: bool = JsonOption) -> None:
    """One provider: its endpoint, fields, key page and default model."""
    with opened() as ownkey:
        view = ownkey.providers.get(provider)
        if as_json:
            print_json(_plain(view))
            return
        manifest = view.provider
        lines = {
            "name": f"{manifest.name} ({manifest.kind})",
            "state": _state(view),
            "endpoint": view.endpoint,
            "speaks": manifest.wire,
            "default model": view.default or "none",
            "keys are made at": manifest.keys.page or "",
            **{f"field {name}": view.fields.get(name) or _unset(field) for name, field in manifest.fields.items()},
        }
        for name, value in lines.items():
            if value:
                typer.echo(f"{name:<18}{value}")
        if view.lack:
            typer.echo(view.lack.hint, err=True)


@app.command("set")
def set_provider(
    provider: str = ProviderArgument,
    endpoint: str | None = typer.Option(None, help="Base URL to use instead of the provider's own; '' goes back."),
    field: list[str] | None = typer.Option(None, help="NAME=VALUE, one of the provider's fields."),  # noqa: B008
    enable: bool | None = typer.Option(None, "--enable/--disable", help="Whether it may be asked."),
    default: str | None = typer.Option(None, help="The model where none is named."),
) -> None:
    """Change what is set for a provider."""
    with opened() as ownkey:
        pairs: dict[str, str] = {}
        for text in field or ():
            name, equals, value = text.partition("=")
            if not equals:
                raise InvalidRequest(f"{text!r} is not NAME=VALUE.", "For example: --field api_version=2024-10-21")
            pairs[name] = value
        view = ownkey.providers.set(provider, endpoint=endpoint, fields=pairs, enabled=enable, default=default)
        typer.echo(f"{view.provider.name}: {_state(view)}, {view.endpoint}")
        if view.lack and view.enabled:
            typer.echo(view.lack.hint, err=True)


def _state(view: ProviderView) -> str:
    if view.lack:
        return view.lack.says
    return "ready" if view.keys or view.provider.kind == "cloud" else "ready, no key needed"


def _unset(field: Field) -> str:
    return field.default or ("not set, and needed" if field.required else "not set")


def _plain(view: ProviderView) -> dict[str, Any]:
    manifest = view.provider
    return {
        "id": manifest.id,
        "name": manifest.name,
        "kind": manifest.kind,
        "wire": manifest.wire,
        "enabled": view.enabled,
        "endpoint": view.endpoint,
        "default_model": view.default,
        "fields": dict(view.fields),
        "keys": view.keys,
        "ready": view.lack is None,
        "lacks": view.lack.says if view.lack else None,
        "key_required": manifest.kind == "cloud",
        "key_page": manifest.keys.page,
    }
