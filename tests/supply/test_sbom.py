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
    assert listed == {(one.name, one.version) for one in sbom_of["to_run"](sbom_of["locked"]())}
    assert all(one["licenses"][0]["expression"] for one in told["components"])

    own = told["metadata"]["component"]
    asked = {one["ref"]: one["dependsOn"] for one in told["dependencies"]}
    assert asked.keys() == {own["bom-ref"], *(one["bom-ref"] for one in told["components"])}
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert (own["name"], own["version"]) == ("ownkey", wanted["version"])
    assert len(asked[own["bom-ref"]]) == len(wanted["dependencies"])
    # Each is there because something asks for it.
    assert {ref for refs in asked.values() for ref in refs} == asked.keys() - {own["bom-ref"]}


def test_the_schema_finds_what_is_wrong() -> None:
    told = json.loads(sbom_of["sbom"]())
    told["components"][0]["kind"] = told["components"][0].pop("type")
    assert wrong(json.dumps(told)) is not None
