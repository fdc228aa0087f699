"""People on the page: invited, let in by their link, changed, suspended, given a shared key, removed; and what each
role sees."""

from __future__ import annotations

import time
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect

from browsing import PASSWORD, with_password
from house import KEYS, Gateway, Simulator, gateway, library, make_home
from ownkey.app.onboarding import Onboarding, agreement
from ownkey.app.signing import FRESH_MS
from paged import Visit, visit

LONG = "Maximiliane Konstantinopolitanische-Wolkenstein von und zu der Langen Namensgasse"[:80]


ACME = """
id = "acme"
name = "Acme AI"
kind = "local"
wire = "openai-chat"
base_url = "{url}"
keys = {{ env = ["ACME_API_KEY"] }}
default = "gpt-4o"
[[models]]
id = "gpt-4o"
context = 128_000
max_output = 16_384
does = ["chat", "stream"]
price = {{ input = "2.50", output = "10.00" }}
"""


def row(page: Page, name: str) -> Locator:
    return page.get_by_role("table").get_by_role("row").filter(has_text=name)


def role(page: Page) -> Locator:
    return page.get_by_role("dialog").get_by_label("Role")


def is_through(gateway: Gateway, user: str) -> None:
    """They have taken the first steps."""
    with library(gateway.home) as ownkey:
        steps = Onboarding(ownkey.house, user)
        steps.accept(agreement().version)
        steps.change(done=True)


def test_somebody_is_invited_comes_in_sees_what_a_member_sees_and_is_removed(window: Visit, chromium: Browser) -> None:
    page = window.sign_in(then="/people")
    expect(page.get_by_role("table").get_by_role("row")).to_have_count(2)
    page.get_by_role("link", name="Invite someone").click()
    sheet = page.get_by_role("dialog", name="Invite someone")
    expect(sheet.get_by_label("Name")).to_be_focused()
    sheet.get_by_label("Name").fill(LONG)
    sheet.get_by_label("E-mail").fill("max@example.com")
    expect(sheet.get_by_text("Uses models with keys and limits of their own.")).to_be_visible()
    window.check_accessible()
    window.check_fits()
    sheet.get_by_role("button", name="Make an invitation").click()
    link = sheet.get_by_label("Invitation")
    expect(link).to_be_focused()
    address = link.input_value()
    assert address.startswith(f"{window.origin}/sign-in#invitation=")
    window.check_accessible()
    window.check_fits()
    sheet.get_by_role("button", name="Close").click()
    expect(row(page, LONG)).to_be_visible()
    window.check_accessible()
    window.check_fits()

    with visit(chromium, window.gateway) as theirs:
        theirs.page.goto(address)
        theirs.page.get_by_label("New password").fill(PASSWORD)
        theirs.page.get_by_role("button", name="Set the password and sign in").click()
        expect(theirs.page.get_by_role("heading", name="Welcome to Ownkey")).to_be_visible()
        with library(window.gateway.home) as ownkey:
            id = next(user.id for user in ownkey.people.listed() if user.name == LONG)
        is_through(window.gateway, id)
        theirs.go("/")
        views = theirs.page.get_by_role("navigation", name="Views")
        expect(views.get_by_role("link", name="Usage")).to_be_visible()
        expect(views.get_by_role("link", name="People")).to_have_count(0)
        theirs.go("/people")
        expect(theirs.page.get_by_role("heading", name="This is for who keeps this Ownkey")).to_be_visible()
        theirs.check_accessible()

    row(page, LONG).get_by_role("link").click()
    sheet = page.get_by_role("dialog", name=LONG)
    sheet.get_by_role("button", name="Suspend").click()
    expect(sheet.get_by_text("suspended", exact=True)).to_be_visible()
    window.check_accessible()
    window.check_fits()
    sheet.get_by_role("button", name="Let in again").click()
    expect(sheet.get_by_text("active", exact=True)).to_be_visible()
    sheet.get_by_role("button", name=f"Remove {LONG}").click()
    question = page.get_by_role("dialog", name=f"Remove {LONG}?")
    expect(question).to_contain_text("This cannot be undone")
    window.check_accessible()
    window.check_fits()
    question.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(row(page, LONG)).to_have_count(0)
    assert page.url.endswith("/people")


