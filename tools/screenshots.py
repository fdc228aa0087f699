"""Pictures of every view into `.screenshots/`: light and dark, on a desktop and on a phone, after a month of
use, before any, and with a lot. `screenshots.py [WORD…]` makes those in whose names all the words stand."""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from itertools import product
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from playwright.sync_api import Browser, sync_playwright  # noqa: E402
from rich.progress import track  # noqa: E402

from house import KEYS, Gateway, Simulator, gateway, library  # noqa: E402
from month import crowd, live  # noqa: E402
from paged import SIZES, VIEWS, launch, point_at, visit  # noqa: E402

SETTLED_MS = 200
"""What moves has come to rest by then."""

MOST_HIGH = 4_000

OUT = ROOT / ".screenshots"
SIGN_IN = "sign-in"
"""The last of them: who looks at it is signed out."""


def main() -> None:
    words = sys.argv[1:]
    OUT.mkdir(exist_ok=True)
    with ExitStack() as stack:
        simulator = Simulator()
        stack.callback(simulator.close)
        browser = launch(stack.enter_context(sync_playwright()))
        stack.callback(browser.close)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for state in ("month", "empty", "crowd"):
            names = product(SIZES, ("light", "dark"))
            wanted = {pair: _wanted(words, state, *pair) for pair in names}
            if any(wanted.values()):
                home = folder / state
                _prepare(home, simulator, state)
                running = stack.enter_context(gateway(home, simulator))
                for (size, scheme), views in wanted.items():
                    _look(browser, running, state, size, scheme, views)
    print(f"They are in {OUT.relative_to(ROOT)}/.")


def _wanted(words: list[str], state: str, size: str, scheme: str) -> list[str]:
    names = (*VIEWS, SIGN_IN)
    return [name for name in names if all(word in f"{name}-{state}-{size}-{scheme}" for word in words)]


def _prepare(home: Path, simulator: Simulator, state: str) -> None:
    point_at(home, simulator)
    if state != "empty":
        with library(home) as ownkey:
            for name, key in KEYS.items():
                ownkey.keys.set(name, key)
            live(ownkey)
    if state == "crowd":
        crowd(home, simulator)


def _look(browser: Browser, running: Gateway, state: str, size: str, scheme: str, views: list[str]) -> None:
    with visit(browser, running, size, color_scheme=scheme) as seen:
        if views:
            seen.sign_in()
        for name in track(views, f"{state}, {size}, {scheme}"):
            if name == SIGN_IN:
                seen.page.context.clear_cookies()
            page = seen.go(VIEWS.get(name, "/sign-in"))
            page.get_by_role("heading", level=1).first.wait_for()
            seen.settle()
            page.wait_for_timeout(SETTLED_MS)
            if page.get_by_role("dialog").count() == 0:
                # What stays at the window's edge is drawn there once, and not across the middle.
                high = int(page.evaluate("document.documentElement.scrollHeight"))
                page.set_viewport_size({**SIZES[size], "height": min(MOST_HIGH, max(high, SIZES[size]["height"]))})
            page.screenshot(path=OUT / f"{name}-{state}-{size}-{scheme}.png")
            page.set_viewport_size({**SIZES[size]})
        seen.said.clear()


main()
