"""Two installations, each with a home and a root key of its own, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from house import Simulator, library
from moving import exported, fill, plain
from ownkey import Ownkey
from postgres import Postgres


@pytest.fixture(scope="session")
def first(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ownkey]:
    """With something of everything in it; no test changes it."""
    with library(tmp_path_factory.mktemp("first") / "home") as ownkey:
        fill(ownkey, simulator)
        yield ownkey


@pytest.fixture(scope="session")
def data(first: Ownkey) -> bytes:
    """All of it, exported."""
    return exported(first)


@pytest.fixture(scope="session")
def text(data: bytes) -> bytes:
    """What stands in it."""
    return plain(data)


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Ownkey]:
    """An empty one, on SQLite."""
    with library(tmp_path / "fresh") as ownkey:
        ownkey.house.vault.unlock()
        yield ownkey


@pytest.fixture(params=["sqlite", "postgresql"])
def new(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], Ownkey]]:
    """An installation of that name, empty when it is first asked for."""
    with ExitStack() as stack:

        def made(name: str) -> Ownkey:
            settings: dict[str, str] = {}
            if request.param == "postgresql":
                server: Postgres = request.getfixturevalue("postgres_server")
                settings["database_url"] = server.fresh()
            return stack.enter_context(library(tmp_path / name, **settings))

        yield made


@pytest.fixture
def there(new: Callable[[str], Ownkey]) -> Ownkey:
    return new("there")


@pytest.fixture
def old(new: Callable[[str], Ownkey], simulator: Simulator) -> Ownkey:
    ownkey = new("old")
    fill(ownkey, simulator)
    return ownkey
