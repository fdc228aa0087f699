"""Where the root key comes from, and that it is the one that the stored keys were sealed with.

In order: the file that OWNKEY_MASTER_KEY_FILE names; password and salt; the operating system's keychain; the file
`root.key` in the data folder. The first start writes source and check value into the store; from then on a root key
that is missing or another leaves the vault sealed: nothing is overwritten, and no new one is made over old data.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable

from ownkey.settings import Settings
from ownkey.store.install import Install, Installed
from ownkey.talk.errors import BadConfiguration, VaultSealed
from ownkey.vault import keyfile, password
from ownkey.vault.envelope import Root
from ownkey.vault.keychain import Keychain

FILE, KEYCHAIN, HOME = "file", "keychain", "home"

_WHERE = {
    FILE: "Set OWNKEY_MASTER_KEY_FILE to the file with which it was set up.",
    KEYCHAIN: "It is kept in this system's keychain: unlock or restore that, and leave OWNKEY_KEYCHAIN on.",
    HOME: "Put the file root.key back into the data folder, from a backup.",
    "password": "Set BYOK_ENCRYPTION_PASSWORD and BYOK_ENCRYPTION_SALT to what they were when it was set up.",
}


def find(settings: Settings, install: Install, keychain: Callable[[], Keychain] = Keychain) -> Root:
    """The root key of this install, made and noted where there is none yet.

    Raises BadConfiguration where what is configured cannot be used, and VaultSealed where it is not the right one.
    Up to 5 s where the keychain hangs; some 0.1 s for a password.
    """
    noted = install.get()
    given = _given(settings, noted)
    if noted.root_check is None:
        source, root, undo = given or _first(settings, noted, keychain)
        install.set_root(source, root.check(noted.id))  # only the first is noted
        noted = install.get()
        if _fits(root, noted):
            return root
        undo()  # another process was first, with another root key
    root = given[1] if given else _again(settings, noted, keychain)
    if root is None:
        raise VaultSealed("The root key is missing.", _hint(noted))
    if not _fits(root, noted):
        raise VaultSealed("This is not the root key that the stored keys were sealed with.", _hint(noted))
    return root


_Made = tuple[str, Root, Callable[[], None]]


def _given(settings: Settings, noted: Installed) -> _Made | None:
    """From the environment, where it names a root key."""
    if settings.master_key_file is not None:
        try:
            return FILE, keyfile.read(settings.master_key_file), _nothing
        except FileNotFoundError:
            raise BadConfiguration(f"The root key file {settings.master_key_file} is not there.") from None
    if settings.encryption_password is None and settings.encryption_salt is None:
        return None
    source = noted.root_source or ""
    cost = password.Cost.recorded(source) if source.startswith("password") else password.Cost()
    return str(cost), password.derive(settings.encryption_password, settings.encryption_salt, cost), _nothing


def _first(settings: Settings, noted: Installed, keychain: Callable[[], Keychain]) -> _Made:
    """A new root key, or the one that a start cut short has left in the data folder."""
    chain = keychain() if settings.keychain else None
    if chain is None or not chain.there:
        return HOME, keyfile.read_or_make(settings.home / "root.key"), _nothing
    raw = os.urandom(32)
    root = Root(raw)
    # Named by its check value: processes that start at once write beside, not over, each other.
    name = _entry(noted.id, root.check(noted.id))
    chain.write(name, raw)
    return KEYCHAIN, root, lambda: chain.remove(name)


def _again(settings: Settings, noted: Installed, keychain: Callable[[], Keychain]) -> Root | None:
    """From where the first start has left it."""
    if noted.root_source == HOME:
        try:
            return keyfile.read(settings.home / "root.key")
        except FileNotFoundError:
            return None
    if noted.root_source != KEYCHAIN or noted.root_check is None or not settings.keychain:
        return None
    chain = keychain()
    raw = chain.read(_entry(noted.id, noted.root_check)) if chain.there else None
    return Root(raw) if raw is not None and len(raw) == 32 else None


def _fits(root: Root, noted: Installed) -> bool:
    return hmac.compare_digest(root.check(noted.id), noted.root_check or b"")


def _entry(install_id: str, check: bytes) -> str:
    return f"root/{install_id}/{check[:8].hex()}"


def _hint(noted: Installed) -> str:
    kind = (noted.root_source or "").partition(" ")[0]
    return _WHERE.get(kind, "Give the root key with which it was set up.") + " Nothing was changed."


def _nothing() -> None:
    pass
