"""One manifest, from bytes to a provider or to what is wrong with it."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Set
from pathlib import Path

import msgspec
from msgspec import Struct

from ownkey.catalog.check import flaws
from ownkey.catalog.manifest import Provider
from ownkey.talk.secret import clean

MAX_BYTES = 1 << 20
MAX_LINE = 10_000

_PLACE = re.compile(r"^(.*) - at `\$\.?(.*)`$", re.DOTALL)
_NAMED = re.compile(r"field `([^`]*)`")
_TOML_LINE = re.compile(r" \(at line (\d+), column \d+\)$")
_TABLE = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.\"'-]+)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_.\"'-]+)\s*=")


class Problem(Struct, frozen=True):
    """Why a file is not used: its name, the line and the key where they are known, and what is wrong."""

    file: str
    message: str
    line: int | None = None
    key: str | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}, line {self.line}"
        return f"{place}: {self.key} {self.message}" if self.key else f"{place}: {self.message}"


def read_manifest(data: bytes, file: str, *, wires: Set[str]) -> Provider | Problem:
    """The provider that a manifest describes, or the first thing that is wrong with it."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return Problem(file, "is not UTF-8")
    if len(data) > MAX_BYTES:
        return Problem(file, f"is over {MAX_BYTES} bytes")
    for number, line in enumerate(text.split("\n"), 1):
        # tomllib is quadratic in the parts of one dotted key and recursive in brackets.
        if len(line) > MAX_LINE:
            return Problem(file, f"is over {MAX_LINE} characters long", number, "the line")
    try:
        provider = msgspec.convert(tomllib.loads(text), Provider)
    except tomllib.TOMLDecodeError as error:
        found = _TOML_LINE.search(str(error))
        line = int(found.group(1)) if found else text.count("\n") + 1
        return Problem(file, _TOML_LINE.sub("", clean(str(error))), line)
    except RecursionError:
        return Problem(file, "is nested too deep")
    except msgspec.ValidationError as error:
        message, key = _explain(str(error))
        return Problem(file, message, line_of(text, key) if key else None, key or None)
    except ValueError:
        # Python reads no decimal number of over 4300 digits (sys.set_int_max_str_digits); tomllib lets that through.
        return Problem(file, "holds a number that is too long")
    for key, message in flaws(provider, wires):
        return Problem(file, message, line_of(text, key), clean(key, limit=100))
    return provider


def read_file(path: Path, file: str) -> bytes | Problem:
    """The bytes of a plain file of the folder; never what a link leads to."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if path.is_symlink():
        return Problem(file, "is a link; put the file itself there")
    try:
        handle = os.open(path, flags)
        try:
            info = os.fstat(handle)
            if not stat.S_ISREG(info.st_mode):
                return Problem(file, "is not a file")
            if info.st_size > MAX_BYTES:
                return Problem(file, f"is over {MAX_BYTES} bytes")
            with open(handle, "rb", closefd=False) as opened:
                return opened.read(MAX_BYTES + 1)
        finally:
            os.close(handle)
    except OSError as error:
        return Problem(file, f"cannot be read: {error.strerror}")


def _explain(error: str) -> tuple[str, str]:
    """Message and key of a msgspec error, whose text ends in the place: `... - at `$.models[0].context``."""
    placed = _PLACE.match(error)
    message, key = (placed.group(1), placed.group(2)) if placed else (error, "")
    key = key.partition("[...]")[0].rstrip(".")
    named = _NAMED.search(message)
    if named is not None:
        key = f"{key}.{named.group(1)}" if key else named.group(1)
        message = "is missing" if "missing" in message else "is not a field that there is"
    return clean(message[:1].lower() + message[1:]), clean(key, limit=100)


def line_of(text: str, key: str) -> int | None:
    """The line where `key` stands, or the nearest table that holds it, or else the first thing within it."""
    best: tuple[int, int | None] = (-1, None)
    within: int | None = None
    table = ""
    counts: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if opened := _TABLE.match(line):
            table = opened.group(2).replace('"', "").replace("'", "")
            if opened.group(1) == "[[":
                counts[table] = counts.get(table, -1) + 1
            table = ".".join(f"{part}[{counts[part]}]" if part in counts else part for part in table.split("."))
            here = table
        elif written := _KEY.match(line):
            name = written.group(1).replace('"', "").replace("'", "")
            here = f"{table}.{name}" if table else name
        else:
            continue
        if (key == here or key.startswith((f"{here}.", f"{here}["))) and len(here) > best[0]:
            best = (len(here), number)
        if within is None and here.startswith(f"{key}."):
            within = number
    return within if best[1] is None else best[1]
