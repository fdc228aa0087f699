"""What is kept for somebody, sealed under a key of their own, which the vault has as it has providers' keys.

So another root key takes over from one row for each person, however much is kept, and with that row all of it is
lost, wherever there are copies. Each piece has a data key of its own: it is an envelope under the person's key.
"""

from __future__ import annotations

import hmac
import os
import secrets
import time
from hashlib import sha256
from typing import Literal

from msgspec import Struct

from ownkey.store.db import Store
from ownkey.store.keys import KeyRow
from ownkey.talk.errors import KeyUnreadable
from ownkey.talk.origin import Origin
from ownkey.talk.secret import Secret
from ownkey.vault.aead import expand
from ownkey.vault.envelope import Bound, Root, seal, unseal
from ownkey.vault.ring import Ring
from ownkey.vault.vault import Vault

KEPT_S = 0.9
_KEPT = 1024

Kind = Literal["memory", "runs"]
"""What a key is for: chats and answers that are remembered, or what runs of automations gave."""


class Personal(Struct, frozen=True, eq=False):
    """One person's key of a kind. `purpose` says what a piece is, `name` which: what is put in another's place
    does not open.
    """

    id: str
    owner: str
    kind: Kind
    root: Root

    def seal(self, purpose: str, name: str, plain: bytes) -> bytes:
        return seal(self.root, self._bound(purpose, name), plain)

    def unseal(self, purpose: str, name: str, sealed: bytes) -> bytes:
        """Raises KeyUnreadable where a bit of any of them is another."""
        return unseal(self.root, self._bound(purpose, name), sealed)

    def digest(self, purpose: str, content: bytes) -> bytes:
        """32 bytes, which nobody else gets for the same content."""
        return hmac.digest(expand(self.root.handover(), b"ownkey digest v1\0" + purpose.encode()), content, sha256)

    def _bound(self, purpose: str, name: str) -> Bound:
        # It travels with the person from one installation to another.
        return Bound("", self.owner, self.kind, "", name, 1, purpose)


class PersonalKeys:
    """Of one kind. Keys are looked at anew each second, and not given while the vault is sealed. Safe to use from many
    threads."""

    def __init__(self, store: Store, vault: Vault, kind: Kind) -> None:
        self._kind: Kind = kind
        self._nowhere = Origin("inside", kind, 0)
        self._store = store
        self._vault = vault
        self._opened: dict[str, tuple[float, Ring, tuple[Personal, ...]]] = {}

    def all(self, owner: str) -> tuple[Personal, ...]:
        """Those that something may be sealed under; more than one where they came from several installations.

        Raises VaultSealed.
        """
        ring = self._vault.latch.ring()
        known = self._opened.get(owner)
        if known is not None and time.monotonic() < known[0] and known[1] is ring:
            return known[2]
        found: list[Personal] = []
        for row in sorted(self._store.keys.of(self._named(owner), self._kind), key=_age):
            try:
                secret = self._vault.open_this(row, self._nowhere)
                found.append(Personal(row.id, owner, self._kind, Root(bytes.fromhex(secret.reveal().decode()))))
            except (KeyUnreadable, ValueError):
                continue  # what it sealed cannot be opened; what is sealed under the others can
        if len(self._opened) >= _KEPT:
            self._opened.clear()
        self._opened[owner] = (time.monotonic() + KEPT_S, ring, tuple(found))
        return tuple(found)

    def first(self, owner: str) -> Personal:
        """What is sealed under from now on, made where there is none. Raises VaultSealed."""
        if known := self.all(owner):
            return known[0]
        # Its label is its own: of two that are made at once, here or elsewhere, none takes the place of the other.
        label, secret = secrets.token_hex(8), Secret(os.urandom(32).hex())
        self._vault.put(self._named(owner), self._kind, self._nowhere, secret, label)
        self._opened.pop(owner, None)
        return self.all(owner)[0]

    def of(self, owner: str, id: str | None) -> Personal | None:
        """The one of that id."""
        return next((one for one in self.all(owner) if one.id == id), None)

    def _named(self, owner: str) -> str:
        """Under whom the vault has them: an owner that nobody is."""
        return f"{self._kind}:{owner}"


def _age(row: KeyRow) -> tuple[int, str]:
    return row.created_at_ms, row.id
