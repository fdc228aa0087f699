"""A file that is there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from secrets import token_hex

from ownkey.store.schema import sync_folder


def written_whole(path: Path, pieces: Iterable[bytes]) -> None:
    """For its owner only, and on disk when this returns. Raises OSError."""
    fresh = path.with_name(f".{path.name}.{token_hex(4)}.new")
    try:
        with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        sync_folder(path.parent)
    finally:
        fresh.unlink(missing_ok=True)
