"""A person at the view Chat: what tests of it share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Locator, Page, expect

from house import KEYS, Gateway, Simulator, gateway, library
from paged import Visit

QUICK = {"OWNKEY_RETRY_DELAY_S": "0.01", "OWNKEY_RETRY_LONGEST_WAIT_S": "1"}


@contextmanager
def simulated(home: Path, simulator: Simulator, faults: dict[str, str], **settings: str) -> Iterator[Gateway]:
    """A server whose three providers answer as their faults say; those without one are well."""
    with library(home) as ownkey:
        for name, key in KEYS.items():
            version = "v1beta" if name == "gemini" else "v1"
            path = ";".join(filter(None, (faults.get(name, ""), f"name={name}")))
            ownkey.providers.set(name, endpoint=f"{simulator.url}/fault/{path}/{version}")
            ownkey.keys.set(name, key)
    with gateway(home, simulator, **(QUICK | settings)) as running:
        yield running


def open_chat(window: Visit, model: str) -> Page:
    """Signed in, at the view, with that model."""
    page = window.sign_in(then="/chat")
    page.goto(f"{window.origin}/chat?model={quote(model, safe='/,')}")
    expect(page.get_by_role("combobox", name="Model", exact=True)).to_have_value(model)
    return page


def message(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Message", exact=True)


def price(page: Page) -> Locator:
    return page.get_by_role("status", name="Price before sending")


def ask(page: Page, text: str) -> None:
    message(page).fill(text)
    page.get_by_role("button", name="Send", exact=True).click()


def answers(page: Page) -> Locator:
    return page.get_by_role("article")


def receipt(within: Page | Locator) -> Locator:
    return within.get_by_role("group", name="Cost of this answer")
