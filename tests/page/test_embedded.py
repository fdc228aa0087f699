"""The components for other front ends, in a page of an application's with an origin and a policy of its own."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from house import BAD, CHAT, KEYS, Answer, Gateway, Simulator, gateway, library
from paged import ROOT, Visit, point_at, visit

DIST = ROOT / "web" / "packages" / "react" / "dist"
GOOD = KEYS["openai"]
MASKED = f"sk-…{GOOD[-4:]}"
HTML = """<!doctype html><html lang="en"><head><title>Somebody's product</title>
<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/host.css">
<script type="module" src="/host.js"></script><script type="module" src="/elements.js"></script></head><body><main>
<h1>Somebody's product</h1>
<ownkey-provider-settings base-url="{at}"></ownkey-provider-settings>
<ownkey-model-selector base-url="{at}"></ownkey-model-selector>
<p>Chosen: <output id="chosen" aria-label="Chosen"></output></p>
<label>Your question <textarea></textarea></label>
<ownkey-cost-quote base-url="{at}" max-tokens="1000"></ownkey-cost-quote>
<ownkey-usage-chart base-url="{at}" days="7"></ownkey-usage-chart>
</main></body></html>"""
CSS = ":root { color-scheme: light dark; --ownkey-radius: 2px }"
JS = """const token = async () => {
  const answer = await fetch("/token", { method: "POST" });
  return (await answer.json()).token;
};
const one = (name) => document.querySelector(name);
const names = ["provider-settings", "model-selector", "cost-quote", "usage-chart"];
for (const name of names) one(`ownkey-${name}`).token = token;
one("ownkey-model-selector").addEventListener("change", ({ detail }) => {
  one("#chosen").textContent = detail.value;
  one("ownkey-cost-quote").setAttribute("model", detail.value);
});
one("textarea").addEventListener("input", ({ target }) => {
  one("ownkey-cost-quote").setAttribute("prompt", target.value);
});
"""


class Product(ThreadingHTTPServer):
    """An application's server: its page, and a token for it from Ownkey's, by the token that it holds itself."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.host = f"127.0.0.1:{self.server_port}"
        self.origin = f"http://{self.host}"
        self.ownkey: Gateway | None = None
        self.service = ""
        self.user = "ann"
        """Who has signed in at the product."""
        self.tokens: list[str] = []
        self.spoilt = 0
        """So many of the next tokens are none."""

    def token(self) -> str:
        assert self.ownkey is not None
        if self.spoilt:
            self.spoilt -= 1
            return "op-" + "x" * 43
        answer = self.ask("POST", f"/api/user/api-keys/{self.user}/page-token")
        assert answer.status == 201, answer.body
        self.tokens.append(answer.json["token"])
        return self.tokens[-1]

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        assert self.ownkey is not None
        sent = {
            "Authorization": f"Bearer {self.service}",
            "x-ownkey-user": self.user,
            "Content-Type": "application/json",
        }
        return self.ownkey.send(method, path, None if body is None else json.dumps(body).encode(), sent)


