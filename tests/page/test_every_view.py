"""Every view, on a desktop and a phone, light and dark, with nothing in it, after a month and with a lot: accessible,
within its window, from this server alone, never blank for long, and small."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from house import KEYS, Gateway, Simulator, gateway, library
from month import crowd, live
from paged import PHONE, VIEWS, point_at, visit

FIRST_VIEW_BYTES = 200_000
INTERACTIVE_MS = 1_000
BLANK_MS = 200
LONGEST_BLANK_MS = """async (path) => {
    const begun = performance.now();
    let blankSince = null, longest = 0;
    history.pushState({}, '', path);
    dispatchEvent(new PopStateEvent('popstate', {state: {}}));
    while (performance.now() < begun + 450) {
        await new Promise(requestAnimationFrame);
        const now = performance.now(), main = document.querySelector('main') ?? document.getElementById('root');
        const says = main.innerText.trim() || main.querySelector('.mantine-Skeleton-root');
        blankSince = says ? null : blankSince ?? now;
        if (blankSince !== null) longest = Math.max(longest, now - blankSince);
    }
    return longest;
}"""
"""Goes to a view as a link in the page does, and looks at each frame whether it shows words, or that it waits."""


@pytest.fixture(scope="module", params=["empty", "month", "crowd"])
def house(
    request: pytest.FixtureRequest, simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("house") / "home"
    point_at(home, simulator)
    if request.param != "empty":
        with library(home) as ownkey:
            for name, key in KEYS.items():
                ownkey.keys.set(name, key)
            live(ownkey)
    if request.param == "crowd":
        crowd(home, simulator)
    with gateway(home, simulator) as running:
        yield running


@pytest.mark.row("D6")
@pytest.mark.timeout(400)  # each looks at every view there is
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_is_accessible_and_fits(chromium: Browser, house: Gateway, size: str, scheme: str) -> None:
    found: list[str] = []
    with visit(chromium, house, size, color_scheme=scheme) as window:
        # Where nothing was asked yet there is no run to open, and the view says so.
        window.expected = ("404",)
        window.sign_in()
        for view in VIEWS.values():
            page = window.go(view)
            expect(page.get_by_role("heading", level=1).first).to_be_visible()
            window.settle()
            found += [f"{view}: {one}" for one in (*window.violations(), *window.overflow())]
    assert not found, "\n".join(found)


def test_every_view_that_the_server_knows_is_one_of_the_page(chromium: Browser, fresh: Gateway) -> None:
    with visit(chromium, fresh) as window:
        window.sign_in()
        window.expected = ("404",)
        page = window.go("/usage/runs/nothing")
        expect(page.get_by_role("alert")).to_contain_text("There is no such thing here.")
        page = window.go("/nowhere")
        expect(page.get_by_text("There is nothing at this address")).to_be_visible()


def test_the_first_view_is_small_and_soon_usable(chromium: Browser, kept: Gateway) -> None:
    with visit(chromium, kept) as window:
        window.sign_in()
        window.settle()
        client = window.page.context.new_cdp_session(window.page)
        client.send("Network.enable")
        client.send("Network.setCacheDisabled", {"cacheDisabled": True})
        received: list[int] = []
        client.on("Network.loadingFinished", lambda one: received.append(int(one["encodedDataLength"])))
        page = window.go("/")
        expect(page.get_by_text("You have spent")).to_be_visible()
        assert 0 < sum(received) < FIRST_VIEW_BYTES
        timing = "performance.getEntriesByType('navigation')[0].domInteractive"
        assert page.evaluate(timing) < INTERACTIVE_MS
        painted = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
        assert page.evaluate(painted) < INTERACTIVE_MS


def test_no_view_is_blank_for_a_fifth_of_a_second_while_the_server_is_slow(chromium: Browser, kept: Gateway) -> None:
    with visit(chromium, kept) as window:
        page = window.sign_in()
        expect(page.get_by_text("You have spent")).to_be_visible()
        # What every view is loaded with is there; what it asks is never answered.
        page.route("**/api/byok/**", lambda route: None)
        blank_ms = {view: page.evaluate(LONGEST_BLANK_MS, view) for view in VIEWS.values()}
        assert {view: ms for view, ms in blank_ms.items() if ms >= BLANK_MS} == {}
        page.unroute_all(behavior="ignoreErrors")


def test_a_server_that_is_gone_is_said_to_be_gone_and_what_was_read_stays(chromium: Browser, kept: Gateway) -> None:
    with visit(chromium, kept) as window:
        page = window.sign_in(then="/usage")
        expect(page.get_by_text("This month").first).to_be_visible()
        page.context.set_offline(True)
        window.expected = ("ERR_INTERNET_DISCONNECTED", "Unable to preload", "dynamically imported")
        page.get_by_role("link", name="People").first.click()
        expect(page.get_by_role("alert").first).to_be_visible()
        page.context.set_offline(False)


def test_an_error_that_names_a_command_leads_to_the_view_that_does_the_same(chromium: Browser, kept: Gateway) -> None:
    with visit(chromium, kept) as window:
        window.expected = ("500",)
        page = window.sign_in()
        said = "There is no key for Groq. Nothing was sent. Store one with `ownkey keys set groq`."
        body = json.dumps({"error": {"message": said, "code": "key_missing"}})
        page.route("**/api/byok/budgets", lambda route: route.fulfill(status=500, body=body))
        window.go("/budgets")
        expect(page.get_by_role("alert")).to_contain_text("There is no key for Groq. Nothing was sent.")
        expect(page.get_by_role("alert")).not_to_contain_text("ownkey keys")
        page.get_by_role("link", name="Open Providers").click()
        expect(page).to_have_url(re.compile("/settings/byok/groq$"))


@pytest.mark.parametrize("key", ["Control+k", "Meta+k"])
def test_anything_is_found_by_keyboard(chromium: Browser, kept: Gateway, key: str) -> None:
    with visit(chromium, kept) as window:
        page = window.sign_in()
        expect(page.get_by_text("You have spent")).to_be_visible()
        page.keyboard.press(key)
        page.get_by_placeholder("Find anything").fill("bill")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Usage", level=1)).to_be_visible()


def test_on_a_phone_the_main_views_are_at_the_thumb(chromium: Browser, kept: Gateway) -> None:
    with visit(chromium, kept, "phone") as window:
        page = window.sign_in()
        bar = page.get_by_role("navigation", name="Main views")
        box = bar.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] == PHONE["height"]
        for name in ("Chat", "Providers", "Budgets", "Usage", "Home"):
            bar.get_by_role("link", name=name).click()
            expect(bar.get_by_role("link", name=name)).to_have_attribute("aria-current", "page")


def test_whoever_closes_a_question_is_where_they_were(chromium: Browser, kept: Gateway) -> None:
    with visit(chromium, kept) as window:
        page = window.sign_in()

        page.get_by_role("button", name="Find anything").press("Enter")
        expect(page.get_by_placeholder("Find anything")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="Find anything")).to_be_focused()
        window.go("/settings/byok/openai")
        more = page.get_by_role("button", name=re.compile("^More for the key"))
        more.press("Enter")
        page.get_by_role("menuitem", name="Remove it").press("Enter")
        page.get_by_role("button", name="Cancel").press("Enter")
        expect(more).to_be_focused()
        window.go("/chat?model=openai/gpt-4o")
        page.get_by_role("textbox", name="Message", exact=True).fill("Hello")
        page.keyboard.press("Enter")
        others = page.get_by_role("button", name="Try with…")
        others.press("Enter")
        expect(page.get_by_label("Find a model")).to_be_focused()
        page.keyboard.press("Escape")
        expect(others).to_be_focused()
