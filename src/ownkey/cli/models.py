"""`ownkey models`: what can be asked for, and what it costs."""

from __future__ import annotations

from typing import get_args

import typer

from ownkey.app.choosing import TASKS
from ownkey.app.ownkey import Ownkey
from ownkey.app.providers import ModelView
from ownkey.catalog.manifest import Ability
from ownkey.cli.show import JsonOption, opened, per_million, print_json, print_table
from ownkey.talk.errors import InvalidRequest
from ownkey.talk.money import show_usd


def models(
    provider: str | None = typer.Argument(None, help="Only this provider's."),
    refresh: bool = typer.Option(False, "--refresh", help="Ask the provider for its models first."),
    compare: list[str] | None = typer.Option(  # noqa: B008
        None, "--compare", help="Show this model beside the others that are named so; may be given several times."
    ),
    others: list[str] | None = typer.Argument(None, help="More models to compare.", show_default=False),  # noqa: B008
    recommend: str | None = typer.Option(None, "--recommend", help=f"The models to take for: {', '.join(TASKS)}."),
    budget: str = typer.Option("0.05", help="With --recommend: dollars that one usual request may cost."),
    any_provider: bool = typer.Option(False, "--any", help="With --recommend: also of providers that lack a key."),
    as_json: bool = JsonOption,
) -> None:
    """Models, with their price per million tokens."""
    if compare:
        _compare([*compare, *([provider] if provider else []), *(others or [])], as_json)
        return
    if recommend is not None:
        _recommend(budget, recommend, as_json, usable_only=not any_provider)
        return
    if others:
        raise InvalidRequest("One provider at a time.", "To see models side by side: --compare A B.")
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


def _compare(names: list[str], as_json: bool) -> None:
    with opened() as ownkey:
        views = ownkey.compare_models(*names)
    if as_json:
        print_json([_plain(view) for view in views])
        return
    shown = [_plain(view) for view in views]
    lines = [
        ("context", [f"{view.model.context:,}" if view.model.context else "unknown" for view in views]),
        ("max output", [f"{view.model.max_output:,}" if view.model.max_output else "unknown" for view in views]),
        ("in / 1M", [_price(one["input_usd_per_million"]) for one in shown]),
        ("out / 1M", [_price(one["output_usd_per_million"]) for one in shown]),
        ("cached in / 1M", [_price(one["cached_usd_per_million"]) for one in shown]),
        *((ability, [_whether(view, ability) for view in views]) for ability in get_args(Ability)),
    ]
    columns = ("", *(f"{view.provider}/{view.model.id}" for view in views))
    print_table(columns, [(name, *values) for name, values in lines], empty="Nothing to compare.")


def _price(usd: object) -> str:
    return "unknown" if usd is None else f"${usd}"


def _whether(view: ModelView, ability: str) -> str:
    return "unknown" if not view.model.does else "yes" if ability in view.model.does else "no"


def _recommend(budget: str, task: str, as_json: bool, *, usable_only: bool) -> None:
    with opened() as ownkey:
        found = ownkey.recommend_model(budget, task, usable_only=usable_only)
    if as_json:
        print_json([{**_plain(one.model), "request_usd": show_usd(one.cost.nano_usd), "why": one.why} for one in found])
        return
    print_table(
        ("MODEL", "A REQUEST", "CONTEXT", "WHY"),
        [(one.name, str(one.cost), f"{one.model.model.context or 0:,}", one.why) for one in found],
        empty="No model that can be asked now does this for so little. `--any` looks at all providers.",
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
        "cached_usd_per_million": per_million(rates.cached)[1:] if rates and rates.cached is not None else None,
    }
