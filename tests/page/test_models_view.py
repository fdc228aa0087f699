"""Models: a thousand in one table, compared, refreshed, and one of them made the default."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from house import Gateway, Simulator, gateway, library, make_home
from paged import Visit, visit

VIEW = "/models"
MANY = 1_000


def model(number: int) -> str:
    does = ["chat", "stream", *(["tools"] if number % 2 else []), *(["vision"] if number % 10 == 0 else [])]
    return f"""
[[models]]
id = "model-{number:04}"
context = {1_000 * (number % 200 + 1)}
does = {json.dumps(does)}
price = {{ input = "{number / 100 + 1:.2f}", output = "{number / 50 + 2:.2f}" }}
"""


@pytest.fixture
def stocked(tmp_path: Path, simulator: Simulator) -> Iterator[Gateway]:
    """One provider of a thousand models, each with its price, and one that does not answer."""
    home = tmp_path / "home"
    make_home(home)
    (home / "providers").mkdir(exist_ok=True)
    for id, fault, models in (("many", "none", "".join(map(model, range(MANY)))), ("broken", "status=500", model(0))):
        (home / "providers" / f"{id}.toml").write_text(
            f'id = "{id}"\nname = "{id.title()}"\nkind = "local"\nwire = "ollama"\n'
            f'base_url = "{simulator.url}/fault/{fault};name={id}/api"\n{models}'
        )
    with gateway(home, simulator, OWNKEY_RETRY_DELAY_S="0.01") as running:
        yield running


def rows(page: Page) -> int:
    return page.get_by_role("row").count()


@pytest.mark.row("E11")
def test_a_thousand_models_are_found_filtered_and_sorted(chromium: Browser, stocked: Gateway, size: str) -> None:
    with visit(chromium, stocked, size) as found:
        page = found.sign_in(then=f"{VIEW}?provider=many")
        expect(page.get_by_text(re.compile(r"^1,000 of 1,\d{3} models$"))).to_be_visible()
        expect(page.get_by_role("rowheader").filter(has_text="model-0000")).to_be_visible()
        assert rows(page) < 60
        found.check_accessible()
        found.check_fits()
        page.get_by_label("Search models").fill("model-0990")
        expect(page.get_by_text(re.compile("^1 of "))).to_be_visible()
        expect(page.get_by_role("rowheader").filter(has_text="model-0990")).to_contain_text("Vision")
        page.get_by_label("Search models").fill("")
        page.get_by_text("Vision", exact=True).first.click()
        expect(page.get_by_text(re.compile("^100 of "))).to_be_visible()
        expect(page).to_have_url(re.compile("does=vision"))
        page.reload()
        expect(page.get_by_text(re.compile("^100 of "))).to_be_visible()
        page.get_by_role("button", name="Model", exact=True).click()
        expect(page.get_by_role("rowheader").filter(has_text="model-0990")).to_be_visible()
        expect(page.get_by_role("columnheader", name="Model")).to_have_attribute("aria-sort", "descending")
        if not found.is_phone:
            row = page.get_by_role("row").filter(has_text="model-0990")
            expect(row).to_contain_text("$10.90")
            expect(row).to_contain_text("$21.80")
        page.get_by_label("Search models").fill("there is none")
        expect(page.get_by_role("heading", name="No model is like that")).to_be_visible()
        page.get_by_role("button", name="Show all models").click()
        expect(page.get_by_text(re.compile(r"^1,\d{3} models$"))).to_be_visible()


@pytest.mark.row("E11")
def test_by_the_keyboard_alone_the_last_of_a_thousand_becomes_the_default(chromium: Browser, stocked: Gateway) -> None:
    with visit(chromium, stocked) as found:
        page = found.sign_in(then=f"{VIEW}?provider=many")
        expect(page.get_by_role("rowheader").filter(has_text="model-0000")).to_be_visible()
        found.tab_to(page.get_by_role("region", name="Models, a scrolling table"))
        page.keyboard.press("End")
        last = page.get_by_role("row").filter(has_text="model-0999")
        expect(last).to_be_visible()
        last.get_by_role("button", name="Use many/model-0999").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_text("many/model-0999 is your default from now on.")).to_be_visible()
        expect(last).to_contain_text("Your default")
        expect(last).to_contain_text("In use")
    with library(stocked.home) as ownkey:
        assert ownkey.automations.default_model() == "many/model-0999"
        assert ownkey.preferences.get().preferred == ("many/model-0999",)


@pytest.mark.row("E11")
def test_of_filters_that_change_faster_than_they_are_drawn_none_is_lost(window: Visit) -> None:
    page = window.sign_in(then=VIEW)
    chips = [page.get_by_role("checkbox", name=name, exact=True) for name in ("Vision", "JSON", "Ready to use")]
    expect(chips[0]).to_be_attached()
    # In one turn of the page's, in which nothing is drawn.
    page.evaluate("all => all.forEach(one => one.click())", [chip.element_handle() for chip in chips])
    for chip in chips:
        expect(chip).to_be_checked()
    expect(page).to_have_url(re.compile(r"does=vision&does=json&ready=1$"))
    page.evaluate("one => { one.click(); one.click() }", chips[0].element_handle())
    expect(page).to_have_url(re.compile(r"does=json&does=vision&ready=1$"))
    page.reload()
    for chip in chips:
        expect(chip).to_be_checked()


@pytest.mark.row("E13")
@pytest.mark.row("B10")
def test_models_are_compared_side_by_side_with_what_a_run_costs(chromium: Browser, stocked: Gateway, size: str) -> None:
    with library(stocked.home) as ownkey:
        ownkey.automations.set_default_model("many/model-0000")
    with visit(chromium, stocked, size) as found:
        page = found.sign_in(then=f"{VIEW}?provider=many")
        page.get_by_role("checkbox", name="Compare many/model-0000").click()
        expect(page.get_by_text("1 of 4 to compare")).to_be_visible()
        page.get_by_role("checkbox", name="Compare many/model-0001").click()
        expect(page.get_by_text("2 of 4 to compare")).to_be_visible()
        page.get_by_role("link", name="Compare", exact=True).click()
        expect(page.get_by_role("heading", name="Compare models")).to_be_visible()
        expect(page.get_by_text("A typical run is 1,000 tokens in and 500 out: a guess")).to_be_visible()
        run = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="A typical run"))
        # 1.00 a million in and 2.00 out: a thousand and five hundred are $0.002.
        expect(run.get_by_role("cell").nth(0)).to_have_text("about $0.002")
        beside = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="Beside your default"))
        expect(beside.get_by_role("cell").nth(0)).to_have_text("your default")
        expect(beside.get_by_role("cell").nth(1)).to_have_text(re.compile(r"^\$0\.00002\d* more \(1%\)$"))
        picker = page.get_by_role("combobox", name="Add a model")
        picker.click()
        picker.fill("0007")
        page.get_by_role("option", name=re.compile("model-0007")).click()
        expect(page.get_by_role("columnheader").filter(has_text="model-0007")).to_be_visible()
        expect(page).to_have_url(re.compile("m=many%2Fmodel-0007"))
        found.check_accessible()
        found.check_fits()
        page.get_by_role("button", name="Take many/model-0001 out").click()
        expect(page.get_by_role("columnheader").filter(has_text="model-0001")).to_have_count(0)
        page.get_by_role("button", name="Use this model: many/model-0007").click()
        expect(page.get_by_text("many/model-0007 is your default from now on.")).to_be_visible()
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_text("many/model-0000 is your default from now on.")).to_be_visible()
        page.go_back()


@pytest.mark.row("E13")
def test_a_typical_run_is_the_mean_of_ones_own(chromium: Browser, stocked: Gateway) -> None:
    for _ in range(5):
        assert stocked.ask("many/model-0000", "say 40 words").text
    with visit(chromium, stocked, color_scheme="dark") as found:
        page = found.sign_in(then=f"{VIEW}/compare?m=many/model-0000")
        expect(page.get_by_text("the mean of your 5 runs of the last 30 days")).to_be_visible()
        found.check_accessible()


@pytest.mark.row("E11")
def test_models_are_asked_for_again_and_who_does_not_answer_is_named(window: Visit, simulator: Simulator) -> None:
    with library(window.gateway.home) as ownkey:
        ownkey.providers.set("anthropic", endpoint=f"{simulator.url}/fault/status=500;name=anthropic/v1")
        ownkey.keys.set("anthropic", "sk-ant-api03-" + "x" * 90, force=True)
    page = window.sign_in(then=VIEW)
    page.get_by_role("button", name="Refresh models").click()
    told = page.get_by_role("alert").filter(has_text="answered.")
    expect(told).to_contain_text(re.compile(r"OpenAI \(\d+\)"))
    expect(told.get_by_role("link", name="Open Anthropic")).to_be_visible()
    window.check_accessible()
    window.check_fits()
