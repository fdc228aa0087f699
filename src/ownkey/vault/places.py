"""The place of a root key that takes over: put there, looked for there, and the old one's place cleared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ownkey.settings import Settings
from ownkey.store.rotation import Rotation
from ownkey.talk.errors import VaultSealed
from ownkey.vault import keyfile
from ownkey.vault.envelope import Kek, Root
from ownkey.vault.keychain import Keychain
from ownkey.vault.ring import fits
from ownkey.vault.root import FILE, HOME, KEYCHAIN, entry, home_file, kind

Chain = Callable[[], Keychain]


def keep(rotation: Rotation, coming: Kek, install_id: str, settings: Settings, keychain: Chain) -> None:
    """Put it there, where Ownkey does that; once or twice is the same. Raises BadConfiguration or VaultSealed."""
    if (path := _path(rotation)) is not None:
        if not _holds(path, install_id, rotation.to_check):
            there = path.exists() or path == home_file(settings)
            keyfile.keep(keyfile.beside(path, rotation.to_check) if there else path, coming.handover())
    elif kind(rotation.to_source) == KEYCHAIN:
        chain = keychain()
        if not settings.keychain or not chain.there:
            raise VaultSealed("There is no keychain that can be used.", "Leave OWNKEY_KEYCHAIN on, or take a file.")
        chain.write(entry(install_id, rotation.to_check), coming.handover())


def in_place(rotation: Rotation, coming: Kek, install_id: str, settings: Settings, keychain: Chain) -> bool:
    """Whether a process that starts anew would find it. One that is made from a password is its owner's to keep."""
    if (path := _path(rotation)) is not None:
        return any(_holds(at, install_id, rotation.to_check) for at in (path, keyfile.beside(path, rotation.to_check)))
    if kind(rotation.to_source) == KEYCHAIN:
        return keychain().read(entry(install_id, rotation.to_check)) == coming.handover()
    return True


def leave(rotation: Rotation, install_id: str, settings: Settings, keychain: Chain) -> None:
    """The old one goes from the places that Ownkey has put it in, and from no other."""
    if (path := _path(rotation)) is not None:
        keyfile.replace(path, keyfile.beside(path, rotation.to_check))
    old = kind(rotation.from_source)
    if old == HOME and kind(rotation.to_source) != HOME:
        if _holds(home_file(settings), install_id, rotation.from_check):
            keyfile.remove(home_file(settings))
    elif old == KEYCHAIN and settings.keychain:
        chain, name = keychain(), entry(install_id, rotation.from_check)
        if chain.there and chain.read(name) is not None:
            chain.remove(name)


def _path(rotation: Rotation) -> Path | None:
    in_file = kind(rotation.to_source) in (FILE, HOME) and rotation.to_place is not None
    return Path(rotation.to_place or "") if in_file else None


def _holds(path: Path, install_id: str, check: bytes) -> bool:
    try:
        found: Root = keyfile.read(path)
    except FileNotFoundError:
        return False
    return fits(found, install_id, check)
