"""The arguments of a call that come in pieces (Vertex AI, `streamFunctionCallArguments`), set into one tree."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any, cast

from ownkey.wires.gemini.values import Object, unreadable

_STEP = re.compile(r"""\.([^.\[\]]+)|\[(\d{1,6})\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]""")
_VALUES = ("stringValue", "numberValue", "boolValue", "nullValue")

Step = str | int


class Pieces:
    """`tree` is what the pieces make by now."""

    def __init__(self, tree: Object) -> None:
        self.tree: Object = tree
        self._open: list[Step] | None = None

    def put(self, piece: Object) -> None:
        """One PartialArg: a value and its place by JSONPath. A text that `willContinue` is added to by the next piece.

        Raises UnexpectedResponse where the place is none.
        """
        path = _steps(piece.get("jsonPath"))
        name = next((name for name in _VALUES if name in piece), None)
        if name is None:
            return
        value: Any = None if name == "nullValue" else piece[name]
        node = self._node(path)
        last = path[-1]
        if isinstance(value, str) and self._open == path:
            value = f"{_at(node, last)}{value}"
        _set(node, last, value)
        self._open = path if piece.get("willContinue") is True else None

    def _node(self, path: list[Step]) -> object:
        node: object = self.tree
        for step, following in pairwise(path):
            inner = _at(node, step)
            if inner is None:
                inner = cast("object", [] if isinstance(following, int) else {})
                _set(node, step, inner)
            node = inner
        return node


def _steps(path: object) -> list[Step]:
    """`$.recipe.items[0].name` as its steps."""
    if not isinstance(path, str) or not path.startswith("$"):
        raise unreadable("sets an argument without a place")
    steps: list[Step] = []
    at = 1
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            raise unreadable("sets an argument at a place that cannot be read")
        name, index, single, double = step.groups()
        steps.append(int(index) if index is not None else name or single or double or "")
        at = step.end()
    if not steps:
        raise unreadable("sets an argument without a place")
    return steps


def _at(node: object, step: Step) -> object:
    if isinstance(node, dict) and isinstance(step, str):
        return cast("Object", node).get(step)
    if isinstance(node, list) and isinstance(step, int):
        items = cast("list[object]", node)
        return items[step] if step < len(items) else None
    raise unreadable("sets an argument within a plain value")


def _set(node: object, step: Step, value: object) -> None:
    if isinstance(node, dict) and isinstance(step, str):
        cast("Object", node)[step] = value
        return
    items = cast("list[object]", node) if isinstance(node, list) else None
    if items is None or not isinstance(step, int) or step > len(items):
        raise unreadable("sets an argument out of order")
    if step == len(items):
        items.append(value)
    else:
        items[step] = value
