"""Routes on the page: put in order by handle, keyboard and buttons; what they would do; what waits for a yes."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from house import Gateway, Simulator, library, until
from paged import Visit, visit

ORDER = ("openai/gpt-4o", "anthropic", "gemini/gemini-2.5-flash")


def rows(page: Page) -> Locator:
    return page.get_by_role("list", name="Who is asked, in order").get_by_role("listitem")


def path(page: Page) -> Locator:
    return page.get_by_role("list", name="The path taken").get_by_role("listitem")


def made(gateway: Gateway, name: str = "careful") -> None:
    with library(gateway.home) as ownkey:
        ownkey.routes.set(name, targets=list(ORDER), retries=1)


def fails(gateway: Gateway, simulator: Simulator) -> None:
    """OpenAI, from now on."""
    with library(gateway.home) as ownkey:
        ownkey.providers.set("openai", endpoint=f"{simulator.url}/fault/status=503;name=openai/v1")


@pytest.mark.row("B15")
def test_a_route_is_made_put_in_order_and_asked(window: Visit) -> None:
    page = window.sign_in(then="/routes")
    expect(page.get_by_role("heading", name="You have made no route yet")).to_be_visible()
    window.check_accessible()
    window.check_fits()
    page.get_by_role("link", name="Add route").first.click()
    page.get_by_label("Name").fill("careful")
    for target in ("openai/gpt-4o-mini", "anthropic"):
        picker = page.get_by_role("combobox", name="Ask also")
        picker.click()
        picker.fill(target)
        page.get_by_role("option", name=re.compile(rf"^{target.rpartition('/')[2]}")).first.click()
        page.get_by_role("button", name="Add to the list").click()
    expect(rows(page)).to_have_count(2)
    expect(rows(page).first).to_contain_text("openai/gpt-4o-mini")
    expect(rows(page).first).to_contain_text("per 1M tokens")
    page.get_by_role("button", name="Move anthropic up").click()
    expect(rows(page).first).to_contain_text("anthropic")
    page.get_by_role("radio", name="Cheapest").check()
    window.check_accessible()
    window.check_fits()
    page.get_by_role("button", name="Add route").click()
    expect(page.get_by_role("heading", name="careful", level=1)).to_be_visible()
    answer = window.gateway.ask("careful")
    assert answer.status == 200
    assert "cheapest; openai/gpt-4o-mini" in answer.headers["x-ownkey-route"]

    page.get_by_role("button", name="Remove route").click()
    page.get_by_role("dialog", name="Remove the route “careful”?").get_by_role("button", name="Remove route").click()
    expect(page.get_by_role("heading", name="You have made no route yet")).to_be_visible()


@pytest.mark.row("B15")
def test_the_order_is_changed_by_keyboard_and_by_dragging_and_is_announced(chromium: Browser, kept: Gateway) -> None:
    made(kept)
    with visit(chromium, kept) as window:
        page = window.sign_in(then="/routes/careful")
        handle = page.get_by_role("button", name="Move openai/gpt-4o", exact=True)
        window.tab_to(handle)
        page.keyboard.press("Space")
        expect(page.get_by_text("openai/gpt-4o is taken up, number 1 of 3.")).to_have_count(1)
        page.keyboard.press("ArrowDown")
        expect(page.get_by_text("openai/gpt-4o would be number 2 of 3.")).to_have_count(1)
        page.keyboard.press("Space")
        expect(rows(page).nth(1)).to_contain_text("openai/gpt-4o")
        expect(handle).to_be_focused()

        gemini = page.get_by_role("button", name="Move gemini/gemini-2.5-flash", exact=True)
        start, end = gemini.bounding_box(), rows(page).first.bounding_box()
        assert start is not None
        assert end is not None
        page.mouse.move(start["x"] + 8, start["y"] + 8)
        page.mouse.down()
        page.mouse.move(start["x"] + 8, start["y"] - 20, steps=4)
        page.mouse.move(start["x"] + 8, end["y"] + 8, steps=8)
        page.mouse.up()
        expect(rows(page).first).to_contain_text("gemini/gemini-2.5-flash")
        expect(page.get_by_text("Save the route to see what it would do.")).to_be_visible()
        page.get_by_role("button", name="Save route").click()
        expect(page.get_by_role("status").get_by_text("Saved careful.")).to_be_visible()
        assert kept.ask("careful").json["model"].startswith("gemini")
        page.reload()
        expect(rows(page)).to_have_text([re.compile("gemini"), re.compile("anthropic"), re.compile("gpt-4o")])


@pytest.mark.row("B15")
def test_each_target_can_be_failed_and_the_path_taken_is_shown(window: Visit) -> None:
    made(window.gateway)
    page = window.sign_in(then="/routes/careful")
    expect(path(page)).to_have_text([re.compile(r"openai/gpt-4o.*answers.*about \$0\.00\d+")])
    page.get_by_label("What openai/gpt-4o does").select_option("is unavailable (503)")
    expect(path(page).last).to_contain_text("anthropic/claude")
    expect(page.get_by_text(re.compile("answers after 3 tries"))).to_be_visible()
    expect(path(page).nth(1)).to_contain_text(re.compile(r"After [\d.]+ m?s, openai/gpt-4o, try 2"))
    page.get_by_label(re.compile("What anthropic/claude.* does")).select_option("says nothing in time")
    expect(path(page).filter(has_text="perhaps charged, at most").first).to_be_visible()
    page.get_by_label(re.compile("What gemini/.* does")).select_option("refuses the key (401)")
    expect(page.get_by_text(re.compile("Nobody answers."))).to_be_visible()
    window.check_accessible()
    window.check_fits()
    with library(window.gateway.home) as ownkey:
        assert ownkey.house.store.book.rows() == [], "something was asked"


@pytest.mark.row("B15")
def test_a_request_waits_for_a_yes_which_is_remembered_and_taken_back(
    chromium: Browser, kept: Gateway, simulator: Simulator
) -> None:
    fails(kept, simulator)
    with visit(chromium, kept) as window, ThreadPoolExecutor(1) as pool:
        page = window.sign_in(then="/routes")
        page.get_by_role("switch", name="Always ask me before switching providers").check()
        page.get_by_role("switch", name="Let requests wait here for my yes").check()
        window.settle()
        models = "openai/gpt-4o,anthropic/claude-sonnet-4-5"
        asked = pool.submit(kept.ask, models)
        request = page.get_by_role("article", name=re.compile("^Request to"))
        expect(request).to_contain_text(re.compile(r"About \$0\.0\d+, at most \$"))
        window.check_accessible()
        window.tab_to(request.get_by_role("button", name="Let it go on"))
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        expect(request.get_by_role("checkbox")).to_be_checked()
        request.get_by_role("button", name="Let it go on").press("Enter")
        assert asked.result(30).status == 200
        expect(request).to_have_count(0)

        remembered = page.get_by_role("region", name="What you said yes to")
        expect(remembered).to_contain_text("When openai fails, anthropic may be asked")
        assert kept.ask(models).status == 200
        remembered.get_by_role("button", name=re.compile("^Ask again")).click()
        expect(remembered).to_contain_text("Nothing is remembered.")
        asked = pool.submit(kept.ask, models)
        request.get_by_role("button", name="Refuse").click()
        assert asked.result(30).error["code"] == "consent_required"


@pytest.mark.row("B15")
def test_health_of_a_target_is_told_as_it_changes(chromium: Browser, kept: Gateway, simulator: Simulator) -> None:
    made(kept)
    with visit(chromium, kept) as window:
        page = window.sign_in(then="/routes")
        route = page.get_by_role("article", name="careful")
        expect(route.get_by_role("listitem").first).to_contain_text("Not asked lately")
        assert kept.ask("openai/gpt-4o").status == 200
        expect(route.get_by_role("listitem").first).to_contain_text("Answers")
        fails(kept, simulator)
        # Another process's changes are seen within a second.
        until(lambda: kept.ask("openai/gpt-4o").status != 200)
        expect(route.get_by_role("listitem").first).to_contain_text(re.compile("Failing|Rests|Being tried"))
