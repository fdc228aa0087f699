"""The page in a real browser: what tests of every view share.

A `Visit` is one person's window. It notes each request, each message of the console and each breach of the content
security policy, and fails at its end where the page asked another host for anything, or something went wrong unseen.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, Playwright, Request, expect

from house import KEYS, Gateway, Simulator, library
from ownkey.app.signing import SignIn

ROOT = Path(__file__).parents[1]
BUILT = ROOT / "src" / "ownkey" / "server" / "page" / "index.html"
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
QUIET = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
MOST_STOPS = 120
"""More than any view has for the keyboard."""
SIZES = {"desktop": DESKTOP, "phone": PHONE}

VIEWS = {
    "home": "/",
    "chat": "/chat",
    "automations": "/automations",
    "batches": "/batches",
    "providers": "/settings/byok",
    "providers-add": "/settings/byok/add",
    "provider": "/settings/byok/openai",
    "models": "/models",
    "budgets": "/budgets",
    "budgets-new": "/budgets/new",
    "routes": "/routes",
    "usage": "/usage?by=model",
    "usage-runs": "/usage/runs",
    "usage-run": "/usage/runs/run-1",
    "usage-savings": "/usage/savings",
    "activity": "/activity",
    "alerts": "/activity/alerts",
    "people": "/people",
    "people-new": "/people/new",
    "connect": "/connect",
    "connect-new": "/connect/new",
    "settings": "/settings",
    "settings-remembered": "/settings/remembered",
    "settings-account": "/settings/account",
    "settings-parcels": "/settings/parcels",
    "settings-about": "/settings/about",
    "welcome": "/welcome",
}
"""Of who has signed in, by what their pictures are called."""

LOOK_MS, QUIET_LOOKS = 40, 8

ROOT_ELEMENT = "document.documentElement"
WIDEST = f"""[...document.querySelectorAll('body *')]
    .filter((one) => one.getBoundingClientRect().right > {ROOT_ELEMENT}.clientWidth)
    .slice(0, 4).map((one) => one.outerHTML.slice(0, 160)).join(' … ')"""

# A step of a person's is a second; a busy machine is given many.
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)


def launch(playwright: Playwright) -> Browser:
    """The system's Chromium, else that which Playwright brought itself."""
    found = next((path for path in map(shutil.which, CHROMIUMS) if path), None)
    if found is None and not Path(playwright.chromium.executable_path).exists():
        pytest.skip("there is no Chromium here")
    return playwright.chromium.launch(executable_path=found, args=list(QUIET))


