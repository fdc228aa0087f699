"""The wheel, built as `make wheel` builds it; and small projects that are built and made ready as this one is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tree import ROOT


def wheel(to: Path, of: Path = ROOT, begin: Callable[[], object] | None = None, **variables: str) -> Path:
    """The wheel of the project in folder `of`, put into `to`; `begin` is run first in the process that builds it."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(to)]
    # A build that somebody dates by the environment is dated so; here it is not.
    given = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"} | variables
    done = subprocess.run(command, cwd=of, capture_output=True, text=True, env=given, preexec_fn=begin, timeout=60)
    assert done.returncode == 0, done.stderr
    [made] = to.glob("*.whl")
    return made


PAGE = "src/ownkey/server/page"
_BUILD = f"""
import {{ mkdirSync, readFileSync, writeFileSync }} from "node:fs";
const to = "../{PAGE}";
mkdirSync(`${{to}}/assets`, {{ recursive: true }});
writeFileSync(`${{to}}/index.html`, `<h1>${{readFileSync("title.txt")}}</h1>`);
writeFileSync(`${{to}}/assets/app.js`, "1;");
"""


def small_page(project: Path) -> Path:
    """Sources of a page that Node alone can build, put into this project; it is not built yet."""
    web = project / "web"
    web.mkdir(parents=True)
    about = {"name": "small-page", "version": "1.0.0"}
    (web / "package.json").write_text(json.dumps(about | {"scripts": {"build": "node build.mjs"}}))
    lock = about | {"lockfileVersion": 3, "requires": True, "packages": {"": about}}
    (web / "package-lock.json").write_text(json.dumps(lock))
    (web / "build.mjs").write_text(_BUILD)
    (web / "title.txt").write_text("One")
    return project


# The least backend that PEP 660 allows: what is installed in place is one empty distribution.
_BACKEND = """
import zipfile
def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "tiny_house-1-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        about = "tiny_house-1.dist-info/"
        wheel.writestr(about + "METADATA", "Metadata-Version: 2.1\\nName: tiny-house\\nVersion: 1\\n")
        wheel.writestr(about + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(about + "RECORD", "".join(f"{about}{part},,\\n" for part in ("METADATA", "WHEEL", "RECORD")))
    return name
"""
_PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "tiny-house"
version = "1"
"""


def tiny_project(folder: Path) -> Path:
    """A project that `tools/prepare.py` makes ready, with nothing to install."""
    (folder / "tools").mkdir(parents=True)
    for name in ("prepare.py", "build_page.py"):
        shutil.copy(ROOT / "tools" / name, folder / "tools")
    (folder / "pyproject.toml").write_text(_PROJECT)
    (folder / "backend.py").write_text(_BACKEND)
    return folder
