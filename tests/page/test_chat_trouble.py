"""Chat where something is in the way: each says what happened, what it cost, and what to do, in its place."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect

from browsing import with_password
from chatting import answers, ask, message, open_chat, price, receipt, simulated
from house import HEADERS_TIMEOUT_S, Gateway, Simulator, library
from paged import Visit, visit

REFUSED = ("402", "404", "409", "429", "502", "503", "504")
"""Chromium says in its console that a request was refused; that is what these tests are about."""


def trouble(page: Page, says: str | re.Pattern[str]) -> None:
    expect(page.get_by_role("alert")).to_contain_text(says)


@pytest.mark.row("B14")
def test_a_key_that_is_refused_says_so_and_leads_to_where_it_is_entered(
    chromium: Chromium, tmp_path: Path, simulator: Simulator, size: str
) -> None:
    fault = {"openai": "reason=key"}
    with simulated(tmp_path / "home", simulator, fault) as running, visit(chromium, running, size) as window:
        window.expected = REFUSED
        page = open_chat(window, "openai/gpt-4o")
        ask(page, "Hello")
        trouble(page, "Your OpenAI API key is invalid. Please check and try again.")
        trouble(page, "Nothing was charged.")
        expect(page.get_by_role("link", name="Re-enter key")).to_have_attribute(
            "href", re.compile("/settings/byok/openai")
        )
        window.check_fits()
        window.check_accessible()


@pytest.mark.row("B14")
def test_a_rate_limit_counts_down_and_asks_again_by_itself(
    chromium: Chromium, tmp_path: Path, simulator: Simulator
) -> None:
    fault = {"openai": "status=429;retry-after=8;times=1"}
    with simulated(tmp_path / "home", simulator, fault) as running, visit(chromium, running) as window:
        window.expected = REFUSED
        page = open_chat(window, "openai/gpt-4o")
        ask(page, "say 3 words")
        waiting = page.get_by_role("group", name="Waiting to ask again")
        expect(waiting).to_contain_text(re.compile(r"OpenAI rate limit hit\. Retrying in \d seconds?\.\.\."))
        expect(waiting.get_by_role("button", name="Ask now")).to_be_visible()
        window.check_accessible()
        expect(answers(page)).to_contain_text("word1 word2 word3")
        expect(waiting).to_have_count(0)


@pytest.mark.row("B14")
def test_a_provider_that_cannot_be_reached_and_then_can_is_asked_again(
    chromium: Chromium, tmp_path: Path, simulator: Simulator
) -> None:
    with (
        # Three tries, and one more where the first goes out on a connection that was open before.
        simulated(tmp_path / "home", simulator, {"openai": "reset;times=4"}) as running,
        visit(chromium, running) as window,
    ):
        window.expected = REFUSED
        page = open_chat(window, "openai/gpt-4o")
        ask(page, "say 3 words")
        trouble(page, "Can't reach OpenAI. Check your internet connection.")
        page.get_by_role("button", name="Try again").click()
        expect(answers(page)).to_contain_text("word1 word2 word3")
        expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.row("B14")
def test_what_else_goes_wrong_at_a_provider_has_its_words_and_its_button(
    chromium: Chromium, tmp_path: Path, simulator: Simulator, size: str
) -> None:
    faults = {"openai": "reason=model", "anthropic": "reason=quota", "gemini": "html"}
    with simulated(tmp_path / "home", simulator, faults) as running, visit(chromium, running, size) as window:
        window.expected = REFUSED
        page = open_chat(window, "openai/gpt-4o")
        ask(page, "Hello")
        trouble(page, "GPT-4o is unavailable right now. Try")
        page.get_by_role("button", name="Choose another model").click()
        expect(page.get_by_role("dialog", name="Try with another model")).to_be_visible()
        page = open_chat(window, "anthropic/claude-sonnet-4-5")
        ask(page, "Hello")
        trouble(page, "You've hit your Anthropic usage cap. Upgrade your plan or use")
        expect(page.get_by_role("link", name="Provider settings")).to_have_attribute(
            "href", re.compile("/settings/byok/anthropic")
        )
        page = open_chat(window, "gemini/gemini-2.5-flash")
        ask(page, "Hello")
        trouble(page, "Google Gemini sent an answer that cannot be read.")
        expect(page.get_by_role("button", name="Try again")).to_be_visible()
        window.check_accessible()
        window.check_fits()


@pytest.mark.row("B14")
def test_a_provider_that_says_nothing_is_not_waited_for_for_ever(
    chromium: Chromium, tmp_path: Path, simulator: Simulator
) -> None:
    quick = {"OWNKEY_HEADERS_TIMEOUT_S": str(HEADERS_TIMEOUT_S), "OWNKEY_RETRIES": "0"}
    with (
        simulated(tmp_path / "home", simulator, {"openai": "silence;times=1"}, **quick) as running,
        visit(chromium, running) as window,
    ):
        window.expected = REFUSED
        page = open_chat(window, "openai/gpt-4o")
        ask(page, "say 3 words")
        trouble(page, "OpenAI took too long to answer.")
        page.get_by_role("button", name="Try again").click()
        expect(answers(page)).to_contain_text("word1 word2 word3")


@pytest.mark.row("B14")
def test_an_exhausted_budget_is_told_before_and_nothing_is_charged(window: Visit) -> None:
    window.expected = REFUSED
    with library(window.gateway.home) as ownkey:
        ownkey.budgets.set("tiny", limit="0.000001", per="month")
    before = len(window.gateway.simulator.seen("openai"))
    page = open_chat(window, "openai/gpt-4o")
    message(page).fill("Hello")
    expect(price(page)).to_contain_text("the budget tiny does not have enough left: this will be refused")
    page.get_by_role("button", name="Send", exact=True).click()
    trouble(page, re.compile(r"The budget tiny has \$0\.000001 left of \$0\.000001"))
    trouble(page, "Nothing was charged.")
    expect(page.get_by_role("link", name="Open budgets")).to_have_attribute("href", "/budgets")
    page.get_by_role("button", name="Try with a cheaper model").click()
    expect(page.get_by_role("dialog", name="Try with another model")).to_be_visible()
    assert len(window.gateway.simulator.seen("openai")) == before, "something was sent"
    window.check_fits()


@pytest.mark.row("B14")
def test_V06_a_sealed_vault_is_named_and_the_demo_still_answers(
    chromium: Chromium, tmp_path: Path, simulator: Simulator
) -> None:
    home, wrong = tmp_path / "home", tmp_path / "wrong"
    wrong.write_text(secrets.token_hex(32))
    wrong.chmod(0o600)
    settings = {"OWNKEY_MASTER_KEY_FILE": str(wrong)}
    with simulated(home, simulator, {}, **settings) as running, visit(chromium, running) as window:
        window.expected = REFUSED
        page = open_chat(window, "openai/gpt-4o")
        ask(page, "Hello")
        expect(page.get_by_role("alert", name="The vault is sealed").or_(page.get_by_role("alert"))).to_contain_text(
            "The vault is sealed"
        )
        trouble(page, "Nothing was charged.")
        page.goto(f"{window.origin}/chat?model=demo/demo")
        ask(page, "Hello")
        expect(answers(page)).to_contain_text("Ownkey's demo")


@pytest.mark.row("B15")
def test_a_price_that_nobody_knows_is_asked_about_in_its_place(window: Visit) -> None:
    window.expected = REFUSED
    page = open_chat(window, "openai/sim-small")
    message(page).fill("say 3 words")
    expect(price(page)).to_contain_text("Nobody knows what openai/sim-small costs. You are asked before it is sent.")
    page.get_by_role("button", name="Send", exact=True).click()
    question = page.get_by_role("group", name="Shall this go on?")
    expect(question).to_contain_text("Nothing has been charged.")
    window.check_accessible()
    window.check_fits()
    question.get_by_role("button", name="No", exact=True).click()
    expect(answers(page)).to_contain_text("You stopped it here.")
    page.get_by_role("button", name="Ask again").click()
    question.get_by_role("button", name="Approve once").click()
    expect(answers(page)).to_contain_text("word1 word2 word3")
    expect(receipt(page)).to_contain_text("cost unknown")
    assert len(window.gateway.rows("openai")) == 1


@pytest.mark.row("B15")
def test_another_provider_is_asked_for_before_it_goes_on_where_that_is_wanted(
    chromium: Chromium, tmp_path: Path, simulator: Simulator
) -> None:
    home = tmp_path / "home"
    with simulated(home, simulator, {"openai": "status=503"}) as running, visit(chromium, running) as window:
        window.expected = REFUSED
        with library(home) as ownkey:
            ownkey.preferences.update(ask=True, park=True)
        page = open_chat(window, "openai/gpt-4o,anthropic/claude-sonnet-4-5")
        ask(page, "say 3 words")
        question = page.get_by_role("group", name="Shall this go on?")
        expect(question).to_contain_text("With anthropic/claude-sonnet-4-5 it would cost about $0.0")
        question.get_by_role("button", name="Approve for 30 days").click()
        expect(answers(page)).to_contain_text("word1 word2 word3")
        ask(page, "say 4 words")
        expect(answers(page).last).to_contain_text("word4")
        path = re.compile(r"openai/gpt-4o (did not answer|was passed over)")
        expect(page.get_by_text(path).last).to_be_visible()


def test_an_answer_that_broke_off_is_carried_on_and_both_models_are_named(
    chromium: Chromium, tmp_path: Path, simulator: Simulator
) -> None:
    fault = {"openai": "cut=6"}
    with simulated(tmp_path / "home", simulator, fault) as running, visit(chromium, running) as window:
        page = open_chat(window, "openai/gpt-4o,anthropic/claude-sonnet-4-5")
        ask(page, "say 12 words")
        expect(answers(page)).to_contain_text("word5")
        expect(answers(page)).to_contain_text(
            "Begun by openai/gpt-4o, broken off there, and carried on by anthropic/claude-sonnet-4-5."
        )
        cost = sum(row.cost_nano for name in ("openai", "anthropic") for row in running.rows(name))
        receipt(page).locator("strong span").hover()
        shown = page.get_by_role("tooltip").inner_text()
        assert round(float(shown.removeprefix("$")) * 1e9) == cost


def test_a_stream_that_broke_after_its_first_words_says_what_it_cost(
    chromium: Chromium, tmp_path: Path, simulator: Simulator
) -> None:
    fault = {"openai": "cut=4"}
    with simulated(tmp_path / "home", simulator, fault) as running, visit(chromium, running, "phone") as window:
        page = open_chat(window, "openai/gpt-4o")
        ask(page, "say 12 words")
        trouble(page, "The answer broke off: what came of it stands above, and is not whole.")
        trouble(page, re.compile(r"It cost (about )?\$0\.00|At most \$0\.\d+ was charged"))
        expect(answers(page)).to_contain_text("word1")
        expect(page.get_by_role("button", name="Try again")).to_be_visible()
        window.check_fits()
        window.check_accessible()


def test_when_ownkey_itself_is_gone_nothing_is_lost(chromium: Chromium, kept: Gateway) -> None:
    with visit(chromium, kept) as window:
        window.expected = ("ERR_INTERNET_DISCONNECTED", "Failed to load")
        page = open_chat(window, "openai/gpt-4o")
        page.context.set_offline(True)
        ask(page, "say 3 words")
        trouble(page, "Ownkey does not answer.")
        page.context.set_offline(False)
        page.get_by_role("button", name="Try again").first.click()
        expect(answers(page)).to_contain_text("word1 word2 word3")


def test_a_viewer_is_told_who_lets_them_ask(chromium: Chromium, kept: Gateway) -> None:
    user_id, _ = with_password(kept, "Vera", "viewer")
    with visit(chromium, kept) as window:
        page = window.sign_in(user_id, then="/chat")
        expect(page.get_by_role("heading", name="You may look, not ask")).to_be_visible()
        expect(message(page)).to_have_count(0)
