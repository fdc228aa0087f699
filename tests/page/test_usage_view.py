"""Usage on the page: filters in the address, bars and the table that follows, runs opened to their tries, savings, and
the file of what was filtered."""

from __future__ import annotations

import csv
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from attempts import exact, hold
from house import Gateway, Simulator, library
from month import LONG, RICH_NANO, live
from paged import Visit, visit
from store_asked import ask, settle

AMOUNT = r"\$[\d,]+\.\d\d+"


def figures(page: Page) -> Locator:
    return page.get_by_role("region", name="In figures")


def names(page: Page) -> list[str]:
    expect(figures(page).get_by_role("row").nth(1)).to_be_visible()
    return figures(page).get_by_role("rowheader").all_text_contents()


def happened(gateway: Gateway, cost_nano: int = 1_000_000, **differs: Any) -> None:
    """One answered run, an hour ago or less."""

    def write() -> None:
        with library(gateway.home) as ownkey:
            at_ms = time.time_ns() // 1_000_000 - 2_000
            which = {"id": f"happened-{at_ms}.1", "request_id": f"happened-{at_ms}"}
            given = hold(**{"owner": ownkey.owner, "started_at_ms": at_ms, "held_nano": 1, **which} | differs)
            assert ask(ownkey.house.store, given) == [given]
            settle(ownkey.house.store, exact(given.id, cost_nano, ended_at_ms=at_ms + 900, finish="stop"))

    # Where a browser is driven from this thread, an event loop runs in it already.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(write).result()


@pytest.fixture
def month(kept: Gateway) -> Gateway:
    with library(kept.home) as ownkey:
        live(ownkey)
    return kept


@pytest.fixture
def used(chromium: Browser, month: Gateway, size: str) -> Iterator[Visit]:
    with visit(chromium, month, size) as found:
        yield found


@pytest.mark.row("B13")
@pytest.mark.row("C12")
def test_filters_stand_in_the_address_and_the_table_follows_them(used: Visit) -> None:
    assert used.gateway.ask("openai/gpt-4o").status == 200
    happened(used.gateway, automation="Weekly report", model="gpt-4o-mini")
    page = used.sign_in(then="/usage")
    expect(figures(page).get_by_role("row")).to_have_count(4)
    assert set(names(page)) == {"openai", "anthropic", "gemini"}
    bars = page.get_by_role("table", name="Cost for each day, by provider")
    expect(bars.get_by_role("row")).to_have_count(31)
    expect(bars.get_by_role("columnheader")).to_have_count(4)
    used.check_accessible()
    used.check_fits()

    by = page.get_by_label("By what it is told apart")
    told: dict[str, set[str]] = {}
    for word in ("model", "person", "token", "automation", "key"):
        by.select_option(f"By {word}")
        expect(page.get_by_role("heading", name=f"Cost by {word}")).to_be_visible()
        expect(figures(page).get_by_role("columnheader").first).to_have_text(word.capitalize())
        told[word] = set(names(page))
    assert told["model"] == {"gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5", "gemini-2.5-flash"}
    assert len(told["person"]) == 1
    assert "Not by a token" in told["token"]
    assert any(name.startswith("tests-") for name in told["token"])
    assert told["automation"] == {"Without automation", "Weekly report"}

    by.select_option("By provider")
    figures(page).get_by_role("button", name="openai").click()
    by.select_option("By model")
    chip = page.get_by_text("Provider: openai")
    expect(chip).to_be_visible()
    expect(figures(page).get_by_role("row")).to_have_count(3)
    assert set(names(page)) == {"gpt-4o", "gpt-4o-mini"}
    assert "provider=openai" in page.url
    page.reload()
    expect(chip).to_be_visible()
    expect(figures(page).get_by_role("row")).to_have_count(3)
    page.get_by_role("tab", name="Runs").click()
    runs = page.get_by_role("table")
    expect(runs.get_by_role("row").nth(1)).to_contain_text("openai")
    runs.get_by_role("link").first.click()
    expect(page.get_by_role("dialog", name="Run")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("dialog", name="Run")).to_have_count(0)
    page.go_back()
    expect(page.get_by_role("heading", name="Cost by model")).to_be_visible()
    expect(chip).to_be_visible()
    page.get_by_role("button", name="Without Provider openai").click()
    expect(figures(page).get_by_role("row")).to_have_count(5)


