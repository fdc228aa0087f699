"""A unified diff, or a file of source, as numbered lines: which lines there are, and what stands in them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

_HUNK = re.compile(r"@@ -\d+(?:,\d+)? \+(\d+)(?:,\d+)? @@")


class Line(Struct, frozen=True):
    """`number` is that of the file as it is after the change; None where it was taken out. `mark` is `+`, `-` or a
    blank."""

    file: str
    number: int | None
    mark: str
    text: str


def lines(text: str, name: str) -> tuple[Line, ...]:
    """Of a diff with its files' own names, else of one file of that name."""
    if not any(_HUNK.match(line) for line in text.splitlines()):
        return tuple(Line(name, number, " ", line) for number, line in enumerate(text.splitlines(), 1))
    found: list[Line] = []
    file, number, inside = name, 0, False
    for line in text.splitlines():
        if hunk := _HUNK.match(line):
            number, inside = int(hunk[1]), True
        elif line.startswith("diff ") or (line.startswith("--- ") and not inside):
            inside = False
        elif line.startswith("+++ ") and not inside:
            path = line[4:].partition("\t")[0].strip()
            file = path.removeprefix("b/") if path != "/dev/null" else file
        elif inside and line.startswith("-"):
            found.append(Line(file, None, "-", line[1:]))
        elif (inside and line.startswith(("+", " "))) or (inside and not line):
            found.append(Line(file, number, line[:1] or " ", line[1:]))
            number += 1
    return tuple(found)


def shown(given: Sequence[Line]) -> str:
    """As a model reads it: each file's name, and each line with number and mark."""
    told: list[str] = []
    file = None
    for line in given:
        if line.file != file:
            file = line.file
            told.append(f"=== {file}")
        number = "" if line.number is None else str(line.number)
        told.append(f"{number:>5} {line.mark} {line.text}")
    return "\n".join(told)


def pieces(given: Sequence[Line], room_chars: int) -> list[tuple[Line, ...]]:
    """Parts that fit, none of two files where each fits by itself."""
    found: list[list[Line]] = [[]]
    size = 0
    for line in given:
        length = len(line.text) + 9
        new_file = bool(found[-1]) and found[-1][-1].file != line.file
        if found[-1] and (size + length > room_chars or (new_file and size > room_chars // 2)):
            found.append([])
            size = 0
        found[-1].append(line)
        size += length
    return [tuple(piece) for piece in found]
