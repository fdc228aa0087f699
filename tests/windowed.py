"""`ownkey desktop` on a screen that nobody sees. Its engine's own debugging port shows what is in the window."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page, sync_playwright

from house import COMMAND, environment, make_home, until

UP_S = 60
# Tests may run as root, as whom the engine's sandbox does not.
OPEN = {"QTWEBENGINE_DISABLE_SANDBOX": "1"}


@dataclass
class Shown:
    """`opened` is where the system's browser, which is a script, notes what it was asked to open."""

    process: subprocess.Popen[str]
    page: Page
    opened: Path

    @property
    def port(self) -> int:
        """Of the gateway inside."""
        port = urlsplit(self.page.url).port
        assert port is not None
        return port

    def click(self, x: int, y: int) -> None:
        """As the mouse does it: Playwright's own waits for where a link leads, and these lead nowhere."""
        session = self.page.context.new_cdp_session(self.page)
        for kind in ("mousePressed", "mouseReleased"):
            given = {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1}
            session.send("Input.dispatchMouseEvent", given)

    def processes(self) -> set[int]:
        """Of the window and of all that it has started."""
        return _below(self.process.pid)


@contextmanager
def window(home: Path, display: str, *arguments: str, **settings: str) -> Iterator[Shown]:
    """Opened, and killed at the end where it is still there."""
    make_home(home)
    port = _free_port()
    given = {"DISPLAY": display, "QTWEBENGINE_REMOTE_DEBUGGING": f"127.0.0.1:{port}"} | OPEN | settings
    browser, opened = home.parent / "bin" / "xdg-open", home.parent / "opened"
    browser.parent.mkdir(exist_ok=True)
    browser.write_text(f'#!/bin/sh\necho "$@" >> {opened}\n')
    browser.chmod(0o700)
    opened.touch()
    env = environment(home, **given)
    env["PATH"] = f"{browser.parent}:{env['PATH']}"
    process = subprocess.Popen([*COMMAND, "desktop", *arguments], env=env, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    started = {process.pid}
    try:
        until(lambda: process.poll() is not None or _shows(port), UP_S)
        assert process.poll() is None, process.stderr.read()
        with sync_playwright() as playwright:
            engine = playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{port}", no_defaults=True)
            yield Shown(process, engine.contexts[0].pages[0], opened)
    finally:
        started |= _below(process.pid)
        for one in started:
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        process.wait(20)
        process.stderr.close()


def live(processes: set[int]) -> set[int]:
    """Those of them that still run."""
    return {one for one in processes if (state := _status(one)) and state[0] != "Z"}


def listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False


def _shows(port: int) -> bool:
    """Whether the window has begun to show a page of the gateway's."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/json/list")
        pages = json.loads(connection.getresponse().read())
    except OSError:
        return False
    finally:
        connection.close()
    return any(page["url"].startswith("http://127.0.0.1:") for page in pages)


def _below(process: int) -> set[int]:
    parents = {int(one.name): state[1] for one in Path("/proc").glob("[0-9]*") if (state := _status(int(one.name)))}
    found, more = {process}, {process}
    while more:
        more = {child for child, parent in parents.items() if parent in more} - found
        found |= more
    return found


def _status(process: int) -> tuple[str, int] | None:
    """The state and the parent of a process, of /proc/PID/stat; None where there is none."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return fields[0], int(fields[1])


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
