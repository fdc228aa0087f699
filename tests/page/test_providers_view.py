"""Providers: cards, the gallery, a provider's sheet and its keys, and one's own providers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Response, Route, expect

from house import BAD, KEYS, Gateway, Simulator, gateway, library, make_home
from paged import Visit, visit

VIEW = "/settings/byok"
GOOD = KEYS["openai"]
MASKED = f"sk-…{GOOD[-4:]}"
LONG = "A provider with a name that goes on until eighty characters of it are all there."


def manifest(simulator: Simulator, id: str, name: str = "", models: str = "") -> str:
    """A file as a person writes it, of a server of their own that needs no key."""
    return f"""id = "{id}"
name = "{name or id}"
kind = "local"
wire = "ollama"
base_url = "{simulator.url}/fault/name={id}/api"

[[models]]
id = "gpt-4o"
{models}"""


def card(page: Page, name: str):
    return page.get_by_role("listitem").filter(has=page.get_by_role("heading", name=name, exact=True))


def names(page: Page) -> list[str]:
    return page.get_by_role("tabpanel").get_by_role("heading", level=2).all_inner_texts()


@pytest.fixture
def crowded(tmp_path: Path, simulator: Simulator) -> Iterator[Gateway]:
    """Forty providers of one's own, one of them with a long name."""
    home = tmp_path / "home"
    make_home(home)
    (home / "providers").mkdir(exist_ok=True)
    for number in range(40):
        name = LONG if number == 7 else f"Server {number:02}"
        (home / "providers" / f"p{number:02}.toml").write_text(manifest(simulator, f"p{number:02}", name))
    with gateway(home, simulator) as running:
        yield running


@pytest.mark.row("D6")
@pytest.mark.row("B8")
@pytest.mark.row("C8")
def test_a_first_key_is_tested_kept_and_nowhere_in_the_page(first_window: Visit) -> None:
    page = first_window.sign_in(then=VIEW)
    answers: list[Response] = []

    def note(one: Response) -> None:
        answers.append(one)

    page.on("response", note)
    expect(page.get_by_role("heading", name="No key yet")).to_be_visible()
    first_window.check_accessible()
    first_window.check_fits()
    page.get_by_role("link", name="Add provider").click()
    page.get_by_label("Search providers").fill("openai")
    page.get_by_role("link", name=re.compile("^OpenAI Prices")).click()
    expect(page).to_have_url(re.compile("/settings/byok/openai$"))
    field = page.get_by_label("API key", exact=True)
    expect(field).to_have_attribute("type", "password")
    link = page.get_by_role("link", name="Where do I find this?")
    assert link.get_attribute("rel") == "noopener noreferrer"
    assert link.get_attribute("target") == "_blank"
    field.fill("nonsense")
    expect(page.get_by_text("This does not begin with sk-.")).to_be_visible()
    field.fill(KEYS["anthropic"])
    expect(page.get_by_text("This looks like a key of Anthropic.")).to_be_visible()
    field.fill(GOOD)
    expect(page.get_by_text("This looks like a key of Anthropic.")).to_have_count(0)
    page.get_by_role("button", name="Show the key").click()
    expect(field).to_have_attribute("type", "text")
    page.get_by_role("button", name="Hide the key").click()
    first_window.check_accessible()
    page.get_by_role("button", name="Test and save").click()
    expect(page.get_by_text(re.compile(rf"answered in .*, with \d+ models\. Saved as {MASKED}"))).to_be_visible()
    expect(field).to_have_count(0)
    page.get_by_role("button", name="Use this model: gpt-4o", exact=True).click()
    expect(page.get_by_text("openai/gpt-4o is your default from now on.")).to_be_visible()
    check_nowhere(page, answers, GOOD)
    first_window.check_accessible()
    first_window.check_fits()
    page.get_by_role("button", name="Close").click()
    expect(card(page, "OpenAI")).to_contain_text(MASKED)
    expect(card(page, "OpenAI")).to_contain_text("Connected")
    first_window.check_fits()