def test_by_keyboard_alone_a_role_is_changed_after_the_password_was_given_again(
    chromium: Browser, kept: Gateway
) -> None:
    keeper, _ = with_password(kept, "Kay", "owner")
    with_password(kept, "Ann")
    is_through(kept, keeper)
    with visit(chromium, kept) as window:
        window.expected = ("403", "401")
        page = window.go("/sign-in")
        page.get_by_label("E-mail").fill("kay@example.com")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        expect(page.get_by_role("heading", name="Home", level=1)).to_be_visible()
        with library(kept.home) as ownkey:
            now_ms = time.time_ns() // 1_000_000
            for session in ownkey.house.store.sessions.of(keeper, now_ms):
                ownkey.house.store.sessions.proved(session.id, now_ms - FRESH_MS - 1)
        page = window.go("/people")
        window.tab_to(page.get_by_role("link", name="Ann"))
        page.keyboard.press("Enter")
        window.tab_to(role(page))
        page.keyboard.type("V")
        proof = page.get_by_role("dialog", name="Show that it is you")
        expect(proof.get_by_role("textbox", name="Password")).to_be_focused()
        window.check_accessible()
        page.keyboard.type("not the password")
        page.keyboard.press("Enter")
        expect(proof.get_by_role("alert")).to_be_visible()
        proof.get_by_role("textbox", name="Password").focus()
        page.keyboard.press("Control+a")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        expect(proof).to_have_count(0)
        expect(role(page)).to_have_value("viewer")
        expect(role(page)).to_be_focused()
        page.keyboard.press("Escape")
        expect(row(page, "Ann")).to_contain_text("Viewer")


def test_a_shared_key_is_allowed_seen_to_be_used_and_taken_back(
    chromium: Browser, tmp_path: Path, simulator: Simulator
) -> None:
    home = tmp_path / "home"
    make_home(home)
    (home / "providers").mkdir()
    (home / "providers" / "acme.toml").write_text(ACME.format(url=f"{simulator.url}/fault/name=granted-acme/v1"))
    with gateway(home, simulator, ACME_API_KEY=KEYS["openai"]) as running, visit(chromium, running) as window:
        user, theirs = with_password(running, "Ann")
        running.token = theirs.post("/api/byok/tokens", {"name": "hers"}).json["token"]
        window.sign_in()
        page = window.go(f"/people/{user}")
        sheet = page.get_by_role("dialog", name="Ann")
        sheet.get_by_label("Provider").fill("acme")
        sheet.get_by_label("At most").fill("2")
        sheet.get_by_role("button", name="Allow").click()
        meter = sheet.get_by_role("meter")
        expect(meter).to_have_accessible_name("$2.00 left for acme")
        window.check_accessible()
        assert running.ask("acme/gpt-4o").status == 200
        (asked,) = (one for one in simulator.seen("granted-acme") if one.method == "POST")
        assert dict(asked.headers)[b"authorization"] == f"Bearer {KEYS['openai']}".encode()
        sheet.get_by_role("button", name="Take back acme").click()
        expect(meter).to_have_count(0)


def test_a_viewer_is_told_what_is_not_for_them_and_meets_no_error(chromium: Browser, kept: Gateway) -> None:
    viewer, _ = with_password(kept, "Vic", "viewer")
    is_through(kept, viewer)
    assert kept.ask("openai/gpt-4o").status == 200
    with visit(chromium, kept) as window:
        window.sign_in(viewer)
        for path in ("/", "/usage", "/usage/runs", "/usage/savings", "/activity", "/activity/alerts", "/connect"):
            page = window.go(path)
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            expect(page.get_by_label("Loading")).to_have_count(0)
            expect(page.get_by_role("alert")).to_have_count(0)
        window.go("/usage")
        expect(page.get_by_role("region", name="In figures")).to_contain_text("openai")
        page = window.go("/settings")
        expect(page.get_by_text("A viewer changes nothing.")).to_be_visible()
        expect(page.get_by_role("switch").first).to_be_disabled()
        window.check_accessible()
        page.get_by_role("tab", name="History and cache").click()
        expect(page.get_by_role("heading", name="Nothing is kept for a viewer")).to_be_visible()
        expect(page.get_by_role("tab", name="Export and import")).to_have_count(0)
        page = window.go("/settings/parcels")
        expect(page.get_by_role("heading", name="This is for who keeps this Ownkey")).to_be_visible()
        for path in ("/settings/account", "/settings/about"):
            page = window.go(path)
            expect(page.get_by_label("Loading")).to_have_count(0)
            expect(page.get_by_role("alert")).to_have_count(0)
