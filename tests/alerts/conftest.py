"""A home, a store, and a receiver of webhooks on a real port."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from alerting import HOOK
from answering import Provider, answering, json_answer
from house import make_home
from ownkey.store.db import Store


@pytest.fixture
def receiver() -> Iterator[Provider]:
    """It takes all."""
    with answering({HOOK: json_answer(b"{}")}) as receiver:
        yield receiver


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    make_home(home)
    return home


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = Store.open(url)
    yield store
    store.close()