def check_nowhere(page: Page, answers: list[Response], key: str) -> None:
    """Neither in the page, nor in what it keeps, nor in anything that the server said."""
    everything = page.evaluate(
        """() => [document.documentElement.outerHTML,
            ...[...document.querySelectorAll('input,textarea')].map((one) => one.value),
            JSON.stringify({...localStorage}), JSON.stringify({...sessionStorage}),
            location.href, JSON.stringify(history.state), document.cookie].join('\\n')"""
    )
    assert key not in everything
    told = [one for one in answers if "/api/" in one.url and "/api/events" not in one.url]
    assert len(told) > 3
    assert not [one.url for one in told if key in one.text() or key in one.url]


@pytest.mark.row("D6")
def test_what_the_provider_refuses_is_told_and_not_kept(first_window: Visit) -> None:
    first_window.expected = ("400", "401", "422", "502")
    page = first_window.sign_in(then=f"{VIEW}/openai")
    field = page.get_by_label("API key", exact=True)
    field.fill(BAD)
    page.get_by_role("button", name="Test and save").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was stored")
    expect(page.get_by_role("alert")).not_to_contain_text("--")
    page.get_by_role("button", name="Test it all the same").click()
    expect(page.get_by_role("alert")).to_contain_text(
        "Your OpenAI API key is invalid. Please check and try again. Nothing was saved."
    )
    expect(field).to_have_value(BAD)
    with library(first_window.gateway.home) as ownkey:
        assert ownkey.keys.all() == []
    first_window.check_accessible()
    field.fill(GOOD)
    page.get_by_role("button", name="Test and save").click()
    expect(page.get_by_text(f"Saved as {MASKED}")).to_be_visible()


@pytest.mark.row("B9")
def test_by_the_keyboard_alone_a_second_provider_gets_its_key(chromium: Browser, fresh: Gateway) -> None:
    with library(fresh.home) as ownkey:
        ownkey.keys.set("anthropic", KEYS["anthropic"])
    with visit(chromium, fresh) as found:
        page = found.sign_in(then=VIEW)
        page.get_by_role("link", name="Add provider").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_label("Search providers")).to_be_focused()
        page.keyboard.type("openai")
        expect(page.get_by_role("status").get_by_text("to choose from")).to_be_visible()
        page.get_by_role("link", name=re.compile("^OpenAI Prices")).focus()
        page.keyboard.press("Enter")
        expect(page.get_by_label("API key", exact=True)).to_be_focused()
        page.keyboard.type(GOOD)
        page.keyboard.press("Enter")
        expect(page.get_by_text(f"Saved as {MASKED}")).to_be_visible()
        page.keyboard.press("Escape")
        expect(card(page, "OpenAI")).to_be_visible()
        expect(card(page, "Anthropic")).to_be_visible()


@pytest.mark.row("D6")
def test_forty_cards_are_alike_and_are_put_in_order(chromium: Browser, crowded: Gateway, size: str) -> None:
    with visit(chromium, crowded, size) as found:
        page = found.sign_in(then=f"{VIEW}?kind=local")
        expect(page.get_by_role("tab", name="Local (41)")).to_have_attribute("aria-selected", "true")
        heights = page.evaluate("[...document.querySelectorAll('main li:has(h2)')].map((one) => one.offsetHeight)")
        assert len(heights) == 41
        assert len(set(heights)) == 1
        found.check_fits()
        before = names(page)
        page.get_by_role("button", name=f"More for {before[1]}").click()
        with page.expect_response(lambda one: "provider-order" in one.url and one.ok):
            page.get_by_role("menuitem", name="Move later").click()
        expect(page.get_by_role("heading", level=2).nth(1)).to_have_text(before[2])
        handle = page.get_by_role("button", name=f"Move {before[3]}", exact=True)
        handle.focus()
        page.keyboard.press("Space")
        expect(page.get_by_text(f"{before[3]} would come to place 4 of 41.")).to_be_attached()
        page.keyboard.press("ArrowDown")
        expect(page.get_by_text(re.compile(f"{before[3]} would come to place (5|7) of 41"))).to_be_attached()
        with page.expect_response(lambda one: "provider-order" in one.url and one.ok):
            page.keyboard.press("Space")
        expect(page.get_by_role("heading", level=2).nth(3)).not_to_have_text(before[3])
        after = names(page)
        page.reload()
        expect(page.get_by_role("heading", level=2).nth(1)).to_have_text(before[2])
        assert names(page) == after
        if not found.is_phone:
            one, other = (page.get_by_role("button", name=f"Move {name}", exact=True) for name in after[:2])
            start, end = one.bounding_box(), other.bounding_box()
            assert start is not None
            assert end is not None
            page.mouse.move(start["x"] + 8, start["y"] + 8)
            page.mouse.down()
            page.mouse.move(end["x"] + 8, end["y"] + 8, steps=12)
            expect(page.get_by_text(f"{after[0]} would come to place 2 of 41.")).to_be_attached()
            page.mouse.up()
            expect(page.get_by_role("heading", level=2).nth(1)).to_have_text(after[0])
            found.check_accessible()


