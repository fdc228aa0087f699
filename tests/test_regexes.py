"""Every regular expression of the code, as it is used, on texts that make bad ones slow."""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

SRC = Path(__file__).parents[1] / "src" / "ownkey"
METHODS = frozenset({"match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"})
BEFORE = (
    "",
    "https://",
    "https://a",
    "smtp://a@",
    "inside://",
    "sk-",
    "data:image/png;base64,",
    "models/",
    "\x1b[",
    "{",
)
AGAIN = (
    *("a", "A", "1", "0", "f", "/", ".", "-", "_", "@", "%", ":", "=", ",", ";", "*", "{", "}", "[", "(", "\\", '"'),
    *(" ", "\t", "\n", "\r\n", "\u00e9", "\u3042", "/a", "a/", "a.", "a-", ".a", "a@", "a1", "aA1-", "a=a;", "::"),
)
AFTER = ("", "!", "\x00", "\n!", "@")


class Use(NamedTuple):
    where: str
    pattern: str | bytes
    flags: int
    method: str


def uses() -> Iterator[Use]:
    for path in sorted(SRC.rglob("*.py")):
        tree = ast.parse(path.read_bytes())
        where = path.relative_to(SRC).as_posix()
        named: dict[str, tuple[str | bytes, int]] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and _is_re(node.value, "compile"):
                found = _pattern(node.value)
                if found is not None:
                    named[node.targets[0].id] = found
        called: set[tuple[str, str]] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in METHODS and isinstance(node.value, ast.Name):
                called.add((node.value.id, node.attr))
            for method in METHODS:
                if _is_re(node, method) and (found := _pattern(node)) is not None:
                    yield Use(f"{where}, re.{method}", *found, method)
        for name, (pattern, flags) in named.items():
            methods = {method for each, method in called if each == name} or {"fullmatch", "search"}
            yield from (Use(f"{where}, {name}", pattern, flags, method) for method in sorted(methods))


def _is_re(node: ast.AST, function: str) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == function
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "re"
    )


def _pattern(node: ast.AST) -> tuple[str | bytes, int] | None:
    """The pattern and its flags, where they stand in the code as they are."""
    assert isinstance(node, ast.Call)
    first = node.args[0]
    if not isinstance(first, ast.Constant) or not isinstance(first.value, str | bytes):
        return None
    flags = 0
    for each in (*node.args[1:], *(keyword.value for keyword in node.keywords)):
        for part in ast.walk(each):
            if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == "re":
                flags |= int(getattr(re, part.attr))
    return first.value, flags


def late(use: Use, text: str, most_s: float) -> bool:
    """Whether it takes longer, each of five times: what runs beside it may hold it up."""
    compiled = re.compile(use.pattern, use.flags)
    subject = text.encode("utf-8") if isinstance(use.pattern, bytes) else text
    nothing = subject[:0]
    for _ in range(5):
        began = time.thread_time()
        if use.method in ("sub", "subn"):
            getattr(compiled, use.method)(nothing, subject)
        elif use.method == "finditer":
            list(compiled.finditer(subject))
        else:
            getattr(compiled, use.method)(subject)
        if time.thread_time() - began <= most_s:
            return False
    return True


LENGTHS = ((20, 0.01), (200, 0.002), (2_000, 0.0005), (20_000, 0.05))
"""Characters, and how many seconds are too many. The shortest come first: some would never end on the longer."""


def slow(use: Use) -> str | None:
    """The text on which it takes more than a few microseconds for each character."""
    for before in BEFORE:
        for again in AGAIN:
            for after in AFTER:
                short, some, long, longest = (
                    (before + again * (length // len(again)) + after, most_s) for length, most_s in LENGTHS
                )
                if late(use, *short) or late(use, *some) or (late(use, *long) and late(use, *longest)):
                    return before + again + "…" + after
    return None


ALL = sorted(set(uses()), key=lambda use: (use.where, use.method))


@pytest.mark.parametrize("use", ALL, ids=lambda use: f"{use.where} {use.method}")
def test_G11_no_expression_is_slow_for_any_text(use: Use) -> None:
    assert slow(use) is None


def test_G11_a_bad_expression_is_found() -> None:
    for pattern in (r"(a+)+$", r"(a|a)*b", r"^(\s*\w*)*$"):
        assert slow(Use("here", pattern, 0, "match")) is not None, pattern
    assert slow(Use("here", r"a*b", 0, "search")) is not None
    assert len(ALL) >= 60
