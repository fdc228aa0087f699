from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trails import Install


@pytest.fixture
def install(url: str, tmp_path: Path) -> Iterator[Install]:
    """On a SQLite file and on a real PostgreSQL, with a file beside the database."""
    made = Install(url, tmp_path)
    yield made
    made.close()


@pytest.fixture
def records(install: Install) -> list[Any]:
    """Ten of them, written: oldest first."""
    for number in range(10):
        install.audit.record("key.added", f"openai/{number}", owner="owner", detail={"provider": "openai"})
    return list(install.audit.trail.every())
