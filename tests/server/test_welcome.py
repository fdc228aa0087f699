"""What `ownkey serve` says when it begins: where the page is, and, to a terminal alone, what signs in there."""

from __future__ import annotations

import os
import pty
import re
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from browsing import SIGN_IN, Browser
from house import COMMAND, Gateway, Simulator, environment, gateway, make_home, until

LINK = re.compile(r"(http://127\.0\.0\.1:(\d+))/sign-in#link=(ol-[A-Za-z0-9_-]{43})")


@contextmanager
def in_terminal(home: Path, *options: str, **settings: str) -> Iterator[str]:
    """What a server says there by the time it is ready."""
    make_home(home)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "serve", "--port", "0", *options], env=environment(home) | settings, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    try:
        said, end_s = b"", time.monotonic() + 30
        while b"tokens create" not in said and time.monotonic() < end_s:
            said += os.read(ours, 4096)
        yield said.decode()
    finally:
        process.terminate()
        process.wait(20)
        os.close(ours)


def test_in_a_terminal_a_link_signs_the_owner_in_until_they_are(tmp_path: Path, simulator: Simulator) -> None:
    home = tmp_path / "home"
    with in_terminal(home) as said:
        found = LINK.search(said)
        assert found is not None, said
        address, port, link = found.groups()
        assert f"Ownkey answers at {address}/v1" in said
        place = Gateway(home, {}, simulator, None, int(port), "", home / "log")  # pyright: ignore[reportArgumentType]
        browser = Browser(place)
        entered = browser.post(f"{SIGN_IN}/link", {"link": link})
        assert entered.json["user"]["role"] == "owner"
    with in_terminal(home) as said:
        assert LINK.search(said) is None
        assert re.search(r"http://127\.0\.0\.1:\d+\r?\n", said)
        assert "users sign-in" in said
        assert "ol-" not in said


def test_O14_no_link_goes_to_what_is_no_terminal(tmp_path: Path, simulator: Simulator) -> None:
    with gateway(tmp_path / "home", simulator) as running:
        running.stop()
        assert running.process.stdout is not None
        said = running.process.stdout.read()
    assert f"http://127.0.0.1:{running.port}\n" in said
    assert "users sign-in" in said
    assert "ol-" not in said + running.log.read_text()


def test_O14_a_browser_is_opened_by_a_file_of_its_persons_and_no_process_is_started_with_the_link(
    tmp_path: Path,
) -> None:
    home, seen = tmp_path / "home", tmp_path / "seen"
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\necho "$@" > {seen}.part\nmv {seen}.part {seen}\n')
    program.chmod(0o755)
    with in_terminal(home, "--open", BROWSER=f"{program} %s") as said:
        argument = until(lambda: seen.read_text() if seen.exists() else None, 20).strip()
        file = Path(argument.removeprefix("file://"))
        found = LINK.search(said)
        assert found is not None
        assert "ol-" not in argument
        assert file.parent == home
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert f"url={found[0]}" in file.read_text()
    assert not file.exists()
