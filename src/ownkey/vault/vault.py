"""The vault: people's own provider keys, each opened only for its owner, its provider and its origin."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterable
from secrets import token_hex
from typing import Any, Literal

from msgspec.structs import replace

from ownkey.settings import Settings
from ownkey.store.audit_chain import AuditKey
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
from ownkey.vault.aead import expand
from ownkey.vault.choice import Version, fitting, in_service, none_fits, unreadable, weighed
from ownkey.vault.envelope import Root
from ownkey.vault.keychain import Keychain
from ownkey.vault.latch import Latch
from ownkey.vault.notes import KeyNotes
from ownkey.vault.outside import Environment
from ownkey.vault.ring import Ring, bound
from ownkey.vault.root import kind
from ownkey.vault.rotate import Turn

CACHE_S = 0.9
_CACHED, _TRIES = 4096, 8

# NIST SP 800-38D, 8.3: a key is used with random nonces of 96 bits 2**32 times at most.
MOST_WRAPS = 2**31

# What a masked key looks like, which a form may send back in place of the key.
_MASK = re.compile(rb"\.{3}|\*{3}|REDACTED")


Asked = tuple[str, str, Origin, str | None, tuple[Version, ...]]
Place = tuple[str, str, Origin, str | None, tuple[Version, ...], Version | None]
"""What a key is asked for: owner, provider, origin, model, keys that are passed over, the one preferred."""


class Vault:
    """Opens itself at the first use, which may take seconds: call `unlock` at the start. Safe to use from many threads.

    `latch` says whether it is open. `most_wraps`: so many keys are sealed under one root key, and then another is made.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        environment: Environment | None = None,
        *,
        keychain: Callable[[], Keychain] = Keychain,
        most_wraps: int = MOST_WRAPS,
    ) -> None:
        self.notes = KeyNotes(store)
        self.tell_unreadable: Callable[[KeyRow], None] = lambda row: None
        self._environment = environment
        self._store = store
        self._most_wraps = most_wraps
        self._rows: dict[tuple[str, str], tuple[float, list[KeyRow]]] = {}
        self._opened_keys: dict[Place, tuple[float, Ring | None, KeyRow, Secret]] = {}
        self._newest: dict[str, int] = {}
        self._changes = 0
        self.latch = Latch(store, settings, keychain, forget=self._opened_keys.clear)
        self._turn = Turn(store, settings, self.latch, keychain)

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
        """Where the root key comes from, as `root.kind` has it; empty where there is none yet."""
        return kind(self._store.install.get().root_source)

    def audit_keys(self) -> list[AuditKey]:
        """What heads of the audit trail are sealed with, the first for new ones. Raises VaultSealed."""
        ring = self.latch.ring()
        return [AuditKey(ring.install_id, kek.kek_id, kek.audit_key()) for kek in ring.keks]

    def consent_keys(self) -> list[bytes]:
        """What tokens of consent are signed with, the first for new ones. Raises VaultSealed."""
        return [expand(kek.audit_key(), b"ownkey consent v1") for kek in self.latch.ring().keks]

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

    def put(
        self, owner: str, provider: str, origin: Origin, secret: Secret, label: str = "default", **fields: Any
    ) -> KeyRow:
        """Seal and store a key, in place of the one with the same label, whose place and terms it takes over.

        `fields` are those of a new key's row, or what is known of the secret. Raises VaultSealed, and InvalidRequest
        for a masked key.
        """
        self._turn.make_room(self._most_wraps)
        self.refuse_masked(secret)
        for _ in range(_TRIES):
            row = replace(self._next(owner, provider, str(origin), label, secret.masked()), **fields)
            ring = self.latch.ring()
            row = replace(row, sealed=ring.seal(bound(ring.install_id, row), secret.reveal()))
            if self._store.keys.put(row, under=ring.sealing.check(ring.install_id)):
                self._forget(owner, provider)
                self._newest[row.id] = max(row.version, self._newest.get(row.id, 0))
                return row
            self.latch.look()
        raise StorageUnavailable(f"The key for {provider} is being replaced by others all the time.", "Try again.")

    def refuse_masked(self, secret: Secret) -> None:
        """Raises InvalidRequest for what a form shows in place of a key."""
        if _MASK.search(secret.reveal()):
            raise InvalidRequest("This is a masked key.", "Enter the whole key, or leave it as it is.", param="key")

    async def opened(
        self,
        owner: str,
        provider: str,
        origin: Origin,
        model: str | None = None,
        passed: tuple[Version, ...] = (),
        prefer: Version | None = None,
    ) -> tuple[KeyRow, Secret]:
        """As `open`, without keeping the event loop from anything where a server has the root key."""
        ring = self.latch.now()
        if ring is None or isinstance(ring.current, Root):
            return self.open(owner, provider, origin, model, passed, prefer)
        return await asyncio.to_thread(self.open, owner, provider, origin, model, passed, prefer)

    def open(
        self,
        owner: str,
        provider: str,
        origin: Origin,
        model: str | None = None,
        passed: tuple[Version, ...] = (),
        prefer: Version | None = None,
    ) -> tuple[KeyRow, Secret]:
        """The first key that fits (see `choice`) and opens, with its row. `passed` are those not wanted, `prefer` the
        one that is tried before the others.

        Raises KeyMissing where none is stored or may be used for this, KeyUnreadable where none opens for this origin,
        VaultSealed. A key in constant use is opened once a second: between two openings it is in the memory of this
        process anyway.
        """
        place = (owner, provider, origin, model, passed, prefer)
        known = self._opened_keys.get(place)
        if known is not None and time.monotonic() < known[0] and known[1] is self.latch.now():
            return known[2], known[3]
        for _ in range(_TRIES):
            before = self._changes
            try:
                row, secret = self._open_stored(place)
            except KeyUnreadable:
                # Replaced between the look at its row and its opening: the new one is looked at.
                if before != self._changes:
                    continue
                raise
            if before == self._changes:
                self._keep_opened(place, row, secret)
            return row, secret
        raise KeyUnreadable(f"The stored key for {provider} is being replaced by others all the time.", "Try again.")

    def open_this(self, row: KeyRow, origin: Origin) -> Secret:
        """One key, whatever its terms. Raises what `open` does."""
        if row.origin != str(origin):
            raise none_fits([row], str(origin), None, 0)
        return self._opened_row(row)

    def give_out(self, row: KeyRow) -> Secret:
        """One key, whatever its terms, to go with its owner to another installation. Raises what `open` does."""
        return self._opened_row(row)

    def take_in(self, keys: Iterable[tuple[KeyRow, Secret]]) -> tuple[list[KeyRow], bytes]:
        """Their rows with the keys sealed here, above every version that was seen, and the check value of the root key
        that they are sealed with. Nothing is stored. Raises VaultSealed."""
        self._turn.make_room(self._most_wraps)
        ring = self.latch.ring()
        rows: list[KeyRow] = []
        for row, secret in keys:
            row = replace(row, version=max(row.version, self._newest.get(row.id, 0)))
            rows.append(replace(row, sealed=ring.seal(bound(ring.install_id, row), secret.reveal())))
        return rows, ring.sealing.check(ring.install_id)

    def look_anew(self) -> None:
        """Keys came, went or changed by other ways: here at once, in other processes within a second."""
        self._changes += 1
        self._rows.clear()
        self._opened_keys.clear()

    def first(
        self, owner: str, provider: str, origin: Origin, model: str | None = None, passed: tuple[Version, ...] = ()
    ) -> KeyRow | None:
        """The row of the key that `open` would give; None where there is none. Opens nothing, known to the second."""
        fit = self._fitting(self._stored(owner, provider), str(origin), model, passed)
        return fit[0] if fit else None

    def preferred(self, asked: Asked, about: Callable[[], bytes]) -> Version | None:
        """The key that a conversation `about` that goes to by the weights of those that are ready; None without any."""
        owner, provider, origin, model, passed = asked
        if not any(row.weight is not None for row in self._stored(owner, provider)):
            return None
        fit = self._fitting(self._stored(owner, provider), str(origin), model, passed)
        row = weighed([one for one in fit if not self.notes.resting(one)], about())
        return None if row is None else (row.id, row.version)

    def _open_stored(self, place: Place) -> tuple[KeyRow, Secret]:
        owner, provider, origin, model, passed, prefer = place
        rows = self._readable(owner, provider)
        if not rows:
            raise KeyMissing(f"No key for {provider} is stored.", f"Add one: ownkey keys set {provider}")
        unreadable: KeyUnreadable | None = None
        fit = self._fitting(rows, str(origin), model, passed)
        for row in sorted(fit, key=lambda row: (row.id, row.version) != prefer):
            try:
                return row, self._opened_row(row)
            except KeyUnreadable as error:
                unreadable = unreadable or error
        raise unreadable or none_fits(rows, str(origin), model, _now_ms())

    def _readable(self, owner: str, provider: str) -> list[KeyRow]:
        """The rows; they and the root keys anew where another root key took over meanwhile."""
        self.latch.must_not_be_sealed()
        rows = self._stored(owner, provider)
        if any(row.from_environment for row in rows):
            return rows
        ring = self.latch.ring()
        if all(ring.has(row.sealed) for row in rows):
            return rows
        self._forget(owner, provider)
        self.latch.look()
        return self._stored(owner, provider)

    def _fitting(self, rows: list[KeyRow], origin: str, model: str | None, passed: tuple[Version, ...]) -> list[KeyRow]:
        return fitting(rows, origin, model, _now_ms(), passed=passed, resting=self.notes.rests_s)

    def _opened_row(self, row: KeyRow) -> Secret:
        if not row.from_environment:
            ring = self.latch.ring()
            try:
                return self._opened(ring, row)
            except KeyUnreadable:
                self._note_unreadable(row)
                raise
        self.latch.must_not_be_sealed()
        found = self._environment.find(row.owner, row.provider) if self._environment else None
        if found is None or found[0].id != row.id:
            raise KeyMissing(f"The key for {row.provider} is no longer in the environment.", "Store one.")
        return found[1]

    def _note_unreadable(self, row: KeyRow) -> None:
        """Told once of each version that is what is stored, and not of one that was replaced meanwhile."""
        stored = self._store.keys.get(row.id)
        if stored is None or stored.sealed != row.sealed:
            return
        if self.notes.refused(row) != KeyUnreadable.code:
            self.tell_unreadable(row)
        self.notes.found(row, KeyUnreadable.code)

    def _keep_opened(self, place: Place, row: KeyRow, secret: Secret) -> None:
        """Until its row is looked at again."""
        if len(self._opened_keys) >= _CACHED:
            self._opened_keys.clear()
        until, _ = self._rows.get(place[:2], (0.0, []))
        self._opened_keys[place] = (until, self.latch.now(), row, secret)

    def _forget(self, owner: str, provider: str) -> None:
        self._rows.pop((owner, provider), None)
        self._changes += 1
        for place in [place for place in list(self._opened_keys) if place[:2] == (owner, provider)]:
            self._opened_keys.pop(place, None)

    def found(self, row: KeyRow, refused: str | None) -> None:
        """Its provider took this key, or refused it with an error of that code. Its row is looked at anew."""
        self.notes.found(row, refused)
        self._forget(row.owner, row.provider)

    def leave(self, row: KeyRow, for_s: float) -> None:
        """Its provider wants no more requests with this key for so long. Others are tried before it."""
        self.notes.leave(row, for_s)
        self._forget(row.owner, row.provider)

    def change(self, row: KeyRow, values: dict[str, Any]) -> bool:
        """Change a key's label, place or terms. Here they hold at once, in other processes within a second.

        False where it is gone; IntegrityError where the label is taken.
        """
        changed = self._store.keys.change(row.id, values)
        self._forget(row.owner, row.provider)
        return changed

    def arrange(self, rows: list[KeyRow]) -> None:
        """Put the keys of one provider into this order."""
        self._store.keys.arrange([row.id for row in rows])
        for row in rows[:1]:
            self._forget(row.owner, row.provider)

    def has(self, owner: str, provider: str) -> bool:
        """Whether there is a key that is neither paused nor expired, opened or not; known to the second."""
        return any(in_service(row, _now_ms()) for row in self._stored(owner, provider))

    def has_several(self, owner: str, provider: str) -> bool:
        return len(self._stored(owner, provider)) > 1

    def listed(self, owner: str) -> list[KeyRow]:
        """The keys of an owner, masked: the stored ones, and those of the environment for providers without.

        Opens none of them, and answers while sealed.
        """
        rows = self._store.keys.all(owner)
        there = {row.provider for row in rows}
        found = self._environment.all(owner) if self._environment else ()
        return [*rows, *(row for row in found if row.provider not in there)]

    def remove(self, owner: str, provider: str, id: str | None = None) -> int:
        """Remove the key of that id, or all that are stored. How many there were."""
        removed = self._store.keys.remove(id) if id else self._store.keys.remove_of(owner, provider)
        self._forget(owner, provider)
        return removed

    def _next(self, owner: str, provider: str, origin: str, label: str, masked: str) -> KeyRow:
        """The row to come, with nothing sealed in it yet: a version above every one that was seen."""
        rows = self._store.keys.of(owner, provider)
        old = next((row for row in rows if row.label == label), None)
        key_id = old.id if old else "key_" + token_hex(8)
        version = max(old.version if old else 0, self._newest.get(key_id, 0)) + 1
        new = KeyRow(key_id, owner, provider, origin, version, b"", masked, label, _now_ms())
        if old is None:
            return replace(new, position=1 + max((row.position or 0 for row in rows), default=0))
        terms = ("position", "expires_at_ms", "paused_at_ms", "models", "weight")
        return replace(new, **{name: getattr(old, name) for name in terms})

    def _opened(self, ring: Ring, row: KeyRow) -> Secret:
        if row.version < self._newest.get(row.id, 0):
            raise unreadable(row, "is an older version put back")
        try:
            secret = Secret(ring.unseal(bound(ring.install_id, row), row.sealed))
        except KeyUnreadable as wrong:
            raise unreadable(row, wrong.message.removeprefix("The stored key ").removesuffix(".")) from None
        except ValueError:
            raise unreadable(row, "holds no key") from None
        self._newest[row.id] = max(row.version, self._newest.get(row.id, 0))
        return secret

    def _stored(self, owner: str, provider: str) -> list[KeyRow]:
        """The sealed rows, at most a second old."""
        now = time.monotonic()
        known = self._rows.get((owner, provider))
        if known is not None and now < known[0]:
            return known[1]
        before = self._changes
        rows = [row for row in self._store.keys.of(owner, provider) if (row.owner, row.provider) == (owner, provider)]
        rows = rows or self._from_environment(owner, provider)
        if before != self._changes:
            return rows
        while len(self._rows) >= _CACHED:
            self._rows.pop(next(iter(self._rows), ("", "")), None)
        self._rows[owner, provider] = (now + CACHE_S, rows)
        return rows

    def _from_environment(self, owner: str, provider: str) -> list[KeyRow]:
        found = self._environment.find(owner, provider) if self._environment else None
        return [found[0]] if found else []


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
