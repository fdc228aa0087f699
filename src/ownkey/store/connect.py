"""How the database is reached: one engine, two kinds of transaction, and one error for whatever goes wrong there."""

from __future__ import annotations

import os
import sqlite3
import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError

from ownkey.talk.errors import BadConfiguration, StorageUnavailable
from ownkey.talk.secret import clean

BUSY_S = 10
"""How long a write waits for another process's before it gives up."""

_HINT = "Use sqlite:///path/to/ownkey.db or postgresql+psycopg://user@host/database."


class Begun:
    """What the next transaction of this context begins with; `done` once it is committed."""

    def __init__(self, database: Database, write: Callable[[Connection], None]) -> None:
        self.database = database
        self.write = write
        self.done = False


_begun: ContextVar[Begun | None] = ContextVar("begun", default=None)
_shared: ContextVar[tuple[Database, Connection] | None] = ContextVar("shared", default=None)


class Database:
    """A SQLite file or a PostgreSQL database. Safe to use from many threads."""

    def __init__(self, url: str | URL) -> None:
        self.url = _read(url)
        self.file = Path(self.url.database or "") if self.url.drivername == "sqlite" else None
        self.engine = _engine(self.url)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=partial(_after_fork, weakref.ref(self.engine)))

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """Statements that only read. Raises StorageUnavailable."""
        shared = _shared.get()
        if shared is not None and shared[0] is self:
            with _as_unavailable():
                yield shared[1]
            return
        with _as_unavailable(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def sharing(self) -> Generator[None]:
        """In here whatever this thread reads, it reads over one connection. Raises StorageUnavailable."""
        with self.reading() as connection:
            before = _shared.set((self, connection))
            try:
                yield
            finally:
                _shared.reset(before)

    @contextmanager
    def writing(self) -> Generator[Connection]:
        """One transaction, whole or not at all. Raises StorageUnavailable."""
        begun = _begun.get()
        if begun is not None and (begun.done or begun.database is not self):
            begun = None
        with _as_unavailable(), self.engine.begin() as connection:
            if self.file is not None:
                # A transaction that reads first and writes later cannot wait for another writer.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            if begun is not None:
                begun.write(connection)
            yield connection
        if begun is not None:
            begun.done = True

    @contextmanager
    def begun_with(self, write: Callable[[Connection], None]) -> Generator[Begun]:
        """In here the next transaction begins with what `write` writes: both are committed, or neither is."""
        begun = Begun(self, write)
        before = _begun.set(begun)
        try:
            yield begun
        finally:
            _begun.reset(before)

    def close(self) -> None:
        self.engine.dispose()


def prepare_sqlite(connection: sqlite3.Connection) -> None:
    """What every connection to a SQLite file must say for itself; the write-ahead log is a mark in the file."""
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY_S * 1000}")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    # Before 3.51.3 a commit beside a checkpoint can damage the file, so only the book's writer makes them.
    connection.execute("PRAGMA wal_autocheckpoint = 0")


def sqlite_connection(file: Path) -> sqlite3.Connection:
    """A driver's connection for one thread at a time; never makes the file."""
    uri = f"{file.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(uri, uri=True, check_same_thread=False, cached_statements=256, timeout=BUSY_S)
    try:
        prepare_sqlite(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def unavailable(error: BaseException) -> StorageUnavailable:
    """The error that a driver's own is told as. Drivers quote no values in theirs."""
    said = clean(str(error).partition("\n")[0], limit=200)
    return StorageUnavailable(
        f"The database does not answer: {said or type(error).__name__}.",
        "Nothing was written. Check that it runs, has room, and is not locked by another program.",
    )


def _after_fork(engine: weakref.ref[Engine]) -> None:
    """Connections belong to the process that opened them: a child forgets its parent's and opens its own."""
    if (mine := engine()) is not None:
        mine.dispose(close=False)


@contextmanager
def _as_unavailable() -> Generator[None]:
    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError as error:
        raise unavailable(error.orig or error) from None


def _read(url: str | URL) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise BadConfiguration("The database's URL cannot be read.", _HINT) from None
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in ("sqlite", "postgresql+psycopg"):
        raise BadConfiguration(f"Ownkey does not keep its data in {parsed.drivername!r}.", _HINT)
    if parsed.drivername == "sqlite" and (parsed.query or parsed.database in (None, "", ":memory:")):
        raise BadConfiguration("Ownkey keeps its data in a file: the URL of the database names none.", _HINT)
    return parsed


def _engine(url: URL) -> Engine:
    if url.drivername == "sqlite":
        file = Path(url.database or "")
        return create_engine(url, creator=lambda: sqlite_connection(file), hide_parameters=True)
    return create_engine(url, connect_args=postgres_settings(url), hide_parameters=True, pool_pre_ping=True)


def postgres_settings(url: URL) -> dict[str, str]:
    """What is asked of every connection to PostgreSQL beside the URL: a limit to each wait."""
    own = url.query.get("options", "")
    given = own if isinstance(own, str) else " ".join(own)
    return {"connect_timeout": str(BUSY_S), "options": f"{given} -c lock_timeout={BUSY_S}s".strip()}
