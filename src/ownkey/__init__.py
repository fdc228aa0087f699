"""Ownkey: your own keys for every language-model provider, behind one door."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ownkey.app.ownkey import Ownkey
    from ownkey.talk.errors import OwnkeyError
    from ownkey.talk.money import Money

__all__ = ["Money", "Ownkey", "OwnkeyError"]

_homes = {
    "Money": "ownkey.talk.money",
    "Ownkey": "ownkey.app.ownkey",
    "OwnkeyError": "ownkey.talk.errors",
}


def __getattr__(name: str) -> object:
    """Each public name is loaded when it is first used, so that `import ownkey` costs nothing."""
    if name not in _homes:
        raise AttributeError(f"module 'ownkey' has no attribute {name!r}")
    return getattr(import_module(_homes[name]), name)
