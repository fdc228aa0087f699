"""What is shipped, as the engine sees it."""

from __future__ import annotations

from functools import cache

from ownkey.catalog.facts import facts, quirks_of
from ownkey.catalog.load import Catalogue
from ownkey.catalog.manifest import Quirks
from ownkey.wires.wire import TABLE


@cache
def shipped() -> Catalogue:
    return Catalogue(wires=frozenset(TABLE))


def quirks_for(provider: str, model: str) -> Quirks:
    """The quirks with which a wire writes a request for this model."""
    return quirks_of(shipped().get(provider), facts(shipped().get(provider), model))
