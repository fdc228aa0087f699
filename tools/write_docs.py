"""Writes the generated pages of `docs/`: settings, commands, errors, the audit trail."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from typer.main import get_command

from ownkey.cli.main import app
from ownkey.cli.problems import exit_code
from ownkey.server.problems import WORTH_RETRYING, status_of
from ownkey.settings import page as settings
from ownkey.store.audit_actions import ACTIONS, OUTCOMES
from ownkey.store.audit_chain import KINDS
from ownkey.talk import errors
from ownkey.talk.errors import OwnkeyError, code_told
from ownkey.talk.notices import notice

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
WIDTH = 96

COMMANDS = """# Commands

What `--help` says of each. A key is read from the prompt or from standard input, never from an argument. An error is
one sentence on standard error and an exit code: [errors.md](errors.md) has them.

*This page is made from the command itself: `make docs`.*
"""

ERRORS = """# Errors

Every error says what happened and to whom, and what to do next; its code is for programs. A client of the gateway gets
it in the form of its own wire, with the HTTP status below; the command ends with the exit code below; the library
raises the class, from `ownkey.talk.errors`.

*Again*: the same target is tried again by itself, as the settings on retries say. *Next*: another target, where there
is one, is asked instead. Once something of a streamed answer has passed neither happens, but where the stream is
[carried on](reliability.md#carried-on). A row in bold is a family.

The header `x-should-retry` tells clients whether to try again by themselves: `true` with
{worth_retrying}, else `false`.

The header `x-ownkey-error`, the member `kind` of an error in OpenAI's form, and `error.kind` in the library name it
coarsely, for programs that know few codes:
{kinds}.
`MAX_RETRIES_EXCEEDED` is what had been tried again at the same target before it was given up, `FETCH_MODELS_FAILED`
what came of asking a provider for its models. Beside it stand `provider`, and `status`, the provider's own.

*This page is made from the tables in the code: `make docs`.*

## What people are told

Where a person can do something about what a provider answers, `notice` is what a page says to them and `action` what it
offers; the header `x-ownkey-action` has it too, and `ownkey.talk.notices.notice(error)` in the library. The command
prints it below the error. What could be asked instead is named where there is something that can be asked.

| code | class | notice | action |
|---|---|---|---|
{notices}"""


AUDIT = """# The audit trail

Who did what, and when: `ownkey audit list`, and `Ownkey.audit` in the library. Nothing in it opens anything: where a
key or a token stood, it says `REDACTED`.

A record is written before the thing is done, or in the same transaction: what has no record did not happen. Where
neither the database nor the file takes a record, keys are not used and nothing is changed: `audit_unavailable`, 503.
Fallbacks, the ends of what was begun, and the opening of the vault are written within two seconds, and when a process
ends.

## What cannot be done to it unnoticed

Each record has a hash (SHA-256) over all that it says and over the hash of the record before. How many there are, and
the hash of the last, are sealed (HMAC-SHA-256) with a key that comes from the root key. Triggers in the database refuse
changes. Whoever writes the database all the same, and has no root key, cannot make the seal anew. `ownkey audit verify`
reads everything, names the first record that is not right, and exits 1:

| kind | what was done |
|---|---|
{kinds}
Not found is what somebody does who has the root key; and, without the file, the return of an older database together
with the anchor of its time, or with none. So keep the file where those who write the database cannot, or let the
system's log carry it away (`OWNKEY_AUDIT_SYSLOG`).

`ownkey audit verify --beside FILE` compares a file of the system's log too, or an earlier export: each record that
stands there has to be in the trail. The log is told once and may have lost some: what it lacks says nothing.

Where the end of the trail is not the one that was sealed, nothing more is recorded, and so nothing is done, until you
have looked: `ownkey audit accept` lets it go on. What is broken stays as it is and is told for ever, as accepted.

While the vault is sealed only what takes rights away is possible: it is marked *sealed too* below.

## Fields

Number, time, actor (`owner`, `user`, `token` or `system`, and which), action, what it is about, outcome, the id of the
request, detail, the hash before, the hash. The outcomes:

{outcomes}
## Actions

| name | written when | about | detail |
|---|---|---|---|
{actions}
*This page is made from the tables in the code: `make docs`.*
"""


SECURITY = """# What people and faults do to such systems, and where it is tested

Each case of abuse or fault has an id: A who asks, V the vault, E what leaves, G what comes in, U what providers answer,
B money, S storage, W browsers, P parts from elsewhere, O logs and records. The tests that show one bear its id in their
names: `python -m pytest -k V05`. Where no test can show it whole on one machine, the reason stands in its place.

*This page is made from the tests' names and from `security-cases.toml`: `make docs`.*

| case | shown by |
|---|---|
"""

_CASES = re.compile(r"test(?:_[ABEGOPSUVW]\d\d(?=_))*")
_TEST = re.compile(r"^(?: {4})?def (test_\w+)", re.MULTILINE)


def pages() -> dict[Path, str]:
    """Each generated page and what has to stand in it."""
    return {
        DOCS / "settings.md": settings.page(),
        DOCS / "commands.md": commands_page(),
        DOCS / "errors.md": errors_page(),
        DOCS / "audit.md": audit_page(),
        DOCS / "security-cases.md": security_page(),
    }


def security_page() -> str:
    """Every case that has a test, or a reason why it has none."""
    shown: dict[str, list[str]] = {}
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        for name in _TEST.findall(file.read_text()):
            begins = _CASES.match(name)
            for case in begins[0].split("_")[1:] if begins else ():
                shown.setdefault(case, []).append(f"`{file.relative_to(ROOT)}`")
    reasons = tomllib.loads((DOCS / "security-cases.toml").read_text())
    rows = [
        f"| {case} | {' '.join([*dict.fromkeys(shown.get(case, ())), reasons.get(case, '')]).strip()} |"
        for case in sorted({*shown, *reasons})
    ]
    return SECURITY + "\n".join(rows) + "\n"


def commands_page() -> str:
    """Every command's own help, without the frames of a terminal."""
    root: Any = get_command(app)
    context = root.context_class(root, info_name="ownkey", terminal_width=WIDTH, **root.context_settings)
    return COMMANDS + "".join(_command(root, context))


def errors_page() -> str:
    """A table for each family of the tree, in the tree's order."""
    codes = [f"`{kind.code}`" for kind in WORTH_RETRYING]
    kinds = ",\n".join(", ".join(f"`{kind}`" for kind in part) for part in (errors.KINDS[:4], errors.KINDS[4:]))
    head = ERRORS.replace("{worth_retrying}", f"{', '.join(codes[:-1])} and {codes[-1]}").replace("{kinds}", kinds)
    text = [head.replace("{notices}", "".join(_notice_row(kind) for kind in tree()))]
    for kind, says in tree().items():
        if kind.__base__ is OwnkeyError:
            text.append(
                f"\n## {kind.__name__}: {says}\n\n| code | kind | class | HTTP | exit | again | next | when |\n"
            )
            text.append("|---|---|---|---|---|---|---|---|\n")
        text.append(_error_row(kind, says))
    return "".join(text)


def audit_page() -> str:
    """Every action that is recorded."""
    outcomes = "".join(f"- `{name}`: {says}\n" for name, says in OUTCOMES.items())
    actions = "".join(
        f"| `{name}` | {one.when}{'; *sealed too*' if one.narrows else ''} | {one.target} | {one.detail} |\n"
        for name, one in ACTIONS.items()
    )
    kinds = "".join(f"| `{name}` | {says} |\n" for name, says in KINDS.items())
    return AUDIT.replace("{kinds}", kinds).replace("{outcomes}", outcomes).replace("{actions}", actions)


def tree() -> dict[type[OwnkeyError], str]:
    """The classes drawn in the docstring of `talk/errors.py` below the root, and what it says of each."""
    drawn = re.findall(r"^[│├└─ ]+ (\w+) +(\S.*)$", errors.__doc__ or "", re.MULTILINE)
    return {getattr(errors, name): says for name, says in drawn}


def _command(command: Any, context: Any) -> list[str]:
    command.rich_markup_mode = None
    text = [f"\n## {context.command_path}\n\n```text\n{context.get_help()}\n```\n"]
    for name, below in getattr(command, "commands", {}).items():
        text += _command(below, context.__class__(below, info_name=name, parent=context))
    return text


def _notice_row(kind: type[OwnkeyError]) -> str:
    """With the names that stand in for the real ones."""
    error = kind("")
    if isinstance(error, errors.ProviderError):
        error.provider_name, error.model_name, error.retry_after_s = "OpenAI", "GPT-4o", 30
        error.instead = "Anthropic" if isinstance(error, errors.QuotaExceeded) else "GPT-4o-mini"
    said = notice(error)
    if said is None:
        return ""
    return f"| `{kind.code}` | `{kind.__name__}` | {said.message} | {said.label} (`{said.action}`) |\n"


def _error_row(kind: type[OwnkeyError], says: str) -> str:
    error = kind("")
    family = kind.__base__ is OwnkeyError
    mark = "**" if family else ""
    own = " ".join((vars(kind).get("__doc__") or "").split())
    when = own if family else f"{says[0].upper()}{says[1:]}. {own}".strip()
    cells = [
        f"{mark}`{code_told(kind)}`{mark}", f"`{kind.kind}`", f"{mark}`{kind.__name__}`{mark}",
        str(status_of(error)), str(exit_code(error)),
        "yes" if kind.again else "", "yes" if kind.move_on else "", when,
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
