"""The project's own files, as its tests of itself read them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_LEFT_OUT = {".git", *(line.rstrip("/") for line in (ROOT / ".gitignore").read_text().split())}


def files(*suffixes: str, under: str = ".") -> list[Path]:
    """Every file with one of these endings (any, where none is named) that is not left out of the repository."""
    return sorted(path for path in _walk(ROOT / under) if not suffixes or path.suffix in suffixes)


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
