"""What a file of another program says of one key. Every reader here is pure: bytes to findings."""

from __future__ import annotations

import re
from typing import Any, Literal, cast, get_args

from msgspec import Struct, field
from msgspec.structs import replace

from ownkey.talk.errors import InvalidRequest
from ownkey.talk.secret import Secret, clean

Form = Literal["litellm", "librechat", "llm", "one-api", "env"]

FORMS: tuple[Form, ...] = get_args(Form)
BESIDE = ".env"
"""Where programs keep what their files refer to."""

MOST_BYTES = 5 * 1024 * 1024
MOST_FINDINGS = 500
MOST_MODELS = 200

# What people and examples write where a key belongs.
_PLACEHOLDER = re.compile(
    r"(?i)(?:sk-|sk_|key-)?(?:\.{3}|…|x{4}|\*{3}|<.*>|\[.*\]|\{.*\}|your\b|your[-_ ]|my[-_]?(?:api[-_]?)?key|insert"
    r"|enter[-_ ]|paste|replace|change[-_]?me|placeholder|dummy|example|fake|none$|null$|na$|empty$|todo|anything$"
    r"|user[-_]provided|1234(?:5678)?(?:90)?$|no[-_]?key)"
)


class Reference(Struct, frozen=True):
    """A value that stands in an environment variable of this name."""

    variable: str


class Names(Struct, frozen=True):
    """Our providers' ids, and which of them each environment variable is of."""

    ids: frozenset[str] = frozenset()
    variables: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])


class Finding(Struct, frozen=True):
    """A key, and where the program sends it.

    `place`: where it stands in the file. `named`: what the program calls the provider; `providers`: ours, by the
    format's table, one of which is meant. `base_url`: the address that the program was given, None for the provider's
    own; `root` belongs after it where it does not stand there yet. `why`: it is not taken, and why.
    """

    place: str
    named: str
    providers: tuple[str, ...] = ()
    key: Secret | Reference | None = None
    base_url: str | Reference | None = None
    root: str = ""
    label: str = ""
    models: tuple[str, ...] = ()
    fields: dict[str, str] = field(default_factory=dict[str, str])
    why: str | None = None


def held(text: object) -> Secret | str:
    """The key that the text is, or why it is none. The text is never repeated."""
    if not isinstance(text, str) or not text.strip():
        return "no key stands there"
    text = text.strip()
    if _PLACEHOLDER.match(text):
        return "a placeholder, not a key"
    try:
        return Secret(text)
    except ValueError:
        return "not a key: 8 to 4096 visible characters without blanks"


def with_key(finding: Finding, key: str | Reference | None) -> Finding:
    """The finding with its key, or with why there is none."""
    if isinstance(key, Reference):
        return replace(finding, key=key)
    secret = held(key)
    return replace(finding, why=secret) if isinstance(secret, str) else replace(finding, key=secret)


def shown(text: object, limit: int = 60) -> str:
    """A name out of the file, fit to be shown: one line, without anything shaped like a key."""
    return clean(text, limit=limit) if isinstance(text, str) else ""


def is_mapping(value: object) -> bool:
    return isinstance(value, dict)


def mapping(value: object) -> dict[str, Any]:
    """The value where it is a mapping; else an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def listed(value: object) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def named_models(names: list[Any]) -> tuple[str, ...]:
    """Those that can be names of models, each once."""
    fit = [name for name in names if isinstance(name, str) and re.fullmatch(r"[\x21-\x7e]{1,200}", name)]
    return tuple(dict.fromkeys(name for name in fit if clean(name) == name))[:MOST_MODELS]


def text_of(data: bytes) -> str:
    """Raises InvalidRequest, without a byte of the file, where it is too large or no text."""
    if len(data) > MOST_BYTES:
        raise InvalidRequest(f"This file is larger than {MOST_BYTES >> 20} MiB.", "Nothing was imported.", param="file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise InvalidRequest("This file is neither UTF-8 text nor a SQLite database.", "Nothing was imported.")
    return text


def left_out(why: str) -> InvalidRequest:
    """Of one finding; the others may be taken."""
    return InvalidRequest(why, "Nothing was imported.")


def unreadable(what: str) -> InvalidRequest:
    return InvalidRequest(what, "Nothing was imported.", param="file")
