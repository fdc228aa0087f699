"""Automations on the page: made, priced, run on a starter's example, moved to another model, changed, removed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from chatting import simulated
from house import Gateway, Simulator, library
from paged import Visit, visit


def sheet(page: Page) -> Any:
    return page.get_by_role("dialog")


@pytest.mark.row("B9")
def test_an_automation_is_made_and_priced_before_it_is_run(window: Visit) -> None:
    page = window.sign_in(then="/automations")
    expect(page.get_by_role("heading", name="There is no automation yet")).to_be_visible()
    window.check_accessible()
    window.check_fits()
    page.get_by_role("link", name="Add automation").first.click()
    sheet(page).get_by_label("Name").fill("tidy")
    sheet(page).get_by_label("Prompt").fill("Tidy this up: {{text}}")
    # What stands in braces is seen to be a field.
    expect(sheet(page).get_by_role("group", name="Field text")).to_be_visible()
    expect(sheet(page).locator("mark")).to_have_text("{{text}}")
    picker = sheet(page).get_by_role("combobox", name="Model")
    picker.click()
    picker.fill("openai/gpt-4o-mini")
    page.get_by_role("option", name=re.compile("^gpt-4o-mini")).first.click()
    sheet(page).get_by_label("Each run costs at most", exact=True).fill("0.05")
    window.check_accessible()
    window.check_fits()
    sheet(page).get_by_role("button", name="Add automation").click()

    expect(page.get_by_role("heading", name="tidy", level=1)).to_be_visible()
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_disabled()
    page.get_by_label("text").fill("a mess")
    expect(page.get_by_text(re.compile(r"This run costs about \$0\.\d+, at most \$0\.0\d+"))).to_be_visible()
    page.get_by_role("button", name="Run", exact=True).click()
    gave = page.get_by_role("region", name="What the run gave")
    expect(gave).to_contain_text(re.compile(r"Done.*Cost \$0\.0"))
    run = page.get_by_role("region", name="Runs").get_by_role("link")
    expect(run).to_have_count(1)
    window.check_accessible()
    window.check_fits()
    run.click()
    expect(sheet(page).get_by_role("region", name="What the run gave")).to_contain_text("Done")
    page.keyboard.press("Escape")


@pytest.mark.row("B10")
def test_another_model_is_taken_once_what_it_costs_more_was_confirmed(window: Visit) -> None:
    with library(window.gateway.home) as ownkey:
        ownkey.automations.add("tidy", "Tidy this up: {{text}}", model="openai/gpt-4o-mini", limit="0.50")
    page = window.sign_in(then="/automations/tidy")
    gave = page.get_by_role("region", name="What the run gave")
    page.get_by_label("text").fill("a mess")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(gave).to_contain_text("openai/gpt-4o-mini")
    page.get_by_role("link", name="Change model").click()
    other = sheet(page).get_by_role("combobox", name="New model")
    other.click()
    other.fill("anthropic/claude-opus-4-5")
    page.get_by_role("option", name=re.compile("anthropic.claude-opus-4-5.*more per run")).first.click()
    expect(sheet(page)).to_contain_text(re.compile(r"This will cost about \$0\.\d+ more per run\."))
    expect(sheet(page)).to_contain_text("by its 1 run of the last 30 days")
    window.check_accessible()
    with library(window.gateway.home) as ownkey:
        assert ownkey.automations.get("tidy").model == "openai/gpt-4o-mini", "it was changed before it was confirmed"
    sheet(page).get_by_role("button", name="Switch model").click()
    expect(page.get_by_role("status").get_by_text("The next run uses")).to_be_visible()
    page.get_by_role("button", name="Run", exact=True).click()
    expect(gave).to_contain_text("anthropic/claude-opus-4-5")

    page.get_by_role("link", name="All automations").click()
    card = page.get_by_role("article", name="tidy")
    expect(card).to_contain_text(re.compile(r"Last run .*: \$0\.\d+"))
    expect(card).to_contain_text(re.compile(r"\$0\.\d*[1-9]\d* this month"))


@pytest.mark.row("C10")
@pytest.mark.row("C11")
def test_a_starter_is_run_on_its_example_and_gives_tables(chromium: Browser, kept: Gateway) -> None:
    with visit(chromium, kept) as window:
        page = window.sign_in(then="/automations")
        page.get_by_role("link", name="Use it: Financial analysis").click()
        expect(sheet(page).get_by_label("Name")).to_have_value("financial-analysis")
        sheet(page).get_by_role("button", name="Add automation").click()
        page.get_by_role("button", name="Fill in the example").click()
        expect(page.get_by_role("button", name="Leave out association-2025.csv")).to_be_visible()
        expect(page.get_by_text(re.compile("This run costs about"))).to_be_visible()
        page.get_by_role("button", name="Run", exact=True).click()
        gave = page.get_by_role("region", name="What the run gave")
        expect(gave).to_contain_text("Cost $")
        expect(gave.get_by_role("columnheader").first).to_be_visible()
        window.check_accessible()


@pytest.mark.row("B9")
def test_an_automation_is_made_by_keyboard_changed_and_removed(chromium: Browser, kept: Gateway) -> None:
    with visit(chromium, kept) as window:
        page = window.sign_in(then="/automations/new")
        expect(sheet(page).get_by_label("Name")).to_be_focused()
        page.keyboard.type("greet")
        window.tab_to(sheet(page).get_by_label("Prompt"))
        page.keyboard.type("Greet {{name}}.")
        window.tab_to(sheet(page).get_by_label("Where nothing is given"))
        page.keyboard.type("everybody")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="greet", level=1)).to_be_visible()
        # The field may be left empty: the price is said at once.
        expect(page.get_by_text(re.compile("This run costs about"))).to_be_visible()
        window.tab_to(page.get_by_role("button", name="Run", exact=True))
        page.keyboard.press("Enter")
        expect(page.get_by_role("region", name="What the run gave")).to_contain_text("Done")
        window.tab_to(page.get_by_role("region", name="Runs").get_by_role("link"))
        page.keyboard.press("Enter")
        sheet(page).get_by_role("button", name="Forget this run").press("Enter")
        page.get_by_role("dialog", name="Forget this run?").get_by_role("button", name="Forget it").press("Enter")
        expect(page.get_by_text("It was not run yet.")).to_be_visible()

        page.get_by_role("link", name="Edit").press("Enter")
        expect(sheet(page).get_by_label("Where nothing is given")).to_have_value("everybody")
        sheet(page).get_by_label("What it is for").fill("A greeting")
        page.keyboard.press("Enter")
        expect(page.get_by_text("A greeting")).to_be_visible()
        page.get_by_role("link", name="Edit").press("Enter")
        sheet(page).get_by_role("button", name="Remove automation").press("Enter")
        question = page.get_by_role("dialog", name="Remove the automation “greet”?")
        question.get_by_role("button", name="Remove automation").press("Enter")
        expect(page.get_by_role("heading", name="There is no automation yet")).to_be_visible()


@pytest.mark.row("B10")
def test_the_default_model_is_what_new_automations_use(chromium: Browser, kept: Gateway) -> None:
    with library(kept.home) as ownkey:
        ownkey.automations.add("plain", "Say {{word}}")
    with visit(chromium, kept) as window:
        page = window.sign_in(then="/automations")
        picker = page.get_by_role("combobox", name="Default model")
        expect(picker).to_have_value("auto")
        picker.click()
        picker.fill("gemini/gemini-2.5-flash")
        page.get_by_role("option", name=re.compile("^gemini-2.5-flash")).first.click()
        expect(page.get_by_role("article", name="plain")).to_contain_text("gemini/gemini-2.5-flash")


@pytest.mark.row("B14")
def test_a_run_is_tried_again_by_itself_with_what_it_was_given(
    chromium: Browser, tmp_path: Path, simulator: Simulator
) -> None:
    home = tmp_path / "home"
    fault = {"openai": "status=429;retry-after=3;times=1"}
    with simulated(home, simulator, fault, OWNKEY_RETRIES="0") as running, visit(chromium, running) as window:
        window.expected = ("429",)
        with library(home) as ownkey:
            ownkey.automations.add("tidy", "Tidy this up: {{text}}", model="openai/gpt-4o-mini")
        page = window.sign_in(then="/automations/tidy")
        page.get_by_label("text").fill("a mess")
        page.get_by_role("button", name="Run", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("OpenAI rate limit hit.")
        page.get_by_label("text").fill("an oth")
        expect(page.get_by_role("region", name="What the run gave")).to_contain_text("Tidy this up: a mess")
        expect(page.get_by_label("text")).to_have_value("an oth")


@pytest.mark.row("B9")
def test_a_field_that_was_renamed_is_given_no_more(chromium: Browser, kept: Gateway) -> None:
    with library(kept.home) as ownkey:
        ownkey.automations.add("tidy", "Tidy this up: {{text}}", model="openai/gpt-4o-mini")
    with visit(chromium, kept) as window:
        page = window.sign_in(then="/automations/tidy")
        page.get_by_label("text").fill("a mess")
        expect(page.get_by_text(re.compile("This run costs about"))).to_be_visible()
        page.get_by_role("link", name="Edit").click()
        sheet(page).get_by_label("Prompt").fill("Tidy this up: {{words}}")
        sheet(page).get_by_role("button", name="Save automation").click()
        page.get_by_label("words").fill("a heap")
        expect(page.get_by_text(re.compile("This run costs about"))).to_be_visible()
        page.get_by_role("button", name="Run", exact=True).click()
        expect(page.get_by_role("region", name="What the run gave")).to_contain_text("Tidy this up: a heap")
