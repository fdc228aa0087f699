"""The pages for people: generated ones are up to date, links lead somewhere, examples are true."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from ownkey.catalog.load import Catalogue, Problem, read_manifest
from ownkey.cli.main import app
from ownkey.server.operations import MEDIA
from ownkey.server.site import DOORS
from ownkey.wires.wire import TABLE
from tree import ROOT, files

PAGES = [page for page in files(".md") if not page.is_relative_to(ROOT / "src")]
README = (ROOT / "README.md").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def _fenced(language: str, page: Path = ROOT / "README.md") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def test_the_generated_pages_are_what_the_code_says() -> None:
    made = runpy.run_path(str(ROOT / "tools" / "write_docs.py"))["pages"]()
    assert [path.name for path, text in made.items() if path.read_text("utf-8") != text] == [], "run: make docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?://)([^)\s]+)\)", page.read_text("utf-8")):
        path, _, heading = link.partition("#")
        to = page.parent / path if path else page
        assert to.exists(), link
        assert not heading or heading in _headings(to), link


def test_every_page_is_led_to_by_another() -> None:
    led_to = {
        (page.parent / link).resolve()
        for page in PAGES
        for link in re.findall(r"\]\(([^)#\s]+\.md)", page.read_text("utf-8"))
    }
    assert {str(page.relative_to(ROOT)) for page in PAGES if page.resolve() not in led_to} <= {"README.md"}


def _headings(page: Path) -> set[str]:
    """The names that links have for a page's headings."""
    found = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_in_a_page_is_one_that_there_is(page: Path) -> None:
    text = page.read_text("utf-8")
    for words in re.findall(r"(?:^|`|\| )ownkey ([a-z][^`\n]*)", text, re.MULTILINE):
        _takes(shlex.split(words, comments=True))
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert set(re.findall(r"(?:^|`)make (\w+)", text, re.MULTILINE)) <= set(targets)


def _takes(words: list[str]) -> None:
    """Reads the words as the command would, and runs nothing. Raises what the command says of a wrong one."""
    command: Any = get_command(app)
    while hasattr(command, "commands") and not words[0].startswith("-"):
        assert words[0] in command.commands, words
        command, words = command.commands[words[0]], words[1:]
        if not words and hasattr(command, "commands"):
            return
    command.make_context(command.name, words)


def test_every_path_and_header_of_the_gateway_stands_in_its_page_and_no_other() -> None:
    # What a page of an application's may ask is of the management API, and stands in its own page.
    served = [path for path in files(".py", under="src/ownkey/server") if path.name != "embedded.py"]
    source = "".join(path.read_text("utf-8") for path in served)
    page = (ROOT / "docs" / "gateway.md").read_text("utf-8")
    headers = {*re.findall(r'b"(x-[a-z-]+|retry-after)"', source)}
    assert headers == set(re.findall(r"`(x-[a-z-]+|retry-after)`", page))
    paths = {f"{method} {path}" for method, path in re.findall(r'\("([A-Z]+)", "(/[\w/]+)"\)', source)}
    paths |= {f"{method} {path}" for method, path in re.findall(r'\["([A-Z]+)", "(/[\w/]+)"\]', source)}
    paths |= {f"POST {path}" for path in (*DOORS, *MEDIA)} | {"GET /v1/models"}
    assert paths == set(re.findall(r"`([A-Z]+ /[\w/]+)`", page))


def test_the_library_example_of_the_readme_runs(tmp_path: Path) -> None:
    example = next(block for block in _fenced("python") if "blocking()" in block)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("OWNKEY_", "BYOK_"))},
        **{"OWNKEY_HOME": str(tmp_path / "home"), "OWNKEY_KEYCHAIN": "off", "PYTHONPATH": str(ROOT / "src")},
    }
    demo = example.replace('model="gpt-4o"', 'model="demo"')
    done = subprocess.run([sys.executable, "-c", demo], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    estimate, *_, answered = done.stdout.splitlines()
    assert estimate == re.findall(r"# (\$[\d.]+)$", example, re.MULTILINE)[0]
    assert "demo" in answered
    assert answered.endswith("$0.00")


def test_every_example_of_the_readme_is_python_or_a_provider_that_loads() -> None:
    for example in _fenced("python"):
        compile(example, "README.md", "exec")
    for example in _fenced("toml"):
        read = read_manifest(example.encode(), "example.toml", wires=frozenset(TABLE))
        assert not isinstance(read, Problem), str(read)


def test_the_readme_names_every_provider_that_is_shipped() -> None:
    named = README.partition("## Providers")[2]
    shipped = [one.name for one in Catalogue(wires=frozenset(TABLE)).all() if one.kind != "demo"]
    assert [name for name in shipped if name.partition(" (")[0] not in named] == []


def test_the_changelog_begins_with_the_version_that_is_installed() -> None:
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert newest
    assert newest[1] == PROJECT["project"]["version"] == version("ownkey")


@pytest.mark.parametrize("heading", ["To run", "To build", "To work on it"])
def test_every_dependency_has_its_reason_and_its_licence(heading: str) -> None:
    groups = PROJECT["dependency-groups"]
    wanted = {
        "To run": PROJECT["project"]["dependencies"],
        "To build": [*groups["build"], *groups["page"]],
        "To work on it": groups["dev"],
    }
    names = [re.match(r"[\w-]+", line).group() for line in wanted[heading]]  # type: ignore[union-attr]
    section = (
        (ROOT / "docs" / "dependencies.md").read_text("utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    )
    rows = re.findall(r"^\| `([\w-]+)` \| (\S.*?) \| (\S.*?) \|$", section, re.MULTILINE)
    assert sorted(name for name, _, _ in rows) == sorted(names)
