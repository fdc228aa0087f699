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


def locked(root: Path = ROOT, file: str = "requirements.lock") -> dict[str, Locked]:
    """Every distribution that a lock of uv's names."""
    found: dict[str, Locked] = {}
    for block in re.split(r"\n(?=\S)", (root / file).read_text("utf-8").strip()):
        name, version, marker = _match(r"([a-z0-9-]+)==([\w.!+]+)(?: ; ([^\\]+?))? \\", block)
        notes = block[block.index("# via") + len("# via") :].splitlines()
        via = tuple(note.strip("# ") for note in notes if note.strip("# "))
        found[name] = Locked(name, version, marker or "", tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})", block)), via)
    return found


def to_run(lock: dict[str, Locked]) -> set[str]:
    """The names in a lock that running needs: what the project asks for, and what that asks for in turn."""
    needed = {one.name for one in lock.values() if "ownkey (pyproject.toml)" in one.via}
    while more := {one.name for one in lock.values() if needed & set(one.via)} - needed:
        needed |= more
    return needed


def licences(root: Path = ROOT) -> dict[str, str]:
    """What `docs/dependencies.md` says each distribution is under."""
    page = (root / "docs" / "dependencies.md").read_text("utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| (\S.*?) \|", page, re.MULTILINE)
    return {name: licence.replace(" or ", " OR ").replace(" and ", " AND ") for name, licence in rows}


def sbom(root: Path = ROOT) -> str:
    """The document, for the project in this folder."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    lock, under = locked(root), licences(root)
    names = sorted(to_run(lock))
    own = _component("ownkey", project["version"], project["license"]) | {"description": project["description"]}
    wanted = {name: [one for one in names if name in lock[one].via] for name in names}
    direct = [one for one in names if "ownkey (pyproject.toml)" in lock[one].via]
    parts = [_component(name, lock[name].version, under[name], lock[name].marker) for name in names]
    document: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.7",
        "version": 1,
        "metadata": {"component": own},
        "components": parts,
        "dependencies": [
            {"ref": own["bom-ref"], "dependsOn": [_purl(one, lock[one].version) for one in direct]},
            *(
                {"ref": _purl(name, lock[name].version), "dependsOn": [_purl(one, lock[one].version) for one in ones]}
                for name, ones in wanted.items()
            ),
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


def _match(pattern: str, text: str) -> tuple[str, ...]:
    found = re.match(pattern, text)
    if found is None:
        raise ValueError(f"the lock has a line that is not understood: {text.splitlines()[0]}")
    return found.groups()


if __name__ == "__main__":
    print(sbom(), end="")
