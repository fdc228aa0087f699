"""The project's own files, as its tests of itself read them."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_LEFT_OUT = {".git", *(line.rstrip("/") for line in (ROOT / ".gitignore").read_text().split())}


def files(*suffixes: str, under: str = ".") -> list[Path]:
    """Every file with one of these endings (any, where none is named) that is not left out of the repository."""
    return sorted(path for path in _walk(ROOT / under) if not suffixes or path.suffix in suffixes)


def tracked() -> list[Path]:
    """Every file that git has; where there is no repository, as in an archive, every one that is not left out."""
    if not (ROOT / ".git").exists():
        return files()
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return sorted(path for name in listed.decode().split("\0") if name and (path := ROOT / name).is_file())


def parsed(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    """Each Python file of these folders: its path from the root, and its syntax."""
    for path in (path for folder in folders for path in files(".py", under=folder)):
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text("utf-8"))


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name in _LEFT_OUT or str(path.relative_to(ROOT)) in _LEFT_OUT or path.name.endswith(".egg-info"):
            continue
        if path.is_dir():
            yield from _walk(path)
        else:
            yield path
