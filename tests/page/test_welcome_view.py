"""The first steps: a newcomer with one key is at a first answer, its price seen before and after; and what may go wrong
on the way says so, with the button that mends it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from chatting import simulated
from conftest import LOCAL
from house import BAD, KEYS, Gateway, Simulator, gateway, library, until
from ownkey.app.onboarding import Onboarding, agreement
from ownkey.store.first import Step
from paged import Visit, visit

REFUSED = ("401", "402", "404", "409", "422", "429", "502", "503")
"""Chromium says in its console that a request was refused; that is what these tests are about."""

PAUSE_MS = 80
"""Between two letters, of who types slowly."""

MODELS = {"openai": "gpt-4o", "anthropic": "claude-sonnet-4-5", "gemini": "gemini-2.5-flash"}


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def at(page: Page, heading: str) -> None:
    expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible()


def slowly(field: Locator, text: str) -> None:
    field.click()
    field.page.keyboard.type(text, delay=PAUSE_MS)


def begin_at(home: Path, step: Step, *, agreed: bool = True, model: str | None = None) -> None:
    """The owner has come as far as that, and wants that provider's model."""
    with library(home) as ownkey:
        steps = Onboarding(ownkey.house, "owner")
        if agreed:
            steps.accept(agreement().version)
        steps.change(step=step, mode="cloud")
        if model is not None:
            ownkey.preferences.update(provider=model, models={model: MODELS[model]})


def wants(gateway: Gateway, model: str) -> None:
    with library(gateway.home) as ownkey:
        ownkey.preferences.update(provider=model, models={model: MODELS[model]})


@pytest.mark.row("A8", "B8", "B20", "A13")
def test_a_first_provider_and_a_first_answer_with_its_price_take_less_than_two_minutes(first_window: Visit) -> None:
    page = first_window.sign_in(then="/welcome")
    begun_s = time.monotonic()
    press(page, "Begin")
    at(page, "Your privacy")
    expect(
        page.get_by_role("main").get_by_role("listitem").filter(has_text="encrypted on this machine")
    ).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("and to nobody else"))).to_be_visible()
    first_window.check_fits()
    press(page, "Go on")
    at(page, "Cloud or local?")
    press(page, "Use the cloud")
    at(page, "Your first key")
    slowly(page.get_by_label("Your Google Gemini key"), KEYS["gemini"])
    press(page, "Test and save")
    expect(page.get_by_role("status").filter(has_text="is saved")).to_have_text(
        re.compile(rf"The key .*{KEYS['gemini'][-4:]} is saved\.Asked 127\.0\.0\.1.*/models: [\d.]+ m?s, \d+ models\.")
    )
    press(page, "Go on")
    at(page, "A limit")
    expect(page.get_by_label("Dollars a month", exact=True)).to_have_value("$5")
    first_window.check_fits()
    press(page, "Set the limit")
    at(page, "The agreement")
    expect(page.get_by_text(f"Version {agreement().version}, of")).to_be_visible()
    press(page, "Accept and go on")
    at(page, "Choose a model")
    first = page.get_by_role("list", name="Models").get_by_role("listitem").first
    expect(first).to_contain_text("Default")
    expect(first).to_contain_text(re.compile(r"\$0\.30 in, \$2\.50 out per 1M tokens"))
    first_window.check_fits()
    first.get_by_role("button").click()
    at(page, "Try it")
    page.get_by_label("Your question").fill("")
    slowly(page.get_by_label("Your question"), "What is a key for?")
    expect(page.get_by_text(re.compile(r"^about \$0\.\d+, at most \$0\.\d+$"))).to_be_visible()
    press(page, "Ask")
    expect(page.get_by_role("region", name="The answer")).to_contain_text("What is a key for?")
    said = page.get_by_text(re.compile(r"^That cost \$0\.\d+\. You have \$4\.99\d+ left\.$"))
    expect(said).to_be_visible()
    cost = said.inner_text().removeprefix("That cost $").partition(". ")[0]
    assert time.monotonic() - begun_s < 120
    first_window.check_fits()
    press(page, "Go on")
    at(page, "You are ready")
    press(page, "Go to Home")
    at(page, "Home")
    with library(first_window.gateway.home) as ownkey:
        standing = Onboarding(ownkey.house, "owner").get()
        (budget,) = ownkey.budgets.all()
        (row,) = ownkey.house.store.book.rows(limit=10)
    assert standing.steps.step == "done"
    assert standing.accepted is not None
    assert (standing.accepted.version, standing.accepted.accepted_at_ms > 0) == (agreement().version, True)
    assert (budget.limit, budget.window.period, budget.owner) == (5_000_000_000, "month", None)
    assert float(cost) == pytest.approx(row.cost_nano / 1e9, rel=0.06), "two digits of what stands in the book"


