"""Chat: the price before, the count while it comes, the exact cost after; models side by side; files, functions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from struct import pack
from zlib import compress, crc32

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Locator, Page, expect

from chatting import answers, ask, message, open_chat, price, receipt, simulated
from house import Gateway, Simulator, library
from ownkey.talk.money import show_usd
from paged import Visit, visit


@pytest.fixture
def slow(tmp_path: Path, simulator: Simulator) -> Iterator[Gateway]:
    """Its providers take a fifth of a second for each word."""
    with simulated(tmp_path / "home", simulator, {"openai": "chunk-delay=0.2"}) as running:
        yield running


def png() -> bytes:
    """One grey dot."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return pack(">I", len(data)) + kind + data + pack(">I", crc32(kind + data))

    head = pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", compress(b"\0\x80")) + chunk(b"IEND", b"")


def choose(page: Page, label: str, model: str) -> None:
    """In the picker of that name."""
    field = page.get_by_role("combobox", name=label, exact=True)
    field.fill(model)
    page.get_by_role("option").filter(has_text=model.split("/")[1]).first.click()


@pytest.mark.row("A13")
@pytest.mark.row("B19")
def test_the_price_stands_under_the_box_before_and_the_exact_cost_under_the_answer(window: Visit) -> None:
    page = open_chat(window, "openai/gpt-4o")
    message(page).fill("Hello, what is a key for?")
    expect(price(page)).to_contain_text(re.compile(r"about \$0\.0\d+, at most \$0\.\d+"))
    expect(price(page)).to_contain_text("a guess")
    window.check_fits()
    window.check_accessible()
    page.get_by_role("button", name="Send", exact=True).click()
    expect(answers(page)).to_contain_text("simulator in place of gpt-4o")
    (row,) = window.gateway.rows("openai")
    assert row.state == "exact"
    expect(receipt(page)).to_contain_text(re.compile(r"^\$0\.000"))
    receipt(page).locator("strong span").hover()
    expect(page.get_by_role("tooltip")).to_have_text(f"${show_usd(row.cost_nano)}")
    message(page).hover()
    expect(page.get_by_role("tooltip")).to_have_count(0)
    expect(receipt(page)).to_contain_text(f"{row.input_tokens} in")
    expect(receipt(page)).to_contain_text(f"{row.output_tokens} out")
    expect(receipt(page)).to_contain_text("OpenAI gpt-4o")
    expect(page.get_by_text("This conversation has cost")).to_be_visible()
    expect(page.get_by_text("Nothing said here is kept")).to_be_visible()
    window.check_fits()
    window.check_accessible()
    assert page.evaluate("Object.keys(localStorage).filter((name) => !name.includes('colours'))") == []


@pytest.mark.row("A13")
def test_while_an_answer_comes_its_cost_is_counted_and_it_can_be_stopped(chromium: Chromium, slow: Gateway) -> None:
    with visit(chromium, slow) as window:
        page = open_chat(window, "openai/gpt-4o")
        ask(page, "say 200 words")
        expect(answers(page)).to_contain_text("word3")
        expect(receipt(page)).to_contain_text(re.compile(r"about \$0\.00\d+ so far"))
        page.get_by_role("button", name="Stop", exact=True).last.click()
        expect(answers(page)).to_contain_text("You stopped it here.")
        (row,) = slow.rows("openai")
        assert 0 < row.output_tokens < 200
        expect(receipt(page)).to_contain_text("$0.00")
        expect(receipt(page)).not_to_contain_text("so far")
        ask(page, "say 3 words")
        expect(answers(page).last).to_contain_text("word1 word2 word3")


@pytest.mark.row("A13")
def test_what_a_follow_up_costs_is_told_once_the_answer_before_it_is_whole(chromium: Chromium, slow: Gateway) -> None:
    with visit(chromium, slow) as window:
        page = open_chat(window, "openai/gpt-4o")
        ask(page, "say 2000 words")
        expect(answers(page)).to_contain_text("word3")
        message(page).fill("And now?")
        expect(price(page)).to_have_text("What it will cost stands here once the answer has ended.")
        with page.expect_request(
            lambda one: (
                one.url.endswith("/quote") and "And now?" in str(one.post_data) and "word3" in str(one.post_data)
            )
        ):
            page.get_by_role("button", name="Stop", exact=True).last.click()
        expect(price(page)).to_contain_text("about $")


def test_a_double_click_asks_once_and_stops_nothing(chromium: Chromium, slow: Gateway) -> None:
    with visit(chromium, slow) as window:
        page = open_chat(window, "openai/gpt-4o")
        message(page).fill("say 4 words")
        page.get_by_role("button", name="Send", exact=True).dblclick()
        expect(answers(page)).to_contain_text("word1 word2 word3 word4")
        assert len(slow.rows("openai")) == 1


