"""The wheel's bill of materials: CycloneDX 1.7, made while the wheel is built, from the lock and the table of licences.

It tells what Ownkey was tested with: every distribution that the lock names for running it, on any platform. What an
installer takes elsewhere is said by that place's own records. PEP 770 says where in a wheel it stands. It holds no time
and nothing of the machine, so that the same files make the same wheel.
"""

from __future__ import annotations

import json
import re
import tempfile
import tomllib
import uuid
from pathlib import Path
from typing import Any, NamedTuple

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent.parent
FILE = "ownkey.cdx.json"
FROM_PROJECT = "ownkey (pyproject.toml)"


class Locked(NamedTuple):
    """One distribution of a lock: `marker` says where it is installed, `via` who asks for it."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]
    via: tuple[str, ...]


class Hook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "standard":
            self._folder = tempfile.TemporaryDirectory(prefix="ownkey-sbom-")
            file = Path(self._folder.name) / FILE
            file.write_text(sbom(Path(self.root)), "utf-8")
            build_data["sbom_files"].append(str(file))

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if version == "standard":
            self._folder.cleanup()


def locked(root: Path = ROOT, file: str = "requirements.lock") -> list[Locked]:
    """Every line of a lock of uv's, as it stands there: one name may have a version for each of two markers."""
    found: list[Locked] = []
    for block in re.split(r"\n(?=\S)", (root / file).read_text("utf-8").strip()):
        line = re.match(r"([a-z0-9-]+)==([\w.!+]+)(?: ; ([^\\]+?))? \\\n", block)
        if line is None:
            raise ValueError(f"{file} has a line that is not understood: {block.splitlines()[0]}")
        notes = block.partition("# via")[2].splitlines()
        hashes = tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})", block))
        via = tuple(note.strip("# ") for note in notes if note.strip("# "))
        found.append(Locked(line[1], line[2], line[3] or "", hashes, via))
    return found


def to_run(lock: list[Locked]) -> list[Locked]:
    """What of a lock running needs: what the project asks for, and what that asks for in turn."""
    needed = {one.name for one in lock if FROM_PROJECT in one.via}
    while more := {one.name for one in lock if needed & set(one.via)} - needed:
        needed |= more
    return sorted(one for one in lock if one.name in needed)


def licences(root: Path = ROOT) -> dict[str, str]:
    """What `docs/dependencies.md` says each distribution is under."""
    page = (root / "docs" / "dependencies.md").read_text("utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| (\S.*?) \|", page, re.MULTILINE)
    return {name: licence.replace(" or ", " OR ").replace(" and ", " AND ") for name, licence in rows}


def sbom(root: Path = ROOT) -> str:
    """The document, for the project in this folder."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    under, parts = licences(root), to_run(locked(root))
    own = _component("ownkey", project["version"], project["license"]) | {"description": project["description"]}
    wanted = {one.name: [_purl(part.name, part.version) for part in parts if one.name in part.via] for one in parts}
    direct = [_purl(part.name, part.version) for part in parts if FROM_PROJECT in part.via]
    document: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.7",
        "version": 1,
        "metadata": {"component": own},
        "components": [_component(one.name, one.version, under[one.name], one.marker) for one in parts],
        "dependencies": [
            {"ref": own["bom-ref"], "dependsOn": direct},
            *({"ref": _purl(one.name, one.version), "dependsOn": wanted[one.name]} for one in parts),
        ],
    }
    number = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(document, sort_keys=True))
    return json.dumps({"serialNumber": f"urn:uuid:{number}", **document}, indent=1, sort_keys=True) + "\n"


def _component(name: str, version: str, licence: str, marker: str = "") -> dict[str, Any]:
    purl = _purl(name, version)
    told = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    where = {"properties": [{"name": "ownkey:marker", "value": marker}]} if marker else {}
    return told | {"licenses": [{"expression": licence}]} | where


def _purl(name: str, version: str) -> str:
    return f"pkg:pypi/{name}@{version}"


if __name__ == "__main__":
    print(sbom(), end="")