@pytest.mark.row("D6")
def test_a_provider_is_tested_by_one_click_and_switched_off_and_on(window: Visit) -> None:
    page = window.sign_in(then=VIEW)
    one = card(page, "OpenAI")
    one.get_by_role("button", name="Test OpenAI").click()
    expect(one.get_by_role("status")).to_contain_text(re.compile(r"/models answered in .*, with \d+ models"))
    page.get_by_role("button", name="More for OpenAI").click()
    page.get_by_role("menuitem", name="Switch off").click()
    expect(one).to_contain_text("Switched off")
    page.get_by_role("button", name="Undo").click()
    expect(one).not_to_contain_text("Switched off")
    window.check_fits()


@pytest.mark.row("D6")
def test_several_keys_have_terms_and_an_order_and_a_removal_can_be_undone(window: Visit) -> None:
    page = window.sign_in(then=f"{VIEW}/openai")
    second = GOOD[:-4] + "Wxyz"
    page.get_by_role("button", name="Add another key").click()
    page.get_by_label("API key", exact=True).fill(second)
    page.get_by_role("button", name="Label, expiry, models, limit").click()
    page.get_by_label("Label", exact=True).fill("spare")
    page.get_by_label("Only for these models").fill("gpt-4o*")
    page.get_by_label("Limit per month").fill("7.50")
    page.get_by_label("Last day").fill("2099-12-31")
    page.get_by_role("button", name="Test and save").click()
    spare = page.get_by_role("dialog").get_by_role("listitem").filter(has_text="sk-…Wxyz")
    expect(spare).to_contain_text("spare · expires 31 Dec 2099 · only gpt-4o* · $0.00 of $7.50 this month · never used")
    spare.get_by_role("button", name="Test the key ending Wxyz").click()
    expect(spare).to_contain_text(re.compile(r"answered in .*, with \d+ models"))
    window.check_accessible()
    window.check_fits()
    more = page.get_by_role("button", name="More for the key ending Wxyz")
    more.click()
    page.get_by_role("menuitem", name="Try it earlier").click()
    expect(page.get_by_role("dialog").get_by_role("listitem").first).to_contain_text("sk-…Wxyz")
    more.click()
    page.get_by_role("menuitem", name="Change label and terms").click()
    page.get_by_label("Weight").fill("3")
    page.get_by_role("button", name="Save terms").click()
    expect(spare).to_contain_text("weight 3")
    more.click()
    page.get_by_role("menuitem", name="Pause it").click()
    expect(spare).to_contain_text("Paused")
    more.click()
    page.get_by_role("menuitem", name="Use it again").click()
    expect(spare).to_contain_text("Ready")
    for undone in (True, False):
        more.click()
        page.get_by_role("menuitem", name="Remove it").click()
        expect(page.get_by_text("Your other keys of OpenAI go on")).to_be_visible()
        page.get_by_role("button", name="Remove the key").click()
        expect(spare).to_contain_text("Removed in a moment")
        if undone:
            page.get_by_role("button", name="Undo").click()
            expect(spare).to_contain_text("Ready")
    expect(spare).to_have_count(0, timeout=25_000)
    with library(window.gateway.home) as ownkey:
        assert [view.label for view in ownkey.keys.all("openai")] == ["default"]


