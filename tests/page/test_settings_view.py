"""Settings on the page: what is a person's own to decide does what it says; history, cache, ways to sign in, all of it
as one file and back, and the agreement."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from browsing import PASSWORD, with_password
from house import KEYS, Gateway, Simulator, gateway, library
from ownkey.app.onboarding import Onboarding, agreement
from paged import Visit, point_at, visit

PHRASE = "a passphrase of four words"
REFUSED = ("401", "403", "404", "422")


def part(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name, exact=True)


def switched(window: Visit, switch: str, on: bool = True) -> None:
    """Seen at once, and then kept."""
    window.page.get_by_role("switch", name=switch).set_checked(on)
    window.settle()
    expect(window.page.get_by_role("switch", name=switch)).to_be_checked(checked=on)


def sign_in_by(page: Page, password: str) -> None:
    page.get_by_label("E-mail").fill("ann@example.com")
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


@pytest.fixture
def desk(chromium: Browser, kept: Gateway) -> Iterator[Visit]:
    with visit(chromium, kept) as found:
        found.expected = REFUSED
        yield found


@pytest.fixture
def ann(kept: Gateway) -> str:
    """Her id; she has a password, and has taken the first steps."""
    user, _ = with_password(kept, "Ann")
    with library(kept.home) as ownkey:
        steps = Onboarding(ownkey.house, user)
        steps.accept(agreement().version)
        steps.change(done=True)
    return user


@pytest.mark.row("C4")
def test_preferences_do_what_they_say_and_stay(window: Visit, simulator: Simulator) -> None:
    with library(window.gateway.home) as ownkey:
        ownkey.providers.set("openai", endpoint=f"{simulator.url}/fault/status=503;name=openai/v1")
    models = "openai/gpt-4o,anthropic/claude-sonnet-4-5"
    page = window.sign_in(then="/settings")
    expect(page.get_by_label("Default provider")).to_be_visible()
    window.check_accessible()
    window.check_fits()
    assert window.gateway.ask(models).status == 200
    switched(window, "Always ask before switching providers")
    expect(page.get_by_text("Saved.")).to_be_visible()
    assert window.gateway.ask(models).error["code"] == "consent_required"
    switched(window, "Always ask before switching providers", on=False)
    assert window.gateway.ask(models).status == 200
    page.get_by_label("Default provider").select_option("Anthropic")
    expect(page.get_by_label("Default provider")).to_have_value("anthropic")
    limit = page.get_by_label("Tokens of one answer, at most")
    limit.fill("2")
    limit.press("Tab")
    switched(window, "Choose the cheapest that can")
    page.reload()
    expect(limit).to_have_value("2")
    expect(page.get_by_label("Default provider")).to_have_value("anthropic")
    expect(page.get_by_role("switch", name="Choose the cheapest that can")).to_be_checked()
    short = window.gateway.ask("anthropic/claude-sonnet-4-5", "say 40 words")
    assert short.json["choices"][0]["finish_reason"] == "length"


@pytest.mark.row("C4")
@pytest.mark.parametrize("refused", ["the first", "the second"])
def test_what_is_switched_is_seen_at_once_and_taken_back_where_it_is_refused(desk: Visit, refused: str) -> None:
    page = desk.sign_in(then="/settings")
    desk.expected = ("500",)
    ask, park = (page.get_by_role("switch", name=re.compile(name)) for name in ("^Always ask", "^Let requests wait"))
    expect(ask).to_be_visible()
    sent: list[Route] = []

    def hold(route: Route) -> None:
        sent.append(route)

    def answer(number: int) -> None:
        if refused == ("the first", "the second")[number]:
            sent[number].fulfill(status=500, body='{"error": {"message": "The disk is full."}}')
        else:
            sent[number].continue_()

    page.route("**/api/byok/preferences", hold)
    with page.expect_request("**/api/byok/preferences"):
        ask.check()
    park.check()
    with page.expect_request("**/api/byok/preferences"):
        answer(0)
    expect(park).to_be_checked()
    with page.expect_response("**/api/byok/preferences"):
        answer(1)
    expect(page.get_by_role("alert")).to_contain_text("The disk is full.")
    gone, stays = (ask, park) if refused == "the first" else (park, ask)
    expect(gone).not_to_be_checked()
    expect(stays).to_be_checked()
    page.unroute("**/api/byok/preferences")
    page.reload()
    expect(stays).to_be_checked()
    expect(gone).not_to_be_checked()


@pytest.mark.row("C4")
def test_history_keeps_a_chat_which_is_found_opened_and_deleted(window: Visit) -> None:
    page = window.sign_in(then="/settings/remembered")
    assert window.gateway.ask("openai/gpt-4o", "what nobody keeps").status == 200
    switched(window, "Keep my chats")
    for said in ("the weight of a swallow", "the depth of a well"):
        assert window.gateway.ask("openai/gpt-4o", said).status == 200
    page.reload()
    history = part(page, "History")
    expect(history.get_by_role("listitem")).to_have_count(2)
    window.check_accessible()
    window.check_fits()
    history.get_by_label("Search").fill("swallow")
    expect(history.get_by_role("listitem")).to_have_count(1)
    expect(history.get_by_role("listitem")).to_contain_text("swallow")
    history.get_by_label("Search").fill("albatross")
    expect(history).to_contain_text("Nothing has that in it.")
    history.get_by_label("Search").fill("")
    history.get_by_role("link", name=re.compile("well")).click()
    expect(page.get_by_role("main").get_by_text("the depth of a well").first).to_be_visible()
    page.go_back()
    history.get_by_role("button", name="Delete all 2").click()
    question = page.get_by_role("dialog", name="Delete all 2 chats?")
    window.check_accessible()
    window.check_fits()
    question.get_by_role("button", name="Delete").click()
    expect(history.get_by_role("button", name=re.compile("^Delete all"))).to_have_count(0)
    with library(window.gateway.home) as ownkey:
        assert ownkey.history.count() == 0


@pytest.mark.row("C4")
def test_by_keyboard_alone_the_cache_is_switched_on_gives_an_answer_again_and_is_emptied(desk: Visit) -> None:
    page = desk.sign_in(then="/settings")
    desk.tab_to(page.get_by_role("tab", name="Preferences"))
    page.keyboard.press("ArrowRight")
    switch = page.get_by_role("switch", name="Give answers again")
    desk.tab_to(switch)
    page.keyboard.press("Space")
    expect(switch).to_be_checked()
    desk.settle()
    hours = page.get_by_label("For how many hours")
    desk.tab_to(hours)
    page.keyboard.press("Control+a")
    page.keyboard.type("3")
    page.keyboard.press("Tab")
    desk.settle()
    for _ in range(2):
        assert desk.gateway.ask("openai/gpt-4o", temperature=0).status == 200
    page.reload()
    expect(hours).to_have_value("3")
    cache = part(page, "Cache")
    expect(cache).to_contain_text(re.compile(r"1 time given again; \$0\.0\d+ saved\."))
    desk.tab_to(cache.get_by_role("button", name="Delete 1 answer"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 answer was deleted.")).to_be_visible()
    expect(cache.get_by_role("button", name=re.compile("^Delete"))).to_have_count(0)


@pytest.mark.row("C4")
def test_a_second_factor_is_set_up_and_needed_and_a_new_password_ends_other_sessions(
    desk: Visit, ann: str, chromium: Browser
) -> None:
    page = desk.sign_in(ann, then="/settings/account")
    factor = part(page, "Second factor")
    factor.get_by_role("button", name="Set up a second factor").click()
    secret = factor.get_by_label("Type this into your authenticator")
    expect(secret).to_be_focused()
    code = pyotp.TOTP(secret.input_value())
    factor.get_by_label("Code that it shows").fill("000000")
    factor.get_by_role("button", name="Switch on").click()
    expect(factor.get_by_role("alert")).to_be_visible()
    factor.get_by_label("Code that it shows").fill(code.now())
    factor.get_by_role("button", name="Switch on").click()
    kept = factor.get_by_label("Recovery codes")
    expect(kept).to_be_focused()
    recovery = kept.input_value().split()
    desk.check_accessible()
    page.reload()
    expect(factor.get_by_text("on", exact=True)).to_be_visible()
    assert recovery[0] not in page.content()

    with visit(chromium, desk.gateway) as other:
        other.expected = REFUSED
        other.go("/sign-in")
        sign_in_by(other.page, PASSWORD)
        other.page.get_by_role("button", name="Use a recovery code").click()
        other.page.get_by_label("Recovery code").fill(recovery[0])
        other.page.get_by_label("Recovery code").press("Enter")
        expect(other.page.get_by_role("heading", name="Home", level=1)).to_be_visible()

        page.reload()
        sessions = part(page, "Where you are signed in")
        expect(sessions.get_by_role("listitem").filter(has_text="here")).to_have_count(1)
        new = "another password of hers"
        page.get_by_label("New password").fill(new)
        page.get_by_role("button", name="Set password").click()
        expect(page.get_by_text("Your password was set.")).to_be_visible()
        expect(page.get_by_label("New password")).to_have_value("")
        expect(sessions.get_by_role("listitem")).to_have_count(1)
        other.page.reload()
        expect(other.page.get_by_role("heading", name="Sign in")).to_be_visible()
    desk.check_accessible()


def test_sessions_elsewhere_are_seen_and_ended(window: Visit, chromium: Browser) -> None:
    window.expected = REFUSED
    page = window.sign_in(then="/settings/account")
    with visit(chromium, window.gateway) as other:
        other.expected = REFUSED
        other.sign_in(then="/usage")
        page.reload()
        sessions = part(page, "Where you are signed in")
        expect(sessions.get_by_role("listitem")).to_have_count(2)
        expect(sessions.get_by_text(re.compile("^Chrome on "))).to_have_count(2)
        window.check_accessible()
        window.check_fits()
        sessions.get_by_role("button", name="End", exact=True).click()
        expect(sessions.get_by_role("listitem")).to_have_count(1)
        other.page.reload()
        expect(other.page.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.row("C4")
def test_a_passkey_is_added_named_signs_in_and_is_removed(desk: Visit, ann: str) -> None:
    here = f"http://localhost:{desk.gateway.port}"
    page = desk.go("/sign-in")
    page.goto(f"{here}/sign-in")
    cdp = page.context.new_cdp_session(page)
    cdp.send("WebAuthn.enable")
    how = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    cdp.send(
        "WebAuthn.addVirtualAuthenticator",
        {"options": how | {"isUserVerified": True, "automaticPresenceSimulation": True}},
    )
    sign_in_by(page, PASSWORD)
    expect(page.get_by_role("heading", name="Home", level=1)).to_be_visible()
    page.goto(f"{here}/settings/account")
    passkeys = part(page, "Passkeys")
    passkeys.get_by_label("Name of a new one").fill("My phone")
    passkeys.get_by_role("button", name="Add passkey").click()
    one = passkeys.get_by_role("listitem").filter(has_text="My phone")
    expect(one).to_contain_text("not used yet")
    desk.check_accessible()
    page.get_by_role("button", name="Your account").click()
    page.get_by_role("menuitem", name="Sign out").click()
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Home", level=1)).to_be_visible()
    page.goto(f"{here}/settings/account")
    expect(one).to_contain_text("used")
    passkeys.get_by_role("button", name="Remove My phone").click()
    expect(one).to_have_count(0)
    # It is this server's other name.
    desk.hosts.discard(here.removeprefix("http://"))


@pytest.mark.row("C4")
def test_all_of_it_is_one_file_which_another_ownkey_looks_into_and_takes(
    window: Visit, chromium: Browser, tmp_path: Path, simulator: Simulator, size: str
) -> None:
    with library(window.gateway.home) as ownkey:
        ownkey.budgets.set("trips", limit="5")
    page = window.sign_in(then="/settings/parcels")
    export = part(page, "Export")
    export.get_by_label("Passphrase of the file").fill(PHRASE)
    export.get_by_label("With my keys").check()
    with page.expect_download() as coming:
        export.get_by_role("button", name="Make the file").click()
    file = tmp_path / "taken.age"
    coming.value.save_as(file)
    assert file.read_bytes().startswith(b"age-encryption.org/v1")
    assert KEYS["openai"].encode() not in file.read_bytes()
    expect(export.get_by_label("Passphrase of the file")).to_have_value("")
    window.check_accessible()
    window.check_fits()

    there = tmp_path / "there"
    point_at(there, simulator)
    with gateway(there, simulator) as running, visit(chromium, running, size) as other:
        other.expected = REFUSED
        page = other.sign_in(then="/settings/parcels")
        taken = part(page, "Import")
        with page.expect_file_chooser() as choosing:
            taken.get_by_label("File").click()
        choosing.value.set_files(file)
        taken.get_by_label("Its passphrase").fill("not the one")
        taken.get_by_role("button", name="Look what is in it").click()
        expect(taken.get_by_role("alert")).to_be_visible()
        taken.get_by_label("Its passphrase").fill(PHRASE)
        taken.get_by_role("button", name="Look what is in it").click()
        told = taken.get_by_role("status")
        expect(told).to_contain_text("This would come in:")
        other.check_accessible()
        other.check_fits()
        with library(there) as ownkey:
            assert ownkey.budgets.all() == []
        taken.get_by_role("button", name="Import it").click()
        expect(told).to_contain_text("Imported:")
        with library(there) as ownkey:
            assert [one.name for one in ownkey.budgets.all()] == ["trips"]
        assert running.ask("openai/gpt-4o").status == 200


def test_the_agreement_can_be_read_again_with_when_it_was_accepted(window: Visit) -> None:
    with library(window.gateway.home) as ownkey:
        Onboarding(ownkey.house, "owner").accept(agreement().version)
    page = window.sign_in(then="/settings/about")
    text = part(page, "The agreement")
    expect(text).to_contain_text(f"Version {agreement().version}")
    expect(text).to_contain_text("You accepted it")
    expect(part(page, "This Ownkey")).to_contain_text("the vault is open")
    expect(part(page, "This Ownkey").get_by_role("link", name=window.gateway.url)).to_be_visible()
    window.check_accessible()
    window.check_fits()
    assert json.loads(page.evaluate("JSON.stringify({...localStorage})")).keys() <= {"ownkey-colours"}
