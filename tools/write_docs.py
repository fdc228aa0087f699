"""Writes the generated pages of `docs/`: settings, commands, errors."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from typer.main import get_command

from ownkey.cli.main import app
from ownkey.cli.problems import exit_code
from ownkey.server.problems import WORTH_RETRYING, status_of
from ownkey.settings import page as settings
from ownkey.talk import errors
from ownkey.talk.errors import OwnkeyError

DOCS = Path(__file__).resolve().parent.parent / "docs"
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
is one, is asked instead. Neither happens once something of a streamed answer has passed. A row in bold is a family.

The header `x-should-retry` tells clients whether to try again by themselves: `true` with
{worth_retrying}, else `false`.

*This page is made from the tables in the code: `make docs`.*
"""


def pages() -> dict[Path, str]:
    """Each generated page and what has to stand in it."""
    return {
        DOCS / "settings.md": settings.page(),
        DOCS / "commands.md": commands_page(),
        DOCS / "errors.md": errors_page(),
    }


def commands_page() -> str:
    """Every command's own help, without the frames of a terminal."""
    root: Any = get_command(app)
    context = root.context_class(root, info_name="ownkey", terminal_width=WIDTH, **root.context_settings)
    return COMMANDS + "".join(_command(root, context))


def errors_page() -> str:
    """A table for each family of the tree, in the tree's order."""
    codes = [f"`{kind.code}`" for kind in WORTH_RETRYING]
    text = [ERRORS.replace("{worth_retrying}", f"{', '.join(codes[:-1])} and {codes[-1]}")]
    for kind, says in tree().items():
        if kind.__base__ is OwnkeyError:
            text.append(f"\n## {kind.__name__}: {says}\n\n| code | class | HTTP | exit | again | next | when |\n")
            text.append("|---|---|---|---|---|---|---|\n")
        text.append(_error_row(kind, says))
    return "".join(text)


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


def _error_row(kind: type[OwnkeyError], says: str) -> str:
    error = kind("")
    family = kind.__base__ is OwnkeyError
    mark = "**" if family else ""
    own = " ".join((vars(kind).get("__doc__") or "").split())
    when = own if family else f"{says[0].upper()}{says[1:]}. {own}".strip()
    cells = [
        f"{mark}`{kind.code}`{mark}", f"{mark}`{kind.__name__}`{mark}", str(status_of(error)), str(exit_code(error)),
        "yes" if kind.again else "", "yes" if kind.move_on else "", when,
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
