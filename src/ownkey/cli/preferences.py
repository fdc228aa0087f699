"""`ownkey preferences`: what you want, where you say nothing else."""

from __future__ import annotations

from typing import Any

import msgspec
import typer

from ownkey.app.ownkey import Ownkey
from ownkey.app.preferences import NONE, PreferenceBook, Wanted, plain
from ownkey.cli.show import JsonOption, opened, print_json, print_table
from ownkey.talk.errors import InvalidRequest

app = typer.Typer(no_args_is_help=True, help="What you want, where you say nothing else.")

UserOption = typer.Option(None, "--user", help="Whose: an id or e-mail address; yours unless said.")
_WORDS = {"yes": True, "on": True, "true": True, "no": False, "off": False, "false": False}


@app.command("show")
def show_preferences(user: str | None = UserOption, as_json: bool = JsonOption) -> None:
    """What is wanted now."""
    with opened() as ownkey:
        _show(_book(ownkey, user).get(), as_json=as_json)


@app.command("set")
def set_preference(
    name: str = typer.Argument(help="Which; `models.PROVIDER` for the model of one provider."),
    value: str = typer.Argument(help="What; yes or no, a number, a name, or several with commas between."),
    user: str | None = UserOption,
    as_json: bool = JsonOption,
) -> None:
    """Want this."""
    with opened() as ownkey:
        book = _book(ownkey, user)
        field, _, provider = name.replace("-", "_", 1 if name.startswith("models") else -1).partition(".")
        if field == "models" and provider:
            given: Any = book.get().models | {provider: value}
        else:
            given = _read(field, value)
        _show(book.update(**{field: given}), as_json=as_json)


@app.command("unset")
def unset_preference(
    name: str = typer.Argument(help="Which; `models.PROVIDER` for the model of one provider."),
    user: str | None = UserOption,
    as_json: bool = JsonOption,
) -> None:
    """Want nothing of it."""
    with opened() as ownkey:
        book = _book(ownkey, user)
        field, _, provider = name.partition(".")
        if field == "models" and provider:
            left = {id: model for id, model in book.get().models.items() if id != provider}
            _show(book.update(models=left), as_json=as_json)
        else:
            _show(book.unset(field.replace("-", "_")), as_json=as_json)


def _book(ownkey: Ownkey, user: str | None) -> PreferenceBook:
    return ownkey.preferences if user is None else PreferenceBook(ownkey.house, ownkey.people.get(user).id)


def _read(field: str, value: str) -> Any:
    """What was typed, as the field has it."""
    if isinstance(getattr(NONE, field, None), bool):
        if value.lower() not in _WORDS:
            raise InvalidRequest(f"{field} is yes or no.", param=field)
        return _WORDS[value.lower()]
    if field == "max_tokens":
        if not value.isdecimal():
            raise InvalidRequest("max_tokens is a number.", param=field)
        return int(value)
    if field == "preferred":
        return [name.strip() for name in value.split(",") if name.strip()]
    if field == "models":
        raise InvalidRequest("Say of which provider.", "For example: ownkey preferences set models.openai gpt-4o")
    return value


def _show(wanted: Wanted, *, as_json: bool) -> None:
    if as_json:
        print_json(plain(wanted))
        return
    rows = [(name, _said(value)) for name, value in plain(wanted).items()]
    print_table(("PREFERENCE", "WANTED"), rows, empty="")


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        models: dict[str, str] = msgspec.convert(value, dict[str, str])
        return ", ".join(f"{provider}: {model}" for provider, model in models.items())
    if isinstance(value, tuple | list):
        return ", ".join(map(str, msgspec.convert(value, list[str])))
    return "" if value is None else str(value)
