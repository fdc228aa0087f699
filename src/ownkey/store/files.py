"""Files that are there whole or not at all, also after a loss of power."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path


def put(path: Path, pieces: Iterable[bytes]) -> None:
    """In place of what is there; on disk when this returns. For its owner's eyes. Raises OSError."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(descriptor)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    sync_folder(path.parent)


def remove(path: Path) -> None:
    """Raises OSError, FileNotFoundError among them."""
    path.unlink()
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """What was made, renamed or removed in it is on disk when this returns. Raises OSError."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
