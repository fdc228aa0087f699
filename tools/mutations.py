"""What is changed in a file, one change at a time: each of them a fault that some test should notice."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_RECKONED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
_NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_DONE = (ast.Expr, ast.Raise, ast.AugAssign, ast.Delete)

Change = Callable[[ast.AST], None]


@dataclass(frozen=True)
class Mutant:
    """`name` stays the same while the lines around it change; `first` is that of its statement. `lines` are those on
    which it can be noticed, `around` those of its function."""

    file: Path
    name: str
    first: int
    lines: frozenset[int]
    around: range
    at: int
    change: Change

    @property
    def in_function(self) -> bool:
        return not self.name.startswith("<module>")

    def code(self) -> CodeType:
        """The whole file with this one change."""
        tree = ast.parse(self.file.read_bytes())
        self.change(_nodes(tree)[self.at])
        return compile(ast.fix_missing_locations(tree), str(self.file), "exec")


def mutants(file: Path) -> list[Mutant]:
    """All of a file, in its order. Words that people read, types and the shape of classes are left as they are."""
    tree = ast.parse(file.read_bytes())
    numbers = {id(node): number for number, node in enumerate(_nodes(tree))}
    seen: dict[str, int] = {}
    found: list[Mutant] = []
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for where, statement, node in _places(tree):
        for change in _changes(node):
            changed = copy.deepcopy(node)
            change(changed)
            name = f"{where}: {_lacks(node, changed) or f'{_shown(node)} → {_shown(changed)}'}"
            seen[name] = seen.get(name, 0) + 1
            name += f" #{seen[name]}" if seen[name] > 1 else ""
            last = statement.body[0].lineno if isinstance(statement, ast.If | ast.While | ast.For | ast.AsyncFor) else 0
            first, last = statement.lineno, last or statement.end_lineno or 0
            within = [range(one.lineno, (one.end_lineno or 0) + 1) for one in functions]
            around = min((one for one in within if first in one), key=len, default=range(first, last + 1))
            lines = frozenset(range(first, last + 1)) if where != "<module>" else _uses(tree, statement)
            found.append(Mutant(file, name, first, lines, around, numbers[id(node)], change))
    return found


def _uses(tree: ast.Module, statement: ast.stmt) -> frozenset[int]:
    """The lines of a file that name what a statement of the module itself makes, or what other such statements make
    of it; all of them where none does."""
    made = _made(statement)
    found: set[int] = set()
    for one in tree.body:
        if one is statement:
            continue
        named = {node.lineno for node in ast.walk(one) if isinstance(node, ast.Name) and node.id in made}
        if named and isinstance(one, ast.Assign | ast.AnnAssign) and one.lineno > statement.lineno:
            made |= _made(one)
        else:
            found |= named
    return frozenset(found) or frozenset(range(1, 100_000))


def _made(statement: ast.stmt) -> set[str]:
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _nodes(tree: ast.AST) -> list[ast.AST]:
    return list(ast.walk(tree))


def _shown(node: ast.AST) -> str:
    text = " ".join(ast.unparse(ast.fix_missing_locations(node)).split())
    return text if len(text) <= 90 else text[:89] + "…"


def _lacks(node: ast.AST, changed: ast.AST) -> str:
    """`without 'this row'`, of a table."""
    if not isinstance(node, ast.Tuple | ast.List | ast.Set) or not isinstance(changed, type(node)):
        return ""
    left = [ast.unparse(one) for one in changed.elts]
    return "without " + next(ast.unparse(one) for one in node.elts if ast.unparse(one) not in left)


def _places(tree: ast.Module) -> Iterator[tuple[str, ast.stmt, ast.AST]]:
    """Each node that may be changed: the function it is in, the statement that it is part of, and itself."""

    def inside(node: ast.AST, where: str, statement: ast.stmt) -> Iterator[tuple[str, ast.stmt, ast.AST]]:
        if _is_for_people(node):
            if isinstance(node, ast.Raise):
                yield where, node, node
            return
        if isinstance(node, ast.stmt):
            statement = node
        yield where, statement, node
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "args", "decorator_list", "type") and not isinstance(node, ast.Call):
                continue
            for child in value if isinstance(value, list) else (value,):
                if isinstance(child, ast.AST):
                    yield from inside(child, where, statement)

    def named(body: list[ast.stmt], within: str) -> Iterator[tuple[str, ast.stmt, ast.AST]]:
        for node in body:
            if isinstance(node, ast.ClassDef):
                yield from named(node.body, f"{within}{node.name}.")
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for child in node.body:
                    yield from inside(child, f"{within}{node.name}", child)
            elif isinstance(node, ast.Assign) and not within and not _is_type(node.value):
                yield from inside(node.value, "<module>", node)

    yield from named(tree.body, "")


def _is_type(node: ast.AST) -> bool:
    """`list[str] | OSError`."""
    parts = (ast.Subscript, ast.BinOp, ast.BitOr, ast.Name, ast.Tuple, ast.List, ast.Load, ast.Constant)
    return (
        isinstance(node, ast.Subscript | ast.BinOp)
        and all(isinstance(one, parts) for one in ast.walk(node))
        and any(isinstance(one, ast.Subscript) for one in ast.walk(node))
    )


def _is_for_people(node: ast.AST) -> bool:
    """A docstring, or what an error says."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Raise | ast.JoinedStr):
        return True
    if isinstance(node, ast.Call):
        return any(isinstance(part, ast.JoinedStr) or _is_sentence(part) for part in node.args)
    return _is_sentence(node)


