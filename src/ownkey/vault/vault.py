"""The vault: people's own provider keys, each opened only for its owner, its provider and its origin."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from secrets import token_hex
from typing import Literal, NoReturn

from msgspec.structs import replace

from ownkey.settings import Settings
from ownkey.store.db import Store
from ownkey.store.keys import KeyRow
from ownkey.talk.errors import (
    InvalidRequest,
    KeyMissing,
    KeyUnreadable,
    StorageUnavailable,
    VaultSealed,
)
from ownkey.talk.origin import Origin
from ownkey.talk.secret import Secret
from ownkey.vault.envelope import Root
from ownkey.vault.keychain import Keychain
from ownkey.vault.latch import Latch
from ownkey.vault.ring import Ring, bound
from ownkey.vault.root import PASSWORD, TRANSIT, kind
from ownkey.vault.rotate import Turn

CACHE_S = 0.9
_CACHED = 4096
_TRIES = 8

# NIST SP 800-38D, 8.3: a key is used with random nonces of 96 bits 2**32 times at most.
MOST_WRAPS = 2**31

# What a masked key looks like, which a form may send back in place of the key.
_MASK = re.compile(rb"\.{3}|\*{3}|REDACTED")


class Vault:
    """Opens itself at the first use, which may take seconds: call `unlock` at the start. Safe to use from many threads.

    `latch` says whether it is open. `most_wraps`: so many keys are sealed under one root key, and then another is made.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        keychain: Callable[[], Keychain] = Keychain,
        *,
        most_wraps: int = MOST_WRAPS,
    ) -> None:
        self._store = store
        self._settings = settings
        self._keychain = keychain
        self._most_wraps = most_wraps
        self._rows: dict[tuple[str, str], tuple[float, list[KeyRow]]] = {}
        self._opened_keys: dict[tuple[str, str, Origin], tuple[float, Ring, KeyRow, Secret]] = {}
        self._newest: dict[str, int] = {}
        self._changes = 0
        self.latch = Latch(store, settings, keychain, forget=self._opened_keys.clear)

    @property
    def status(self) -> Literal["open", "sealed"]:
        return "sealed" if self.sealed_reason else "open"

    @property
    def sealed_reason(self) -> str | None:
        """Why it is sealed, and what to do; None where it is open."""
        try:
            self.latch.ring()
        except VaultSealed as sealed:
            return str(sealed)
        return None

    @property
    def root_source(self) -> str:
        """Where the root key comes from: `file`, `password`, `transit`, `keychain` or `home`; empty where there is none
        yet."""
        return kind(self._store.install.get().root_source)

    def unlock(self) -> None:
        """Find the root key now. Raises BadConfiguration where a setting is to be mended, else VaultSealed."""
        self._opened_keys.clear()
        self.latch.unlock()

    def seal(self) -> None:
        """Give no key any more, here at once and in every other process within a second, until `unseal`."""
        self._store.install.set_sealed(True)
        self.latch.look()

    def unseal(self) -> None:
        """Give keys again. Raises as `unlock`."""
        self._store.install.set_sealed(False)
        self.unlock()

    def put(self, owner: str, provider: str, origin: Origin, secret: Secret, label: str = "default") -> KeyRow:
        """Seal and store a key, in place of the one with the same label. Raises VaultSealed, and InvalidRequest for a
        masked key."""
        self._make_room()
        if _MASK.search(secret.reveal()):
            raise InvalidRequest("This is a masked key.", "Enter the whole key, or leave it as it is.", param="key")
        for _ in range(_TRIES):
            row = self._next(owner, provider, str(origin), label, secret.masked())
            ring = self.latch.ring()
            row = replace(row, sealed=ring.seal(bound(ring.install_id, row), secret.reveal()))
            if self._store.keys.put(row, under=ring.sealing.check(ring.install_id)):
                self._forget(owner, provider)
                self._newest[row.id] = max(row.version, self._newest.get(row.id, 0))
                return row
            self.latch.look()
        raise StorageUnavailable(f"The key for {provider} is being replaced by others all the time.", "Try again.")

    async def opened(self, owner: str, provider: str, origin: Origin) -> tuple[KeyRow, Secret]:
        """As `open`, without keeping the event loop from anything where a server has the root key."""
        if isinstance(self.latch.ring().current, Root):
            return self.open(owner, provider, origin)
        return await asyncio.to_thread(self.open, owner, provider, origin)

    def open(self, owner: str, provider: str, origin: Origin) -> tuple[KeyRow, Secret]:
        """The first key for that origin, with its row.

        Raises KeyMissing where none is stored, KeyUnreadable where none opens for this origin, VaultSealed. A key in
        constant use is opened once a second: between two openings it is in the memory of this process anyway.
        """
        known = self._opened_keys.get((owner, provider, origin))
        if known is not None and time.monotonic() < known[0] and known[1] is self.latch.ring():
            return known[2], known[3]
        for _ in range(_TRIES):
            before = self._changes
            try:
                ring, rows = self._readable(owner, provider)
                row, secret = self._open_stored(ring, rows, owner, provider, origin)
            except KeyUnreadable:
                # Replaced between the look at its row and its opening: the new one is looked at.
                if before != self._changes:
                    continue
                raise
            if before == self._changes:
                self._keep_opened((owner, provider, origin), ring, row, secret)
            return row, secret
        raise KeyUnreadable(f"The stored key for {provider} is being replaced by others all the time.", "Try again.")

    def _readable(self, owner: str, provider: str) -> tuple[Ring, list[KeyRow]]:
        """The stored rows and the root keys for them; both anew where another root key took over meanwhile."""
        ring, rows = self.latch.ring(), self._stored(owner, provider)
        if not all(ring.has(row.sealed) for row in rows):
            self._forget(owner, provider)
            self.latch.look()
            ring, rows = self.latch.ring(), self._stored(owner, provider)
        return ring, rows

    def _open_stored(
        self, ring: Ring, rows: list[KeyRow], owner: str, provider: str, origin: Origin
    ) -> tuple[KeyRow, Secret]:
        if not rows:
            raise KeyMissing(f"No key for {provider} is stored.", f"Add one: ownkey keys set {provider}")
        wanted = str(origin)
        for row in rows:
            if (row.owner, row.provider, row.origin) == (owner, provider, wanted):
                return row, self._opened(ring, row)
        raise KeyUnreadable(
            f"The stored key for {provider} was entered for {rows[0].origin} and does not go to {wanted}.",
            f"Enter it again for the new endpoint: `ownkey keys set {provider}`.",
        )

    def _keep_opened(self, place: tuple[str, str, Origin], ring: Ring, row: KeyRow, secret: Secret) -> None:
        """Until its row is looked at again."""
        if len(self._opened_keys) >= _CACHED:
            self._opened_keys.clear()
        until, _ = self._rows.get(place[:2], (0.0, []))
        self._opened_keys[place] = (until, ring, row, secret)

    def _forget(self, owner: str, provider: str) -> None:
        self._rows.pop((owner, provider), None)
        self._changes += 1
        for place in [place for place in list(self._opened_keys) if place[:2] == (owner, provider)]:
            self._opened_keys.pop(place, None)

    def has(self, owner: str, provider: str) -> bool:
        """Whether a key is stored, opened or not; known to the second."""
        return bool(self._stored(owner, provider))

    def first_id(self, owner: str, provider: str) -> str | None:
        """Of the key that `open` would give; None where there is none. Known to the second, and without opening it."""
        rows = self._stored(owner, provider)
        return rows[0].id if rows else None

    def listed(self, owner: str) -> list[KeyRow]:
        """The keys of an owner, masked. Opens none of them, and answers while sealed."""
        return self._store.keys.all(owner)

    def remove(self, owner: str, provider: str) -> int:
        """How many keys were removed."""
        removed = self._store.keys.remove_of(owner, provider)
        self._forget(owner, provider)
        return removed

    def _make_room(self) -> None:
        """Another root key, where this one has sealed its fill; that of a server is the server's to count."""
        self.latch.ring()
        noted = self._store.install.get()
        if (noted.root_wraps or 0) < self._most_wraps or kind(noted.root_source) == TRANSIT:
            return
        if kind(noted.root_source) == PASSWORD:
            raise VaultSealed(
                "This root key has sealed as many keys as one may.", "Give another password: `ownkey vault rotate`."
            )
        for _ in Turn(self._store, self._settings, self.latch, self._keychain).run():
            pass

    def _next(self, owner: str, provider: str, origin: str, label: str, masked: str) -> KeyRow:
        """The row to come, with nothing sealed in it yet: a version above every one that was seen."""
        old = next((row for row in self._store.keys.of(owner, provider) if row.label == label), None)
        key_id = old.id if old else "key_" + token_hex(8)
        version = max(old.version if old else 0, self._newest.get(key_id, 0)) + 1
        now_ms = time.time_ns() // 1_000_000
        return KeyRow(key_id, owner, provider, origin, version, b"", masked, label, now_ms)

    def _opened(self, ring: Ring, row: KeyRow) -> Secret:
        if row.version < self._newest.get(row.id, 0):
            _unreadable(row, "is an older version put back")
        try:
            secret = Secret(ring.unseal(bound(ring.install_id, row), row.sealed))
        except KeyUnreadable as wrong:
            raise KeyUnreadable(f"{row.provider}: {wrong.message}", wrong.hint) from None
        except ValueError:
            _unreadable(row, "holds no key")
        self._newest[row.id] = max(row.version, self._newest.get(row.id, 0))
        return secret

    def _stored(self, owner: str, provider: str) -> list[KeyRow]:
        """The sealed rows, at most a second old."""
        now = time.monotonic()
        known = self._rows.get((owner, provider))
        if known is not None and now < known[0]:
            return known[1]
        before = self._changes
        rows = self._store.keys.of(owner, provider)
        if before != self._changes:
            return rows
        while len(self._rows) >= _CACHED:
            self._rows.pop(next(iter(self._rows), ("", "")), None)
        self._rows[owner, provider] = (now + CACHE_S, rows)
        return rows


def _unreadable(row: KeyRow, why: str) -> NoReturn:
    raise KeyUnreadable(
        f"The stored key for {row.provider} {why}.", f"Enter it again: `ownkey keys set {row.provider}`."
    ) from None
