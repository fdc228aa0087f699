"""`ownkey doctor` tells what runs whenever Python starts and came with no package: in an environment made for it."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import venv
from pathlib import Path

import msgspec
import pytest

from house import SRC, environment

PACKAGES = Path(msgspec.__file__).parents[1]
CODE = "import sys; sys.flags\n"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "venv"
    venv.create(folder, symlinks=True)
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("at-home") / "home"


def doctor(python: Path, home: Path) -> str:
    """What it says of the start."""
    given = environment(home, PYTHONPATH=f"{SRC}:{PACKAGES}")
    command = [str(python), "-m", "ownkey", "doctor"]
    done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return "\n".join(line for line in done.stdout.splitlines() if line[6:].startswith("start"))


def brought(folder: Path, file: str, says: str) -> None:
    """A package that has this file in its RECORD."""
    about = folder / "known-1.dist-info"
    about.mkdir(exist_ok=True)
    (folder / file).write_text(says)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: known\nVersion: 1\n")
    sha256 = base64.urlsafe_b64encode(hashlib.sha256(says.encode()).digest()).rstrip(b"=").decode()
    (about / "RECORD").write_text(f"{file},sha256={sha256},{len(says)}\nknown-1.dist-info/RECORD,,\n")


def test_P01_the_doctor_tells_what_runs_at_the_start_and_came_with_no_package(python: Path, home: Path) -> None:
    major, minor = sys.version_info[:2]
    folder = python.parents[1] / "lib" / f"python{major}.{minor}" / "site-packages"
    brought(folder, "known.pth", CODE)
    (folder / "_virtualenv.pth").write_text("import _virtualenv")
    (folder / "_virtualenv.py").write_text("")
    said = doctor(python, home)
    assert said.startswith("ok")
    assert len(said.splitlines()) == 1

    (folder / "known.pth").write_text(CODE + CODE)
    (folder / "_virtualenv.pth").write_text(CODE)
    (folder / "stray.pth").write_text(CODE)
    (folder / "sitecustomize.py").write_text("")
    lines = doctor(python, home).splitlines()
    told = sorted(Path(line.split()[2]).name for line in lines)
    assert told == ["_virtualenv.pth", "known.pth", "sitecustomize.py", "stray.pth"]
    assert all(line.startswith("look") and "no installed package brought it so" in line for line in lines)
