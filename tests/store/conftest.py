"""Every test of the store runs on a SQLite file and on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ownkey.store.db import Store


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A SQLite database that is not there yet."""
    return tmp_path / "home" / "ownkey.db"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = Store.open(url)
    yield store
    store.close()