@pytest.mark.row("E13")
def test_several_models_answer_one_question_beside_each_other(window: Visit) -> None:
    page = open_chat(window, "openai/gpt-4o")
    page.get_by_role("button", name="Compare").click()
    if window.is_phone:
        page.get_by_role("radiogroup", name="The model that is shown").get_by_text("Model 2").click()
    choose(page, "Model 2", "anthropic/claude-sonnet-4-5")
    message(page).fill("Which of you is it?")
    expect(price(page)).to_contain_text(re.compile(r"Together about \$0\.0\d+, at most"))
    expect(price(page)).to_contain_text("anthropic/claude-sonnet-4-5: about $")
    page.get_by_role("button", name="Send", exact=True).click()
    second = page.get_by_role("article", name="Answer by anthropic/claude-sonnet-4-5")
    first = page.get_by_role("article", name="Answer by openai/gpt-4o")
    expect(second).to_contain_text("in place of claude-sonnet-4-5")
    expect(receipt(second)).to_contain_text("Anthropic")
    if window.is_phone:
        expect(first).to_have_count(0)
        page.get_by_role("radiogroup", name="The model that is shown").get_by_text("gpt-4o").click()
    expect(first).to_contain_text("in place of gpt-4o")
    window.check_fits()
    window.check_accessible()
    assert len(window.gateway.rows("openai")) == len(window.gateway.rows("anthropic")) == 1


@pytest.mark.row("E13")
def test_another_model_is_tried_by_keyboard_alone_and_what_it_costs_more_is_said_first(
    chromium: Chromium, kept: Gateway
) -> None:
    with visit(chromium, kept) as window:
        page = open_chat(window, "openai/gpt-4o")
        message(page).focus()
        page.keyboard.type("Hello")
        page.keyboard.press("Shift+Enter")
        page.keyboard.type("there")
        expect(message(page)).to_have_value("Hello\nthere")
        page.keyboard.press("Enter")
        expect(receipt(page)).to_contain_text("in")
        expect(message(page)).to_be_focused()
        others = page.get_by_role("button", name="Try with…")
        reach(page, others, "Shift+Tab")
        page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog", name="Try with another model")
        expect(dialog.get_by_label("Find a model")).to_be_focused()
        page.keyboard.type("gpt-4o-mini")
        found = dialog.get_by_role("button", name="openai/gpt-4o-mini")
        expect(found).to_contain_text(re.compile(r"about \$0\.00\d+ less"))
        window.check_accessible()
        reach(page, found, "Tab")
        page.keyboard.press("Enter")
        expect(dialog).to_have_count(0)
        expect(answers(page)).to_contain_text("in place of gpt-4o-mini")
        expect(page.get_by_text("2 of 2")).to_be_visible()
        reach(page, page.get_by_role("button", name="The answer before"), "Tab")
        page.keyboard.press("Enter")
        expect(answers(page)).to_contain_text("in place of gpt-4o;")


def reach(page: Page, wanted: Locator, key: str) -> None:
    """By that key alone."""
    expect(wanted).to_be_visible()
    for _ in range(40):
        if wanted.evaluate("(one) => one === document.activeElement"):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{wanted} cannot be reached by {key}")


def test_pictures_and_texts_go_with_a_question_and_what_cannot_is_said(window: Visit) -> None:
    page = open_chat(window, "openai/gpt-4o")
    field = page.locator("input[type=file]")
    field.set_input_files(
        [
            {"name": "dot.png", "mimeType": "image/png", "buffer": png()},
            {"name": "notes.md", "mimeType": "text/markdown", "buffer": b"The key is under the mat."},
        ]
    )
    expect(page.get_by_role("list", name="Attached").get_by_role("listitem")).to_have_count(2)
    field.set_input_files([{"name": "a.pdf", "mimeType": "application/pdf", "buffer": b"%PDF"}])
    expect(page.get_by_role("alert")).to_contain_text("a.pdf is neither a picture nor a text")
    field.set_input_files([{"name": "big.png", "mimeType": "image/png", "buffer": b"\0" * 5_000_001}])
    expect(page.get_by_role("alert")).to_contain_text("Pictures up to 5 MB")
    message(page).fill("What is this?")
    expect(price(page)).to_contain_text("about $")
    window.check_accessible()
    window.check_fits()
    page.get_by_role("button", name="Send", exact=True).click()
    expect(answers(page)).to_contain_text("1 image")
    expect(page.get_by_role("img", name="dot.png")).to_have_attribute("src", re.compile("^blob:"))
    asked = [one for one in window.gateway.simulator.seen("openai") if b"image_url" in one.body][-1]
    assert b"under the mat" in asked.body
    # A model that reads no pictures is told of before anything is sent.
    page.goto(f"{window.origin}/chat?model=openai/o3-mini")
    page.locator("input[type=file]").set_input_files([{"name": "d.png", "mimeType": "image/png", "buffer": png()}])
    expect(price(page)).to_contain_text("openai/o3-mini reads no pictures")


