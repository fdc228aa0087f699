"""Boxes: what people keep here, sealed piece by piece with a key of its own, which the root key seals.

Without its key a box opens no more, whatever is left of its pieces.
"""

from __future__ import annotations

import os
from binascii import unhexlify

from cryptography.exceptions import InvalidTag

from ownkey.store.db import Store
from ownkey.store.keys import BOXES
from ownkey.talk.errors import KeyUnreadable
from ownkey.talk.origin import Origin
from ownkey.talk.secret import Secret
from ownkey.vault.aead import KEY_BYTES, NONCE_BYTES, decrypt, encrypt
from ownkey.vault.vault import Vault

_ORIGIN = Origin("inside", "boxes", 0)


class Box:
    """Pieces go under names: one opens under its own alone. `id` is that of the key."""

    __slots__ = ("_raw", "id")

    def __init__(self, id: str, raw: bytes) -> None:
        self.id = id
        self._raw = raw

    def seal(self, name: str, plain: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + encrypt(self._raw, nonce, plain, name.encode())

    def open(self, name: str, sealed: bytes) -> bytes:
        """Raises KeyUnreadable where it was altered, or sealed under another name."""
        try:
            return decrypt(self._raw, sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], name.encode())
        except InvalidTag:
            raise KeyUnreadable("What is kept here was altered.", "Restore the database from a backup.") from None


class Boxes:
    def __init__(self, store: Store, vault: Vault) -> None:
        self._store = store
        self._vault = vault

    def make(self, owner: str, name: str) -> Box:
        """A new one of this person's. Raises VaultSealed."""
        raw = os.urandom(KEY_BYTES)
        row = self._vault.put(_of(owner), BOXES, _ORIGIN, Secret(raw.hex()), name)
        return Box(row.id, raw)

    def open(self, owner: str, id: str) -> Box:
        """Raises KeyUnreadable where it is gone or another's, and VaultSealed."""
        row = self._store.keys.get(id)
        if row is None or (row.owner, row.provider) != (_of(owner), BOXES):
            raise KeyUnreadable("What is kept here has no key any more.", "Make it anew.")
        return Box(id, unhexlify(self._vault.open_this(row, _ORIGIN).reveal()))

    def drop(self, owner: str, id: str) -> None:
        self._vault.remove(_of(owner), BOXES, id)


def _of(owner: str) -> str:
    return f"boxes:{owner}"
