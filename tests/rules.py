"""What code may not do, as data, and what finds it: names by what they stand for, whatever they were imported as."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Rule:
    """What breaks it: `modules` that are imported, `names` that are used (dotted, or built in), `members` of whatever
    object, `keywords` that are given exactly this value, and, with `sql`, text for a database that is put together.

    It holds `inside` these folders and files of the package, everywhere where none is named; `allowed` has the modules
    that may all the same, each with its reason."""

    why: str
    modules: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    members: frozenset[str] = frozenset()
    keywords: frozenset[tuple[str, object]] = frozenset()
    sql: bool = False
    inside: tuple[str, ...] = ("",)
    allowed: Mapping[str, str] = field(default_factory=dict[str, str])

    def found(self, tree: ast.Module) -> Iterator[int]:
        """The lines where it is broken."""
        known = _imports(tree)
        for node in ast.walk(tree):
            if (isinstance(node, ast.Attribute) and node.attr in self.members) or self._named(node, known):
                yield node.lineno  # type: ignore[attr-defined]
            elif isinstance(node, ast.Call) and self._given(node):
                yield node.lineno

    def _named(self, node: ast.AST, known: Mapping[str, str]) -> bool:
        if isinstance(node, ast.Import):
            return any(_within(alias.name, self.modules) for alias in node.names)
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            return any(_within(name, self.modules) or name in self.names for name in names)
        return isinstance(node, ast.Name | ast.Attribute) and _dotted(node, known) in self.names

    def _given(self, call: ast.Call) -> bool:
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        if self.sql and name in SQL and call.args and _put_together(call.args[0]):
            return True
        constants = [(one.arg, one.value) for one in call.keywords if isinstance(one.value, ast.Constant)]
        return any((given, constant.value) in self.keywords for given, constant in constants)


SQL = frozenset({"execute", "executemany", "executescript", "exec_driver_sql", "text"})


def _within(name: str, names: frozenset[str]) -> bool:
    return any(name == one or name.startswith(one + ".") for one in names)


def _imports(tree: ast.Module) -> dict[str, str]:
    """What each imported name stands for."""
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            known |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            known |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return known


def _dotted(node: ast.AST, known: Mapping[str, str]) -> str:
    """`time.time` for `time.time`, for `clock.time` after `import time as clock`; `eval` for the built-in."""
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value, known)}.{node.attr}"
    return known.get(node.id, node.id) if isinstance(node, ast.Name) else "?"


def _put_together(text: ast.expr) -> bool:
    """Whether values go into the text itself: an f-string, `%`, `+` or `.format`."""
    if isinstance(text, ast.BinOp):
        return isinstance(text.op, ast.Mod) or not all(
            isinstance(side, ast.Constant) for side in (text.left, text.right)
        )
    if isinstance(text, ast.Call) and isinstance(text.func, ast.Attribute):
        return text.func.attr in ("format", "join", "replace")
    if isinstance(text, ast.Call) and isinstance(text.func, ast.Name) and text.func.id == "text":
        return bool(text.args) and _put_together(text.args[0])
    return isinstance(text, ast.JoinedStr) and any(isinstance(part, ast.FormattedValue) for part in text.values)
