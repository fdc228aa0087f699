"""`ownkey providers add | remove | gallery`: whom else one may ask."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from ownkey.cli.show import JsonOption, opened, print_json, print_table
from ownkey.talk.errors import InvalidRequest

MAX_INPUT_BYTES = 1 << 20


def add_provider(
    source: str = typer.Argument(help="A provider of the gallery by its id, a TOML file, or - for standard input."),
) -> None:
    """Add a provider: from the gallery, or from a file of one's own."""
    with opened() as ownkey:
        gallery = {provider.id for provider in ownkey.providers.gallery()}
        if source in gallery and not Path(source).is_file():
            view = ownkey.providers.add_from_gallery(source)
        else:
            view = ownkey.providers.add(_read(source), "standard input" if source == "-" else Path(source).name)
        typer.echo(f"Added {view.provider.name} as {view.provider.id}.")
        if view.lack is not None:
            typer.echo(view.lack.hint, err=True)
        else:
            typer.echo(f"Try it: ownkey providers check {view.provider.id}", err=True)


def remove_provider(
    provider: str = typer.Argument(help="A provider that was added, as `ownkey providers list` names it."),
) -> None:
    """Remove a provider that was added."""
    with opened() as ownkey:
        keys = ownkey.keys.has(provider)
        ownkey.providers.remove(provider)
        typer.echo(f"Removed {provider}.")
        if keys:
            typer.echo(f"Its key is still stored: `ownkey keys remove {provider}` before adding it again.", err=True)


def gallery(
    words: list[str] | None = typer.Argument(None, help="Only those in which all of these words stand."),  # noqa: B008
    as_json: bool = JsonOption,
) -> None:
    """Providers that can be added."""
    with opened() as ownkey:
        there = {view.provider.id for view in ownkey.providers.listed()}
        found = ownkey.providers.gallery(words or ())
        if as_json:
            print_json(
                [
                    {
                        "id": one.id,
                        "name": one.name,
                        "kind": one.kind,
                        "wire": one.wire,
                        "base_url": one.base_url,
                        "key_page": one.keys.page,
                        "models": [model.id for model in one.models],
                        "added": one.id in there,
                    }
                    for one in found
                ]
            )
            return
        print_table(
            ("PROVIDER", "NAME", "KIND", "MODELS", "KEYS ARE MADE AT", ""),
            [
                (
                    one.id,
                    one.name,
                    one.kind,
                    ", ".join(model.id for model in one.models[:2]) + (" …" if len(one.models) > 2 else ""),
                    one.keys.page or "",
                    "added" if one.id in there else "",
                )
                for one in found
            ],
            empty="Nothing in the gallery has all of these words. A file of your own: `ownkey providers add FILE`.",
        )


def _read(source: str) -> bytes:
    if source == "-":
        return sys.stdin.buffer.read(MAX_INPUT_BYTES + 1)
    try:
        with Path(source).open("rb") as file:
            return file.read(MAX_INPUT_BYTES + 1)
    except OSError as error:
        raise InvalidRequest(
            f"{source!r} is not in the gallery, and as a file it cannot be read: {error.strerror}.",
            "`ownkey providers gallery` lists what can be added.",
        ) from None