@pytest.mark.row("D6")
def test_a_key_is_updated_in_its_place(window: Visit) -> None:
    page = window.sign_in(then=f"{VIEW}/openai")
    page.get_by_role("button", name=f"More for the key ending {GOOD[-4:]}").click()
    page.get_by_role("menuitem", name="Update the key").click()
    page.get_by_label("API key", exact=True).fill(GOOD[:-4] + "Wxyz")
    page.get_by_role("button", name="Test and save").click()
    expect(page.get_by_text("Saved as sk-…Wxyz")).to_be_visible()
    expect(page.get_by_role("dialog").get_by_text(MASKED)).to_have_count(0)


@pytest.mark.row("B2")
def test_a_provider_added_as_toml_is_used_at_once_changed_and_removed(
    first_window: Visit, simulator: Simulator
) -> None:
    first_window.expected = ("400", "422")
    page = first_window.sign_in(then=f"{VIEW}/add")
    page.get_by_role("link", name="Paste its TOML").click()
    field = page.get_by_role("textbox", name="TOML")
    good = manifest(simulator, "acme", "Acme AI")
    field.fill(good.replace("wire = ", "wires = "))
    page.get_by_role("button", name="Check it").click()
    expect(page.get_by_role("alert").filter(has_text="wires")).to_contain_text("4")
    expect(page.locator("[data-wrong]")).to_have_text("4")
    first_window.check_accessible()
    first_window.check_fits()
    field.fill(good)
    page.get_by_role("button", name="Check it").click()
    expect(page.get_by_text("Acme AI would be asked at")).to_be_visible()
    page.get_by_role("button", name="Add provider").click()
    expect(page).to_have_url(re.compile("/settings/byok/acme$"))
    assert first_window.gateway.ask("acme/gpt-4o").text
    page.get_by_role("button", name="Edit as TOML").click()
    page.get_by_role("textbox", name="TOML").fill(good.replace("Acme AI", "Acme of Now"))
    page.get_by_role("button", name="Save file").click()
    expect(page.get_by_role("dialog", name="Acme of Now")).to_be_visible()
    first_window.check_fits()
    page.get_by_role("button", name="Remove Acme of Now").click()
    page.get_by_role("dialog", name="Remove Acme of Now?").get_by_role("button", name="Remove Acme of Now").click()
    expect(page.get_by_text("Acme of Now is removed.")).to_be_visible()
    assert first_window.gateway.ask("acme/gpt-4o").status == 404
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Acme of Now is back, as it was.")).to_be_visible()
    assert first_window.gateway.ask("acme/gpt-4o").text


@pytest.mark.row("B2")
def test_a_provider_is_described_in_a_form_and_used_at_once(first_window: Visit, simulator: Simulator) -> None:
    first_window.expected = ("400", "422")
    page = first_window.sign_in(then=f"{VIEW}/add?by=form")
    page.get_by_label("Name").fill("Box in the corner")
    address = page.get_by_label("Address")
    address.fill("ftp://box.example")
    page.get_by_role("switch", name="Needs a key").uncheck(force=True)
    page.get_by_label("Speaks as").select_option("ollama")
    page.get_by_label("Models").fill("gpt-4o")
    page.get_by_role("button", name="Add provider").click()
    expect(address).to_have_attribute("aria-invalid", "true")
    first_window.check_accessible()
    first_window.check_fits()
    address.fill(f"{simulator.url}/fault/name=box/api")
    page.get_by_role("button", name="Add provider").click()
    expect(page).to_have_url(re.compile("/settings/byok/box-in-the-corner$"))
    assert first_window.gateway.ask("box-in-the-corner/gpt-4o").text