class _Answering(BaseHTTPRequestHandler):
    server: Product

    def do_GET(self) -> None:
        assert self.server.ownkey is not None
        at = f"http://127.0.0.1:{self.server.ownkey.port}"
        files = {
            "/": ("text/html", HTML.format(at=at)),
            "/host.js": ("text/javascript", JS),
            "/host.css": ("text/css", CSS),
            "/elements.js": ("text/javascript", (DIST / "elements.js").read_text("utf-8")),
        }
        policy = f"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' {at}; base-uri 'none'"
        kind, text = files.get(self.path, ("text/plain", ""))
        self._answer(200 if text else 204, kind, text, ("content-security-policy", policy))

    def do_POST(self) -> None:
        self._answer(200, "application/json", json.dumps({"token": self.server.token()}))

    def _answer(self, status: int, kind: str, text: str, *headers: tuple[str, str]) -> None:
        held = text.encode()
        self.send_response(status)
        for name, value in (("content-type", f"{kind}; charset=utf-8"), ("content-length", str(len(held))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(held)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is said of each request."""


@pytest.fixture
def product() -> Iterator[Product]:
    assert (DIST / "elements.js").exists(), "the components are not built: `make test` builds them"
    server = Product()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@contextmanager
def shown(
    browser: Browser, product: Product, simulator: Simulator, home: Path, size: str = "desktop", **settings: str
) -> Iterator[Visit]:
    """The product's page, with an Ownkey beside it that has these settings."""
    point_at(home, simulator)
    with gateway(home, simulator, **settings) as running, library(home) as ownkey:
        _, secret = ownkey.house.tokens.create("owner", "the product", kind="service")
        product.ownkey, product.service = running, secret.reveal().decode()
        with visit(browser, running, size, others=(product.host,)) as found:
            found.page.goto(product.origin)
            # The first answer is late: the server makes its API ready then.
            expect(found.page.get_by_text("Looking up providers…")).to_have_count(0, timeout=60_000)
            yield found


def type_key(page: Page, key: str) -> None:
    page.get_by_label("Provider", exact=True).select_option("openai")
    page.get_by_label("API key", exact=True).fill(key)
    page.get_by_role("button", name="Test and save").click()


def everything(page: Page) -> str:
    """The page with what is within the elements, and what stands in fields."""
    return page.evaluate(
        """() => { const all = (root) => [...root.querySelectorAll("*")].map((one) =>
          (one.value ?? "") + (one.shadowRoot ? one.shadowRoot.innerHTML + all(one.shadowRoot) : "")).join("");
          return document.documentElement.outerHTML + all(document)
            + JSON.stringify(localStorage) + JSON.stringify(sessionStorage) + location.href; }"""
    )


@pytest.mark.row("D8")
@pytest.mark.row("E10")
@pytest.mark.row("E11")
def test_a_product_lets_its_user_bring_a_key_choose_a_model_and_see_what_it_costs(
    chromium: Browser, product: Product, simulator: Simulator, tmp_path: Path, size: str
) -> None:
    home = tmp_path / "home"
    with shown(chromium, product, simulator, home, size, OWNKEY_PAGE_ORIGINS=product.origin) as window:
        page = window.page
        answers: list[Response] = []
        page.on("response", lambda one: answers.append(one))  # noqa: PLW0108
        expect(page.get_by_text("Nothing was spent in the last 7 days.")).to_be_visible()
        expect(page.get_by_role("tab", name="Cloud")).to_have_attribute("aria-selected", "true")
        page.get_by_label("Provider", exact=True).select_option("openai")
        expect(page.get_by_text("Your key is encrypted there and goes only to OpenAI")).to_be_visible()
        assert page.get_by_role("link", name="Where do I find this?").get_attribute("rel") == "noopener noreferrer"
        field = page.get_by_label("API key", exact=True)
        expect(field).to_have_attribute("type", "password")
        page.get_by_role("button", name="Show the key").click()
        expect(field).to_have_attribute("type", "text")
        page.get_by_role("button", name="Hide the key").click()
        window.check_accessible()
        window.check_fits()
        type_key(page, GOOD)
        expect(page.get_by_text(re.compile(rf"answered in .*, with \d+ models\. Saved as {MASKED}"))).to_be_visible()
        expect(field).to_have_count(0)
        keys = page.get_by_role("list", name="Keys of OpenAI")
        expect(keys).to_contain_text(MASKED)
        expect(keys).to_contain_text("tested, works")
        assert GOOD not in everything(page)
        assert all(GOOD not in answer.text() for answer in answers if "127.0.0.1" in answer.url and answer.ok)

        models = page.get_by_role("combobox", name="Model", exact=True)
        window.tab_to(models)
        page.keyboard.type("openai gpt-4o")
        expect(page.get_by_role("listbox").get_by_role("option").first).to_contain_text("per 1M tokens")
        expect(page.get_by_role("option", name=re.compile("Functions.*Vision")).first).to_be_visible()
        window.check_accessible()
        window.check_fits()
        page.keyboard.press("Escape")
        expect(page.get_by_role("listbox")).to_have_count(0)
        page.keyboard.type("gpt-4o")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Enter")
        expect(page.get_by_label("Chosen")).to_have_text(re.compile(r"^openai/gpt-4o"))
        expect(models).to_have_value(page.get_by_label("Chosen").inner_text())
        page.get_by_role("button", name="Refresh").click()
        expect(page.get_by_text("The models are up to date.")).to_be_visible()

        page.get_by_label("Your question").fill("What is a key?")
        expect(page.get_by_text(re.compile(r"^about \$[\d.]+, at most \$[\d.]+$"))).to_be_visible()

        asked = {"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "Hello " * 4_000}]}
        assert product.ask("POST", CHAT, asked).status == 200
        page.reload()
        expect(page.get_by_text(re.compile(r"^This month: \$0\.0\d*[1-9]$"))).to_be_visible()
        page.get_by_text("As a table").click()
        expect(page.get_by_role("row")).to_have_count(8)
        window.check_accessible()
        window.check_fits()
        page.emulate_media(color_scheme="dark")
        window.check_accessible()

        page.get_by_role("button", name="Remove", exact=True).click()
        expect(page.get_by_text(f"Remove {MASKED}?", exact=False)).to_be_visible()
        page.get_by_role("button", name="Remove the key").click()
        expect(page.get_by_text(f"Removed: {MASKED}.")).to_be_visible()
        expect(page.get_by_label("API key", exact=True)).to_have_value("")


@pytest.mark.row("E10")
def test_a_key_that_the_provider_refuses_is_said_and_local_servers_need_none(
    chromium: Browser, product: Product, simulator: Simulator, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    with shown(chromium, product, simulator, home, OWNKEY_PAGE_ORIGINS=product.origin) as window:
        window.expected = ("Failed to load resource",)
        page = window.page
        type_key(page, BAD)
        expect(page.get_by_role("alert")).to_be_visible()
        expect(page.get_by_label("API key", exact=True)).to_have_value(BAD)
        assert BAD not in page.get_by_role("alert").inner_text()
        window.tab_to(page.get_by_role("tab", name="Cloud"))
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("tab", name="Local")).to_be_focused()
        expect(page.get_by_text("It needs no key.")).to_be_visible()
        page.get_by_role("button", name="Test the connection").click()
        expect(page.get_by_role("status").filter(has_text=re.compile(r"\S"))).not_to_have_count(0)
        window.check_accessible()


def test_a_token_that_is_over_is_asked_for_again_once(
    chromium: Browser, product: Product, simulator: Simulator, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    product.spoilt = 1
    with shown(chromium, product, simulator, home, OWNKEY_PAGE_ORIGINS=product.origin) as window:
        window.expected = ("Failed to load resource",)
        expect(window.page.get_by_text("Nothing was spent in the last 7 days.")).to_be_visible()
        expect(window.page.get_by_label("Provider", exact=True)).to_be_visible()
        assert len(product.tokens) == 1
        assert not any(token in everything(window.page) for token in product.tokens)


TAKEN_AND_GIVEN = """() => {
  for (const one of document.querySelectorAll("[base-url]")) {
    const { token } = one;
    one.token = null;
    one.token = token;
  }
}"""
GONE_AND_NEW = """() => {
  const old = [...document.querySelectorAll("[base-url]")];
  const { token } = old[0];
  const places = old.map((one) => one.parentElement);
  for (const one of old) one.remove();
  old.forEach((one, at) => places[at].append(Object.assign(one.cloneNode(), { token })));
}"""
ANOTHER_THAT_WAITS = """() => {
  for (const one of document.querySelectorAll("[base-url]")) one.token = () => new Promise(() => undefined);
}"""


@pytest.mark.row("D8")
def test_the_next_user_on_a_page_sees_nothing_of_the_one_before(
    chromium: Browser, product: Product, simulator: Simulator, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    with shown(chromium, product, simulator, home, OWNKEY_PAGE_ORIGINS=product.origin) as window:
        page = window.page
        keys, field = page.get_by_role("list", name="Keys of OpenAI"), page.get_by_label("API key", exact=True)
        type_key(page, GOOD)
        expect(keys).to_contain_text(MASKED)
        product.user = "bob"
        page.evaluate(TAKEN_AND_GIVEN)
        expect(keys).to_have_count(0)
        page.get_by_label("Provider", exact=True).select_option("openai")
        field.fill("half a key")
        assert MASKED not in everything(page)
        product.user = "ann"
        page.evaluate(GONE_AND_NEW)
        expect(keys).to_contain_text(MASKED)
        page.get_by_role("button", name="Replace the key").click()
        field.fill("half a key")
        page.evaluate(ANOTHER_THAT_WAITS)
        expect(page.get_by_text("Looking up providers…")).to_be_visible()
        assert MASKED not in everything(page)
        assert "half a key" not in everything(page)


@pytest.mark.row("D8")
def test_where_the_setting_does_not_name_its_origin_nothing_works_and_it_is_said(
    chromium: Browser, product: Product, simulator: Simulator, tmp_path: Path
) -> None:
    with shown(chromium, product, simulator, tmp_path / "home") as window:
        window.expected = ("CORS policy", "Failed to load resource")
        alerts = window.page.get_by_role("alert").filter(has_text=f"OWNKEY_PAGE_ORIGINS does not name {product.origin}")
        expect(alerts).to_have_count(3)
        expect(window.page.get_by_label("Provider", exact=True)).to_have_count(0)
        window.check_accessible()
