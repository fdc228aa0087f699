"""Every way in: each takes people where they wanted to go, says what is wrong, and keeps nothing in the address."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect

from authenticator import Authenticator, encoded
from browsing import PASSWORD, signed_in, with_password
from chatting import message
from house import Gateway, Simulator, gateway, library
from oidc_server import CLIENT, SECRET, Running
from ownkey.app.onboarding import Onboarding, agreement
from ownkey.app.signing import SignIn
from paged import Visit, visit

SESSION = "/api/byok/sessions/current"
REFUSED = ("401", "404", "422", "429")
"""Chromium says in its console that a request was refused; that is what these tests are about."""


def through(home_of: Gateway, user: str) -> None:
    """They have taken the first steps."""
    with library(home_of.home) as ownkey:
        steps = Onboarding(ownkey.house, user)
        steps.accept(agreement().version)
        steps.change(done=True)


def by_password(page: Page, email: str, password: str) -> None:
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


@pytest.mark.row("A8")
def test_a_link_is_good_once_and_leads_to_the_first_steps_until_they_are_done(window: Visit) -> None:
    window.expected = REFUSED
    with library(window.gateway.home) as ownkey:
        links = [SignIn(ownkey.house).link().reveal().decode() for _ in range(2)]
    page = window.go(f"/sign-in#link={links[0]}")
    expect(page.get_by_role("heading", name="Welcome to Ownkey")).to_be_visible()
    assert links[0] not in page.url
    window.go("/usage")
    page = window.go(f"/sign-in#link={links[0]}")
    expect(page.get_by_role("alert")).to_contain_text("good no more")
    expect(page.get_by_text("prints a new one")).to_be_visible()
    assert links[0] not in page.url
    window.check_fits()
    through(window.gateway, "owner")
    page = window.go(f"/sign-in#link={links[1]}")
    expect(page.get_by_role("heading", name="Home", level=1)).to_be_visible()


def test_who_is_invited_chooses_a_password_and_is_told_its_rules(window: Visit) -> None:
    window.expected = REFUSED
    with library(window.gateway.home) as ownkey:
        user = ownkey.people.add("Ann", "ann@example.com")
        invitation = ownkey.people.invite(user.id).reveal().decode()
    page = window.go(f"/sign-in#invitation={invitation}")
    expect(page.get_by_role("heading", name="Choose your password")).to_be_visible()
    assert invitation not in page.url
    field, button = page.get_by_label("New password"), page.get_by_role("button", name="Set the password and sign in")
    expect(page.get_by_text("At least 12 characters")).to_be_visible()
    field.fill("short")
    expect(page.get_by_text("5 of at least 12 characters.")).to_be_visible()
    expect(button).to_be_disabled()
    field.fill("aaaaaaaaaaaaaaa")
    expect(page.get_by_text("Too much of the same")).to_be_visible()
    window.check_accessible()
    window.check_fits()
    field.fill(PASSWORD)
    button.click()
    expect(page.get_by_role("heading", name="Welcome to Ownkey")).to_be_visible()
    page.context.clear_cookies()
    window.go("/sign-in")
    by_password(page, "ann@example.com", PASSWORD)
    expect(page.get_by_role("heading", name="Welcome to Ownkey")).to_be_visible()
    page = window.go(f"/sign-in#invitation={invitation}")
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_role("alert")).to_contain_text("good no more")


@pytest.fixture
def desk(chromium: Chromium, kept: Gateway) -> Iterator[Visit]:
    with visit(chromium, kept) as found:
        found.expected = REFUSED
        yield found


def test_by_keyboard_alone_a_password_and_then_a_code_or_one_that_was_kept_lead_in(desk: Visit) -> None:
    user, browser = with_password(desk.gateway, "Ann")
    begun = browser.post(f"{SESSION}/authenticator").json
    otp = pyotp.TOTP(begun["secret"])
    kept = browser.ask("PUT", f"{SESSION}/authenticator", {"code": otp.now()}).json["recovery_codes"]
    through(desk.gateway, user)
    page = desk.go("/sign-in")
    page.get_by_label("E-mail").focus()
    page.keyboard.type("ann@example.com")
    page.keyboard.press("Tab")
    page.keyboard.type("not the password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("do not belong together")
    page.get_by_label("Password", exact=True).focus()
    page.keyboard.press("Control+a")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_label("Code from your authenticator")).to_be_focused()
    desk.check_accessible()
    page.keyboard.type("000000")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("This code is not good")
    page.keyboard.press("Tab")
    while page.evaluate("document.activeElement.textContent") != "Use a recovery code":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Recovery code")).to_be_focused()
    page.keyboard.type(kept[0])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Home", level=1)).to_be_visible()


def test_A13_after_too_many_attempts_it_says_how_long_to_wait(desk: Visit) -> None:
    with_password(desk.gateway, "Ann")
    page = desk.go("/sign-in")
    for _ in range(10):
        with page.expect_response(lambda answer: answer.url.endswith("/sign-in/password")):
            by_password(page, "ann@example.com", "not the password")
    by_password(page, "ann@example.com", PASSWORD)
    expect(page.get_by_role("alert")).to_contain_text("Too many attempts")
    expect(page.get_by_role("timer")).to_have_text(re.compile(r"You can try again in 1[45] minutes\."))


def test_who_was_signed_out_comes_back_to_where_they_were(desk: Visit) -> None:
    user, _ = with_password(desk.gateway, "Ann")
    through(desk.gateway, user)
    page = desk.go("/usage?by=model")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    by_password(page, "ann@example.com", PASSWORD)
    expect(page.get_by_role("heading", name="Usage", level=1)).to_be_visible()
    assert page.url.endswith("/usage?by=model")
    with library(desk.gateway.home) as ownkey:
        ownkey.house.store.sessions.end_all(user)
    # Whatever is asked next is refused: the page's own events say so by themselves.
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible(timeout=30_000)
    by_password(page, "ann@example.com", PASSWORD)
    expect(page.get_by_role("heading", name="Usage", level=1)).to_be_visible()
    assert page.url.endswith("/usage?by=model")


def test_what_one_person_did_not_send_is_not_there_for_the_next(desk: Visit) -> None:
    desk.expected = REFUSED
    for name in ("Ann", "Bob"):
        through(desk.gateway, with_password(desk.gateway, name)[0])
    page = desk.go("/chat")
    by_password(page, "ann@example.com", PASSWORD)
    message(page).fill("Between us")
    page.locator("input[type=file]").set_input_files([{"name": "a.md", "mimeType": "text/markdown", "buffer": b"#"}])
    expect(page.get_by_role("list", name="Attached")).to_be_visible()
    page.context.clear_cookies()
    # Whatever is asked next is refused.
    page.get_by_role("link", name="Usage", exact=True).click()
    by_password(page, "bob@example.com", PASSWORD)
    page.get_by_role("link", name="Chat", exact=True).click()
    expect(message(page)).to_have_value("")
    expect(page.get_by_role("list", name="Attached")).to_have_count(0)


def test_a_passkey_signs_in_where_ownkey_has_a_name(desk: Visit) -> None:
    here = f"localhost:{desk.gateway.port}"
    browser = signed_in(desk.gateway)
    browser.more = {"Host": here, "Origin": f"http://{here}"}
    key = Authenticator(f"http://{here}")
    made = key.create(browser.post(f"{SESSION}/passkeys/options").json)
    assert browser.post(f"{SESSION}/passkeys", {"credential": made, "name": "Phone"}).status == 201
    through(desk.gateway, "owner")
    page = desk.go("/sign-in")
    page.get_by_role("link", name="sign in at localhost").click()
    page.wait_for_url(f"http://{here}/sign-in")
    page.get_by_role("button", name="Use a passkey").click()
    # Without one, and with one.
    authenticators = page.context.new_cdp_session(page)
    authenticators.send("WebAuthn.enable")
    how = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    options = how | {"isUserVerified": True, "automaticPresenceSimulation": True}
    there = authenticators.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    private = key.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    credential = {
        "credentialId": b64encode(key.id).decode(),
        "isResidentCredential": True,
        "rpId": "localhost",
        "privateKey": b64encode(private).decode(),
        "userHandle": b64encode(b"owner").decode(),
        "signCount": 5,
    }
    assert key.user == encoded(b"owner")
    authenticators.send(
        "WebAuthn.addCredential", {"authenticatorId": there["authenticatorId"], "credential": credential}
    )
    page.reload()
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Home", level=1)).to_be_visible()
    # It is this server's other name.
    desk.hosts.discard(here)


def test_an_organisations_own_sign_in_leads_back_to_where_one_was(
    chromium: Chromium, tmp_path: Path, simulator: Simulator
) -> None:
    home = tmp_path / "home"
    issuer = Running()
    given = {"OWNKEY_OIDC_ISSUER": issuer.provider.issuer, "OWNKEY_OIDC_CLIENT_ID": CLIENT}
    hosts = f"127.0.0.1:{simulator.port},127.0.0.1:{issuer.provider.port}"
    with library(home) as ownkey:
        user = ownkey.people.add("Ann", "ann@example.com")
        steps = Onboarding(ownkey.house, user.id)
        steps.accept(agreement().version)
        steps.change(done=True)
    try:
        with (
            gateway(
                home, simulator, **given, OWNKEY_OIDC_CLIENT_SECRET=SECRET, OWNKEY_ALLOW_PRIVATE_HOSTS=hosts
            ) as running,
            visit(chromium, running) as found,
        ):
            found.expected = REFUSED
            person = dict(issuer.provider.person)

            def continue_there() -> None:
                page.get_by_role("link", name="Continue with your organisation").click()
                page.wait_for_url(f"{issuer.provider.issuer}/authorize*")
                page.evaluate("url => location.assign(url)", issuer.provider.authorize(page.url))

            issuer.provider.person = person | {"sub": "ben", "email": "ben@example.com"}
            page = found.go("/usage")
            continue_there()
            expect(page.get_by_role("alert")).to_contain_text("You have no account here")
            assert "#" not in page.url
            found.check_accessible()
            issuer.provider.person = person
            continue_there()
            expect(page.get_by_role("heading", name="Usage", level=1)).to_be_visible()
            found.hosts.discard(f"127.0.0.1:{issuer.provider.port}")
    finally:
        issuer.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_seen_signed_out_is_for_everybody(chromium: Chromium, kept: Gateway, size: str, scheme: str) -> None:
    with visit(chromium, kept, size, color_scheme=scheme) as found:
        page = found.go("/sign-in")
        expect(page.get_by_label("E-mail")).to_be_visible()
        found.check_accessible()
        found.check_fits()
        assert json.loads(page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")).keys() <= {
            "ownkey-colours"
        }
        assert page.evaluate("location.hash") == ""


def test_no_way_in_leads_to_somebody_elses_page(desk: Visit) -> None:
    user, _ = with_password(desk.gateway, "Ann")
    through(desk.gateway, user)
    page = desk.go("/sign-in")
    page.evaluate("sessionStorage.setItem('ownkey-from', '//evil.test/')")
    page.reload()
    by_password(page, "ann@example.com", PASSWORD)
    expect(page.get_by_role("heading", name="Home", level=1)).to_be_visible()
