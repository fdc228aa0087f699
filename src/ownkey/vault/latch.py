"""Whether the vault is open, and with which root keys: looked at twice a second, for it changes from outside."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Lock, Thread

from msgspec import Struct

from ownkey.settings import Settings
from ownkey.store.db import Store
from ownkey.store.install import Installed
from ownkey.store.rotation import Rotation, Step
from ownkey.talk.errors import BadConfiguration, OwnkeyError, VaultSealed
from ownkey.vault.keychain import Keychain
from ownkey.vault.ring import Ring, fits, forward
from ownkey.vault.root import find_ring

LOOK_S = 0.5
SHARED_S = 2.0
"""After so long every process that looks has seen a change."""


class _State(Struct, frozen=True):
    """What a ring is made for."""

    id: str
    check: bytes | None
    sealed_at_ms: int | None
    to_check: bytes | None
    step: Step | None


class Latch:
    """Safe to use from many threads. Where the root key cannot be had it stays closed until `unlock`, or until
    somebody seals or unseals the vault or another root key takes over: a keychain that hangs is not asked at every
    request. `forget` is called whenever it closes."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        keychain: Callable[[], Keychain] = Keychain,
        *,
        forget: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._settings = settings
        self._keychain = keychain
        self._forget = forget
        self._busy = Lock()
        self._until = 0.0
        self._state: _State | None = None
        self._ring: Ring | None = None
        self._closed: BadConfiguration | VaultSealed | None = None
        self._watching: Event | None = None

    def ring(self) -> Ring:
        """Raises VaultSealed. Blocks while the root key is looked for, unless somebody watches who does that."""
        ring = self.now()
        if ring is None:
            why = self._closed or VaultSealed("The vault is being opened.", "Try again in a moment.")
            raise VaultSealed(why.message, why.hint)
        return ring

    def now(self) -> Ring | None:
        """The same, and None where it is closed."""
        if time.monotonic() >= self._until:
            self._look(wait=self._watching is None)
        return self._ring

    def must_not_be_sealed(self) -> None:
        """Raises VaultSealed where its owner has sealed it, for keys too that no root key is needed for."""
        self.now()
        if self._state is not None and self._state.sealed_at_ms is not None:
            raise _by_owner()

    def look(self) -> None:
        """See now what has changed."""
        self._look(wait=True)

    def unlock(self) -> None:
        """Look for the root key anew. Raises BadConfiguration where a setting is to be mended, else VaultSealed."""
        with self._busy:
            self._make(*self._read())
        if self._closed is not None:
            raise self._closed

    def watch(self) -> Callable[[], None]:
        """Look from a thread of its own from now on, so that nobody else has to wait; returns what ends that."""
        ended = self._watching = Event()

        def run() -> None:
            while not ended.wait(LOOK_S * 0.8):
                with suppress(OwnkeyError):
                    self._look(wait=True)

        thread = Thread(target=run, name="vault", daemon=True)
        thread.start()

        def end() -> None:
            ended.set()
            self._watching = None
            thread.join(LOOK_S)

        return end

    def _look(self, *, wait: bool) -> None:
        installed, rotation = self._read()
        state = _state(installed, rotation)
        if state == self._state:
            self._until = time.monotonic() + LOOK_S
            return
        if state.sealed_at_ms is not None:
            # No lock: who holds it may be waiting for a keychain, and this must not.
            self._close(state, _by_owner())
            return
        if (wait or self._quick(installed, rotation)) and self._busy.acquire(blocking=wait):
            try:
                self._adapt(installed, rotation)
            finally:
                self._busy.release()

    def _read(self) -> tuple[Installed, Rotation | None]:
        return self._store.install.get(), self._store.rotations.get()

    def _quick(self, installed: Installed, rotation: Rotation | None) -> bool:
        """Whether nothing but what this process has is needed."""
        if rotation is not None and rotation.to_source.startswith("transit"):
            return False
        return self._known(installed) is not None

    def _known(self, installed: Installed) -> Ring | None:
        ring = self._ring
        keks = () if ring is None else (ring.current, ring.coming)
        found = next((kek for kek in keks if kek is not None and fits(kek, installed.id, installed.root_check)), None)
        return None if found is None else Ring(installed.id, found)

    def _adapt(self, installed: Installed, rotation: Rotation | None) -> None:
        known = self._known(installed)
        if known is None:
            self._make(installed, rotation)
            return
        state = _state(installed, rotation)
        ring = self._ring
        try:
            if ring is not None and ring.coming is not None and fits(ring.coming, installed.id, state.to_check):
                coming = Ring(installed.id, known.current, ring.coming, state.step == "wrapping")
                self._open(state, coming if state.step != "leaving" else known)
            else:
                self._open(state, forward(installed, known.current, rotation))
        except (BadConfiguration, VaultSealed):
            # What is stored opens as before; the one that takes over is looked for again at the next look.
            self._until = time.monotonic() + LOOK_S

    def _make(self, installed: Installed, rotation: Rotation | None) -> None:
        state = _state(installed, rotation)
        if state.sealed_at_ms is not None:
            self._close(state, _by_owner())
            return
        try:
            ring = find_ring(self._settings, self._store.install, rotation, self._keychain)
        except (BadConfiguration, VaultSealed) as closed:
            self._close(state, closed)
            return
        # Where it was made only now the state is another; and its owner may have sealed it meanwhile.
        state = _state(self._store.install.get(), rotation)
        if state.sealed_at_ms is not None:
            self._close(state, _by_owner())
        else:
            self._open(state, ring)

    def _open(self, state: _State, ring: Ring) -> None:
        self._ring, self._closed, self._state = ring, None, state
        self._until = time.monotonic() + LOOK_S

    def _close(self, state: _State, why: BadConfiguration | VaultSealed) -> None:
        self._ring, self._closed, self._state = None, why, state
        self._until = time.monotonic() + LOOK_S
        self._forget()


def _state(installed: Installed, rotation: Rotation | None) -> _State:
    to_check, step = (None, None) if rotation is None else (rotation.to_check, rotation.step)
    return _State(installed.id, installed.root_check, installed.sealed_at_ms, to_check, step)


def _by_owner() -> VaultSealed:
    return VaultSealed("The vault was sealed by its owner.", "Open it again: `ownkey vault unseal`.")