def test_by_keyboard_alone_from_the_beginning_to_the_cost(chromium: Browser, fresh: Gateway) -> None:
    with visit(chromium, fresh) as found:
        page = found.sign_in(then="/welcome")
        at(page, "Welcome to Ownkey")

        def tab_to(name: str) -> None:
            wanted = page.get_by_role("button", name=name, exact=True)
            expect(wanted).to_be_enabled()
            for _ in range(40):
                if wanted.evaluate("one => one === document.activeElement"):
                    return
                page.keyboard.press("Tab")
            raise AssertionError(f"{name} is not come to by Tab")

        def go(name: str, then: str) -> None:
            tab_to(name)
            page.keyboard.press("Enter")
            at(page, then)

        go("Begin", "Your privacy")
        go("Go on", "Cloud or local?")
        go("Use the cloud", "Your first key")
        while not page.get_by_label("Your Google Gemini key").evaluate("one => one === document.activeElement"):
            page.keyboard.press("Tab")
        page.keyboard.insert_text(KEYS["gemini"])
        page.keyboard.press("Enter")
        expect(page.get_by_text("is saved")).to_be_visible()
        go("Go on", "A limit")
        go("Set the limit", "The agreement")
        go("Accept and go on", "Choose a model")
        page.keyboard.press("Tab")
        go("Use this model: Gemini 2.5 Flash", "Try it")
        tab_to("Ask")
        page.keyboard.press("Enter")
        expect(page.get_by_text("That cost $")).to_be_visible()
        go("Go on", "You are ready")
        go("Go to Home", "Home")


@pytest.mark.row("A8")
def test_leaving_and_coming_back_lands_on_the_same_step_and_nothing_but_the_agreement_holds_one(
    first_window: Visit,
) -> None:
    first_window.expected = REFUSED
    page = first_window.sign_in(then="/welcome")
    press(page, "Begin")
    press(page, "Go on")
    press(page, "Skip")
    at(page, "Your first key")
    page.reload()
    at(page, "Your first key")
    page.go_back()
    at(page, "Cloud or local?")
    page.go_forward()
    page.get_by_role("link", name="Finish later").click()
    at(page, "Home")
    page.context.clear_cookies()
    page = first_window.sign_in(then="/welcome")
    at(page, "Your first key")
    press(page, "Back")
    at(page, "Cloud or local?")
    first_window.go("/welcome?at=try")
    at(page, "The agreement")
    expect(page.get_by_role("button", name="Skip")).to_have_count(0)
    press(page, "Accept and go on")
    at(page, "Try it")
    expect(page.get_by_text("You have no key yet, so the demo answers.")).to_be_visible()
    press(page, "Back")
    expect(page.get_by_text(f"You accepted version {agreement().version} on")).to_be_visible()
    press(page, "Go on")
    at(page, "Try it")
    press(page, "Go on")
    at(page, "You are ready")
    press(page, "Connect your tools")
    page.wait_for_url("**/connect")
    page.context.clear_cookies()
    page = first_window.sign_in()
    at(page, "Home")


def test_looking_around_first_asks_the_demo_which_says_that_it_is_one(first_window: Visit) -> None:
    page = first_window.sign_in(then="/welcome")
    press(page, "Look around first")
    expect(page.get_by_text("This is the demo")).to_be_visible()
    expect(page.get_by_text("Free", exact=True)).to_be_visible()
    press(page, "Ask")
    expect(page.get_by_text("That cost nothing.")).to_be_visible()
    first_window.check_fits()
    with library(first_window.gateway.home) as ownkey:
        standing = Onboarding(ownkey.house, "owner").get()
    assert (standing.steps.demo, standing.accepted, standing.has_key) == (True, None, False)
    press(page, "Begin with your own key")
    at(page, "Your privacy")


