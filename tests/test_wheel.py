"""What is installed: the wheel holds what runs, says what it needs, and is the same wherever it is built."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from building import small_page, wheel
from tree import ROOT, files, tracked

PAGE = "ownkey/server/page"
DIST_INFO = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE", "sboms/ownkey.cdx.json"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    return zipfile.ZipFile(wheel(tmp_path_factory.mktemp("wheel")))


def inside(built: zipfile.ZipFile) -> tuple[set[str], set[str]]:
    """The names of the package's files, and those of its metadata."""
    [metadata] = {name.partition("/")[0] + "/" for name in built.namelist() if ".dist-info/" in name}
    about = {name for name in built.namelist() if name.startswith(metadata)}
    return set(built.namelist()) - about, {name.removeprefix(metadata) for name in about}


def test_the_wheel_holds_the_whole_package_and_nothing_else(built: zipfile.ZipFile) -> None:
    package, _ = inside(built)
    assert package == {str(path.relative_to(ROOT / "src")) for path in files(under="src")} | page_of(ROOT)
    assert {"ownkey/catalog/providers/demo.toml", "ownkey/store/migrations/versions/0001_first.py"} <= package
    assert "ownkey/py.typed" in package


def page_of(root: Path) -> set[str]:
    """The names of the built page's files, without the stamp that is for its builder."""
    found = (path.relative_to(root / "src").as_posix() for path in (root / "src" / PAGE).rglob("*") if path.is_file())
    return {name for name in found if not name.endswith("/.built")}


def with_page(to: Path) -> Path:
    """The project with another page, whose build needs nothing but Node."""
    copied(to, (path for path in tracked() if not path.is_relative_to(ROOT / "web")), mode=0o644, time_s=1_000_000_000)
    return small_page(to)


def test_the_wheel_holds_the_page_which_is_built_for_it(tmp_path: Path) -> None:
    project = with_page(tmp_path / "project")
    made = zipfile.ZipFile(wheel(tmp_path / "made", project))
    assert made.read(f"{PAGE}/index.html") == b"<h1>One</h1>"
    assert {name for name in made.namelist() if name.startswith(f"{PAGE}/")} == page_of(project)
    assert f"{PAGE}/assets/app.js" in made.namelist()

    (project / "web" / "title.txt").write_text("Two")
    made = zipfile.ZipFile(wheel(tmp_path / "again", project))
    assert made.read(f"{PAGE}/index.html") == b"<h1>Two</h1>"


def test_where_the_page_cannot_be_built_there_is_no_wheel_and_it_is_said_why(tmp_path: Path) -> None:
    project = with_page(tmp_path / "project")
    failing = (project / "web" / "build.mjs").read_text() + "throw new Error('the build went wrong');\n"
    (project / "web" / "build.mjs").write_text(failing)
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path / "made")]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "The page was not built: `npm run` failed" in done.stderr
    assert "the build went wrong" in done.stderr
    assert not list(tmp_path.glob("made/*.whl"))


def test_an_archive_of_the_sources_brings_the_page_so_that_its_wheel_needs_no_node(tmp_path: Path) -> None:
    project = with_page(tmp_path / "project")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", str(tmp_path / "made")]
    subprocess.run(command, cwd=project, check=True, capture_output=True, timeout=60)
    [archive] = tmp_path.glob("made/*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path / "unpacked", filter="data")
    [unpacked] = (tmp_path / "unpacked").iterdir()
    made = zipfile.ZipFile(wheel(tmp_path / "from", unpacked, PATH=str(tmp_path)))
    assert made.read(f"{PAGE}/index.html") == b"<h1>One</h1>"


def test_P01_nothing_in_the_wheel_is_run_before_it_is_asked_for(built: zipfile.ZipFile) -> None:
    """No `.pth`, no sitecustomize, no scripts or data beside the package; of entry points, the command alone."""
    package, about = inside(built)
    assert {name.partition("/")[0] for name in package} == {"ownkey"}
    assert [name for name in package if name.endswith((".pth", ".pyc", ".so", ".egg-link"))] == []
    assert [name for name in package if Path(name).stem in ("sitecustomize", "usercustomize", "setup")] == []
    assert about == DIST_INFO
    [points] = (name for name in built.namelist() if name.endswith("entry_points.txt"))
    assert built.read(points).decode().split("\n") == ["[console_scripts]", "ownkey = ownkey.cli.main:main", ""]


def test_P02_two_builds_in_two_places_are_the_same_bytes_and_hold_what_git_holds(tmp_path: Path) -> None:
    here = copied(tmp_path / "here", tracked(), mode=0o644, time_s=1_000_000_000)
    there = copied(tmp_path / "über dort" / "x", reversed(tracked()), mode=0o600, time_s=1_700_000_000)
    (there / "src" / "ownkey" / "__pycache__").mkdir()
    (there / "src" / "ownkey" / "__pycache__" / "left.cpython-311.pyc").write_bytes(b"left over")
    for copy in (here, there):
        if (ROOT / "src" / PAGE).exists():
            shutil.copytree(ROOT / "src" / PAGE, copy / "src" / PAGE)
    one = wheel(tmp_path / "one", here, lambda: os.umask(0o022), TZ="UTC", PYTHONHASHSEED="1", LC_ALL="C.UTF-8")
    two = wheel(tmp_path / "two", there, lambda: os.umask(0o077), TZ="Asia/Tokyo", PYTHONHASHSEED="2", LC_ALL="C")
    assert (one.name, one.read_bytes()) == (two.name, two.read_bytes())

    made = zipfile.ZipFile(one)
    package, about = inside(made)
    of_git = {str(path.relative_to(ROOT / "src")) for path in tracked() if path.is_relative_to(ROOT / "src")}
    assert package == of_git | page_of(ROOT)
    assert all(made.read(name) == (ROOT / "src" / name).read_bytes() for name in package)
    [record] = (name for name in made.namelist() if name.endswith("/RECORD"))
    recorded = {name: sha256 for name, sha256, _ in csv.reader(io.StringIO(made.read(record).decode()))}
    assert recorded == {name: "" if name == record else _sha256(made.read(name)) for name in made.namelist()}
    assert about == DIST_INFO


def copied(to: Path, of: Iterable[Path], *, mode: int, time_s: int) -> Path:
    for path in of:
        copy = to / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
        copy.chmod(mode)
        os.utime(copy, (time_s, time_s))
    return to


def _sha256(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
