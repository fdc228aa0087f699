"""What an automation is: a prompt with variables, and how a run of it is asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

from ownkey.talk.errors import InvalidRequest
from ownkey.talk.secret import clean

FileKind = Literal["text", "csv", "xlsx", "pdf", "image"]

MOST_PROMPT_CHARS = 100_000
MOST_VARIABLES = 50
MOST_SCHEMA_BYTES = 64 << 10
KEEP_DAYS = 90
"""How long results are kept where nothing else is said."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,98}[A-Za-z0-9._-]|[A-Za-z0-9]", re.ASCII)
_VARIABLE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]{0,63})\s*\}\}", re.ASCII)


class Variable(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Something that a run is given: a text, or a file of one of the kinds that it `takes` (none named: any). One with
    a `default` may be left out."""

    description: str = ""
    kind: Literal["text", "file"] = "text"
    default: str | None = None
    takes: tuple[FileKind, ...] = ()


class Document(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`instruction` goes before the prompt. `model` is as in a chat; None: the default for automations. `limit_nano`:
    the most that one run may cost. `output_schema`: the JSON Schema of the answer. `starter`: whose workings prepare
    the prompt and check the answer. `keep_days`: how long results are kept, sealed; 0: not at all."""

    prompt: str
    description: str = ""
    instruction: str = ""
    variables: dict[str, Variable] = field(default_factory=dict[str, Variable])
    model: str | None = None
    limit_nano: int | None = None
    output_schema: dict[str, Any] | None = None
    max_output_tokens: int | None = None
    starter: str | None = None
    keep_days: int = KEEP_DAYS


def variables_in(template: str) -> list[str]:
    """The names in `{{…}}`, each once, in their order."""
    return list(dict.fromkeys(_VARIABLE.findall(template)))


def filled(template: str, values: Mapping[str, str]) -> str:
    """The template with each `{{name}}` replaced, in one pass: what a value holds is not looked at again.
    Raises InvalidRequest for a name without a value."""

    def value(found: re.Match[str]) -> str:
        if found[1] not in values:
            raise unknown_variable(found[1], values)
        return values[found[1]]

    return _VARIABLE.sub(value, template)


def read(text: str) -> Document:
    """A document as it was written. Raises InvalidRequest."""
    try:
        return msgspec.json.decode(text, type=Document)
    except msgspec.MsgspecError as error:
        said = clean(str(error), limit=160)
        raise InvalidRequest(f"This is not an automation: {said}.", "docs/automations.md has its parts.") from None


def checked(document: Document) -> Document:
    """With every variable that stands in the prompt. Raises InvalidRequest, naming the field."""
    if not document.prompt.strip() or len(document.prompt) + len(document.instruction) > MOST_PROMPT_CHARS:
        raise InvalidRequest(f"A prompt has 1 to {MOST_PROMPT_CHARS:,} characters.", param="prompt")
    named = [*variables_in(document.prompt), *variables_in(document.instruction)]
    variables = {name: document.variables.get(name, Variable()) for name in (*document.variables, *named)}
    if len(variables) > MOST_VARIABLES:
        raise InvalidRequest(f"An automation has {MOST_VARIABLES} variables at most.", param="variables")
    for name in variables:
        if not _VARIABLE.fullmatch(f"{{{{{name}}}}}"):
            raise InvalidRequest(
                f"{name[:40]!r} is no name for a variable.",
                "Letters, digits and _, not a digit first.",
                param="variables",
            )
    if document.max_output_tokens is not None and document.max_output_tokens < 1:
        raise InvalidRequest("max_output_tokens is 1 or more.", param="max_output_tokens")
    if not 0 <= document.keep_days <= 3650:
        raise InvalidRequest("Results are kept for 0 to 3650 days.", param="keep_days")
    if document.output_schema is not None and len(msgspec.json.encode(document.output_schema)) > MOST_SCHEMA_BYTES:
        raise InvalidRequest(f"A schema has {MOST_SCHEMA_BYTES >> 10} KiB at most.", param="output_schema")
    return msgspec.structs.replace(document, variables=variables)


def check_name(name: str) -> str:
    """It stands in paths, in the book and in budgets. Raises InvalidRequest."""
    if not NAME.fullmatch(name):
        raise InvalidRequest(
            "The name of an automation is 1 to 100 letters and digits, with spaces, dots, _ or - between.", param="name"
        )
    return name


def unknown_variable(name: str, known: Mapping[str, object]) -> InvalidRequest:
    has = ", ".join(sorted(known)) or "none"
    return InvalidRequest(f"There is no variable {name[:64]!r}.", f"Its variables: {has}.", param=name[:64])
