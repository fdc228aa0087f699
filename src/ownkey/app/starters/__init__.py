"""Automations that come with Ownkey: each a file of its prompt and schema, with workings that compute and check.

What can be known exactly is computed before the model is asked, and what it answers is compared with what it was given:
so a small model's answer is of use, and what nobody can vouch for is marked.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import msgspec
from msgspec import Struct

from ownkey.app.automations.document import Document, checked
from ownkey.app.automations.given import GivenFile
from ownkey.app.starters.comparison import Comparison
from ownkey.app.starters.finance import Finance
from ownkey.app.starters.meeting import Meeting
from ownkey.app.starters.review import Review
from ownkey.app.starters.translation import Translation
from ownkey.app.starters.working import Plain, Working
from ownkey.talk.errors import InvalidRequest

_WORKINGS: Mapping[str, Working] = {
    "financial-analysis": Finance(),
    "meeting-insights": Meeting(),
    "code-review": Review(),
    "translation": Translation(),
    "comparison": Comparison(),
}


class Starter(Struct, frozen=True):
    """`texts` and `files` are its example: values by the names of variables, and names of files that come with it."""

    name: str
    title: str
    document: Document
    texts: dict[str, str]
    files: dict[str, str]


def working(name: str | None) -> Working:
    """Raises InvalidRequest."""
    if name is None:
        return Plain()
    if name not in _WORKINGS:
        raise _unknown(name)
    return _WORKINGS[name]


def starters() -> list[Starter]:
    return [_read(name) for name in _WORKINGS]


def starter(name: str) -> Starter:
    """Raises InvalidRequest."""
    if name not in _WORKINGS:
        raise _unknown(name)
    return _read(name)


def example(name: str | None) -> tuple[dict[str, str], dict[str, GivenFile]]:
    """What its example gives it; nothing where there is no such starter."""
    if name not in _WORKINGS:
        return {}, {}
    found = _read(name)
    folder = resources.files("ownkey.app.starters") / "examples"
    files = {name: GivenFile(file, (folder / file).read_bytes()) for name, file in found.files.items()}
    return dict(found.texts), files


@cache
def _read(name: str) -> Starter:
    told = tomllib.loads((resources.files("ownkey.app.starters") / f"{name}.toml").read_text("utf-8"))
    given: dict[str, Any] = told.pop("example", {})
    title = told.pop("title")
    told["output_schema"] = msgspec.json.decode(told["output_schema"])
    document = msgspec.convert({**told, "starter": name}, Document)
    provided = working(name).provides
    whole = checked(document)
    mine = {variable: one for variable, one in whole.variables.items() if variable not in provided}
    document = msgspec.structs.replace(whole, variables=mine)
    return Starter(name, title, document, given.get("texts", {}), given.get("files", {}))


def _unknown(name: str) -> InvalidRequest:
    return InvalidRequest(f"There is no starter {name[:60]!r}.", f"Starters: {', '.join(_WORKINGS)}.", param="starter")
