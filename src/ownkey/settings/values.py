"""A value of each kind, read from text or taken as it is in code. A ValueError says what is wrong, never the value."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from ownkey.settings.alerts import is_address
from ownkey.settings.table import Kind, Setting
from ownkey.talk.errors import EndpointNotAllowed
from ownkey.talk.origin import Origin
from ownkey.talk.secret import Secret


class Password(Secret):
    """A passphrase: any text, blanks and accents too, kept as the UTF-8 of its NFC form."""

    __slots__ = ()

    def __init__(self, value: str) -> None:
        self._value = unicodedata.normalize("NFC", value).encode()

    def masked(self) -> str:
        return "..."


def _text(row: Setting, found: object) -> str:
    if found == "":
        raise ValueError("is set but empty")
    if not isinstance(found, str) or not found.isprintable():
        raise ValueError("is not a text")
    return found


def _path(row: Setting, found: object) -> Path:
    return Path(_text(row, str(found) if isinstance(found, Path) else found)).expanduser().absolute()


def _password(row: Setting, found: object) -> Password:
    return found if isinstance(found, Password) else Password(_text(row, found))


def _choice(row: Setting, found: object) -> str:
    if found not in row.choices:
        raise ValueError(f"is none of {', '.join(row.choices)}")
    return str(found)


def _integer(row: Setting, found: object) -> int:
    number = int(found) if isinstance(found, str) and re.fullmatch(r"[0-9]{1,9}", found) else found
    if type(number) is not int or not row.least <= number <= row.most:
        raise ValueError(f"is not a whole number from {row.least:g} to {row.most:g}")
    return number


def _number(row: Setting, found: object) -> float:
    number = float(found) if isinstance(found, str) and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", found) else found
    if isinstance(number, bool) or not isinstance(number, int | float) or not row.least <= number <= row.most:
        raise ValueError(f"is not a number from {row.least:g} to {row.most:g}")
    return float(number)


def _switch(row: Setting, found: object) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    answer = found if isinstance(found, bool) else words.get(str(found).lower())
    if answer is None:
        raise ValueError("is neither on nor off")
    return answer


def _hosts(row: Setting, found: object) -> frozenset[tuple[str, int]]:
    return frozenset(_host(item) for item in _items(found))


def _host(item: str | tuple[str, int]) -> tuple[str, int]:
    """Name or address in lower case and without brackets, and port."""
    if isinstance(item, str):
        parts = re.fullmatch(r"(?:\[([^\]]+)\]|([^:\[\]]+)):([0-9]{1,5})", item)
        item = (parts[1] or parts[2], int(parts[3])) if parts else ("", 0)
    host, port = item[0].lower(), item[1]
    with suppress(ValueError):
        host = str(ipaddress.ip_address(host))
    if not re.fullmatch(r"[a-z0-9_.-]+|[0-9a-f:.]+", host) or not 1 <= port <= 65535:
        raise ValueError("is not a list of host:port")
    return host, port


def _networks(row: Setting, found: object) -> tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_network(item)) for item in _items(found) if isinstance(item, str))
    except ValueError:
        raise ValueError("is not a list of addresses or networks, such as 10.0.0.0/8") from None


def _targets(row: Setting, found: object) -> tuple[str, ...]:
    items = [item for item in _items(found) if isinstance(item, str) and re.fullmatch(r"[^/\s]+/\S+", item)]
    if len(items) != len(_items(found)):
        raise ValueError("is not a list of provider/model")
    return tuple(items)


def _names(row: Setting, found: object) -> tuple[str, ...]:
    items = [
        item for item in _items(found) if isinstance(item, str) and re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,31}", item)
    ]
    if len(items) != len(_items(found)):
        raise ValueError("is not a list of names")
    return tuple(dict.fromkeys(items))


def _addresses(row: Setting, found: object) -> tuple[str, ...]:
    items = [item for item in _items(found) if isinstance(item, str) and is_address(item)]
    if len(items) != len(_items(found)):
        raise ValueError("is not a list of e-mail addresses")
    return tuple(dict.fromkeys(items))


def _items(found: object) -> tuple[str | tuple[str, int], ...]:
    """A list: in one text with commas between, or as it is in TOML and in code."""
    if isinstance(found, str):
        return tuple(item.strip() for item in found.split(",") if item.strip())
    try:
        return msgspec.convert(found, tuple[str | tuple[str, int], ...])
    except msgspec.ValidationError:
        raise ValueError("is not a list") from None


def _origin(row: Setting, found: object) -> str:
    """`https://host`, or `http://` for this machine alone: whoever listens in elsewhere would have every cookie."""
    text = _text(row, found).rstrip("/")
    try:
        origin, path = Origin.parse(text)
    except EndpointNotAllowed:
        raise ValueError("is not an address such as https://ownkey.example.com") from None
    if path or origin.scheme not in ("https", "http"):
        raise ValueError("is not an address such as https://ownkey.example.com, without a path")
    if origin.scheme == "http" and origin.host not in ("localhost", "127.0.0.1", "::1"):
        raise ValueError("is not https, which everything but this machine needs")
    return text


def _origins(row: Setting, found: object) -> tuple[str, ...]:
    """Each as a browser says it: without the port that its scheme has by itself."""
    items = [Origin.parse(_origin(row, item))[0] for item in _items(found)]
    return tuple(dict.fromkeys(one.as_browsers_say for one in items))


READ: dict[Kind, Callable[[Setting, object], object]] = {
    "path": _path,
    "text": _text,
    "url": _text,
    "integer": _integer,
    "number": _number,
    "switch": _switch,
    "choice": _choice,
    "hosts": _hosts,
    "networks": _networks,
    "targets": _targets,
    "names": _names,
    "addresses": _addresses,
    "password": _password,
    "origin": _origin,
    "origins": _origins,
}
