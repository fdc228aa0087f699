"""The wheel's bill of materials: CycloneDX 1.7, made while it is built, from the locks and the table of licences.

It tells what Ownkey was tested with: every distribution that the lock names for running it, on any platform, and every
package of Node that the page is made of. What an installer takes elsewhere is said by that place's own records. PEP 770
says where in a wheel it stands. It holds no time and nothing of the machine: the same files make the same wheel.
"""

from __future__ import annotations

import json
import re
import tomllib
import uuid
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
FILE = "ownkey.cdx.json"
PAGE_LOCK = "web/package-lock.json"
FROM_PROJECT = "ownkey (pyproject.toml)"


class Locked(NamedTuple):
    """One distribution of a lock: `marker` says where it is installed, `via` who asks for it."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]
    via: tuple[str, ...]


class Bundled(NamedTuple):
    """One package of Node that is in the page. `wants`: the purls of those that it asks for."""

    name: str
    version: str
    licence: str
    is_direct: bool
    wants: tuple[str, ...]

    @property
    def purl(self) -> str:
        return _purl(self.name, self.version, "npm")


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
    page = of_page(root)
    own = _component("ownkey", project["version"], project["license"]) | {"description": project["description"]}
    wanted = {one.name: [_purl(part.name, part.version) for part in parts if one.name in part.via] for one in parts}
    direct = [_purl(part.name, part.version) for part in parts if FROM_PROJECT in part.via]
    document: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.7",
        "version": 1,
        "metadata": {"component": own},
        "components": [
            *(_component(one.name, one.version, under[one.name], one.marker) for one in parts),
            *(_component(one.name, one.version, one.licence, kind="npm") for one in page),
        ],
        "dependencies": [
            {"ref": own["bom-ref"], "dependsOn": direct + sorted({one.purl for one in page if one.is_direct})},
            *({"ref": _purl(one.name, one.version), "dependsOn": wanted[one.name]} for one in parts),
            *({"ref": one.purl, "dependsOn": list(one.wants)} for one in page),
        ],
    }
    number = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(document, sort_keys=True))
    return json.dumps({"serialNumber": f"urn:uuid:{number}", **document}, indent=1, sort_keys=True) + "\n"


def of_page(root: Path = ROOT) -> list[Bundled]:
    """What the page's lock names for running; nothing where there is no page."""
    file = root / PAGE_LOCK
    lock: dict[str, Any] = json.loads(file.read_text("utf-8"))["packages"] if file.is_file() else {}
    inside = {path for path in lock if "node_modules/" not in path}
    found: dict[str, Bundled] = {}
    for path, one in lock.items():
        if path in inside or not _is_of_page(one):
            continue
        name = path.rpartition("node_modules/")[2]
        wants = {at for other in _wanted(one) if (at := _found(lock, path, other)) and _is_of_page(lock[at])}
        is_direct = any(_found(lock, of, name) == path for of in inside if name in lock[of].get("dependencies", {}))
        bundled = Bundled(name, one["version"], one["license"], is_direct, _purls(lock, wants))
        before = found.get(bundled.purl, bundled)
        wanted = tuple(sorted({*bundled.wants, *before.wants}))
        found[bundled.purl] = bundled._replace(is_direct=is_direct or before.is_direct, wants=wanted)
    return [found[purl] for purl in sorted(found)]


def _is_of_page(one: dict[str, Any]) -> bool:
    """Neither for building alone nor a name for a folder of our own."""
    return not (one.get("dev") or one.get("devOptional") or one.get("link"))


def _wanted(one: dict[str, Any]) -> set[str]:
    """Those that were asked for and are there: a peer that is optional may be missing."""
    return {name for kind in ("dependencies", "optionalDependencies", "peerDependencies") for name in one.get(kind, ())}


def _found(lock: dict[str, Any], path: str, name: str) -> str | None:
    """Where Node finds a package for the one at this path: beside it, or further up."""
    while True:
        at = f"{path}/node_modules/{name}".lstrip("/")
        if at in lock:
            return at
        if not path:
            return None
        path = path.rpartition("/node_modules/")[0] if "/node_modules/" in path else ""


def _purls(lock: dict[str, Any], paths: set[str]) -> tuple[str, ...]:
    told = ((path.rpartition("node_modules/")[2], lock[path]["version"]) for path in paths)
    return tuple(sorted(_purl(name, version, "npm") for name, version in told))


def _component(name: str, version: str, licence: str, marker: str = "", kind: str = "pypi") -> dict[str, Any]:
    purl = _purl(name, version, kind)
    told = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    where = {"properties": [{"name": "ownkey:marker", "value": marker}]} if marker else {}
    return told | {"licenses": [{"expression": licence}]} | where


def _purl(name: str, version: str, kind: str = "pypi") -> str:
    """Of a scope its `@` is escaped (the specification of purl, its type `npm`)."""
    return f"pkg:{kind}/{name.replace('@', '%40')}@{version}"


if __name__ == "__main__":
    print(sbom(), end="")