def _is_sentence(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip()


def _set(**values: object) -> Change:
    def change(node: ast.AST) -> None:
        for name, value in values.items():
            setattr(node, name, value)

    return change


def _become(other: ast.AST) -> Change:
    def change(node: ast.AST) -> None:
        before = copy.copy(node)
        node.__class__ = other.__class__
        node.__dict__ = {**{name: getattr(before, name) for name in ("lineno", "col_offset")}, **other.__dict__}

    return change


def _negate(field: str) -> Change:
    def change(node: ast.AST) -> None:
        setattr(node, field, ast.UnaryOp(ast.Not(), getattr(node, field)))

    return change


def _changes(node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.Compare):
        for number, compared in enumerate(node.ops):
            other = _COMPARED[type(compared)]()
            yield _set(ops=[*node.ops[:number], other, *node.ops[number + 1 :]])
    elif isinstance(node, ast.BoolOp):
        yield _set(op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield _become(node.operand)
    elif isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in _RECKONED:
        yield _set(op=_RECKONED[type(node.op)]())
    elif isinstance(node, ast.If | ast.While | ast.IfExp):
        if not isinstance(node.test, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.Constant):
            yield _negate("test")
    elif isinstance(node, ast.Constant):
        yield from (_set(value=value) for value in _others(node.value))
    elif isinstance(node, ast.Slice):
        yield from (_set(**{bound: None}) for bound in ("lower", "upper") if getattr(node, bound) is not None)
    elif isinstance(node, ast.Tuple | ast.List | ast.Set) and len(node.elts) > 2:
        # A table that lacks a row.
        rows = [at for at, one in enumerate(node.elts) if isinstance(one, ast.Constant | ast.Tuple)]
        yield from (_set(elts=[*node.elts[:at], *node.elts[at + 1 :]]) for at in rows)
    elif isinstance(node, ast.Break | ast.Continue):
        yield _become(ast.Continue() if isinstance(node, ast.Break) else ast.Break())
    elif isinstance(node, ast.Return) and node.value is not None and ast.unparse(node.value) != "None":
        yield _set(value=ast.Constant(None))
    if isinstance(node, _DONE) or (isinstance(node, ast.Assign) and not isinstance(node.targets[0], ast.Name)):
        yield _become(ast.Pass())


def _others(value: object) -> Iterator[object]:
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield value + 1
        yield value - 1
    elif isinstance(value, bytes):
        yield value + b"?" if value else b"?"
    elif isinstance(value, str):
        yield value + "?"
