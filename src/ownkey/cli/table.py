"""All commands by name, and where each stands. One is loaded when it is asked for: the others' parts stay unread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any

from typer import Typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

# Of a group of commands, those that stand in a module of their own come after its own.
COMMANDS: Mapping[str, str | Mapping[str, str]] = {
    "serve": "serve:serve",
    "desktop": "desktop:desktop",
    "models": "models:models",
    "chat": "chat:chat",
    "quote": "quote:quote",
    "run": "run:run",
    "batch": "batch:batch",
    "export": "parcels:export",
    "import": "parcels:import_",
    "simulate": "simulate:simulate",
    "doctor": "doctor:doctor",
    "keys": {"": "keys:app", "import": "foreign:import_keys", "import-fernet": "fernet:import_fernet"},
    "providers": {
        "": "providers:app",
        "add": "gallery:add_provider",
        "remove": "gallery:remove_provider",
        "gallery": "gallery:gallery",
        "check": "check:check_provider",
        "status": "status:providers_status",
    },
    "automations": {"": "automations:app"},
    "budgets": {"": "budgets:app"},
    "limits": {"": "limits:app"},
    "prices": {
        "": "prices:app",
        "refresh": "refresh:refresh",
        "history": "refresh:history",
        "revert": "refresh:revert",
    },
    "routes": {"": "routes:app"},
    "usage": {
        "": "usage:app",
        "thumb": "routes:thumb",
        "reprice": "reprice:reprice_usage",
        "reconcile": "reconcile:reconcile",
    },
    "history": {"": "history:app"},
    "cache": {"": "cache:app"},
    "alerts": {"": "alerts:app"},
    "audit": {"": "audit:app"},
    "tokens": {"": "tokens:app"},
    "preferences": {"": "preferences:app"},
    "consents": {"": "consents:app"},
    "vault": {"": "vault:app"},
    "users": {"": "users:app"},
}


class Commands(TyperGroup):
    """The group of all of them."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands: Any = _Table()


class _Table(Mapping[str, Any]):
    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = _command(name, COMMANDS[name])
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


def _command(name: str, places: str | Mapping[str, str]) -> Any:
    if isinstance(places, str):
        alone = Typer(add_completion=False)
        alone.command(name)(_found(places))
        return get_command(alone)
    command = get_group(_group(name))
    command.name = name
    return command


@cache
def _group(name: str) -> Typer:
    """With those of its commands that stand elsewhere: they are put to it once."""
    places = COMMANDS[name]
    assert not isinstance(places, str)
    group: Typer = _found(places[""])
    for own, place in places.items():
        if own:
            group.command(own)(_found(place))
    return group


def _found(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(f"ownkey.cli.{module}"), name)
