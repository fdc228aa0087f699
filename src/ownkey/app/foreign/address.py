"""Whose an address is: a provider's of ours, or one's that nobody here knows yet. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from ownkey.catalog.address import TEMPLATE, base_url_problem
from ownkey.catalog.manifest import Provider
from ownkey.catalog.write import write_manifest
from ownkey.store.choices import Choice
from ownkey.talk.errors import EndpointNotAllowed
from ownkey.talk.origin import DEFAULT_PORTS, Origin

_FIELD = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,62}")
_PLAIN: dict[str, Any] = {"wire": "openai-chat"}
_TAKEN = ("wire", "auth", "paths", "query", "headers", "quirks", "speaks", "prefers", "check", "fields")


class Address(Struct, frozen=True):
    """A base URL, read: `host` as it stands in a URL, with the port where it is not the usual one."""

    origin: Origin
    path: str

    @property
    def host(self) -> str:
        usual = self.origin.port == DEFAULT_PORTS[self.origin.scheme]
        return self.origin.bracketed if usual else f"{self.origin.bracketed}:{self.origin.port}"

    @property
    def url(self) -> str:
        return f"{self.origin.scheme}://{self.host}{self.path}"


def read_address(base_url: str, root: str) -> Address:
    """The address with what belongs after it. Raises EndpointNotAllowed, without quoting it."""
    base_url = base_url.strip().rstrip("/")
    if problem := base_url_problem(base_url):
        raise EndpointNotAllowed(f"This address {problem}.")
    origin, path = Origin.parse(base_url)
    return Address(origin, path if path.endswith(root) else path + root)


def fields_at(address: Address, provider: Provider, choice: Choice | None) -> dict[str, str] | None:
    """The settings with which the provider is spoken to at this address; None where it is not.

    It is where host and port are the provider's, and one of the paths goes on as the other does: programs differ in how
    much of it they are told.
    """
    base_url = choice.endpoint if choice and choice.endpoint else provider.base_url
    scheme, _, rest = base_url.partition("://")
    host, _, path = rest.partition("/")
    if scheme != address.origin.scheme:
        return None
    theirs = [*_parts(host, "."), *_segments(path)]
    here = [*_parts(address.host, "."), *_segments(address.path)]
    if len(_parts(host, ".")) != len(_parts(address.host, ".")):
        return None
    found: dict[str, str] = {}
    for part, value in zip(theirs, here, strict=False):
        field = TEMPLATE.fullmatch(part)
        if field is None:
            if part != value:
                return None
        elif not _FIELD.fullmatch(value):
            return None
        else:
            found[field.group(1)] = value
    return None if any(TEMPLATE.search(part) for part in theirs[len(here) :]) else found


def manifest_at(
    id: str, name: str, address: Address | None, base: Provider | None, fields: Mapping[str, str], models: Sequence[str]
) -> bytes:
    """The file of a provider that is spoken to as `base` or else OpenAI is, but elsewhere, or with these settings.

    No price is taken over, for whoever answers there may ask another; nor the variables that hold keys of `base`.
    """
    known: dict[str, Any] = {} if base is None else msgspec.to_builtins(base)
    made: dict[str, Any] = {"id": id, "name": name, "kind": "cloud", **_PLAIN}
    made |= {key: known[key] for key in _TAKEN if known.get(key)}
    if address is None:
        assert base is not None
        made |= {"base_url": base.base_url} | {key: known[key] for key in ("prices", "families") if known.get(key)}
    else:
        made |= {"base_url": address.url, "kind": "cloud" if address.origin.scheme == "https" else "local"}
    settings: dict[str, Any] = {
        key: value | {"default": fields.get(key, value.get("default"))} for key, value in made.get("fields", {}).items()
    }
    used = set(TEMPLATE.findall(made["base_url"] + str(made.get("query", "")).replace("'", "")))
    used |= {key for key, value in settings.items() if value.get("header") and value["default"]}
    made["fields"] = {key: value for key, value in settings.items() if key in used}
    made["models"] = [{"id": model} for model in models]
    made["default"] = models[0] if models else None
    return write_manifest(made)


def _parts(text: str, mark: str) -> list[str]:
    return text.lower().split(mark)


def _segments(path: str) -> list[str]:
    return [part for part in path.split("/") if part]
