r"""`.env` files, as python-dotenv and Node's dotenv read them: saurabh-kumar.com/python-dotenv/#file-format and the
README of motdotla/dotenv.

`NAME=value`, perhaps after `export`; `#` begins a comment, after a value only behind a blank. In double quotes `\n` and
the like are escapes, in single quotes and backquotes everything stands for itself; a quoted value may go over lines.
What stands last counts. Nothing is executed; `${NAME}` is what this file says of NAME.
"""

from __future__ import annotations

import re

from ownkey.app.foreign import names
from ownkey.app.foreign.finding import MOST_FINDINGS, Finding, Names, Reference, with_key

_ASSIGNED = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_.-]{0,99})[ \t]*=[ \t]*"""
    r"""(?:'(?P<single>[^']*)'|"(?P<double>(?:[^"\\]|\\.)*)"|`(?P<back>[^`]*)`|(?P<bare>[^\r\n]*?))"""
    r"""[ \t]*(?:[ \t]#[^\r\n]*)?$""",
    re.MULTILINE | re.DOTALL,
)
_FIRST = re.compile(r"(?:export[ \t]+)?[A-Za-z_][A-Za-z0-9_]{0,99}[ \t]*=")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]{0,99})\}|\$([A-Za-z_][A-Za-z0-9_]{0,99})")
_KEY = "_API_KEY"
# Where the same program keeps the address that the key is for. The first that is set holds.
_ADDRESSES = ("_BASE_URL", "_API_BASE", "_API_BASE_URL", "_REVERSE_PROXY", "_PROXY_URL", "_ENDPOINT", "_API_ENDPOINT")


def is_env(text: str) -> bool:
    """Whether the first line that says anything is an assignment."""
    lines = map(str.strip, text.split("\n"))
    first = next((line for line in lines if line and not line.startswith("#")), "")
    return _FIRST.match(first) is not None


def variables(text: str) -> dict[str, str]:
    """What each variable is, as a program that loads the file sees it. `${NAME}` stays where the file has no NAME."""
    found: dict[str, str] = {}
    for assigned in _ASSIGNED.finditer(text.replace("\r\n", "\n")):
        literal = assigned["single"] if assigned["single"] is not None else assigned["back"]
        if literal is not None:
            found[assigned["name"]] = literal
            continue
        value = assigned["bare"]
        if value is None:
            value = re.sub(r"\\(.)", lambda one: _ESCAPES.get(one[1], one[1]), assigned["double"], flags=re.DOTALL)
        elif value.startswith("#"):
            value = ""
        found[assigned["name"]] = _REFERENCE.sub(lambda one: found.get(one[1] or one[2], one[0]), value)[:8192]
    return found


def read_env(text: str, known: Names) -> tuple[Finding, ...]:
    """A finding for each variable that is a provider's, or says of itself that it is an API key."""
    there = variables(text)
    keys = [name for name in there if name.endswith(_KEY) or name in names.VARIABLES]
    return tuple(_finding(name, there, known) for name in keys[:MOST_FINDINGS] if there[name])


def _finding(name: str, there: dict[str, str], known: Names) -> Finding:
    own = known.variables.get(name, ())
    stem = name.removesuffix("_KEY").removesuffix("_API")
    address = next((there[stem + end] for end in _ADDRESSES if there.get(stem + end)), None)
    version = there.get(f"{stem}_API_VERSION")
    finding = Finding(
        name,
        name,
        own,
        base_url=_value(address),
        root=names.root_of(own),
        label="env",
        fields={"api_version": version} if version else {},
    )
    return with_key(finding, _value(there[name]))


def _value(value: str | None) -> str | Reference | None:
    if value is None:
        return None
    found = _REFERENCE.fullmatch(value)
    return Reference(found[1] or found[2]) if found else value
