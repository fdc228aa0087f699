"""Activity on the page: the trail in sentences, found, checked, taken along; alerts, seen; and where they are sent."""

from __future__ import annotations

import json
import re
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect

from alerting import HOOK, SECRET
from answering import answering, json_answer
from house import KEYS, Gateway, Simulator, gateway, library
from paged import Visit, point_at, visit


def entries(page: Page) -> Locator:
    return page.get_by_role("main").get_by_role("list").get_by_role("listitem")


def test_the_trail_is_read_in_sentences_found_checked_and_taken_along(window: Visit, tmp_path: Path) -> None:
    page = window.sign_in(then="/activity")
    expect(entries(page).first).to_contain_text(re.compile(r"\w+ · \w+\.\w+"))
    expect(entries(page).filter(has_text=f"Key ending {KEYS['openai'][-4:]} added to").first).to_be_visible()
    for key in KEYS.values():
        assert key not in page.content()
    window.check_accessible()
    window.check_fits()

    whole = entries(page).count()
    filter = page.get_by_label("Filter the trail")
    filter.fill("key.added")
    expect(entries(page)).to_have_count(3)
    assert whole > 3
    assert "text=key.added" in page.url
    page.reload()
    expect(filter).to_have_value("key.added")
    expect(entries(page)).to_have_count(3)
    filter.fill("nothing is so")
    expect(page.get_by_role("heading", name="Nothing has that in it")).to_be_visible()
    filter.fill("")

    page.get_by_role("button", name="Verify").click()
    verdict = page.get_by_text(re.compile(r"^\d+ entries, chain whole$"))
    expect(verdict).to_be_visible()
    window.check_fits()
    with page.expect_download() as coming:
        page.get_by_role("link", name="Export").click()
    file = tmp_path / coming.value.suggested_filename
    coming.value.save_as(file)
    assert file.name == "ownkey-audit.jsonl"
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert len(lines) >= int((verdict.text_content() or "").split()[0])
    assert [one["action"] for one in lines].count("key.added") == 3


def test_a_passed_threshold_is_told_by_itself_and_seen(window: Visit) -> None:
    with library(window.gateway.home) as ownkey:
        ownkey.budgets.set("small", limit="0.02", alert_percent=1)
    page = window.sign_in(then="/activity/alerts")
    expect(page.get_by_role("heading", name="No alert")).to_be_visible()
    expect(page.get_by_text("small: at 1 % and when all of it is spent")).to_be_visible()
    window.check_accessible()
    window.check_fits()
    assert window.gateway.ask("openai/gpt-4o").status == 200
    expect(page.get_by_text("1 not seen yet")).to_be_visible()
    alert = entries(page).filter(has_text="small").first
    expect(alert.get_by_role("link", name="Open the budget")).to_be_visible()
    window.check_accessible()
    window.check_fits()
    page.get_by_role("button", name="Mark all as seen").click()
    expect(page.get_by_text("All seen")).to_be_visible()
    page.reload()
    expect(page.get_by_text("All seen")).to_be_visible()
    alert.get_by_role("link", name="Open the budget").click()
    expect(page.get_by_role("heading", name="Budgets", level=1)).to_be_visible()


def test_B35_a_test_is_sent_to_each_channel_and_says_what_came_of_it(
    chromium: Browser, tmp_path: Path, simulator: Simulator
) -> None:
    home = tmp_path / "home"
    point_at(home, simulator)
    with answering({HOOK: [json_answer(b"{}"), json_answer(b"{}", 500)]}) as receiver:
        hosts = f"127.0.0.1:{simulator.port},127.0.0.1:{receiver.port}"
        given = {
            "OWNKEY_ALERT_WEBHOOK_URL": f"{receiver.url}{HOOK}",
            "OWNKEY_ALERT_WEBHOOK_SECRET": SECRET,
            "OWNKEY_ALLOW_PRIVATE_HOSTS": hosts,
        }
        with gateway(home, simulator, **given) as running, visit(chromium, running) as window:
            page = window.sign_in(then="/activity/alerts")
            channels = page.get_by_role("region", name="Where they are sent")
            expect(channels.get_by_text(re.compile("^Webhook: "))).to_be_visible()
            assert SECRET not in page.content()
            button = channels.get_by_role("button", name="Send a test")
            button.click()
            expect(channels.get_by_role("status")).to_contain_text("took it")
            assert len(receiver.heard(HOOK)) == 1
            window.check_accessible()
            button.click()
            expect(channels.get_by_role("status")).not_to_contain_text("took it")
            expect(channels.get_by_role("status")).to_contain_text("500")


def test_by_keyboard_alone_the_trail_is_filtered_and_checked_and_alerts_opened(
    chromium: Browser, kept: Gateway
) -> None:
    with visit(chromium, kept) as window:
        page = window.sign_in(then="/activity")
        window.tab_to(page.get_by_label("Filter the trail"))
        page.keyboard.type("key.added")
        expect(entries(page)).to_have_count(3)
        window.tab_to(page.get_by_role("button", name="Verify"))
        page.keyboard.press("Enter")
        expect(page.get_by_text(re.compile("chain whole$"))).to_be_visible()
        expect(page.get_by_role("button", name="Verify")).to_be_focused()
        page.keyboard.press("Shift+Tab")
        window.tab_to(page.get_by_role("link", name="Export"))
        for _ in range(20):
            if page.get_by_role("tab", name="Audit trail").evaluate("one => one === document.activeElement"):
                break
            page.keyboard.press("Shift+Tab")
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("heading", name="No alert")).to_be_visible()
