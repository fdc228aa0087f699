"""Another root key takes over, while everything goes on.

Killed at any moment, it is taken up again where it was: each step is noted before it is taken, can be taken twice, and
leaves every key readable by whoever has either root key. The old one goes last, when no key needs it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Literal

from msgspec import Struct

from ownkey.settings import Password, Settings
from ownkey.store.audit import Audit
from ownkey.store.db import Store
from ownkey.store.keys import KeyRow
from ownkey.store.rotation import Rotation
from ownkey.talk.errors import BadConfiguration, InvalidRequest, KeyUnreadable, VaultSealed
from ownkey.vault import keyfile, password, transit
from ownkey.vault.envelope import Kek, Root, seal
from ownkey.vault.keychain import Keychain
from ownkey.vault.latch import SHARED_S, Latch
from ownkey.vault.places import in_place, keep, leave
from ownkey.vault.ring import Ring, bound, fits, hand_over
from ownkey.vault.root import FILE, KEYCHAIN, PASSWORD, TRANSIT, home_file, kind

Source = Literal["home", "file", "password", "keychain", "transit"]

_BATCH = 50


class Target(Struct, frozen=True):
    """Where the new root key is to be kept: where the old one is, unless `source` says otherwise.

    `path` is a file's; one that is there already holds the new root key. `password` and `salt` make one.
    """

    source: Source | None = None
    path: Path | None = None
    password: Password | None = None
    salt: Password | None = None


class Progress(Struct, frozen=True):
    """`step`: `making`, `sharing`, `wrapping`, `verifying`, `leaving` or `done`; of the keys so many are done."""

    step: str
    done: int = 0
    total: int = 0


class Turn:
    """One taking-over; made for a store, its settings, and the latch of its vault.

    `shared_s`: how long other processes are given to learn of the new root key.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        latch: Latch,
        keychain: Callable[[], Keychain] = Keychain,
        *,
        shared_s: float = SHARED_S,
        audit: Audit | None = None,
    ) -> None:
        self._store = store
        self._settings = settings
        self._latch = latch
        self._keychain = keychain
        self._shared_s = shared_s
        self._audit = audit

    def run(self, target: Target | None = None) -> Iterator[Progress]:
        """Begin one, or go on with the one that was begun, and whatever its target was; each `next` does some of it.

        Raises BadConfiguration or VaultSealed where the new root key cannot be kept, InvalidRequest where the target
        lacks something, and KeyUnreadable, naming them, where keys do not open: both root keys stay in use then.
        """
        self._latch.look()
        self._latch.ring()
        if self._store.rotations.get() is None:
            self._begin(target or Target())
        while (rotation := self._store.rotations.get()) is not None:
            yield Progress(rotation.step)
            self._latch.look()
            if rotation.step == "making":
                self._make(rotation)
            elif rotation.step == "sharing":
                time.sleep(self._shared_s)
                self._store.rotations.advance(rotation.to_check, "sharing", "wrapping")
            elif rotation.step == "wrapping":
                yield from self._wrap(rotation)
            else:
                leave(rotation, self._noted_id, self._settings, self._keychain)
                self._store.rotations.drop(rotation.to_check, "leaving")
        self._latch.look()
        yield Progress("done")

    def make_room(self, most_wraps: int) -> None:
        """Another root key, where this one has sealed its fill; that of a server is the server's to count.

        Raises VaultSealed where it is made from a password.
        """
        self._latch.ring()
        noted = self._store.install.get()
        if (noted.root_wraps or 0) < most_wraps or kind(noted.root_source) == TRANSIT:
            return
        if kind(noted.root_source) == PASSWORD:
            raise VaultSealed(
                "This root key has sealed as many keys as one may.", "Give another password: `ownkey vault rotate`."
            )
        for _ in self.run():
            pass

    @property
    def _noted_id(self) -> str:
        return self._store.install.get().id

    def _begin(self, target: Target) -> None:
        current, noted = self._latch.ring().current, self._store.install.get()
        coming, said, place = _made(target, kind(noted.root_source), self._settings, noted.id)
        from_check, to_check = current.check(noted.id), coming.check(noted.id)
        if from_check == to_check:
            raise InvalidRequest("This is the root key that is in use.", "Give another one.")
        begun = self._store.rotations.begin(
            Rotation(
                step="making",
                from_source=noted.root_source or "",
                from_check=from_check,
                to_source=said,
                to_check=to_check,
                to_probe=coming.probe if isinstance(coming, transit.Transit) else None,
                to_place=place,
                forward=hand_over(coming, current, noted.id, from_check, to_check),
                backward=hand_over(current, coming, noted.id, from_check, to_check),
                wraps=0,
                started_at_ms=time.time_ns() // 1_000_000,
            )
        )
        if not begun:
            raise InvalidRequest("Another root key is taking over already.", "Let that end first.")

    def _make(self, rotation: Rotation) -> None:
        ring = self._ring(rotation)
        coming = _coming(ring, rotation)
        if coming is None:
            return
        try:
            keep(rotation, coming, ring.install_id, self._settings, self._keychain)
        except (BadConfiguration, VaultSealed):
            self._store.rotations.drop(rotation.to_check, "making")
            raise
        self._store.rotations.advance(rotation.to_check, "making", "sharing")

    def _wrap(self, rotation: Rotation) -> Iterator[Progress]:
        ring = self._ring(rotation)
        coming = _coming(ring, rotation)
        if coming is None:
            return
        bad: list[KeyRow] = []
        yield from self._rewrap(rotation, ring, coming, bad)
        if not bad:
            yield from self._verify(coming, bad)
        if bad:
            raise _bad(bad)
        if not in_place(rotation, coming, ring.install_id, self._settings, self._keychain):
            raise VaultSealed("The new root key is not where it was put.", "Put it back and go on: nothing is lost.")
        # Every process has seen by then that the head of the audit trail is sealed with what is coming.
        time.sleep(self._shared_s)
        told = {"from": kind(rotation.from_source), "to": kind(rotation.to_source), "kek": coming.kek_id.hex()}
        audited = self._audit.within("vault.rotated", "vault", detail=told) if self._audit else nullcontext()
        with audited:
            # Where a key came under the old one meanwhile, nothing has changed, and this step is taken again.
            self._store.rotations.promote(rotation, coming.kek_id)

    def _rewrap(self, rotation: Rotation, ring: Ring, coming: Kek, bad: list[KeyRow]) -> Iterator[Progress]:
        total = sum(self._store.rotations.under().values())
        done = total - sum(count for id, count in self._store.rotations.under().items() if id != coming.kek_id)
        after = ""
        while rows := self._store.rotations.others(coming.kek_id, after, _BATCH):
            fresh: list[tuple[KeyRow, bytes]] = []
            for row in rows:
                try:
                    fresh.append((row, _sealed_anew(ring, coming, row)))
                except KeyUnreadable:
                    bad.append(row)
            self._store.rotations.rewrap(rotation.to_check, fresh)
            after = rows[-1].id
            done += len(fresh)
            yield Progress("wrapping", min(done, total), total)

    def _verify(self, coming: Kek, bad: list[KeyRow]) -> Iterator[Progress]:
        """What is in the database now opens with the new root key alone."""
        alone = Ring(self._noted_id, coming)
        total, done, after = sum(self._store.rotations.under().values()), 0, ""
        while rows := self._store.rotations.others(b"", after, _BATCH):
            for row in rows:
                if alone.has(row.sealed) and not _opens(alone, row):
                    bad.append(row)
            after = rows[-1].id
            done += len(rows)
            yield Progress("verifying", min(done, total), total)

    def _ring(self, rotation: Rotation) -> Ring:
        self._latch.look()
        ring = self._latch.ring()
        if ring.coming is None and self._store.rotations.get() == rotation:
            # What takes over is kept by a server that did not answer at the last look.
            self._latch.unlock()
            ring = self._latch.ring()
        return ring


