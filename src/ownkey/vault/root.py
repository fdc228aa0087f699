"""Where the root key comes from, and that it is the one that the stored keys were sealed with.

In order: the file that OWNKEY_MASTER_KEY_FILE names; password and salt; the transit engine of a server; the operating
system's keychain; the file `root.key` in the data folder. The first start writes source and check value into the
store; from then on a root key that is missing or another leaves the vault sealed: nothing is overwritten, and no new
one is made over old data.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ownkey.settings import Settings
from ownkey.store.install import Install, Installed
from ownkey.store.rotation import Rotation
from ownkey.talk.errors import BadConfiguration, VaultSealed
from ownkey.vault import keyfile, password, transit
from ownkey.vault.envelope import Kek, Root
from ownkey.vault.keychain import Keychain
from ownkey.vault.ring import Ring, backward, fits, forward

FILE, PASSWORD, TRANSIT, KEYCHAIN, HOME = "file", "password", "transit", "keychain", "home"

_WHERE = {
    FILE: "Set OWNKEY_MASTER_KEY_FILE to the file with which it was set up.",
    TRANSIT: "Set OWNKEY_TRANSIT_URL and what goes with it to what they were when it was set up.",
    KEYCHAIN: "It is kept in this system's keychain: unlock or restore that, and leave OWNKEY_KEYCHAIN on.",
    HOME: "Put the file root.key back into the data folder, from a backup.",
    PASSWORD: "Set BYOK_ENCRYPTION_PASSWORD and BYOK_ENCRYPTION_SALT to what they were when it was set up.",
}
_UNSET = {
    FILE: "It was not set up with OWNKEY_MASTER_KEY_FILE: unset that. ",
    PASSWORD: "It was not set up with BYOK_ENCRYPTION_PASSWORD and BYOK_ENCRYPTION_SALT: unset them. ",
}


def kind(source: str | None) -> str:
    """`file`, `password`, `transit`, `keychain` or `home`; empty where there is none."""
    return (source or "").partition(" ")[0]


def find(
    settings: Settings,
    install: Install,
    keychain: Callable[[], Keychain] = Keychain,
    rotation: Rotation | None = None,
) -> Kek:
    """The root key of this install, made and noted where there is none yet.

    Raises BadConfiguration where what is configured cannot be used, and VaultSealed where it is not the right one.
    Up to 5 s where the keychain or a server hangs; some 0.1 s for a password.
    """
    noted = install.get()
    given = _given(settings, noted)
    if noted.root_check is None:
        source, root, probe, undo = given or _first(settings, noted, keychain)
        install.set_root(source, root.check(noted.id), probe=probe)  # only the first is noted
        noted = install.get()
        if fits(root, noted.id, noted.root_check):
            return root
        undo()  # another process was first, with another root key
    root = given[1] if given else _again(settings, noted, keychain)
    if root is None:
        raise VaultSealed("The root key is missing.", _hint(noted))
    if fits(root, noted.id, noted.root_check):
        return root
    if rotation is not None and fits(root, noted.id, rotation.to_check):
        root = backward(noted, root, rotation)
        if fits(root, noted.id, noted.root_check):
            return root
    unset = _UNSET.get(kind(given[0]), "") if given and kind(given[0]) != kind(noted.root_source) else ""
    raise VaultSealed("This is not the root key that the stored keys were sealed with.", unset + _hint(noted))


def find_ring(
    settings: Settings, install: Install, rotation: Rotation | None, keychain: Callable[[], Keychain] = Keychain
) -> Ring:
    """The root key, and with it the one that takes over from it, where one does. Raises as `find`."""
    current = find(settings, install, keychain, rotation)
    return forward(install.get(), current, rotation)


_Made = tuple[str, Kek, bytes | None, Callable[[], None]]


def _given(settings: Settings, noted: Installed) -> _Made | None:
    """From the environment, where it names a root key."""
    if settings.master_key_file is not None:
        root = _in_file(settings.master_key_file, noted)
        if root is None:
            raise BadConfiguration(f"The root key file {settings.master_key_file} is not there.")
        return FILE, root, None, _nothing
    if settings.encryption_password is not None or settings.encryption_salt is not None:
        source = noted.root_source or ""
        cost = password.Cost.recorded(source) if kind(source) == PASSWORD else password.Cost()
        made = password.derive(settings.encryption_password, settings.encryption_salt, cost)
        return str(cost), made, None, _nothing
    if settings.transit_url is not None and noted.root_check is None:
        server = transit.Server(transit.place(settings))
        there = transit.Transit.make(server, noted.id)
        return f"{TRANSIT} {settings.transit_mount}/{settings.transit_key}", there, there.probe, _nothing
    return None


def _first(settings: Settings, noted: Installed, keychain: Callable[[], Keychain]) -> _Made:
    """A new root key, or the one that a start cut short has left in the data folder."""
    chain = keychain() if settings.keychain else None
    if chain is None or not chain.there:
        return HOME, keyfile.read_or_make(home_file(settings)), None, _nothing
    raw = os.urandom(32)
    root = Root(raw)
    # Named by its check value: processes that start at once write beside, not over, each other.
    name = entry(noted.id, root.check(noted.id))
    chain.write(name, raw)
    return KEYCHAIN, root, None, lambda: chain.remove(name)


def _again(settings: Settings, noted: Installed, keychain: Callable[[], Keychain]) -> Kek | None:
    """From where the first start, or the one that took over last, has left it."""
    source = kind(noted.root_source)
    if source == HOME:
        return _in_file(home_file(settings), noted)
    if source == TRANSIT and noted.root_probe is not None and settings.transit_url is not None:
        return transit.Transit.open(transit.Server(transit.place(settings)), noted.root_probe, noted.id)
    if source != KEYCHAIN or noted.root_check is None or not settings.keychain:
        return None
    chain = keychain()
    raw = chain.read(entry(noted.id, noted.root_check)) if chain.there else None
    return Root(raw) if raw is not None and len(raw) == 32 else None


def _in_file(path: Path, noted: Installed) -> Root | None:
    """In that file or, where a take-over was cut short at its end, still beside it."""
    if noted.root_check is not None:
        try:
            return keyfile.read(keyfile.beside(path, noted.root_check))
        except FileNotFoundError:
            pass
    try:
        return keyfile.read(path)
    except FileNotFoundError:
        return None


def home_file(settings: Settings) -> Path:
    return settings.home / "root.key"


def entry(install_id: str, check: bytes) -> str:
    """Its name in the keychain."""
    return f"root/{install_id}/{check[:8].hex()}"


def _hint(noted: Installed) -> str:
    return _WHERE.get(kind(noted.root_source), "Give the root key with which it was set up.") + " Nothing was changed."


def _nothing() -> None:
    pass
