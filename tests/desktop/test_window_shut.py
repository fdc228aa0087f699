"""What the page in the window cannot do: lead it elsewhere, or reach what lies around it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from house import until
from screen import screen
from windowed import Shown, window

pytestmark = pytest.mark.timeout(300)

OPENED_S = 30
LINK = """([href, target]) => {
    const link = Object.assign(document.createElement("a"), { href, target });
    link.style.cssText = "position:fixed;left:0;top:0;width:200px;height:100px";
    document.body.replaceChildren(link);
}"""


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    with screen() as display, window(tmp_path_factory.mktemp("shut") / "home", display, "--port", "0") as opened:
        # Until its own links are drawn, a view that comes takes the test's away.
        opened.page.wait_for_url(lambda url: "/sign-in" not in url, timeout=OPENED_S * 1000)
        opened.page.get_by_role("heading", level=1).first.wait_for(timeout=OPENED_S * 1000)
        yield opened


@pytest.mark.parametrize("target", ["", "_blank"])
def test_links_to_elsewhere_open_in_the_browser_and_what_is_no_web_address_nowhere(shown: Shown, target: str) -> None:
    here = shown.page.evaluate("location.origin")
    shown.opened.write_text("")
    for link in ("file:///etc/passwd", "mailto:a@example.com", "data:text/html,hello", "https://keys.example/new"):
        shown.page.evaluate(LINK, [link, target])
        shown.click(50, 50)
    until(shown.opened.read_text, OPENED_S)
    assert shown.opened.read_text() == "https://keys.example/new\n"
    assert shown.page.evaluate("location.origin") == here


def test_no_script_leads_the_window_elsewhere(shown: Shown) -> None:
    here = shown.page.evaluate("location.origin")
    for elsewhere in ("https://elsewhere.example/", "data:text/html,hello", f"http://127.0.0.1:{shown.port + 1}/"):
        shown.page.evaluate("elsewhere => { location.href = elsewhere }", elsewhere)
        assert shown.page.evaluate("fetch('/health').then(answer => answer.status)") == 200
        assert shown.page.evaluate("location.origin") == here


def test_the_page_reaches_nothing_of_the_machine(shown: Shown) -> None:
    page = shown.page
    assert page.evaluate("[typeof qt, typeof pywebview, typeof external?.notify]") == ["undefined"] * 3
    assert page.evaluate("navigator.clipboard.readText().catch(error => error.name)") == "NotAllowedError"
    assert page.evaluate("Notification.requestPermission()") == "denied"
    assert page.evaluate("new Promise(y => navigator.geolocation.getCurrentPosition(y, no => y(no.code)))") == 1