@pytest.mark.row("A8")
def test_models_on_this_machine_are_found_and_want_no_key(
    chromium: Browser, tmp_path: Path, simulator: Simulator, size: str
) -> None:
    home = tmp_path / "home"
    with library(home):
        (home / "providers").mkdir()
        (home / "providers" / "local.toml").write_text(LOCAL.format(url=simulator.url))
    with gateway(home, simulator) as running, visit(chromium, running, size) as found:
        begin_at(home, "mode", agreed=False)
        page = found.sign_in(then="/welcome")
        at(page, "Cloud or local?")
        expect(page.get_by_text("Ollama here is running")).to_be_visible()
        page.get_by_role("combobox", name="Choose by hand").click()
        page.get_by_role("option", name="LM Studio").click()
        expect(page.get_by_role("button", name="Use LM Studio")).to_be_visible()
        found.check_fits()
        press(page, "Use Ollama here")
        at(page, "The agreement")
        press(page, "Accept and go on")
        at(page, "Choose a model")
        page.get_by_role("listitem").filter(has_text="local/sim-small").get_by_role("button").click()
        expect(page.get_by_text("Free", exact=True)).to_be_visible()
        press(page, "Ask")
        expect(page.get_by_text("That cost nothing.")).to_be_visible()


@pytest.mark.row("B8")
def test_another_providers_key_is_entered_masked_with_its_form_told_and_is_kept_nowhere(first_window: Visit) -> None:
    begin_at(first_window.gateway.home, "key")
    page = first_window.sign_in(then="/welcome")
    press(page, "I have another provider’s key")
    page.get_by_role("combobox", name="Provider").fill("anthr")
    page.get_by_role("option", name="Anthropic", exact=True).click()
    field = page.get_by_label("Your Anthropic key")
    expect(field).to_have_attribute("type", "password")
    expect(field).to_have_attribute("autocomplete", "off")
    expect(page.get_by_text("It begins with sk-ant-")).to_be_visible()
    help_link = page.get_by_role("link", name="Where do I find this?")
    expect(help_link).to_have_attribute("href", "https://console.anthropic.com/settings/keys")
    expect(help_link).to_have_attribute("target", "_blank")
    expect(help_link).to_have_attribute("rel", "noopener noreferrer")
    field.fill(KEYS["openai"])
    expect(page.get_by_text("Anthropic keys begin with sk-ant-")).to_be_visible()
    field.fill(f"  {KEYS['anthropic']}\n")
    expect(page.get_by_text("Anthropic keys begin with")).to_have_count(0)
    press(page, "Show the key")
    expect(field).to_have_attribute("type", "text")
    first_window.check_fits()
    first_window.check_accessible()
    press(page, "Test and save")
    expect(page.get_by_text("is saved")).to_be_visible()
    kept = page.evaluate(
        "JSON.stringify([{...localStorage}, {...sessionStorage}, location.href, document.documentElement.outerHTML])"
    )
    assert KEYS["anthropic"] not in kept
    press(page, "Add another key")
    expect(page.get_by_label("Your Google Gemini key")).to_have_value("")


def test_a_limit_is_slid_or_typed_and_none_is_said_plainly(first_window: Visit) -> None:
    begin_at(first_window.gateway.home, "limit")
    page = first_window.sign_in(then="/welcome")
    field, slider = page.get_by_label("Dollars a month", exact=True), page.get_by_role("slider")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(field).to_have_value("$6")
    field.fill("12345678.90")
    field.blur()
    field.fill("12.50")
    expect(slider).to_have_attribute("aria-valuenow", "12.5")
    field.fill("0")
    expect(page.get_by_text("A limit is at least $0.01.")).to_be_visible()
    expect(page.get_by_role("button", name="Set the limit")).to_be_disabled()
    field.fill("12.50")
    press(page, "Set the limit")
    expect(page.get_by_role("button", name="Go on")).to_be_visible()
    with library(first_window.gateway.home) as ownkey:
        assert [budget.limit for budget in ownkey.budgets.all()] == [12_500_000_000]
    press(page, "Back")
    expect(field).to_have_value("$12.5")
    page.get_by_label("Limit what is spent each month").click()
    expect(page.get_by_text("Without a limit nothing here stops a run for what it costs.")).to_be_visible()
    first_window.check_accessible()
    press(page, "Go on without a limit")
    expect(page.get_by_role("heading", name="The agreement")).to_be_visible()
    with library(first_window.gateway.home) as ownkey:
        assert ownkey.budgets.all() == []


