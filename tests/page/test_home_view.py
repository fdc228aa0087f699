"""Home on the page: the month in a sentence, in bars and in their table; what is left; what needs a hand; live."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from house import Gateway, Simulator, library, run
from month import live
from paged import Visit, point_at, visit

AMOUNT = r"\$[\d,]+\.\d\d+"
DAYS = "What each of the last 30 days cost"


def part(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name, exact=True)


def used(gateway: Gateway) -> None:
    with library(gateway.home) as ownkey:
        live(ownkey)
    # However early in a month this runs.
    assert gateway.ask("openai/gpt-4o").status == 200


@pytest.mark.row("B13")
@pytest.mark.row("C12")
def test_the_month_stands_in_a_sentence_in_bars_in_a_table_and_beside_its_limits(window: Visit) -> None:
    used(window.gateway)
    page = window.sign_in()
    sentence = page.get_by_text("You have spent")
    expect(sentence).to_have_text(
        re.compile(
            rf"^You have spent {AMOUNT} this month\. You're on track for {AMOUNT}, between {AMOUNT} and {AMOUNT}\.$"
        )
    )
    expect(page.get_by_text(re.compile(rf"{AMOUNT} of \$40\.00 is left of “house”\."))).to_be_visible()
    table = page.get_by_role("table", name=DAYS)
    expect(table.get_by_role("row")).to_have_count(31)
    expect(table.get_by_role("row").last.get_by_role("cell")).to_have_text(re.compile(rf"^{AMOUNT}$"))
    expect(page.get_by_role("figure", name=DAYS)).to_be_visible()

    budgets = part(page, "Budgets")
    expect(budgets.get_by_role("meter", name=re.compile(rf"^house: {AMOUNT} of \$40\.00 spent"))).to_be_visible()
    expect(budgets.get_by_text(re.compile(rf"^{AMOUNT} left until \d+ \w+"))).to_have_count(2)
    expect(part(page, "Providers").get_by_role("link", name=re.compile("^OpenAI.*answers"))).to_be_visible()
    expect(page.get_by_role("heading", name="Three steps to begin with")).to_have_count(0)

    last = part(page, "Last runs").get_by_role("row").nth(1)
    expect(last).to_contain_text("gpt-4o")
    expect(last).to_contain_text(re.compile(AMOUNT))
    window.check_accessible()
    window.check_fits()
    last.get_by_role("link").click()
    expect(page.get_by_role("dialog", name="Run")).to_contain_text("gpt-4o at openai")
    page.go_back()
    expect(sentence).to_be_visible()


def test_with_nothing_asked_yet_three_steps_are_left_and_each_leads_there(first_window: Visit) -> None:
    window = first_window
    page = window.sign_in()
    steps = part(page, "Three steps to begin with")
    expect(steps.get_by_role("listitem")).to_have_count(3)
    expect(steps.get_by_role("img", name="To do")).to_have_count(3)
    expect(page.get_by_text("You have spent $0.00 this month.")).to_be_visible()
    expect(part(page, "Budgets")).to_contain_text("Nothing limits what you spend yet")
    window.check_accessible()
    window.check_fits()
    for verb, path in {
        "Add provider": "/settings/byok/add",
        "Set a limit": "/budgets/new",
        "Open chat": "/chat",
    }.items():
        steps.get_by_role("link", name=verb).click()
        page.wait_for_url(lambda url, path=path: url.endswith(path))
        page.go_back()
    with library(window.gateway.home) as ownkey:
        ownkey.budgets.set("trips", limit="5")
    page.reload()
    expect(steps.get_by_role("img", name="Done")).to_have_count(1)
    expect(steps.get_by_role("link", name="Set a limit")).to_have_count(0)


@pytest.mark.row("C12")
def test_what_is_asked_elsewhere_appears_on_home_and_usage_by_itself(window: Visit) -> None:
    page = window.sign_in()
    expect(page.get_by_text("You have spent $0.00 this month.")).to_be_visible()
    page.evaluate("window.same = true")
    assert window.gateway.ask("openai/gpt-4o").status == 200
    expect(page.get_by_text(re.compile(r"You have spent \$0\.00\d+ this month\."))).to_be_visible()
    expect(part(page, "Last runs").get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("heading", name="Three steps to begin with")).to_have_count(0)
    part(page, "Last runs").get_by_role("link", name="See all usage").click()
    expect(part(page, "Today")).to_contain_text("1 run,")
    assert window.gateway.ask("anthropic/claude-sonnet-4-5").status == 200
    expect(part(page, "Today")).to_contain_text("2 runs,")
    expect(part(page, "In figures").get_by_role("row")).to_have_count(3)
    page.get_by_role("tab", name="Runs").click()
    expect(page.get_by_role("table").get_by_role("row")).to_have_count(3)
    assert window.gateway.ask("gemini/gemini-2.5-flash").status == 200
    expect(page.get_by_role("table").get_by_role("row")).to_have_count(4)
    assert page.evaluate("window.same"), "the page was loaded anew"


@pytest.mark.row("C12")
def test_what_was_asked_while_nothing_could_be_told_appears_once_it_can(window: Visit) -> None:
    # Whoever listens is cut off, and listens again in a few seconds; without that it asks each 20 s.
    window.expected = ("ERR_FAILED",)
    window.page.route("**/api/events", lambda route: route.abort())
    with window.page.expect_event("requestfailed", lambda one: one.url.endswith("/api/events")):
        page = window.sign_in()
    expect(page.get_by_text("You have spent $0.00 this month.")).to_be_visible()
    assert window.gateway.ask("openai/gpt-4o").status == 200
    assert window.gateway.rows("openai")
    page.unroute("**/api/events")
    expect(page.get_by_text(re.compile(r"You have spent \$0\.00\d+ this month\."))).to_be_visible(timeout=15_000)


@pytest.mark.row("B13")
def test_what_needs_a_hand_is_said_with_the_button_that_leads_there(
    chromium: Browser, kept: Gateway, simulator: Simulator
) -> None:
    point_at(kept.home, simulator, "reason=key")
    with library(kept.home) as ownkey:
        ownkey.budgets.set("small", limit="0.02", alert_percent=1)
    with visit(chromium, kept) as window:
        page = window.sign_in()
        expect(page.get_by_text("You have spent")).to_be_visible()
        assert kept.ask("openai/gpt-4o").status == 502
        needs = part(page, "Needs a hand")
        key = needs.get_by_role("listitem").filter(has_text=re.compile("OpenAI|openai"))
        expect(key).to_be_visible()
        window.check_accessible()
        window.tab_to(key.get_by_role("link", name="Open the key"))
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog", name="OpenAI")).to_be_visible()

        point_at(kept.home, simulator)
        page = window.go("/")
        assert kept.ask("anthropic/claude-sonnet-4-5").status == 200
        alert = needs.get_by_role("listitem").filter(has_text="small")
        expect(alert).to_be_visible()
        alert.get_by_role("link", name="See the alert").click()
        expect(page.get_by_role("heading", name="When you are told")).to_be_visible()


def test_V06_a_sealed_vault_is_said_on_home_and_in_about_with_what_to_do(window: Visit) -> None:
    assert run(window.gateway.env, "vault", "seal").returncode == 0
    page = window.sign_in()
    sealed = part(page, "Needs a hand").get_by_role("listitem").filter(has_text="ownkey vault unseal")
    expect(sealed).to_be_visible()
    window.check_accessible()
    window.check_fits()
    sealed.get_by_role("link", name="See what to do").click()
    expect(page.get_by_role("alert")).to_contain_text("The vault is sealed")
    expect(page.get_by_role("alert")).to_contain_text("ownkey vault unseal")
    window.check_accessible()
    assert run(window.gateway.env, "vault", "unseal").returncode == 0
    page.reload()
    expect(page.get_by_text("the vault is open")).to_be_visible()
