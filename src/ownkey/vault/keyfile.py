"""A root key in a file that only its owner may read."""

from __future__ import annotations

import base64
import binascii
import os
import re
import secrets
import stat
from pathlib import Path

from ownkey.store.files import sync_folder
from ownkey.talk.errors import BadConfiguration
from ownkey.vault.envelope import Root

_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_LONGEST = 128


def read(path: Path) -> Root:
    """The root key in that file: 32 bytes as they are, in hex or in base64.

    Raises FileNotFoundError where there is none, and BadConfiguration where it is a link, another user's,
    open to others, or no such key.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | _NO_LINK | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise
    except OSError as wrong:
        why = "is a symbolic link" if path.is_symlink() else f"cannot be read ({type(wrong).__name__})"
        raise BadConfiguration(f"The root key file {path} {why}.", "Name the file itself.") from None
    try:
        _must_be_private(path, os.fstat(descriptor))
        raw = _decoded(os.read(descriptor, _LONGEST + 1))
    finally:
        os.close(descriptor)
    if raw is None:
        hint = "It holds 32 random bytes, as they are, in hex or in base64: openssl rand -hex 32"
        raise BadConfiguration(f"The root key file {path} holds no root key.", hint)
    return Root(raw)


def read_or_make(path: Path) -> Root:
    """The root key in that file, made where there is none; of many processes at once, all get the same."""
    _private_folder(path.parent)
    try:
        return read(path)
    except FileNotFoundError:
        _make(path, os.urandom(32))
    return read(path)


def keep(path: Path, raw: bytes) -> None:
    """These 32 bytes in that file. Raises BadConfiguration where it cannot be made, or holds others already."""
    _private_folder(path.parent)
    if not path.exists():
        _make(path, raw)
    if read(path).handover() != raw:
        raise BadConfiguration(f"There is another root key in {path} already.", "Name a file that is not there yet.")


def beside(path: Path, check: bytes) -> Path:
    """Where the root key with that check value waits until it takes over the place of the one in `path`."""
    return path.with_name(f"{path.name}.{check[:8].hex()}")


def replace(path: Path, fresh: Path) -> None:
    """`fresh` takes the place of `path`, whose root key is gone then, and so are drafts that a kill has left.

    Nothing where all that is so already.
    """
    if fresh.exists():
        fresh.replace(path)
    drafts = re.compile(re.escape(path.name) + r"(\.[0-9a-f]{16}){1,2}")
    for left in [one for one in path.parent.iterdir() if drafts.fullmatch(one.name)]:
        left.unlink(missing_ok=True)
    sync_folder(path.parent)


def remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def _make(path: Path, raw: bytes) -> None:
    # A link appears whole or not at all, and never over another file; so no reader meets half a key.
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(raw) + b"\n")
            file.flush()
            os.fsync(descriptor)
        os.link(draft, path)
    except FileExistsError:
        return
    except OSError as wrong:
        raise BadConfiguration(f"The root key file {path} cannot be made ({wrong.strerror}).") from None
    finally:
        draft.unlink()
    sync_folder(path.parent)


def _private_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as wrong:
        raise BadConfiguration(f"The data folder {folder} cannot be made ({type(wrong).__name__}).") from None
    state = folder.stat()
    if os.name == "posix" and (state.st_uid != os.geteuid() or state.st_mode & 0o022):
        raise BadConfiguration(f"Other users can write to the data folder {folder}.", f"Run: chmod 700 {folder}")


def _must_be_private(path: Path, state: os.stat_result) -> None:
    if not stat.S_ISREG(state.st_mode):
        raise BadConfiguration(f"The root key file {path} is not a plain file.")
    if os.name != "posix":
        return
    if state.st_uid != os.geteuid():
        raise BadConfiguration(f"The root key file {path} belongs to another user.", "Own the file that is used.")
    if stat.S_IMODE(state.st_mode) & 0o077:
        raise BadConfiguration(f"The root key file {path} is open to other users.", f"Run: chmod 600 {path}")


def _decoded(content: bytes) -> bytes | None:
    text = content.strip()
    if re.fullmatch(rb"[0-9a-fA-F]{64}", text):
        raw = binascii.unhexlify(text)
    elif re.fullmatch(rb"[-_+/A-Za-z0-9]{43}=?", text):
        raw = base64.b64decode(text.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/")) + b"=")
    else:
        raw = content
    # 32 characters of hex are half a key; few different bytes are no random one.
    halved = re.fullmatch(rb"[0-9a-fA-F]+", raw)
    return raw if len(raw) == 32 and len(set(raw)) >= 12 and not halved else None
