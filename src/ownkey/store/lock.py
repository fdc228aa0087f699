"""Locks between processes that die with their holder: a locked file, for databases that are a file."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from ownkey.store.connect import BUSY_S, unavailable

if sys.platform == "win32":
    import msvcrt

    def _try(fd: int) -> bool:
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _try(fd: int) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def take(path: Path) -> int | None:
    """Lock that file, made where it is missing. A descriptor to keep open, or None where another has it."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if not _try(fd):
            os.close(fd)
            return None
        # Whoever had it before may have removed the file between our opening it and our locking it.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(fd), path.stat()):
                return fd
        os.close(fd)


def drop(path: Path, fd: int) -> None:
    """Remove the file and let go of it."""
    path.unlink(missing_ok=True)
    os.close(fd)


@contextmanager
def alone(path: Path) -> Generator[None]:
    """One process at a time. Raises StorageUnavailable where another is inside for too long."""
    deadline = time.monotonic() + BUSY_S
    while (fd := take(path)) is None:
        if time.monotonic() > deadline:
            raise unavailable(TimeoutError(f"another process has held {path.name} for {BUSY_S} s"))
        time.sleep(0.01)
    try:
        yield
    finally:
        os.close(fd)
