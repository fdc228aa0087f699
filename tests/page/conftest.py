"""A browser for each module of tests, and a server of its own for each test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from house import KEYS, Gateway, Simulator, gateway, library
from paged import BUILT, Visit, launch, point_at, visit


# Playwright's loop runs in this thread for as long as it is there, and tests of other modules bring loops of their own.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    assert BUILT.exists(), "the page is not built: `make page` builds it"
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(params=["desktop", "phone"])
def size(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def fresh(tmp_path: Path, simulator: Simulator) -> Iterator[Gateway]:
    """A server that nobody has used. OpenAI, Anthropic and Gemini are the simulator, and no key is there yet."""
    home = tmp_path / "home"
    point_at(home, simulator)
    with gateway(home, simulator, OWNKEY_RETRY_DELAY_S="0.01") as running:
        yield running


@pytest.fixture
def kept(tmp_path: Path, simulator: Simulator) -> Iterator[Gateway]:
    """The same with a key for each of the three."""
    home = tmp_path / "home"
    point_at(home, simulator)
    with library(home) as ownkey:
        for name, key in KEYS.items():
            ownkey.keys.set(name, key)
    with gateway(home, simulator, OWNKEY_RETRY_DELAY_S="0.01") as running:
        yield running


@pytest.fixture
def window(chromium: Browser, kept: Gateway, size: str) -> Iterator[Visit]:
    """Of a server with keys, on a desktop and on a phone; nobody has signed in."""
    with visit(chromium, kept, size) as found:
        yield found


@pytest.fixture
def first_window(chromium: Browser, fresh: Gateway, size: str) -> Iterator[Visit]:
    """Of a server that nobody has used, on a desktop and on a phone; nobody has signed in."""
    with visit(chromium, fresh, size) as found:
        yield found
