"""One llama.cpp for all tests of a run, and a house beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from llama import Llama, add_providers, llama


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Llama]:
    with llama(tmp_path_factory.mktemp("llama")) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path, server: Llama) -> Path:
    """A data folder with the server in it."""
    add_providers(tmp_path, server)
    return tmp_path
