"""Keys that stand outside of the vault."""

from __future__ import annotations

from typing import Protocol

from ownkey.store.keys import KeyRow
from ownkey.talk.secret import Secret


class Environment(Protocol):
    """Keys that are not stored. They are used where none is."""

    def find(self, owner: str, provider: str) -> tuple[KeyRow, Secret] | None: ...
    def all(self, owner: str) -> list[KeyRow]: ...