@dataclass
class Visit:
    """One window. `gateway` is the server that it looks at."""

    page: Page
    gateway: Gateway
    hosts: set[str] = field(default_factory=set)
    waited_for: set[Request] = field(default_factory=set)
    """What was asked and is not answered yet; the stream of events, which never ends, is none of it."""
    said: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()
    """Parts of what the console may say: Chromium says there that a request was refused."""
    others: tuple[str, ...] = ()
    """Further hosts with their ports that may be asked: of an application that shows components of ours."""

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.gateway.port}"

    @property
    def is_phone(self) -> bool:
        size = self.page.viewport_size
        return size is not None and size["width"] < 768

    def go(self, path: str) -> Page:
        """To a view, by its address."""
        self.page.goto(self.origin + path)
        return self.page

    def settle(self) -> None:
        """Until everything that the view has asked for is there, and drawn."""
        quiet = 0
        while quiet < QUIET_LOOKS:
            self.page.wait_for_timeout(LOOK_MS)
            # A page that stands still has nothing more to ask only as long as it does.
            self.page.evaluate("0")
            quiet = 0 if self.waited_for else quiet + 1
        expect(self.page.get_by_label("Loading")).to_have_count(0)

    def sign_in(self, user_id: str = "owner", then: str = "/") -> Page:
        """By a link, as the terminal prints one; and on to a view."""
        with library(self.gateway.home) as ownkey:
            link = SignIn(ownkey.house).link(user_id).reveal().decode()
        self.page.goto(f"{self.origin}/sign-in#link={link}")
        # The first request of a server's builds its API.
        self.page.wait_for_url(lambda url: "/sign-in" not in url, timeout=4 * PATIENCE_MS)
        return self.go(then) if urlsplit(self.page.url).path != then else self.page

    def tab_to(self, wanted: Locator) -> None:
        """By the keyboard alone: on from where the focus is, as often as it takes."""
        expect(wanted).to_be_visible()
        expect(wanted).to_be_enabled()
        for _ in range(MOST_STOPS):
            if wanted.evaluate("one => one === one.getRootNode().activeElement"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{wanted} is not reached by the keyboard")

    def violations(self, within: str = "body") -> list[str]:
        """What axe finds: WCAG 2.2 A and AA, and its best practices."""
        self.page.evaluate(AXE.read_text("utf-8"))
        run = "async (root) => (await axe.run(root, {resultTypes: ['violations']})).violations"
        found: list[dict[str, Any]] = self.page.evaluate(run, within)
        return [
            f"{one['id']}: {one['help']}\n"
            + "\n".join(f"    {node['html'][:200]}\n      {node['failureSummary']}" for node in one["nodes"][:4])
            for one in found
        ]

    def check_accessible(self, within: str = "body") -> None:
        assert not (found := self.violations(within)), "\n".join(found)

    def overflow(self) -> list[str]:
        """What makes the window scroll sideways, if anything does."""
        over: int = self.page.evaluate(f"{ROOT_ELEMENT}.scrollWidth - {ROOT_ELEMENT}.clientWidth")
        return [f"{over} pixels wider than the window: {self.page.evaluate(WIDEST)}"] if over > 0 else []

    def check_fits(self) -> None:
        """Nothing is wider than the window."""
        assert not (found := self.overflow()), f"{self.page.url}: {found}"

    def check_clean(self) -> None:
        assert self.hosts <= {f"127.0.0.1:{self.gateway.port}", *self.others}, f"asked of others: {self.hosts}"
        unexpected = [one for one in self.said if not any(part in one for part in self.expected)]
        assert not unexpected, unexpected


@contextmanager
def visit(
    browser: Browser, gateway: Gateway, size: str = "desktop", others: tuple[str, ...] = (), **more: Any
) -> Iterator[Visit]:
    """A window of its own, with no cookies; `more` as Playwright's `new_context` takes it (`color_scheme`)."""
    context = browser.new_context(
        viewport=SIZES[size], has_touch=size == "phone", locale="en-GB", reduced_motion="reduce", **more
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    found = Visit(page, gateway, others=others)

    def answered(request: Request) -> None:
        found.waited_for.discard(request)

    page.on("request", lambda one: _note_request(found, one))
    page.on("requestfinished", answered)
    page.on("requestfailed", answered)
    page.on("pageerror", lambda error: found.said.append(f"error: {error}"))
    page.on("console", lambda one: found.said.append(one.text) if one.type in ("error", "warning") else None)
    try:
        yield found
        found.check_clean()
    finally:
        shot = os.environ.get("OWNKEY_LAST_LOOK")
        if shot:
            page.screenshot(path=shot, full_page=True)
        context.close()


def point_at(home: Path, simulator: Simulator, fault: str = "") -> None:
    """The three providers at the simulator, each answering as that fault says."""
    with library(home) as ownkey:
        for name in KEYS:
            version = "v1beta" if name == "gemini" else "v1"
            path = ";".join(filter(None, (fault, f"name={name}")))
            ownkey.providers.set(name, endpoint=f"{simulator.url}/fault/{path}/{version}")


def _note_request(found: Visit, request: Request) -> None:
    parts = urlsplit(request.url)
    if not parts.path.endswith("/events"):
        found.waited_for.add(request)
    if parts.scheme in ("http", "https", "ws", "wss"):
        found.hosts.add(parts.netloc)
