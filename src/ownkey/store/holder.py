"""Who holds: one id for a process's book, and a lock that ends with the process, by which others see that it lives."""

from __future__ import annotations

import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, text

from ownkey.store.connect import Database, unavailable
from ownkey.store.lock import drop, take

PARKED = "0" * 16
"""Holds what outlives every process: it has no lock."""
PARKED_MS = 31 * 86_400_000
"""Longer than any provider keeps the results of a batch."""


class Holder:
    """On SQLite the lock is a file here; on PostgreSQL the session of the pen has it."""

    def __init__(self, database: Database, *, parked: bool = False) -> None:
        self.id = PARKED if parked else secrets.token_hex(8)
        self._folder = folder(database)
        self._fd: int | None = None

    def lock(self) -> None:
        """Must have happened before the first hold of this id is written. Raises StorageUnavailable."""
        if self._folder is not None and self._fd is None and self.id != PARKED:
            try:
                self._fd = take(self._folder / f"{self.id}.lock")
            except OSError as error:
                raise unavailable(error) from None

    def release(self) -> None:
        if self._folder is not None and self._fd is not None:
            drop(self._folder / f"{self.id}.lock", self._fd)
            self._fd = None

    def forget(self) -> None:
        """In a forked child: the lock is the parent's, and must not outlive it."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def folder(database: Database) -> Path | None:
    return None if database.file is None else database.file.parent / "run"


def left_locks(database: Database) -> set[str]:
    """Holders that have a lock file, alive or not."""
    here = folder(database)
    return set() if here is None else {path.stem for path in here.glob("*.lock") if len(path.stem) == 16}


@contextmanager
def dead(database: Database, connection: Connection, holder: str) -> Generator[bool]:
    """Whether that holder's process has ended. While it is so, nobody else finds the same.

    So it is always of what is parked, which whoever asks may end only where it is too old.
    """
    if holder == PARKED:
        yield True
        return
    here = folder(database)
    if here is None:
        key = lock_number(holder)
        yield bool(connection.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": key}).scalar())
        return
    path = here / f"{holder}.lock"
    fd = take(path)
    try:
        yield fd is not None
    finally:
        if fd is not None:
            drop(path, fd)


def lock_number(holder: str) -> int:
    """The advisory lock of a holder: its 16 hexadecimal digits as PostgreSQL's signed bigint."""
    return int.from_bytes(bytes.fromhex(holder), signed=True)
