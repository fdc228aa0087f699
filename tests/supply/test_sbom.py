"""The wheel's bill of materials: what the lock says, in CycloneDX's words."""

from __future__ import annotations

import json
import runpy
import tomllib
import zipfile
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from building import wheel
from tree import ROOT

sbom_of: dict[str, Any] = runpy.run_path(str(ROOT / "tools" / "write_sbom.py"))


def wrong(text: str) -> object:
    """What the schema says of a document; None where it keeps it."""
    return JsonStrictValidator(SchemaVersion.V1_7).validate_str(text)


def test_P04_the_wheel_lists_every_distribution_of_the_lock_that_runs(tmp_path: Path) -> None:
    made = zipfile.ZipFile(wheel(tmp_path))
    [name] = (name for name in made.namelist() if "/sboms/" in name)
    text = made.read(name).decode()
    assert wrong(text) is None
    told = json.loads(text)
    listed = {(one["name"], one["version"]) for one in told["components"]}
    page = sbom_of["of_page"]()
    assert listed == {(one.name, one.version) for one in (*sbom_of["to_run"](sbom_of["locked"]()), *page)}
    assert all(one["licenses"][0]["expression"] for one in told["components"])

    own = told["metadata"]["component"]
    asked = {one["ref"]: one["dependsOn"] for one in told["dependencies"]}
    assert asked.keys() == {own["bom-ref"], *(one["bom-ref"] for one in told["components"])}
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert (own["name"], own["version"]) == ("ownkey", wanted["version"])
    assert len(asked[own["bom-ref"]]) == len(wanted["dependencies"]) + sum(one.is_direct for one in page)
    # Each is there because something asks for it.
    assert {ref for refs in asked.values() for ref in refs} == asked.keys() - {own["bom-ref"]}


def test_the_schema_finds_what_is_wrong() -> None:
    told = json.loads(sbom_of["sbom"]())
    told["components"][0]["kind"] = told["components"][0].pop("type")
    assert wrong(json.dumps(told)) is not None


def package(version: str, licence: str = "MIT", **more: object) -> dict[str, object]:
    return {"version": version, "license": licence, **more}


def test_P04_what_the_page_is_made_of_is_listed_and_what_only_builds_it_is_not(tmp_path: Path) -> None:
    lock = {
        "": {"name": "page", "dependencies": {"@scope/shown": "^1"}, "devDependencies": {"builder": "^1"}},
        "packages/react": {"name": "parts", "version": "0.1.0", "dependencies": {"other": "^2"}},
        "node_modules/parts": {"resolved": "packages/react", "link": True},
        "node_modules/@scope/shown": package("1.2.0", dependencies={"other": "^1", "gone": "*"}),
        "node_modules/@scope/shown/node_modules/other": package("1.0.1", "ISC"),
        "node_modules/other": package("2.0.0", peerDependencies={"@scope/shown": "*", "builder": "*"}),
        "node_modules/builder": package("1.0.0", dev=True),
        "node_modules/types": package("1.0.0", devOptional=True),
    }
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "package-lock.json").write_text(json.dumps({"packages": lock}))
    shown, first, second = "pkg:npm/%40scope/shown@1.2.0", "pkg:npm/other@1.0.1", "pkg:npm/other@2.0.0"
    found = {one.purl: one for one in sbom_of["of_page"](tmp_path)}
    assert {purl: (one.licence, one.is_direct, one.wants) for purl, one in found.items()} == {
        shown: ("MIT", True, (first,)),
        first: ("ISC", False, ()),
        second: ("MIT", True, (shown,)),
    }

    for name in ("pyproject.toml", "requirements.lock", "docs/dependencies.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    text = sbom_of["sbom"](tmp_path)
    assert wrong(text) is None
    assert {shown, first, second} < {one["purl"] for one in json.loads(text)["components"]}
