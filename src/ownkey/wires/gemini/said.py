"""What a client says, read member by member. Google's APIs take a field's name as `camelCase` or as `snake_case`, a
single object where a list is meant, and null for nothing (ProtoJSON format, JSON mapping)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, cast

from ownkey.talk.errors import InvalidRequest
from ownkey.wires.gemini.values import Object
from ownkey.wires.members import wrong

_HUMP = re.compile(r"(?<=[a-z0-9])[A-Z]")
_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?", re.ASCII)
_BAR = re.compile(r"_([a-z0-9])")


@lru_cache(maxsize=512)
def snake(name: str) -> str:
    return _HUMP.sub(lambda found: "_" + found.group().lower(), name)


@lru_cache(maxsize=512)
def camel(name: str) -> str:
    return _BAR.sub(lambda found: found.group(1).upper(), name)


def members(value: object, where: str = "") -> Object:
    """The members that hold something, by their `camelCase` names.

    Raises InvalidRequest where it is no object, or says one of them twice.
    """
    if not isinstance(value, dict):
        raise wrong(where or "body", "an object")
    said = cast("Object", value)
    found: Object = {}
    for name, held in said.items():
        if held is None:
            continue
        known = camel(name)
        if known in found:
            raise InvalidRequest(f"{at(where, known)} is given twice.", "Say it once.", param=at(where, known))
        found[known] = held
    return found


def at(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def listed(said: Object, name: str, where: str = "") -> list[tuple[str, Object]]:
    """The objects of a list, each with its place; one that stands alone is a list of one. Raises InvalidRequest."""
    value = said.get(name)
    if value is None:
        return []
    place = at(where, name)
    if isinstance(value, dict):
        return [(place, members(cast("object", value), place))]
    if not isinstance(value, list):
        raise wrong(place, "an array of objects")
    items = cast("list[object]", value)
    return [(f"{place}[{number}]", members(item, f"{place}[{number}]")) for number, item in enumerate(items)]


def inner(said: Object, name: str, where: str = "") -> Object:
    """The members of an object; none where it is not there. Raises InvalidRequest."""
    return members(said[name], at(where, name)) if name in said else {}


def plain(said: Object, name: str, where: str = "") -> Object:
    """An object whose members are the caller's own, and keep their names. Raises InvalidRequest."""
    value = said.get(name, {})
    if not isinstance(value, dict):
        raise wrong(at(where, name), "an object")
    return cast("Object", value)


def text(said: Object, name: str, where: str = "") -> str | None:
    """Raises InvalidRequest where it is no text."""
    value = said.get(name)
    if value is not None and not isinstance(value, str):
        raise wrong(at(where, name), "a string")
    return value


def needed(said: Object, name: str, where: str) -> str:
    """Raises InvalidRequest where it is no text, or empty."""
    value = text(said, name, where)
    if not value:
        raise wrong(at(where, name), "a string that is not empty")
    return value


def texts(said: Object, name: str, where: str = "") -> list[str]:
    """Raises InvalidRequest where it is no list of texts."""
    value = said.get(name, [])
    items = cast("list[Any]", value) if isinstance(value, list) else [value]
    if not all(isinstance(item, str) for item in items):
        raise wrong(at(where, name), "an array of strings")
    return items


def number(said: Object, name: str, where: str = "") -> float | None:
    """A number, which may come as text. Raises InvalidRequest where it is none."""
    value = said.get(name)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise wrong(at(where, name), "a number")
    return value


def whole(said: Object, name: str, where: str = "") -> int | None:
    """Raises InvalidRequest where it is no whole number."""
    value = number(said, name, where)
    if value is not None and value != int(value):
        raise wrong(at(where, name), "a whole number")
    return None if value is None else int(value)


def flag(said: Object, name: str, where: str = "") -> bool | None:
    """Raises InvalidRequest where it is neither true nor false."""
    value = said.get(name)
    if value is not None and not isinstance(value, bool):
        raise wrong(at(where, name), "true or false")
    return value
