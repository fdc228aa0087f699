"""What the keys of a provider look like, as far as its file says. Pure; no key is ever quoted."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ownkey.catalog.manifest import Provider

_LITERAL = re.compile(r"\^((?:[A-Za-z0-9_-](?![*+?{]))*)")


def looks_like(provider: Provider, key: str) -> bool:
    """Whether it has the form of the provider's keys; where that is not known, everything has."""
    shape = provider.keys.looks_like
    return shape is None or re.search(shape, key) is not None


def begins(provider: Provider) -> str:
    """How each of its keys begins: `sk-ant-`; nothing where that is not known."""
    found = _LITERAL.match(provider.keys.looks_like or "")
    return found.group(1) if found else ""


def told(provider: Provider) -> str:
    """The form in words: `begins with sk-ant- and matches ^sk-ant-[A-Za-z0-9_-]{20,}$`."""
    start = begins(provider)
    return f"{f'begins with {start} and ' if start else ''}matches {provider.keys.looks_like}"


def whose(key: str, provider: Provider, others: Iterable[Provider]) -> Provider | None:
    """Another provider whose keys begin as this provider's do and go on as this one does; None where there is none.

    OpenAI's keys begin with `sk-`, Anthropic's with `sk-ant-`. A provider whose keys' form is not known may take any.
    """
    start = begins(provider)
    closer = [one for one in others if start and begins(one).startswith(start) and len(begins(one)) > len(start)]
    closer = [one for one in closer if key.startswith(begins(one)) and looks_like(one, key)]
    return max(closer, key=lambda one: len(begins(one)), default=None)
