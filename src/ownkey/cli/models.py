"""`ownkey models`: what can be asked for, and what it costs."""

from __future__ import annotations

import typer

from ownkey.app.ownkey import Ownkey
from ownkey.app.providers import ModelView
from ownkey.cli.show import JsonOption, opened, per_million, print_json, print_table


def models(
    provider: str | None = typer.Argument(None, help="Only this provider's."),
    refresh: bool = typer.Option(False, "--refresh", help="Ask the provider for its models first."),
    as_json: bool = JsonOption,
) -> None:
    """Models, with their price per million tokens."""
    listed = _refreshed(provider) if refresh else _known(provider)
    if as_json:
        print_json([_plain(view) for view in listed])
        return
    print_table(
        ("MODEL", "CONTEXT", "MAX OUTPUT", "IN / 1M", "OUT / 1M", "DOES"),
        [
            (
                f"{view.provider}/{view.model.id}",
                str(view.model.context or ""),
                str(view.model.max_output or ""),
                per_million(view.rates.input) if view.rates else "unknown",
                per_million(view.rates.output) if view.rates else "unknown",
                " ".join(view.model.does),
            )
            for view in listed
        ],
        empty=f"No models known. `ownkey models {provider or 'PROVIDER'} --refresh` asks the provider.",
    )


def _known(provider: str | None) -> list[ModelView]:
    with opened() as ownkey:
        return ownkey.providers.models(provider)


def _refreshed(provider: str | None) -> list[ModelView]:
    with Ownkey().blocking() as ownkey:
        usable = [view.provider.id for view in ownkey.providers.listed() if view.enabled and view.keys]
        names = [provider] if provider else usable
        return [view for name in names for view in ownkey.refresh_models(name)]


def _plain(view: ModelView) -> dict[str, object]:
    rates = view.rates
    return {
        "id": f"{view.provider}/{view.model.id}",
        "provider": view.provider,
        "name": view.model.name,
        "context": view.model.context,
        "max_output": view.model.max_output,
        "does": list(view.model.does),
        "input_usd_per_million": per_million(rates.input)[1:] if rates else None,
        "output_usd_per_million": per_million(rates.output)[1:] if rates else None,
    }