def test_a_text_that_changes_on_disk_stays_as_it_was_attached(
    chromium: Chromium, kept: Gateway, tmp_path: Path
) -> None:
    notes = tmp_path / "notes.md"
    notes.write_text("The key is under the mat.")
    with visit(chromium, kept) as window:
        page = open_chat(window, "openai/gpt-4o")
        page.locator("input[type=file]").set_input_files(notes)
        ask(page, "Where is it?")
        expect(receipt(page)).to_contain_text("in")
        notes.write_text("The key has been moved, and nobody says where to.")
        ask(page, "And the other one?")
        expect(answers(page).last).to_contain_text("the other one")
        assert b"under the mat" in kept.simulator.seen("openai")[-1].body


def test_what_cannot_be_sent_stays_in_the_box_and_it_is_said_why(chromium: Chromium, kept: Gateway) -> None:
    with visit(chromium, kept) as window:
        page = open_chat(window, "openai/gpt-4o")
        page.evaluate("() => { Blob.prototype.text = () => Promise.reject(new DOMException('', 'NotReadableError')) }")
        field = page.locator("input[type=file]")
        field.set_input_files([{"name": "notes.md", "mimeType": "text/markdown", "buffer": b"The key"}])
        ask(page, "What is this?")
        expect(page.get_by_role("alert")).to_contain_text("Nothing was sent. notes.md cannot be read any more")
        expect(message(page)).to_have_value("What is this?")
        expect(page.get_by_role("heading", name="Question 1")).to_have_count(0)
        window.check_accessible()
        page.get_by_role("button", name="Remove notes.md").click()
        page.get_by_role("button", name="Send", exact=True).click()
        expect(receipt(page)).to_contain_text("in")
        expect(page.get_by_role("alert")).to_have_count(0)
        page.get_by_role("button", name="Settings").last.click()
        page.get_by_label("Functions").fill("[{")
        page.get_by_role("button", name="Ask again").click()
        expect(page.get_by_role("alert")).to_have_text("Nothing was sent. The list of functions is no JSON yet.")


@pytest.mark.row("C2")
def test_a_function_is_called_its_result_given_and_the_answer_goes_on(window: Visit) -> None:
    page = open_chat(window, "openai/gpt-4o")
    page.get_by_role("button", name="Settings").last.click()
    functions = page.get_by_label("Functions")
    functions.fill("[{")
    expect(page.get_by_text("The list of functions is no JSON yet.").first).to_be_visible()
    schema = '{"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]}'
    functions.fill(f'[{{"name": "weather", "parameters": {schema}}}]')
    window.check_accessible()
    window.check_fits()
    page.get_by_role("button", name="Settings").last.click()
    ask(page, "use tool weather")
    expect(answers(page)).to_contain_text("It calls weather")
    expect(answers(page)).to_contain_text('"town"')
    expect(price(page).or_(page.get_by_text("A function waits for its result."))).to_be_visible()
    page.get_by_label("What weather gives").fill("rain all day")
    page.get_by_role("button", name="Give result").click()
    expect(answers(page)).to_contain_text("The tool answered: rain all day")
    expect(receipt(page)).to_have_count(2)
    assert len(window.gateway.rows("openai")) == 2
    window.check_accessible()


@pytest.mark.row("C2")
def test_thoughts_are_folded_and_json_follows_its_schema(window: Visit) -> None:
    page = open_chat(window, "anthropic/claude-sonnet-4-5")
    page.get_by_role("button", name="Settings").last.click()
    page.get_by_role("combobox", name="Thinking").click()
    page.get_by_role("option", name="Much").click()
    ask(page, "Think about it")
    expect(answers(page).get_by_text("What it thought")).to_be_visible()
    expect(answers(page).locator("details")).not_to_have_attribute("open", "")
    page.get_by_role("button", name="New chat").click()
    page.get_by_role("combobox", name="Thinking").click()
    page.get_by_role("option", name="As the model likes").click()
    page.get_by_role("combobox", name="Answer as").click()
    page.get_by_role("option", name="JSON of a schema").click()
    page.get_by_label("Schema", exact=True).fill(
        '{"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}'
    )
    ask(page, "A title, please")
    expect(answers(page)).to_contain_text('"title"')


