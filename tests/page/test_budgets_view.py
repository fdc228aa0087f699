"""Budgets and rate limits on the page: made, looked at while they are used, changed, removed; by keyboard; by whom."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from house import Gateway, library
from paged import Visit, visit


def sheet(page: Page) -> Any:
    return page.get_by_role("dialog")


def choose_provider(page: Page, name: str) -> None:
    sheet(page).get_by_role("combobox", name="Provider").click()
    page.get_by_role("option", name=name, exact=True).click()


@pytest.mark.row("B11")
def test_a_budget_is_made_seen_to_be_spent_lowered_and_removed(window: Visit) -> None:
    page = window.sign_in(then="/budgets")
    expect(page.get_by_role("heading", name="There is no limit yet")).to_be_visible()
    window.check_accessible()
    page.get_by_role("link", name="Add budget").first.click()
    sheet(page).get_by_label("Name").fill("Trips")

    # The slider goes by round amounts, the field holds any: each follows the other.
    slider = sheet(page).get_by_role("slider", name="At most, roughly")
    field = sheet(page).get_by_label("At most", exact=True)
    field.fill("0.15")
    expect(slider).to_have_attribute("aria-valuetext", "$0.20")
    slider.press("ArrowRight")
    expect(field).to_have_value("0.50")
    field.fill("0.05")
    sheet(page).get_by_label("In each").select_option("Day")
    choose_provider(page, "OpenAI")
    would = sheet(page).get_by_role("region", name="What it would do")
    expect(would).to_contain_text("With last month's use this would not have stopped you")
    window.check_accessible()
    window.check_fits()
    sheet(page).get_by_role("button", name="Add budget").click()

    budget = page.get_by_role("article", name="Trips")
    expect(budget).to_contain_text("OpenAI · $0.05 a day")
    expect(budget).to_contain_text("$0.00 spent")
    # What is spent is told as it happens.
    assert window.gateway.ask("openai/gpt-4o").status == 200
    expect(budget).to_contain_text(re.compile(r"\$0\.00\d+ spent"))
    expect(budget.get_by_role("meter")).to_have_accessible_name(re.compile(r"Trips: \$0\.00\d+ spent"))

    budget.get_by_role("link", name="Trips").click()
    sheet(page).get_by_label("At most", exact=True).fill("0.000001")
    expect(would).to_contain_text("every run would be refused")
    sheet(page).get_by_role("button", name="Save budget").click()
    expect(budget).to_contain_text("Used up: refuses")
    assert window.gateway.ask("openai/gpt-4o").error["code"] == "budget_exceeded"
    window.check_fits()

    budget.get_by_role("link", name="Trips").click()
    sheet(page).get_by_role("button", name="Remove budget").click()
    question = page.get_by_role("dialog", name="Remove the budget “Trips”?")
    question.get_by_role("button", name="Remove budget").click()
    expect(page.get_by_role("heading", name="There is no limit yet")).to_be_visible()
    assert window.gateway.ask("openai/gpt-4o").status == 200


@pytest.mark.row("B11")
def test_a_budget_is_for_one_model_and_then_for_all_of_its_provider(window: Visit) -> None:
    page = window.sign_in(then="/budgets/new")
    sheet(page).get_by_label("Name").fill("Dear ones")
    sheet(page).get_by_label("At most", exact=True).fill("0.000001")
    choose_provider(page, "OpenAI")
    model = sheet(page).get_by_role("combobox", name="Model")
    expect(model).to_have_value("Any of its models")
    model.fill("gpt-4o")
    page.get_by_role("option", name=re.compile(r"^gpt-4o(?!-)")).click()
    expect(model).to_have_value("openai/gpt-4o")
    window.check_accessible()
    window.check_fits()
    sheet(page).get_by_role("button", name="Add budget").click()
    budget = page.get_by_role("article", name="Dear ones")
    expect(budget).to_contain_text("openai/gpt-4o · ")
    assert window.gateway.ask("openai/gpt-4o").error["code"] == "budget_exceeded"
    assert window.gateway.ask("openai/gpt-4o-mini").status == 200

    budget.get_by_role("link", name="Dear ones").click()
    expect(model).to_have_value("openai/gpt-4o")
    model.fill("any")
    page.get_by_role("option", name="Any of its models").click()
    sheet(page).get_by_role("button", name="Save budget").click()
    expect(budget).to_contain_text("OpenAI · ")
    assert window.gateway.ask("openai/gpt-4o-mini").error["code"] == "budget_exceeded"


@pytest.mark.row("B11")
def test_a_budget_is_made_by_keyboard_with_caps_on_each_run_and_found_again_at_its_address(
    chromium: Browser, kept: Gateway
) -> None:
    with visit(chromium, kept, color_scheme="dark") as window:
        page = window.sign_in(then="/budgets")
        window.tab_to(page.get_by_role("link", name="Add budget").first)
        page.keyboard.press("Enter")
        expect(sheet(page).get_by_label("Name")).to_be_focused()
        page.keyboard.type("Runs")
        window.tab_to(sheet(page).get_by_label("At most", exact=True))
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.press("Delete")
        window.tab_to(sheet(page).get_by_label("At most, in tokens"))
        page.keyboard.type("20")
        window.tab_to(sheet(page).get_by_label("Usually, in tokens"))
        page.keyboard.type("10")
        window.tab_to(sheet(page).get_by_role("radio", name="is warned of"))
        page.keyboard.press("ArrowRight")
        expect(sheet(page).get_by_role("radio", name="is asked about first")).to_be_checked()
        page.keyboard.press("Enter")
        budget = page.get_by_role("article", name="Runs")
        expect(budget).to_contain_text("20 tokens a run at most")
        # The soft cap asks first, as it was told to.
        assert kept.ask("openai/gpt-4o", "Hello " * 100).error["code"] == "consent_required"

        window.tab_to(budget.get_by_role("link", name="Runs"))
        page.keyboard.press("Enter")
        expect(sheet(page).get_by_label("Usually, in tokens")).to_have_value("10")
        page.reload()
        expect(sheet(page).get_by_label("At most, in tokens")).to_have_value("20")
        window.check_accessible()
        page.keyboard.press("Escape")
        expect(sheet(page)).to_have_count(0)
        assert page.url.endswith("/budgets")


@pytest.mark.row("B11")
def test_a_rate_limit_is_set_and_holds_and_is_removed(window: Visit) -> None:
    page = window.sign_in(then="/budgets")
    page.get_by_role("link", name="Add rate limit").click()
    choose_provider(page, "OpenAI")
    sheet(page).get_by_label("Requests a minute").fill("1")
    window.check_accessible()
    sheet(page).get_by_role("button", name="Add rate limit").click()
    row = page.get_by_role("row", name=re.compile("openai", re.IGNORECASE))
    expect(row).to_contain_text("1")
    expect(row).to_contain_text("as otherwise")
    window.check_fits()
    window.check_accessible()
    answers = [window.gateway.ask("openai/gpt-4o") for _ in range(2)]
    assert [one.status for one in answers] == [200, 429]

    row.get_by_role("link").click()
    sheet(page).get_by_role("button", name="Remove rate limit").click()
    page.get_by_role("dialog", name=re.compile("Remove the rate limit")).get_by_role(
        "button", name="Remove rate limit"
    ).click()
    expect(row).to_have_count(0)


def test_who_may_not_change_a_budget_sees_it_and_is_told_why(chromium: Browser, kept: Gateway) -> None:
    with library(kept.home) as ownkey:
        member, viewer = (ownkey.people.add(role, role=role).id for role in ("member", "viewer"))
        ownkey.budgets.set("Set for a member", limit="3", owner=member)
    with visit(chromium, kept) as window:
        page = window.sign_in(member, then="/budgets")
        page.get_by_role("link", name="Set for a member").click()
        expect(sheet(page)).to_contain_text("An admin can change it")
        expect(sheet(page).get_by_label("At most", exact=True)).to_be_disabled()
        expect(sheet(page).get_by_role("button", name="Save budget")).to_have_count(0)
        window.check_accessible()
    with visit(chromium, kept) as window:
        page = window.sign_in(viewer, then="/budgets")
        expect(page.get_by_role("link", name="Set for a member")).to_be_visible()
        expect(page.get_by_role("link", name="Add budget")).to_have_count(0)


def test_budgets_that_cannot_be_read_are_said_so_in_place_and_asked_for_again(window: Visit) -> None:
    window.expected = ("500",)
    said = '{"error": {"message": "The disk is full.", "type": "server_error", "code": "internal_error"}}'
    page = window.sign_in()
    page.route("**/api/byok/budgets", lambda route: route.fulfill(status=500, body=said))
    window.go("/budgets")
    expect(page.get_by_role("alert")).to_contain_text("The disk is full.")
    page.unroute("**/api/byok/budgets")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="There is no limit yet")).to_be_visible()
