"""What is installed besides Ownkey: the tables of docs/dependencies.md, the project's file, the lock, the code."""

from __future__ import annotations

import ast
import json
import re
import runpy
import shutil
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution, metadata, requires
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tree import ROOT, files, parsed

PAGE = "docs/dependencies.md"
# Imported though another package brings it: it is the base of that package, in whose words it is spoken to.
THROUGH = {"starlette": "fastapi"}

sbom_of: dict[str, Any] = runpy.run_path(str(ROOT / "tools" / "write_sbom.py"))
locked, to_run, FROM_PROJECT = (sbom_of[name] for name in ("locked", "to_run", "FROM_PROJECT"))


def rows(root: Path, heading: str) -> dict[str, tuple[str, str]]:
    """A table of the page: licence and last column by name."""
    section = (root / PAGE).read_text("utf-8").partition(f"# {heading}\n")[2].partition("\n##")[0]
    found = re.findall(r"^\| `([\w-]+)` \| (\S.*?) \| (\S.*?) \|$", section, re.MULTILINE)
    return {name: (licence, last) for name, licence, last in found}


def wanted(root: Path) -> set[str]:
    lines = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    return {canonicalize_name(Requirement(line).name) for line in lines}


def disagreements(root: Path) -> list[str]:
    """Where page, project and lock do not say the same of what runs."""
    direct, brought = rows(root, "To run"), rows(root, "What these bring")
    run = to_run(locked(root))
    via = {one.name: set(one.via) for one in run}
    said = {name for name in via if FROM_PROJECT in via[name]}
    found = [f"{name}: in the project, without a row" for name in wanted(root) - direct.keys()]
    found += [f"{name}: a row, not in the project" for name in direct.keys() - wanted(root)]
    found += [f"{name}: asked for by lock or project alone" for name in said ^ wanted(root)]
    found += [f"{name}: in the lock, without a row" for name in via.keys() - direct.keys() - brought.keys()]
    found += [
        f"{name}: a row, not in the lock" for name in brought.keys() - via.keys() | brought.keys() & direct.keys()
    ]
    for name in brought.keys() & via.keys():
        if set(re.findall(r"`([\w-]+)`", brought[name][1])) != via[name] & via.keys():
            found.append(f"{name}: the row says wrongly what brings it")
    return sorted(found)


def test_P04_what_runs_is_what_has_a_row_and_the_page_says_how_many() -> None:
    assert disagreements(ROOT) == []
    direct, brought = rows(ROOT, "To run"), rows(ROOT, "What these bring")
    begins = re.sub(r"\s+", " ", (ROOT / PAGE).read_text("utf-8").partition("\n## ")[0])
    numbers = re.findall(r"takes (\d+) distributions: the (\d+) .* and the (\d+) that those bring", begins)
    assert numbers == [(str(len(direct) + len(brought)), str(len(direct)), str(len(brought)))]


BLOCK = "\nnewcomer==1.0 \\\n    --hash=sha256:{0}\n    # via {1}\n"


@pytest.mark.parametrize("via", [FROM_PROJECT, "alembic"])
def test_P04_a_new_one_is_found_wherever_it_came_in(tmp_path: Path, via: str) -> None:
    for name in ("pyproject.toml", "requirements.lock", PAGE):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    with (tmp_path / "requirements.lock").open("a") as lock:
        lock.write(BLOCK.format("0" * 64, via))
    assert [line.partition(":")[0] for line in disagreements(tmp_path)][-1] == "newcomer"

    shutil.copy(ROOT / "requirements.lock", tmp_path)
    project = tmp_path / "pyproject.toml"
    project.write_text(project.read_text().replace("dependencies = [\n", 'dependencies = [\n    "newcomer",\n', 1))
    assert "newcomer: in the project, without a row" in disagreements(tmp_path)


def test_P04_what_is_imported_is_what_the_project_asks_for() -> None:
    optional = {"PySide6", "pyarrow", "pytest"}
    given = {file.parts[0].partition(".")[0] for name in wanted(ROOT) for file in distribution(name).files or ()}
    assert _imported() - given - optional - THROUGH.keys() - {"ownkey"} == set()
    assert all(base in wanted(ROOT) for base in THROUGH.values())


def _imported() -> set[str]:
    """The top-level names that some module of ours imports, Python's own left out."""
    names: set[str] = set()
    for _, tree in parsed("src"):
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add((node.module or "").partition(".")[0])
    return names - sys.stdlib_module_names


def test_P04_what_installed_packages_ask_for_has_a_row_too() -> None:
    """The lock may be older than what is installed: each one's own metadata is followed, as an installer does."""
    allowed = rows(ROOT, "To run").keys() | rows(ROOT, "What these bring").keys()
    lines = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    reached: set[tuple[str, frozenset[str]]] = set()
    ahead = [Requirement(line) for line in lines]
    while ahead:
        one = ahead.pop()
        name, extras = canonicalize_name(one.name), frozenset(one.extras)
        if (name, extras) in reached or not _applies(one, frozenset()):
            continue
        reached.add((name, extras))
        below = [Requirement(line) for line in requires(name) or ()]
        ahead += [part for part in below if _applies(part, extras)]
    assert {name for name, _ in reached} - allowed == set()
    assert len(reached) > len(lines)


def _applies(one: Requirement, extras: frozenset[str]) -> bool:
    return one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras or {""})


def test_P04_each_row_names_the_licence_that_the_package_declares() -> None:
    wrong: list[str] = []
    for name, (licence, _) in (rows(ROOT, "To run") | rows(ROOT, "What these bring")).items():
        try:
            declared = metadata(name).get("License-Expression")
        except PackageNotFoundError:
            continue  # of another platform
        if declared and set(declared.split(" OR ")) != set(licence.split(" or ")):
            wrong.append(f"{name}: {licence}, and not {declared}")
    assert wrong == []


@pytest.mark.parametrize(
    ("file", "least"), [("requirements.lock", 60), ("requirements-dev.lock", 60), ("requirements-page.lock", 1)]
)
def test_P03_every_line_of_a_lock_is_one_version_with_its_hashes(file: str, least: int) -> None:
    text = (ROOT / file).read_text("utf-8")
    lock = locked(ROOT, file)
    names = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(names) == len(lock) >= least
    assert [one.name for one in lock if not one.hashes or "*" in one.version] == []
    # Nothing from elsewhere: no index, no link, no address, no file.
    assert re.findall(r"^(?:-|\S+ @|.*://).*$", text, re.MULTILINE) == []


def test_P03_every_package_of_node_is_one_version_with_its_hash_and_runs_nothing_when_installed() -> None:
    locks = [path for path in files(".json") if path.name == "package-lock.json"]
    assert locks
    for path in locks:
        lock = json.loads(path.read_text("utf-8"))["packages"]
        installed = {name: one for name, one in lock.items() if "node_modules/" in name and not one.get("link")}
        assert [name for name, one in installed.items() if not one.get("integrity", "").startswith("sha512-")] == []
    for tool in ("prepare.py", "build_page.py"):
        assert '"ci", "--ignore-scripts"' in (ROOT / "tools" / tool).read_text("utf-8")


def test_P03_the_node_that_builds_the_page_is_the_one_that_the_tests_run() -> None:
    [node] = locked(ROOT, "requirements-page.lock")
    others = {one.name: one for one in locked(ROOT, "requirements-dev.lock")}
    assert (node.version, set(node.hashes)) == (others[node.name].version, set(others[node.name].hashes))
