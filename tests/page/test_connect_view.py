"""Connect on the page: a token made and shown once, lines that really work with each client, and the token's end."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from browsing import with_password
from house import Gateway
from paged import Visit, visit

ANSWERED_S = 120
"""A client is imported in seconds, on a busy machine in many."""


def lines(page: Page, client: str) -> str:
    page.get_by_role("tab", name=client, exact=True).click()
    return page.get_by_role("region", name=f"How to connect {client}").inner_text()


def make(page: Page, name: str) -> str:
    """The token, and back at the view."""
    page.get_by_role("link", name="Make a token").click()
    sheet = page.get_by_role("dialog", name="Make a token")
    sheet.get_by_label("Name").fill(name)
    sheet.get_by_role("button", name="Make the token").click()
    token = sheet.get_by_label(f"Token “{name}”").input_value()
    sheet.get_by_role("button", name="Close").click()
    expect(sheet).to_have_count(0)
    return token


def row(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name="Tokens").get_by_role("row").filter(has_text=name)


def ran(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """The lines as a person saves them to a file, with nothing else of the environment's."""
    file = folder / "asked.py"
    file.write_text(text)
    env = {"PATH": "/usr/bin:/bin", "HOME": str(folder)}
    return subprocess.run(
        [sys.executable, str(file)], env=env, cwd=folder, capture_output=True, text=True, timeout=ANSWERED_S
    )


def status(gateway: Gateway, token: str) -> int:
    return gateway.send("GET", "/v1/models", None, {"Authorization": f"Bearer {token}"}).status


def test_a_token_is_made_shown_once_stands_in_the_lines_and_is_ended(window: Visit) -> None:
    page = window.sign_in(then="/connect")
    expect(page.get_by_label("Base URL")).to_have_value(window.gateway.url)
    assert "YOUR_TOKEN" in lines(page, "OpenAI, Python")
    window.check_accessible()
    window.check_fits()
    page.get_by_role("link", name="Make a token").click()
    sheet = page.get_by_role("dialog", name="Make a token")
    expect(sheet.get_by_label("Name")).to_be_focused()
    sheet.get_by_label("Name").fill("editor")
    sheet.get_by_label("May spend at most").fill("5")
    sheet.get_by_label("Only these models").fill("openai/*")
    sheet.get_by_label("Only these models").press("Enter")
    sheet.get_by_label("Ends").select_option("In 30 days")
    window.check_accessible()
    window.check_fits()
    sheet.get_by_role("button", name="Make the token").click()
    field = sheet.get_by_label("Token “editor”")
    expect(field).to_be_focused()
    token = field.input_value()
    window.check_accessible()
    window.check_fits()
    sheet.get_by_role("button", name="Close").click()
    assert token in lines(page, "curl")
    expect(row(page, "editor")).to_contain_text("only openai/*")
    expect(row(page, "editor")).to_contain_text("good")
    window.check_fits()
    assert status(window.gateway, token) == 200

    # Gone with the view: neither the page nor the server can show it again.
    page.reload()
    expect(row(page, "editor")).to_be_visible()
    assert token not in page.content()
    assert "YOUR_TOKEN" in lines(page, "OpenAI, Python")
    assert token not in page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, location.href])")

    row(page, "editor").get_by_role("button", name="Revoke editor").click()
    question = page.get_by_role("dialog", name="Revoke “editor”?")
    window.check_accessible()
    question.get_by_role("button", name="Cancel").click()
    expect(question).to_have_count(0)
    assert status(window.gateway, token) == 200
    row(page, "editor").get_by_role("button", name="Revoke editor").click()
    question.get_by_role("button", name="Revoke").click()
    expect(row(page, "editor")).to_contain_text("revoked")
    assert status(window.gateway, token) == 401


@pytest.mark.parametrize("model", ["auto", "anthropic/claude-sonnet-4-5"])
def test_the_lines_shown_work_as_they_stand_with_each_official_client(
    chromium: Browser, kept: Gateway, tmp_path: Path, model: str
) -> None:
    with visit(chromium, kept) as window:
        page = window.sign_in(then="/connect")
        make(page, "programs")
        if model != "auto":
            picker = page.get_by_role("combobox", name="Model")
            picker.click()
            picker.fill(model)
            page.get_by_role("option", name=re.compile("claude-sonnet-4-5")).first.click()
        shown = {name: lines(page, name) for name in ("OpenAI, Python", "Anthropic, Python", "Google, Python")}
        shell = lines(page, "curl")
    for name, text in shown.items():
        assert f'model="{model}"' in text
        answer = ran(tmp_path, text)
        assert answer.returncode == 0, f"{name}: {answer.stderr[-2000:]}"
        assert "Hello" in answer.stdout, name
    asked = subprocess.run(["/bin/sh", "-c", shell], capture_output=True, text=True, timeout=ANSWERED_S)
    assert "Hello" in asked.stdout, asked.stderr


def test_by_keyboard_alone_a_token_is_made_and_ended(chromium: Browser, kept: Gateway) -> None:
    with visit(chromium, kept) as window:
        page = window.sign_in(then="/connect")
        window.tab_to(page.get_by_role("link", name="Make a token"))
        page.keyboard.press("Enter")
        expect(page.get_by_label("Name")).to_be_focused()
        page.keyboard.type("editor")
        page.keyboard.press("Enter")
        expect(page.get_by_label("Token “editor”")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        window.tab_to(page.get_by_role("tab", name="OpenAI, Python"))
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("region", name="How to connect OpenAI, Node")).to_be_visible()
        window.tab_to(page.get_by_role("button", name="Revoke editor"))
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Revoke", exact=True)).to_be_focused()
        page.keyboard.press("Enter")
        expect(row(page, "editor")).to_contain_text("revoked")


def test_a_member_makes_tokens_of_their_own_and_sees_no_others(chromium: Browser, kept: Gateway) -> None:
    with visit(chromium, kept) as window:
        page = window.sign_in(then="/connect")
        make(page, "of the owner")
    with visit(chromium, kept) as window:
        user, _ = with_password(kept, "Ann")
        page = window.sign_in(user, then="/connect")
        make(page, "of Ann")
        expect(row(page, "of Ann")).to_be_visible()
        expect(row(page, "of the owner")).to_have_count(0)
