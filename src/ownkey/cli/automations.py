"""`ownkey automations`: saved prompts, each with its model, its limit and what its runs gave."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import typer

from ownkey.app.automations.book import Automation, Run, starters
from ownkey.app.automations.switching import Change
from ownkey.cli.show import JsonOption, opened, print_json, print_table, usd, when
from ownkey.talk.errors import InvalidRequest
from ownkey.talk.money import Money

app = typer.Typer(no_args_is_help=True, help="Saved prompts with variables: made, given another model, removed.")

_NameArgument = typer.Argument(help="Its name.")
_LARGEST = 1 << 20


@app.command("list")
def list_automations(as_json: bool = JsonOption) -> None:
    """Each automation with its model and its limit."""
    with opened() as ownkey:
        found = ownkey.automations.all()
        if as_json:
            print_json([plain(one) for one in found])
            return
        print_table(
            ("AUTOMATION", "MODEL", "AT MOST", "ITS VARIABLES", "WHAT IT DOES"),
            [_row(one) for one in found],
            empty="No automations yet. Take a starter: `ownkey automations add --starter translation`.",
        )


@app.command("starters")
def list_starters(as_json: bool = JsonOption) -> None:
    """Automations that come with Ownkey."""
    found = starters()
    if as_json:
        print_json([{"name": one.name, "title": one.title, **_document(one.document)} for one in found])
        return
    rows = [(one.name, ", ".join(one.document.variables), one.document.description) for one in found]
    print_table(("STARTER", "ITS VARIABLES", "WHAT IT DOES"), rows, empty="")


@app.command()
def show(name: str = _NameArgument, as_json: bool = JsonOption) -> None:
    """An automation with its prompt, its variables and the models that it could be given."""
    with opened() as ownkey:
        found, choices = ownkey.automations.get(name), ownkey.automations.choices(name)
    if as_json:
        models = [msgspec.to_builtins(one, enc_hook=_hook) for one in choices]
        print_json(plain(found) | {"models": models})
        return
    typer.echo(f"{found.name}: {found.model}, {_limit(found)}\n")
    if found.document.instruction.strip():
        typer.echo(found.document.instruction.strip() + "\n")
    typer.echo(found.document.prompt.strip() + "\n")
    rows = [(key, one.kind, one.default or "", one.description) for key, one in found.document.variables.items()]
    print_table(("VARIABLE", "KIND", "DEFAULT", "WHAT IT IS"), rows, empty="It has no variables.")
    typer.echo("")
    models = [(one.provider, one.model, _usd(one.per_run), one.says) for one in choices]
    print_table(("PROVIDER", "MODEL", "A RUN", "COMPARED"), models, empty="No model can be asked yet.")


@app.command()
def add(
    name: str | None = typer.Argument(None, help="Its name; that of the starter where it is left out."),
    starter: str | None = typer.Option(None, help="Begin with this starter: `ownkey automations starters`."),
    prompt: str | None = typer.Option(None, help="The prompt, with {{variables}}; - for standard input."),
    instruction: str | None = typer.Option(None, help="An instruction that goes before."),
    model: str | None = typer.Option(
        None, "--model", "-m", help="The model; without one, the default for automations."
    ),
    limit: str | None = typer.Option(None, help="The most that one run may cost, in dollars."),
    schema: Path | None = typer.Option(None, help="A file with the JSON Schema of its answer."),  # noqa: B008
    file: list[str] = typer.Option([], help="A variable of the prompt that is a file; repeatable."),  # noqa: B008
    max_tokens: int | None = typer.Option(None, min=1, help="The longest answer, in tokens."),
    keep_days: int | None = typer.Option(None, help="How long results are kept, sealed; 0 for not at all."),
    as_json: bool = JsonOption,
) -> None:
    """Save a prompt, or take a starter."""
    given = _given(instruction, limit, schema, max_tokens, keep_days) | ({"model": model} if model else {})
    with opened() as ownkey:
        if starter is not None:
            given |= {"prompt": _text(prompt)} if prompt is not None else {}
            found = ownkey.automations.add_starter(starter, name, **given)
        elif name is None or prompt is None:
            raise InvalidRequest(
                "A name and a prompt are wanted.", 'For example: ownkey automations add tidy --prompt "Tidy: {{text}}"'
            )
        else:
            given |= {"variables": {key: {"kind": "file"} for key in file}} if file else {}
            found = ownkey.automations.add(name, _text(prompt), **given)
    if as_json:
        print_json(plain(found))
        return
    typer.echo(f"Added {found.name}: {found.model}, {_limit(found)}.")
    typer.echo(f"Run it: {_command(found)}", err=True)


@app.command("set")
def set_automation(
    name: str = _NameArgument,
    prompt: str | None = typer.Option(None, help="The prompt, with {{variables}}; - for standard input."),
    instruction: str | None = typer.Option(None, help="An instruction that goes before."),
    model: str | None = typer.Option(None, "--model", "-m", help="Another model; `default` for that of automations."),
    limit: str | None = typer.Option(None, help="The most that one run may cost, in dollars; `none` takes it away."),
    schema: Path | None = typer.Option(None, help="A file with the JSON Schema of its answer."),  # noqa: B008
    max_tokens: int | None = typer.Option(None, min=1, help="The longest answer, in tokens."),
    keep_days: int | None = typer.Option(None, help="How long results are kept, sealed; 0 for not at all."),
    yes: bool = typer.Option(False, "--yes", "-y", help="Change the model without asking."),
    as_json: bool = JsonOption,
) -> None:
    """Change what is given. Another model is asked about first: what it costs more per run."""
    given = _given(instruction, limit, schema, max_tokens, keep_days)
    given |= {"prompt": _text(prompt)} if prompt is not None else {}
    with opened() as ownkey:
        found = ownkey.automations.set(name, **given) if given else ownkey.automations.get(name)
        change: Change | None = None
        if model is not None:
            wanted = None if model == "default" else model
            change = ownkey.automations.change_model(name, wanted)
            said = f"From {change.before} to {change.after}: {change.says}, by {change.basis}."
            if not yes:
                if not (sys.stdin.isatty() and sys.stderr.isatty()):
                    typer.echo(said, err=True)
                    raise InvalidRequest("The model was not changed.", "Say --yes to change it.", param="model")
                typer.confirm(f"{said} Change it?", abort=True, err=True)
            else:
                typer.echo(said, err=True)
            change = ownkey.automations.change_model(name, wanted, confirmed=True)
            found = ownkey.automations.get(name)
    if as_json:
        print_json(plain(found) | ({"change": _change(change)} if change else {}))
        return
    typer.echo(f"{found.name}: {found.model}, {_limit(found)}.")


@app.command()
def remove(name: str = _NameArgument) -> None:
    """Remove an automation, with what its runs gave. What they cost stays in the book."""
    with opened() as ownkey:
        ownkey.automations.remove(name)
    typer.echo(f"Removed {name}.")


@app.command()
def default(
    model: str | None = typer.Argument(None, help="PROVIDER/MODEL; `none` for whichever provider comes first."),
    as_json: bool = JsonOption,
) -> None:
    """The model that new automations get."""
    with opened() as ownkey:
        if model is not None:
            ownkey.automations.set_default_model(None if model == "none" else model)
        found = ownkey.automations.default_model()
    if as_json:
        print_json({"model": found})
    else:
        typer.echo("The first provider that can be asked (auto)." if found == "auto" else found)


@app.command()
def runs(
    name: str | None = typer.Argument(None, help="Only of this automation."),
    limit: int = typer.Option(50, min=1, max=1000, help="How many, the newest first."),
    as_json: bool = JsonOption,
) -> None:
    """What runs there were, and what each cost by the book."""
    with opened() as ownkey:
        found = ownkey.automations.runs(name, limit=limit)
    if as_json:
        print_json([plain_run(one) for one in found])
        return
    rows = [
        (one.id, one.automation, when(one.at_ms), one.status, one.error or "", one.model, _cost(one)) for one in found
    ]
    print_table(("RUN", "AUTOMATION", "WHEN", "CAME TO", "ERROR", "MODEL", "COST"), rows, empty="No runs yet.")


@app.command()
def result(
    run: str = typer.Argument(help="A run's id, as `ownkey automations runs` shows it."),
    forget: bool = typer.Option(False, help="Remove it."),
    as_json: bool = JsonOption,
) -> None:
    """What a run gave."""
    from ownkey.cli.run import print_run

    with opened() as ownkey:
        if forget:
            ownkey.automations.forget(run)
            typer.echo("Removed. What it cost stays in the book.")
            return
        found = ownkey.automations.result(run)
    print_run(found, as_json=as_json)


def plain(one: Automation) -> dict[str, Any]:
    times = {"created_at_ms": one.created_at_ms, "changed_at_ms": one.changed_at_ms}
    return {"name": one.name, "model_asked": one.model, **_document(one.document), **times}


def plain_run(run: Run) -> dict[str, Any]:
    """Amounts in dollars as text."""
    return msgspec.to_builtins(run, enc_hook=_hook)


def _hook(value: Any) -> Any:
    assert isinstance(value, Money)
    return str(value)[1:]


def _document(document: Any) -> dict[str, Any]:
    told = {name: msgspec.to_builtins(getattr(document, name)) for name in document.__struct_fields__}
    return told | {"variables": {key: msgspec.to_builtins(one) for key, one in document.variables.items()}}


def _change(change: Change) -> dict[str, Any]:
    return msgspec.to_builtins(change, enc_hook=_hook)


def _given(
    instruction: str | None, limit: str | None, schema: Path | None, max_tokens: int | None, keep_days: int | None
) -> dict[str, Any]:
    given: dict[str, Any] = {"instruction": instruction, "max_output_tokens": max_tokens, "keep_days": keep_days}
    given = {name: value for name, value in given.items() if value is not None}
    if limit is not None:
        given["limit"] = None if limit == "none" else limit
    if schema is not None:
        given["output_schema"] = _schema(schema)
    return given


def _schema(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(_LARGEST))
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror}.", param="schema") from None
    except msgspec.DecodeError:
        raise InvalidRequest(f"{path} is not JSON.", param="schema") from None


def _text(prompt: str) -> str:
    from ownkey.cli.quote import given

    return given() if prompt == "-" else prompt


def _row(one: Automation) -> tuple[str, ...]:
    limit = usd(one.document.limit_nano) if one.document.limit_nano is not None else ""
    return one.name, one.model, limit, ", ".join(one.document.variables), one.document.description


def _limit(one: Automation) -> str:
    return "no limit per run" if one.document.limit_nano is None else f"at most {usd(one.document.limit_nano)} per run"


def _usd(amount: Money | None) -> str:
    return "unknown" if amount is None else str(amount)


def _cost(run: Run) -> str:
    pending = f" ({run.pending} pending)" if run.pending.nano_usd else ""
    return f"{run.cost}{'' if run.priced else ' and what is not known'}{pending}"


def _command(one: Automation) -> str:
    parts = [f"ownkey run {one.name if ' ' not in one.name else repr(one.name)}"]
    for name, variable in one.document.variables.items():
        if variable.kind == "file":
            parts.append(f"--file {name}=PATH")
        elif variable.default is None:
            parts.append(f"--var {name}=…")
    return " ".join(parts)
