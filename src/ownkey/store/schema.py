"""A database is made, brought up to date, or refused, before anything is asked of it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL, Connection, inspect, text

from ownkey.store.connect import Database, sqlite_connection, unavailable
from ownkey.store.files import sync_folder
from ownkey.store.lock import alone
from ownkey.talk.errors import BadConfiguration, StorageUnavailable

REVISIONS = tuple(f"{number:04}" for number in range(1, 21))
"""Every revision of the schema, oldest first: a database of any of them can be brought to the last."""

VERSION_TABLE = "ownkey_version"
_OLDEST_SQLITE = (3, 37, 0)  # the first with STRICT tables
# One number of our own, for the lock that only one process migrates under.
_MIGRATING = 7_205_759_403_792_794


def make_ready(database: Database) -> None:
    """Leaves a database of the newest schema.

    Raises BadConfiguration where its schema is newer than this program, and StorageUnavailable where it is damaged or
    not Ownkey's; what is refused is not written to.
    """
    if database.file is not None:
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise BadConfiguration(f"SQLite {sqlite3.sqlite_version} is too old for Ownkey.", "It needs 3.37 or later.")
        _ready_file(database.file)
    with database.reading() as connection:
        current = _is_current(connection)
    if not current:
        with database.writing() as connection:
            if database.file is None:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATING})
            if not _is_current(connection):
                _migrate(connection)


def _is_current(connection: Connection) -> bool:
    found = set(inspect(connection).get_table_names())
    if VERSION_TABLE not in found:
        if found:
            raise StorageUnavailable(
                "The database holds tables that are not Ownkey's.", "Give Ownkey a database of its own."
            )
        return False
    recorded = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608
    if recorded is not None and recorded not in REVISIONS:
        raise BadConfiguration(
            f"The database is of a newer schema ({recorded}) than this Ownkey knows ({REVISIONS[-1]}).",
            "Update Ownkey, or point it at another database.",
        )
    return recorded == REVISIONS[-1]


def _migrate(connection: Connection) -> None:
    # Alembic takes longer to import than everything else here, and is needed once a release.
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    command.upgrade(config, "head")


def _ready_file(file: Path) -> None:
    """Makes the file where there is none: beside its place and then put there whole, so that no half one is ever met.

    Raises StorageUnavailable where what is there cannot be a database.
    """
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        (file.parent / "run").mkdir(mode=0o700, exist_ok=True)
        if not file.exists():
            with alone(file.parent / "run" / "making.lock"):
                if not file.exists():
                    _make(file)
        if file.stat().st_size == 0:
            raise StorageUnavailable(
                f"The database {file.name} is empty: something has cut it.", "Restore it, or move it away."
            )
    except (OSError, sqlite3.Error) as error:
        raise unavailable(error) from None


def _make(file: Path) -> None:
    log = file.with_name(f"{file.name}-wal")
    if log.exists():
        raise StorageUnavailable(
            f"The database {file.name} is gone, but its log {log.name} is there.", "Restore it, or move the log away."
        )
    fresh = file.with_name(f"{file.name}.new")
    for left in (fresh, fresh.with_name(f"{fresh.name}-wal"), fresh.with_name(f"{fresh.name}-shm")):
        left.unlink(missing_ok=True)
    os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    database = Database(URL.create("sqlite", database=str(fresh)))
    with database.writing() as connection:
        _migrate(connection)
    database.close()
    with closing(sqlite_connection(fresh)) as connection:
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise StorageUnavailable(
            "SQLite cannot keep a write-ahead log in this folder.", "Use a folder on a local disk."
        )
    fresh.rename(file)
    sync_folder(file.parent)