def _coming(ring: Ring, rotation: Rotation) -> Kek | None:
    """What takes over; None where another process has ended that meanwhile, and perhaps begun anew."""
    there = ring.coming
    return there if there is not None and fits(there, ring.install_id, rotation.to_check) else None


def _made(target: Target, was: str, settings: Settings, install_id: str) -> tuple[Kek, str, str | None]:
    """The new root key, its source as it is noted, and its file."""
    source = target.source or was
    if source == PASSWORD:
        if target.password is None or target.salt is None:
            raise InvalidRequest("A new password and a new salt are needed.", "Give both.", param="password")
        cost = password.Cost()
        return password.derive(target.password, target.salt, cost), str(cost), None
    if source == TRANSIT:
        server = transit.Server(transit.place(settings))
        if was == TRANSIT:
            server.rotate()
        said = f"{TRANSIT} {settings.transit_mount}/{settings.transit_key}"
        return transit.Transit.make(server, install_id), said, None
    if source == KEYCHAIN:
        return Root(os.urandom(32)), KEYCHAIN, None
    path = (target.path or settings.master_key_file) if source == FILE else home_file(settings)
    if path is None:
        raise InvalidRequest("The file for the new root key is not named.", "Name it: --path FILE", param="path")
    path = path.expanduser().absolute()
    if target.path is not None and path.exists() and path != settings.master_key_file:
        return keyfile.read(path), source, str(path)
    return Root(os.urandom(32)), source, str(path)


def _sealed_anew(ring: Ring, coming: Kek, row: KeyRow) -> bytes:
    tied = bound(ring.install_id, row)
    return seal(coming, tied, ring.unseal(tied, row.sealed))


def _opens(ring: Ring, row: KeyRow) -> bool:
    try:
        ring.unseal(bound(ring.install_id, row), row.sealed)
    except KeyUnreadable:
        return False
    return True


def _bad(rows: list[KeyRow]) -> KeyUnreadable:
    named = ", ".join(f"{row.provider} {row.label} of {row.owner} ({row.id})" for row in rows[:10])
    more = f" and {len(rows) - 10} more" if len(rows) > 10 else ""
    return KeyUnreadable(
        f"{len(rows)} stored key{'s' if len(rows) > 1 else ''} cannot be opened: {named}{more}."
        " Every other one is sealed under the new root key, and the old one stays in use beside it.",
        "Remove those or enter them again, then: `ownkey vault rotate`.",
    )
