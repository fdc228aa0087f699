from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ownkey.settings import Settings, load
from ownkey.store.db import Store
from ownkey.talk.origin import Origin


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def settings(home: Path) -> Settings:
    return load({}, home=home, keychain=False)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    store = Store.open(settings.database_url)
    yield store
    store.close()


@pytest.fixture
def openai() -> Origin:
    return Origin("https", "api.openai.com", 443)