FAULTS = {"openai": "status=429;retry-after=2;times=1", "anthropic": "reset", "gemini": ""}


@contextmanager
def faulty(home: Path, simulator: Simulator, *, keys: bool, **settings: str) -> Iterator[Gateway]:
    """OpenAI wants no more requests for two seconds, Anthropic cannot be reached, Gemini is well."""
    with library(home) as ownkey:
        for name, fault in FAULTS.items():
            path = ";".join(filter(None, (fault, f"name={home.parent.name}-{name}")))
            version = "v1beta" if name == "gemini" else "v1"
            ownkey.providers.set(name, endpoint=f"{simulator.url}/fault/{path}/{version}")
            if keys:
                ownkey.keys.set(name, KEYS[name])
    with gateway(home, simulator, OWNKEY_RETRIES="0", **settings) as running:
        yield running


@pytest.mark.row("B14")
def test_a_key_that_cannot_be_tested_says_why_and_what_to_do(
    chromium: Browser, tmp_path: Path, simulator: Simulator, size: str
) -> None:
    home = tmp_path / "home"
    with faulty(home, simulator, keys=False) as running, visit(chromium, running, size) as found:
        found.expected = REFUSED
        begin_at(home, "key")
        page = found.sign_in(then="/welcome")
        alert = page.get_by_role("alert")
        page.get_by_label("Your Google Gemini key").fill(BAD)
        press(page, "Test and save")
        press(page, "It is right: test and save it")
        expect(alert).to_contain_text("Your Google Gemini API key is invalid. Please check and try again.")
        expect(alert).to_contain_text("Nothing was saved")
        found.check_accessible()
        found.check_fits()
        press(page, "Re-enter key")
        expect(page.get_by_label("Your Google Gemini key")).to_be_focused()
        expect(page.get_by_label("Your Google Gemini key")).to_have_value("")
        expect(alert).to_have_count(0)
        press(page, "I have another provider’s key")

        def enter(name: str, key: str) -> None:
            page.get_by_role("combobox", name="Provider").fill(name)
            page.get_by_role("option", name=name, exact=True).click()
            page.get_by_label(f"Your {name} key").fill(key)
            press(page, "Test and save")

        enter("Anthropic", KEYS["anthropic"])
        expect(alert).to_contain_text("Can't reach Anthropic. Check your internet connection.")
        expect(alert.get_by_role("button", name="Try again")).to_be_visible()
        # Who wants no more requests just now knows the key.
        enter("OpenAI", KEYS["openai"])
        expect(page.get_by_text("is saved")).to_be_visible()


@pytest.mark.row("B14")
def test_an_answer_that_does_not_come_says_why_and_what_to_do(
    chromium: Browser, tmp_path: Path, simulator: Simulator, size: str
) -> None:
    home = tmp_path / "home"
    with faulty(home, simulator, keys=True) as running, visit(chromium, running, size) as found:
        found.expected = REFUSED
        begin_at(home, "try", model="openai")
        page = found.sign_in(then="/welcome")
        alert, cost = page.get_by_role("alert"), page.get_by_text(re.compile(r"^That cost \$"))
        at(page, "Try it")
        press(page, "Ask")
        expect(alert).to_contain_text("OpenAI rate limit hit.")
        expect(page.get_by_role("timer")).to_have_text(re.compile(r"Trying again in [12] seconds?\."))
        expect(cost).to_be_visible()
        expect(alert).to_have_count(0)
        wants(running, "anthropic")
        page.reload()
        press(page, "Ask")
        expect(alert).to_contain_text("Can't reach Anthropic. Check your internet connection.")
        expect(alert).to_contain_text("Nothing was answered")
        expect(alert.get_by_role("button", name="Try again")).to_be_visible()
        found.check_accessible()
        found.check_fits()
        with library(home) as ownkey:
            ownkey.budgets.set("monthly limit", limit="0.0001", per="month")
        wants(running, "gemini")
        page.reload()
        press(page, "Ask")
        expect(alert).to_contain_text("A limit was reached")
        press(page, "Change the limit")
        at(page, "A limit")
        page.get_by_label("Dollars a month", exact=True).fill("5")
        press(page, "Set the limit")
        press(page, "Go on")
        press(page, "Ask")
        expect(cost).to_be_visible()
        with library(home) as ownkey:
            ownkey.keys.remove("gemini")
            ownkey.keys.set("gemini", BAD, force=True)
        until(lambda: running.ask("gemini/gemini-2.5-flash").status != 200)
        press(page, "Ask")
        expect(alert).to_contain_text("Your Google Gemini API key is invalid. Please check and try again.")
        press(page, "Re-enter key")
        at(page, "Your first key")


