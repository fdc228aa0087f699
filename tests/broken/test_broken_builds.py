"""Builds that are broken on purpose: for each protection that is taken away, the test that stands for it fails.

`builds.toml` has them. Each is made in a copy of the sources, and its test is run there, in a process of its own. All
of them take minutes: `make broken`. A dozen run with every other test, drawn by OWNKEY_TEST_SEED.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "ownkey"
BUILDS: list[dict[str, Any]] = tomllib.loads((Path(__file__).parent / "builds.toml").read_text())["build"]
A_DOZEN = random.Random(os.environ.get("OWNKEY_TEST_SEED", "1")).sample(
    [build for build in BUILDS if not build.get("slow")], 12
)
_BY_ASSERTION = re.compile(r"^E +(?:AssertionError|assert |Failed: |ExceptionGroup)|^E +Falsifying", re.MULTILINE)


def _name(build: dict[str, Any]) -> str:
    return f"{build['case']} {build['what']}".replace(" ", "-")


def _edits(build: dict[str, Any]) -> list[tuple[str, str]]:
    return [(build["old"], build["new"]), *((old, new) for old, new in build.get("also", ()))]


class Workshop:
    """A copy of sources and tests, in which one thing is broken at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._edits = 0
        left_out = shutil.ignore_patterns("__pycache__", "node_modules", "broken", ".*")
        for name in ("src", "tests"):
            shutil.copytree(ROOT / name, folder / name, ignore=left_out)
        for name in ("pyproject.toml", "README.md"):
            shutil.copy(ROOT / name, folder)

    @contextmanager
    def broken(self, build: dict[str, Any]) -> Iterator[None]:
        path = self.folder / "src" / "ownkey" / build["file"]
        text = path.read_text()
        mended = text
        for old, new in _edits(build):
            mended = mended.replace(old, new)
        self._write(path, mended)
        try:
            yield
        finally:
            self._write(path, text)

    def run(self, *tests: str) -> subprocess.CompletedProcess[str]:
        recordings = os.environ.get("OWNKEY_RECORDINGS", str(ROOT.parent / "shared" / "wire"))
        env = {**os.environ, "PYTHONPATH": str(self.folder / "src"), "OWNKEY_RECORDINGS": recordings}
        env = {name: value for name, value in env.items() if not name.startswith("PYTEST_")}
        # What Hypothesis finds is found again by whoever runs it.
        plain = ("-q", "-x", "--tb=short", "-p", "no:cacheprovider", "-p", "no:randomly", "-m", "not soak")
        return subprocess.run(
            [sys.executable, "-m", "pytest", *plain, *tests],
            cwd=self.folder, env=env, capture_output=True, text=True, timeout=110, check=False,
        )  # fmt: skip

    def _write(self, path: Path, text: str) -> None:
        """With a time of its own: Python compiles anew what is of another second."""
        self._edits += 2
        path.write_text(text)
        at_s = path.stat().st_mtime + self._edits
        os.utime(path, (at_s, at_s))


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("broken"))


def _is_found(workshop: Workshop, build: dict[str, Any]) -> None:
    with workshop.broken(build):
        told = workshop.run(build["test"])
    assert told.returncode == 1, f"{build['test']} does not see that {build['what']}\n{told.stdout[-3000:]}"
    by = re.compile(rf"^E +[\w.]*\b{build['by']}: ", re.MULTILINE) if "by" in build else _BY_ASSERTION
    assert by.search(told.stdout), told.stdout[-3000:]
    assert "ERROR collecting" not in told.stdout


def test_every_build_can_still_be_broken_so() -> None:
    assert len(BUILDS) >= 40
    assert len({_name(build) for build in BUILDS}) == len(BUILDS)
    for build in BUILDS:
        text = (SRC / build["file"]).read_text()
        for old, new in _edits(build):
            assert text.count(old) == 1, (build["what"], old)
            assert old != new
        file, _, test = build["test"].partition("::")
        assert f"def {test.partition('[')[0]}(" in (ROOT / file).read_text(), build["test"]


@pytest.mark.parametrize("build", A_DOZEN, ids=_name)
def test_a_dozen_of_them_are_found(workshop: Workshop, build: dict[str, Any]) -> None:
    _is_found(workshop, build)


@pytest.mark.soak
@pytest.mark.parametrize("build", BUILDS, ids=_name)
def test_each_of_them_is_found(workshop: Workshop, build: dict[str, Any]) -> None:
    _is_found(workshop, build)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_unbroken_each_of_these_tests_passes(workshop: Workshop) -> None:
    tests = sorted({build["test"] for build in BUILDS})
    for start in range(0, len(tests), 10):
        told = workshop.run(*tests[start : start + 10])
        assert told.returncode == 0, told.stdout[-3000:]
