"""What Python runs or reads whenever it starts, before any program: `.pth` files, sitecustomize and usercustomize.

https://docs.python.org/3/library/site.html says what they may do: a line of a `.pth` file that begins with `import` is
run, any other is a folder that modules come from.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import site
import sysconfig
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

# What uv and virtualenv put into each environment that they make, which no package records.
_OF_VIRTUALENV = ("_virtualenv.pth", b"import _virtualenv")


def unknown() -> list[Path]:
    """Those that no installed package brought, or that are other than it brought them; Python's own left out."""
    folders = [Path(folder) for folder in site.getsitepackages()]
    if site.ENABLE_USER_SITE:
        folders.append(Path(site.getusersitepackages()))
    found = [path for folder in folders for path in sorted(folder.glob("*.pth"))]
    return [path for path in (*found, *_customizing()) if not _of_virtualenv(path) and not _recorded(path)]


def _customizing() -> Iterator[Path]:
    """Where the two modules are, from wherever they would be loaded."""
    own = Path(sysconfig.get_path("stdlib"))
    for name in ("sitecustomize", "usercustomize"):
        spec = find_spec(name)
        if spec is not None and spec.origin is not None and Path(spec.origin).parent != own:
            yield Path(spec.origin)


def _of_virtualenv(path: Path) -> bool:
    name, says = _OF_VIRTUALENV
    return path.name == name and path.read_bytes().strip() == says


def _recorded(path: Path) -> bool:
    """Whether a package's RECORD has the file in its folder, as it is."""
    sha256 = base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).rstrip(b"=").decode()
    for record in path.parent.glob("*.dist-info/RECORD"):
        text = record.read_text("utf-8", "replace")
        if path.name in text:
            for row in csv.reader(text.splitlines()):
                if row[:2] == [path.name, f"sha256={sha256}"]:
                    return True
    return False