def test_a_double_click_on_ask_does_not_stop_and_stopping_does_not_ask_again(
    chromium: Browser, tmp_path: Path, simulator: Simulator
) -> None:
    home = tmp_path / "home"
    with simulated(home, simulator, {"openai": "chunk-delay=0.2"}) as running, visit(chromium, running) as found:
        begin_at(home, "try", model="openai")
        page = found.sign_in(then="/welcome")
        page.get_by_label("Your question").fill("say 4 words")
        page.get_by_role("button", name="Ask", exact=True).dblclick()
        answer, cost = page.get_by_role("region", name="The answer"), page.get_by_text(re.compile(r"^That cost \$"))
        expect(answer).to_have_text("word1 word2 word3 word4")
        expect(cost).to_be_visible()
        assert len(running.rows("openai")) == 1
        page.get_by_label("Your question").fill("say 2000 words")
        press(page, "Ask")
        expect(answer).to_contain_text("word3")
        press(page, "Stop")
        expect(cost).to_be_visible()
        assert len(running.rows("openai")) == 2


@pytest.mark.row("B14")
def test_a_sealed_vault_says_so_at_the_key_and_at_the_question(
    chromium: Browser, tmp_path: Path, simulator: Simulator
) -> None:
    home = tmp_path / "home"
    begin_at(home, "key")
    with library(home) as ownkey:
        ownkey.keys.set("openai", KEYS["openai"])
    begin_at(home, "try", model="openai")
    (home / "root.key").unlink()
    with gateway(home, simulator, token="none") as running, visit(chromium, running) as found:
        found.expected = REFUSED
        page = found.sign_in(then="/welcome")
        at(page, "Try it")
        press(page, "Ask")
        expect(page.get_by_role("alert")).to_contain_text("The vault is sealed")
        expect(page.get_by_role("alert").get_by_role("button", name="Try again")).to_be_visible()
        page = found.go("/welcome?at=key")
        press(page, "Add another key")
        page.get_by_label("Your Google Gemini key").fill(KEYS["gemini"])
        press(page, "Test and save")
        expect(page.get_by_role("alert")).to_contain_text("The vault is sealed")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_frame_is_for_everybody(chromium: Browser, kept: Gateway, scheme: str) -> None:
    begin_at(kept.home, "welcome")
    with visit(chromium, kept, color_scheme=scheme) as found:
        found.sign_in(then="/welcome")
        for step in ("welcome", "privacy", "mode", "key", "limit", "agreement", "try", "more", "demo"):
            page = found.go(f"/welcome?at={step}")
            expect(page.locator(f"[data-step={step}]").get_by_role("heading", level=1)).to_be_visible()
            found.check_accessible()


@pytest.mark.row("A13")
def test_where_nobody_knows_the_price_it_is_said_and_asked_about(chromium: Browser, kept: Gateway) -> None:
    begin_at(kept.home, "try")
    with library(kept.home) as ownkey:
        ownkey.preferences.update(provider="openai", models={"openai": "a-model-of-tomorrow"})
    with visit(chromium, kept) as found:
        found.expected = REFUSED
        page = found.sign_in(then="/welcome")
        expect(page.get_by_text("Nobody knows what it will cost.")).to_be_visible()
        press(page, "Ask")
        expect(page.get_by_role("alert")).to_contain_text("Nothing was answered, and nothing was charged.")
        found.check_accessible()
        press(page, "Ask all the same")
        expect(page.get_by_text("What that cost is not known.")).to_be_visible()
        expect(page.get_by_role("alert")).to_have_count(0)