def test_what_has_no_token_or_automation_is_found_as_runs_too(chromium: Browser, kept: Gateway) -> None:
    assert kept.ask("openai/gpt-4o").status == 200
    happened(kept, automation="Weekly report", model="gpt-4o-mini")
    with visit(chromium, kept) as window:
        page = window.sign_in(then="/usage?by=token_id")
        figures(page).get_by_role("button", name="Not by a token").click()
        expect(page.get_by_text("Token: Not by a token")).to_be_visible()
        page.get_by_role("tab", name="Runs").click()
        expect(page.get_by_role("table").get_by_role("row")).to_have_count(2)
        expect(page.get_by_role("table").get_by_role("row").last).to_contain_text("Weekly report")


@pytest.mark.row("B13")
def test_a_run_opens_to_each_of_its_tries_with_what_it_cost(window: Visit, simulator: Simulator) -> None:
    with library(window.gateway.home) as ownkey:
        ownkey.providers.set("openai", endpoint=f"{simulator.url}/fault/status=503;name=openai/v1")
    assert window.gateway.ask("openai/gpt-4o,anthropic/claude-sonnet-4-5").status == 200
    page = window.sign_in(then="/usage/runs")
    row = page.get_by_role("table").get_by_role("row").nth(1)
    expect(row).to_contain_text(re.compile(r"claude-sonnet-4-5.*anthropic, \d tries"))
    row.get_by_role("link").click()
    sheet = page.get_by_role("dialog", name="Run")
    expect(sheet).to_contain_text("claude-sonnet-4-5 at anthropic")
    first, last = sheet.get_by_role("article").first, sheet.get_by_role("article").last
    expect(first).to_contain_text("1. gpt-4o at openai")
    expect(first).to_contain_text("Nothing was charged")
    expect(first.get_by_role("row", name=re.compile("^Status"))).to_contain_text("503")
    expect(last).to_contain_text("Asked since the try before it ended with")
    expect(last.get_by_role("row", name=re.compile("^Cost"))).to_contain_text(re.compile(AMOUNT))
    expect(last.get_by_role("row", name=re.compile("^Held"))).to_contain_text(re.compile(AMOUNT))
    expect(last.get_by_role("row", name=re.compile("^Sent"))).to_contain_text(re.compile(r"\d m?s$"))
    expect(last.get_by_role("row", name=re.compile("^Price")).first).to_contain_text("per 1M tokens")
    window.check_accessible()
    window.check_fits()
    page.reload()
    expect(sheet.get_by_role("article").first).to_be_visible()
    sheet.get_by_role("button", name="Close").click()
    expect(sheet).to_have_count(0)
    page.get_by_label("Only those with a try that failed").click()
    expect(page.get_by_role("table").get_by_role("row")).to_have_count(2)
    assert "failed=1" in page.url


