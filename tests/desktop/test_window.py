"""The window: what it shows, what it keeps out, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from house import COMMAND, KEYS, SRC, Simulator, environment, library, run, until
from screen import close_windows, resize_windows, screen, titles, tray
from windowed import OPEN, listens, live, window

pytestmark = pytest.mark.timeout(300)

STOP_S = 30


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    with screen() as name:
        yield name


@pytest.mark.row("D7")
def test_D7_the_window_shows_its_own_gateway_and_closing_it_ends_everything(tmp_path: Path, display: str) -> None:
    home = tmp_path / "home"
    with window(home, display, "--port", "0") as shown:
        port, running = shown.port, shown.processes()
        assert shown.page.evaluate("fetch('/health').then(answer => answer.status)") == 200
        assert len(running) >= 3
        # Without the address, which signs in.
        [title] = titles(display)
        assert "Ownkey" in title
        assert "#" not in title
        assert close_windows(display) == 1
        assert shown.process.wait(STOP_S) == 0
        until(lambda: not live(running), STOP_S)
        assert not listens(port)
    kept = {path.name for path in home.rglob("*") if path.is_file()}
    assert "window.ini" in kept
    assert not kept & {"Cookies", "Local Storage", "History", "Preferences"}
    assert not list(home.rglob("*QtWebEngine*"))


def test_where_there_is_a_tray_closing_the_window_leaves_it_running(tmp_path: Path) -> None:
    with screen() as display, tray(display), window(tmp_path / "home", display, "--port", "0") as shown:
        running = shown.processes()
        assert close_windows(display) == 1
        until(lambda: shown.page.evaluate("document.visibilityState") == "hidden", STOP_S)
        assert shown.page.evaluate("fetch('/health').then(answer => answer.status)") == 200
        assert shown.process.poll() is None
        shown.process.terminate()
        assert shown.process.wait(STOP_S) == 0
        until(lambda: not live(running), STOP_S)


def test_killed_with_no_time_to_say_so_it_leaves_no_process(tmp_path: Path, display: str) -> None:
    with window(tmp_path / "home", display, "--port", "0") as shown:
        port, running = shown.port, shown.processes()
        shown.process.send_signal(signal.SIGKILL)
        until(lambda: not live(running), STOP_S)
        assert not listens(port)


def test_a_gateway_that_dies_ends_the_window_with_a_sentence(tmp_path: Path, display: str) -> None:
    with window(tmp_path / "home", display, "--port", "0") as shown:
        [gateway] = [one for one in shown.processes() if "--stop-at-eof" in _command(one)]
        os.kill(gateway, signal.SIGKILL)
        assert shown.process.wait(STOP_S) == 1
        assert shown.process.stderr is not None
        said = shown.process.stderr.read()
        assert "has ended by itself" in said
        assert "Traceback" not in said


def test_the_window_is_as_large_as_it_was(tmp_path: Path, display: str) -> None:
    home = tmp_path / "home"
    for size in ([1200, 800], [900, 640]):
        with window(home, display, "--port", "0") as shown:
            until(lambda page=shown.page, size=size: page.evaluate("[innerWidth, innerHeight]") == size, STOP_S)
            resize_windows(display, 900, 640)
            until(lambda page=shown.page: page.evaluate("[innerWidth, innerHeight]") == [900, 640], STOP_S)
            shown.process.terminate()
            assert shown.process.wait(STOP_S) == 0


def test_without_a_display_it_says_so_and_starts_nothing(tmp_path: Path) -> None:
    done = run(environment(tmp_path / "home", DISPLAY=":4711", **OPEN), "desktop")
    assert done.returncode == 6
    assert done.stderr.startswith("ownkey: No window can be opened: could not connect to display :4711.")
    assert len(done.stderr.splitlines()) == 1


def test_without_qt_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['PySide6'] = None\n")
    done = run(environment(tmp_path / "home", PYTHONPATH=f"{tmp_path}:{SRC}"), "desktop")
    assert done.returncode == 6
    assert 'pip install "ownkey[desktop]"' in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_house_that_browsers_reach_from_elsewhere_has_no_window(tmp_path: Path) -> None:
    done = run(environment(tmp_path / "home", OWNKEY_PUBLIC_URL="https://ownkey.example"), "desktop")
    assert done.returncode == 6
    assert "https://ownkey.example" in done.stderr


def test_no_other_command_loads_qt(tmp_path: Path) -> None:
    given = environment(tmp_path / "home")
    code = (
        "import sys\nfrom typer.main import get_command\nfrom ownkey.cli.main import app\n"
        "commands = dict(get_command(app).commands)\n"
        "print('desktop' in commands, [name for name in sys.modules if name.startswith('PySide6')])"
    )
    done = subprocess.run([COMMAND[0], "-c", code], env=given, capture_output=True, text=True, timeout=60)
    assert done.stdout == "True []\n"


@pytest.mark.row("D7")
@pytest.mark.skipif(not (SRC / "ownkey/server/page/index.html").exists(), reason="the page is not built")
def test_D7_a_key_is_added_in_the_window(tmp_path: Path, display: str, simulator: Simulator) -> None:
    home = tmp_path / "home"
    with library(home) as ownkey:
        ownkey.providers.set("openai", endpoint=f"{simulator.url}/fault/name=openai/v1")
    allowed = {"OWNKEY_ALLOW_PRIVATE_HOSTS": f"127.0.0.1:{simulator.port}"}
    with window(home, display, "--port", "0", **allowed) as shown:
        page = shown.page
        page.wait_for_url(lambda url: "/sign-in" not in url, timeout=STOP_S * 1000)
        page.goto(f"http://127.0.0.1:{shown.port}/settings/byok")
        page.get_by_role("link", name="Add provider").click()
        page.get_by_label("Search providers").fill("openai")
        page.get_by_role("link", name=re.compile("^OpenAI Prices")).click()
        page.get_by_label("API key", exact=True).fill(KEYS["openai"])
        page.get_by_role("button", name="Test and save").click()
        page.get_by_text(re.compile(f"Saved as .*{KEYS['openai'][-4:]}")).wait_for(timeout=STOP_S * 1000)
        assert KEYS["openai"] not in page.content()
    with library(home) as ownkey:
        assert [key.provider for key in ownkey.keys.all()] == ["openai"]


def _command(process: int) -> str:
    return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode()
