"""The root keys in use: the one, and while another takes over from it both."""

from __future__ import annotations

import hmac

from cryptography.exceptions import InvalidTag
from msgspec import Struct

from ownkey.store.install import Installed
from ownkey.store.keys import KeyRow
from ownkey.store.rotation import Rotation
from ownkey.talk.errors import VaultSealed
from ownkey.vault import transit
from ownkey.vault.envelope import Bound, Kek, Root, seal, sealed_under, unseal


class Ring(Struct, frozen=True, eq=False):
    """`coming` takes over from `current`; while `wrapping` it is what is sealed under."""

    install_id: str
    current: Kek
    coming: Kek | None = None
    wrapping: bool = False

    @property
    def sealing(self) -> Kek:
        return self.coming if self.wrapping and self.coming is not None else self.current

    @property
    def keks(self) -> list[Kek]:
        """All of them, the one that is sealed under first."""
        others = (kek for kek in (self.current, self.coming) if kek is not None and kek is not self.sealing)
        return [self.sealing, *others]

    def has(self, sealed: bytes) -> bool:
        return self._of(sealed) is not None

    def seal(self, bound: Bound, plain: bytes) -> bytes:
        return seal(self.sealing, bound, plain)

    def unseal(self, bound: Bound, sealed: bytes) -> bytes:
        """Raises KeyUnreadable, and VaultSealed where a server keeps the root key and does not answer."""
        return unseal(self._of(sealed) or self.current, bound, sealed)

    def _of(self, sealed: bytes) -> Kek | None:
        named = sealed_under(sealed)
        return next((kek for kek in (self.current, self.coming) if kek is not None and kek.kek_id == named), None)


def bound(install_id: str, row: KeyRow) -> Bound:
    """What a stored key is tied to."""
    return Bound(install_id, row.owner, row.provider, row.origin, row.id, row.version)


def fits(kek: Kek, install_id: str, check: bytes | None) -> bool:
    return hmac.compare_digest(kek.check(install_id), check or b"")


def forward(noted: Installed, current: Kek, rotation: Rotation | None) -> Ring:
    """The ring of whoever has the root key that is noted."""
    if rotation is None or rotation.forward is None:
        return Ring(noted.id, current)
    coming = _handed(current, rotation.forward, rotation.to_source, rotation.to_probe, rotation, noted.id)
    if not fits(coming, noted.id, rotation.to_check):
        raise _forged()
    return Ring(noted.id, current, coming, rotation.step == "wrapping")


def backward(noted: Installed, coming: Kek, rotation: Rotation) -> Kek:
    """The root key that is noted, from the one that takes over from it."""
    if rotation.backward is None:
        raise _forged()
    return _handed(coming, rotation.backward, rotation.from_source, noted.root_probe, rotation, noted.id)


def hand_over(given: Kek, under: Kek, install_id: str, from_check: bytes, to_check: bytes) -> bytes:
    """`given`, wrapped by `under`."""
    return under.wrap(given.handover(), _tie(install_id, from_check, to_check))


def _handed(under: Kek, wrapped: bytes, source: str, probe: bytes | None, rotation: Rotation, install_id: str) -> Kek:
    try:
        plain = under.unwrap(wrapped, _tie(install_id, rotation.from_check, rotation.to_check))
    except InvalidTag:
        raise _forged() from None
    if probe is not None and source.startswith("transit"):
        return transit.received(plain, probe, install_id)
    if len(plain) != 32:
        raise _forged()
    return Root(plain)


def _tie(install_id: str, from_check: bytes, to_check: bytes) -> bytes:
    return b"ownkey root handover v1\0" + install_id.encode() + b"\0" + from_check + to_check


def _forged() -> VaultSealed:
    return VaultSealed(
        "What is noted of the root key that takes over was altered.",
        "The database was changed by other hands: restore it from a backup.",
    )