@pytest.mark.row("B13")
@pytest.mark.parametrize(
    ("search", "wanted"),
    [
        ("", lambda row: True),
        ("?provider=openai&model=gpt-4o", lambda row: (row.provider, row.model) == ("openai", "gpt-4o")),
        ("?provider=gemini&failed=1", lambda row: row.provider == "gemini" and row.error is not None),
    ],
)
def test_the_file_has_exactly_what_the_filters_let_through(
    chromium: Browser, month: Gateway, tmp_path: Path, search: str, wanted: Any
) -> None:
    with library(month.home) as ownkey:
        rows = ownkey.house.store.book.rows(limit=10_000)
    expected = {row.id for row in rows if wanted(row)}
    assert expected
    with visit(chromium, month) as window:
        page = window.sign_in(then="/usage/runs" + search)
        expect(page.get_by_role("table")).to_be_visible()
        with page.expect_download() as coming:
            page.get_by_role("link", name="Export CSV").click()
        file = tmp_path / coming.value.suggested_filename
        coming.value.save_as(file)
    assert file.name == "ownkey-usage.csv"
    with file.open(newline="") as lines:
        assert {row["id"] for row in csv.DictReader(lines)} == expected


@pytest.mark.row("B13")
def test_a_lot_is_shown_whole_and_more_as_it_is_wanted(used: Visit) -> None:
    with library(used.gateway.home) as ownkey:
        token, _ = ownkey.house.tokens.create(ownkey.owner, LONG[:80])
        ownkey.budgets.remove("house")
    for _ in range(2):
        happened(
            used.gateway, token_id=token.id, held_nano=RICH_NANO, cost_nano=RICH_NANO, model="m" * 80, provider="p" * 40
        )
    page = used.sign_in(then="/usage/runs")
    rows = page.get_by_role("table").get_by_role("row")
    expect(rows).to_have_count(51)
    expect(rows.nth(1)).to_contain_text("$6,172,839.45")
    used.check_fits()
    page.get_by_role("button", name="Show more").click()
    expect(rows).to_have_count(101)
    for tab, amount in (
        ("?by=token_id", "$12,345,678.90"),
        ("?by=model", "$12,345,678.90"),
        ("/runs", "$6,172,839.45"),
    ):
        page = used.go(f"/usage{tab}")
        expect(page.get_by_text(amount).first).to_be_visible()
        used.check_accessible()
        used.check_fits()


@pytest.mark.row("B13")
def test_savings_are_a_sentence_and_a_table(used: Visit) -> None:
    page = used.sign_in(then="/usage")
    page.get_by_role("tab", name="Savings").click()
    expect(page.get_by_text("Nothing was saved this month yet.")).to_be_visible()
    ways = page.get_by_role("region", name="By each way")
    expect(ways.get_by_role("row")).to_have_count(4)
    with library(used.gateway.home) as ownkey:
        ownkey.cache.on()
    for _ in range(2):
        assert used.gateway.ask("openai/gpt-4o", temperature=0).status == 200
    page.reload()
    expect(page.get_by_text(re.compile(rf"^{AMOUNT} was saved this month\.$"))).to_be_visible()
    expect(ways.get_by_role("row", name=re.compile(r"cache \(1 answer\)"))).to_contain_text(re.compile(AMOUNT))
    used.check_accessible()
    used.check_fits()


def test_by_keyboard_alone_usage_is_filtered_and_a_run_opened(chromium: Browser, month: Gateway) -> None:
    with visit(chromium, month) as window:
        page = window.sign_in(then="/usage")
        window.tab_to(page.get_by_label("By what it is told apart"))
        page.keyboard.press("ArrowDown")
        expect(page.get_by_role("heading", name="Cost by model")).to_be_visible()
        window.tab_to(figures(page).get_by_role("button", name="gpt-4o-mini"))
        page.keyboard.press("Enter")
        expect(page.get_by_text("Model: gpt-4o-mini")).to_be_visible()
        window.tab_to(page.get_by_role("button", name="Without Model gpt-4o-mini"))
        page.keyboard.press("Enter")
        expect(page.get_by_text("Model: gpt-4o-mini")).to_have_count(0)
        window.tab_to(page.get_by_role("tab", name="Cost"))
        page.keyboard.press("ArrowRight")
        run = page.get_by_role("table").get_by_role("link").first
        window.tab_to(run)
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog", name="Run").get_by_role("article").first).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog", name="Run")).to_have_count(0)
        expect(run).to_be_focused()
