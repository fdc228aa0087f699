"""Batches on the page: begun from a file, followed to their end, their files fetched; cancelled; what is no batch."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from house import Gateway, Simulator, library
from paged import Visit, visit


def lines(count: int, model: str = "openai/gpt-4o") -> bytes:
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
    asked = {"method": "POST", "url": "/v1/chat/completions", "body": body}
    return b"".join(json.dumps({"custom_id": f"line-{n}", **asked}).encode() + b"\n" for n in range(count))


def begun(page: Page, name: str, data: bytes) -> None:
    page.get_by_role("link", name="Begin a batch").first.click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("dialog").get_by_role("button", name="File of requests").click()
    chooser.value.set_files([{"name": name, "mimeType": "application/jsonl", "buffer": data}])


@pytest.mark.row("C14")
def test_a_batch_is_begun_followed_to_its_end_and_its_answers_fetched(window: Visit, tmp_path: Path) -> None:
    page = window.sign_in(then="/batches")
    expect(page.get_by_role("heading", name="There is no batch yet")).to_be_visible()
    window.check_accessible()
    begun(page, "calls.jsonl", lines(3) + lines(1, "openai/no-such-model").replace(b"line-0", b"line-9"))
    told = page.get_by_role("dialog").get_by_role("status", name="What is in it")
    expect(told).to_contain_text("4 requests")
    expect(told).to_contain_text("openai/gpt-4o (3), openai/no-such-model (1)")
    expect(told).to_contain_text(re.compile(r"All of it will cost about \$\d+\.\d+, at most \$\d+\.\d+\."))
    price = told.get_by_role("row", name="openai/gpt-4o 3 ")
    expect(price).to_contain_text(re.compile(r"(\$\d+\.\d+){2,3}$"))
    window.check_accessible()
    window.check_fits()
    page.get_by_role("dialog").get_by_role("button", name="Begin the batch").click()
    batch = page.get_by_role("article", name="calls.jsonl")
    expect(batch).to_contain_text(re.compile(r"3 of 4 done, 1 failed · \$0\.\d+"))
    expect(batch).to_contain_text("Done")
    window.check_accessible()
    window.check_fits()
    for link, name, count in (("results", "calls.results.jsonl", 3), ("errors", "calls.errors.jsonl", 1)):
        with page.expect_download() as download:
            batch.get_by_role("link", name=f"Download {link}").click()
        assert download.value.suggested_filename == name
        download.value.save_as(tmp_path / name)
        assert len((tmp_path / name).read_bytes().splitlines()) == count


@pytest.mark.row("C14")
def test_a_batch_is_cancelled_by_keyboard(chromium: Browser, kept: Gateway, simulator: Simulator) -> None:
    with library(kept.home) as ownkey:
        ownkey.providers.set("openai", endpoint=f"{simulator.url}/fault/delay=60;name=openai/v1")
    with visit(chromium, kept) as window:
        page = window.sign_in(then="/batches")
        begun(page, "slow.jsonl", lines(40))
        window.tab_to(page.get_by_role("dialog").get_by_role("button", name="Begin the batch"))
        page.keyboard.press("Enter")
        batch = page.get_by_role("article", name="slow.jsonl")
        expect(batch).to_contain_text("0 of 40 done")
        window.tab_to(batch.get_by_role("button", name="Cancel batch"))
        page.keyboard.press("Enter")
        question = page.get_by_role("dialog", name="Cancel the batch “slow.jsonl”?")
        expect(question).to_contain_text("0 of 40 are done.")
        window.check_accessible()
        question.get_by_role("button", name="Cancel batch").press("Enter")
        expect(batch).to_contain_text(re.compile("Being cancelled|Cancelled"))
        expect(batch.get_by_role("button", name="Cancel batch")).to_have_count(0)


@pytest.mark.row("C14")
def test_a_file_that_is_no_batch_is_said_so_before_anything_is_sent(window: Visit) -> None:
    page = window.sign_in(then="/batches")
    begun(page, "notes.jsonl", b"just some words\n")
    expect(page.get_by_role("dialog")).to_contain_text("Line 1 is no request with a url.")
    expect(page.get_by_role("dialog").get_by_role("button", name="Begin the batch")).to_be_disabled()
    window.check_fits()


@pytest.mark.row("C14")
def test_a_file_is_looked_at_with_its_price_and_left_with_nothing_kept(window: Visit) -> None:
    page = window.sign_in(then="/batches")
    begun(page, "calls.jsonl", lines(3) + lines(1, "anthropic/claude-sonnet-4-5").replace(b"line-0", b"line-9"))
    sheet = page.get_by_role("dialog")
    cheaper = sheet.get_by_label("Send it to the provider's own batch endpoint")
    there = re.compile(r"All of it within 24 hours, for about (\S+) in place of (\S+)\.")
    expect(cheaper).to_have_accessible_description(there)
    cheap, usual = there.findall(sheet.inner_text())[0]
    whole = sheet.get_by_text("All of it will cost")
    expect(whole).to_contain_text(f"about {usual}, at most")
    cheaper.check()
    expect(whole).to_contain_text(f"about {cheap}, at most")
    assert len(files(window.gateway)) == 1
    with page.expect_response(lambda one: one.request.method == "DELETE"):
        sheet.get_by_role("button", name="Close").click()
    assert files(window.gateway) == []

    begun(page, "some.jsonl", lines(2) + lines(1, "gpt-9x").replace(b"line-0", b"line-9"))
    expect(sheet).to_contain_text(re.compile(r"1 request cannot be asked: No provider here has a model .gpt-9x.\."))
    expect(sheet).not_to_contain_text("ownkey ")
    sheet.get_by_role("button", name="Close").click()

    begun(page, "twice.jsonl", lines(2) + lines(1))
    expect(sheet).to_contain_text("Line 3: its custom_id is that of a line before.")
    expect(sheet.get_by_role("button", name="Begin the batch")).to_be_disabled()
    window.check_accessible()
    window.check_fits()


def files(running: Gateway) -> list[Any]:
    return running.send("GET", "/v1/files", None, running.own).json["data"]
