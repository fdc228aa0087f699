"""A real Secret Service for tests: gnome-keyring on a session bus of its own, unlocked, with nothing in it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NEEDED = {"dbus-run-session": "dbus-daemon", "gnome-keyring-daemon": "gnome-keyring"}

# The daemon goes into the background and lives as long as the bus does, which is until `cat` has nothing to read.
_SESSION = (
    "printf %s a-password | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1;"
    ' echo "$DBUS_SESSION_BUS_ADDRESS"; cat >/dev/null'
)


@contextmanager
def secret_service(folder: Path) -> Iterator[dict[str, str]]:
    """What the environment of a process has to hold so that it finds the service. Its files are in `folder`."""
    _have()
    folder.mkdir(mode=0o700)
    runtime = folder / "run"
    runtime.mkdir(mode=0o700)
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(runtime),
        "XDG_DATA_HOME": str(folder / "data"),
    }
    session = subprocess.Popen(
        ["dbus-run-session", "--", "sh", "-c", _SESSION],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=env,
        text=True,
    )
    assert session.stdin is not None
    assert session.stdout is not None
    try:
        address = session.stdout.readline().strip()
        assert address, "the session bus did not start"
        yield env | {"DBUS_SESSION_BUS_ADDRESS": address}
    finally:
        session.stdin.close()
        session.wait(20)
        session.stdout.close()


def _have() -> None:
    missing = [package for program, package in NEEDED.items() if shutil.which(program) is None]
    if missing and shutil.which("apt-get") and os.geteuid() == 0:
        subprocess.run(["apt-get", "install", "-y", "-qq", *missing], capture_output=True, timeout=110)
    missing = [package for program, package in NEEDED.items() if shutil.which(program) is None]
    if missing:
        pytest.skip(f"there is no Secret Service on this machine: apt-get install {' '.join(missing)}")