@pytest.mark.row("B8")
def test_what_a_provider_wants_besides_a_key_is_asked_for(first_window: Visit) -> None:
    page = first_window.sign_in(then=f"{VIEW}/azure")
    expect(page.get_by_label("Resource")).to_be_visible()
    expect(page.get_by_text("The first part of the endpoint")).to_be_visible()
    first_window.check_accessible()
    page.goto(f"{first_window.origin}{VIEW}/add")
    page.get_by_label("Search providers").fill("mistral")
    page.get_by_role("link", name=re.compile("^Mistral")).click()
    page.get_by_role("button", name=re.compile("^Add Mistral")).click()
    expect(page.get_by_label("API key", exact=True)).to_be_visible()
    first_window.check_fits()


def test_local_servers_that_run_are_offered(chromium: Browser, fresh: Gateway, simulator: Simulator) -> None:
    with library(fresh.home) as ownkey:
        ownkey.providers.set("ollama", endpoint=f"{simulator.url}/fault/name=ollama/v1")
    with visit(chromium, fresh, color_scheme="dark") as found:
        page = found.sign_in(then=f"{VIEW}/add")
        expect(page.get_by_text(re.compile(r"Answers at http://127\.0\.0\.1:\d+, "))).to_be_visible()
        found.check_accessible()
        page.get_by_role("button", name="Open Ollama").click()
        expect(page.get_by_role("dialog", name="Ollama")).to_be_visible()
        found.check_accessible()


def test_members_have_their_own_keys_and_change_nothing_else(chromium: Browser, kept: Gateway) -> None:
    with library(kept.home) as ownkey:
        member = ownkey.people.add("Member", "member@example.org")
    with visit(chromium, kept, color_scheme="dark") as found:
        page = found.sign_in(member.id, then=f"{VIEW}/openai")
        expect(page.get_by_label("API key", exact=True)).to_be_visible()
        expect(page.get_by_text("Settings for everybody")).to_have_count(0)
        expect(page.get_by_text(MASKED)).to_have_count(0)
        found.check_accessible()
        page.goto(f"{found.origin}{VIEW}/add")
        expect(page.get_by_text("Who keeps this Ownkey can add others.")).to_be_visible()
        page.goto(f"{found.origin}{VIEW}/not-there")
        expect(page.get_by_text("There is no such provider")).to_be_visible()
        page.route("**/api/byok/providers", lambda route: route.abort())
        found.expected = ("ERR_FAILED",)
        page.goto(f"{found.origin}{VIEW}")
        expect(page.get_by_role("button", name="Try again")).to_be_visible()


@pytest.mark.row("D6")
def test_a_removal_is_waited_for_by_who_signs_out(chromium: Browser, kept: Gateway) -> None:
    with visit(chromium, kept) as found:
        found.expected = ("500",)
        # What waits ten seconds never comes: a slow machine shall not remove the key by itself.
        found.page.add_init_script(
            "const later = setTimeout; window.setTimeout = (act, ms) => ms === 10_000 ? 0 : later(act, ms)"
        )
        page = found.sign_in(then=f"{VIEW}/openai")

        def remove_and_sign_out() -> None:
            page.get_by_role("button", name=f"More for the key ending {GOOD[-4:]}").click()
            page.get_by_role("menuitem", name="Remove it").click()
            page.get_by_role("button", name="Remove the key").click()
            expect(page.get_by_text("Removed in a moment")).to_be_visible()
            page.get_by_role("dialog", name="OpenAI").get_by_role("button", name="Close").click()
            page.get_by_role("button", name="Your account").click()
            page.get_by_role("menuitem", name="Sign out").click()

        def refuse(route: Route) -> None:
            if route.request.method != "DELETE":
                return route.fallback()
            return route.fulfill(status=500, json={"error": {"message": "The disk is full."}})

        page.route("**/api/byok/key/*", refuse)
        remove_and_sign_out()
        expect(page.get_by_text(f"You are still signed in. The key ending {GOOD[-4:]} is still there")).to_be_visible()
        page.unroute("**/api/byok/key/*")
        page.goto(f"{found.origin}{VIEW}/openai")
        remove_and_sign_out()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        with library(kept.home) as ownkey:
            assert ownkey.keys.all("openai") == []