def test_who_has_set_nothing_up_talks_to_the_demo_and_is_told_so(first_window: Visit) -> None:
    window = first_window
    page = window.sign_in(then="/chat")
    expect(page.get_by_role("heading", name="Try it without a key")).to_be_visible()
    expect(price(page)).to_contain_text("free")
    ask(page, "say hello")
    expect(answers(page)).to_contain_text("Ownkey's demo")
    expect(answers(page)).to_contain_text("no model was asked, and nothing was spent")
    expect(receipt(page)).to_contain_text("free")
    window.check_fits()


def test_what_is_kept_is_opened_again_and_gone_on_with(window: Visit) -> None:
    with library(window.gateway.home) as ownkey:
        ownkey.history.on(30)
    page = open_chat(window, "openai/gpt-4o")
    expect(page.get_by_text("Chats are kept")).to_be_visible()
    ask(page, "Remember the blue door")
    expect(receipt(page)).to_contain_text("in")
    page.get_by_role("link", name="Earlier chats").click()
    sheet = page.get_by_role("dialog", name="Earlier chats")
    expect(sheet.get_by_text("Remember the blue door")).to_be_visible()
    window.check_accessible()
    page.reload()
    sheet.get_by_label("Search in what was said").fill("blue door")
    window.settle()
    sheet.get_by_role("button", name=re.compile("Remember the blue door")).click()
    expect(answers(page)).to_contain_text("simulator in place of gpt-4o")
    page.reload()
    expect(answers(page)).to_contain_text("simulator in place of gpt-4o")
    ask(page, "And the red one?")
    expect(answers(page).last).to_contain_text("red one")
    last = window.gateway.simulator.seen("openai")[-1]
    assert b"blue door" in last.body


def test_a_new_chat_after_an_earlier_one_stays_empty(chromium: Chromium, kept: Gateway) -> None:
    with library(kept.home) as ownkey:
        ownkey.history.on(30)
    with visit(chromium, kept) as window:
        page = open_chat(window, "openai/gpt-4o")
        ask(page, "Remember the blue door")
        expect(receipt(page)).to_contain_text("in")
        for _ in range(2):
            page.get_by_role("button", name="New chat").click()
            expect(page).to_have_url(f"{window.origin}/chat")
            expect(page.get_by_role("heading", name="Ask something")).to_be_visible()
            page.get_by_role("link", name="Earlier chats").click()
            page.get_by_role("button", name=re.compile("Remember the blue door")).click()
            expect(answers(page)).to_contain_text("simulator in place of gpt-4o")


def test_it_is_as_readable_in_the_dark_and_what_an_answer_says_does_nothing(chromium: Chromium, kept: Gateway) -> None:
    with visit(chromium, kept, color_scheme="dark") as window:
        page = open_chat(window, "openai/gpt-4o")
        ask(
            page, "<b onclick=x>b</b> ![p](https://example.com/p.png) [l](https://example.com) [j](javascript:alert(1))"
        )
        picture = answers(page).get_by_role("link", name="Picture: p")
        expect(picture).to_have_attribute("rel", "noopener noreferrer")
        expect(answers(page).get_by_role("link", name="l", exact=True)).to_have_attribute("target", "_blank")
        expect(answers(page).get_by_role("link", name="j", exact=True)).to_have_count(0)
        expect(answers(page).locator("img, b")).to_have_count(0)
        expect(answers(page)).to_contain_text("<b onclick=x>")
        window.check_accessible()


def test_tables_and_lists_of_tasks_are_drawn_as_such(window: Visit) -> None:
    page = open_chat(window, "openai/gpt-4o")
    wide = "a column whose head is long enough to be wider than a phone is"
    table = f"| model | {wide} |\n|---|---|\n| gpt-4o | $2.50 |\n| gpt-4o-mini | $0.15 |"
    ask(page, f"say this:\n{table}\n\n- [x] priced\n- [ ] paid")
    drawn = answers(page).get_by_role("table")
    expect(drawn.get_by_role("columnheader")).to_have_text(["model", wide])
    expect(drawn.get_by_role("row").nth(2).get_by_role("cell")).to_have_text(["gpt-4o-mini", "$0.15"])
    expect(answers(page).get_by_role("listitem").filter(has_text="☑")).to_contain_text("priced")
    expect(answers(page).get_by_role("listitem").filter(has_text="☐")).to_contain_text("paid")
    window.check_accessible()
    window.check_fits()
