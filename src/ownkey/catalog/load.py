"""The providers there are: those that come with Ownkey and those in the user's own folder."""

from __future__ import annotations

import os
import re
import stat
import time
import tomllib
from collections.abc import Callable, Set
from pathlib import Path

import msgspec
from msgspec import Struct

from ownkey.catalog.check import ID, flaws
from ownkey.catalog.manifest import Provider
from ownkey.talk.errors import InvalidRequest
from ownkey.talk.secret import clean

MAX_BYTES = 1 << 20
MAX_FILES = 500
MAX_LINE = 10_000
LOOK_EVERY_S = 1.0

_SHIPPED = Path(__file__).parent / "providers"
# Words that stand before the slash of `provider/model` with a meaning of their own.
_RESERVED = frozenset({"auto", "ownkey"})
_PLACE = re.compile(r"^(.*) - at `\$\.?(.*)`$", re.DOTALL)
_NAMED = re.compile(r"field `([^`]*)`")
_TOML_LINE = re.compile(r" \(at line (\d+), column \d+\)$")
_TABLE = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.\"'-]+)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_.\"'-]+)\s*=")

Stamp = tuple[int, int, int]


class Problem(Struct, frozen=True):
    """Why a file is not used: its name, the line and the key where they are known, and what is wrong."""

    file: str
    message: str
    line: int | None = None
    key: str | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}, line {self.line}"
        return f"{place}: {self.key} {self.message}" if self.key else f"{place}: {self.message}"


class _Kept(Struct, frozen=True):
    """What came of a file: its last good version, and what is wrong with the present one."""

    stamp: Stamp
    provider: Provider | None
    problem: Problem | None


class Catalogue:
    """The providers, by id. A changed folder is seen at the next question, looked at once a second at most.

    A file that cannot be used is named in `problems`, and its last good version goes on working.
    `wires` are the names of the wires there are; `clock` gives seconds that only go forward.
    """

    def __init__(
        self, folder: Path | None = None, *, wires: Set[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.problems: list[Problem] = []
        self._folder = folder
        self._wires = wires
        self._clock = clock
        self._shipped = {path.stem: path for path in sorted(_SHIPPED.glob("*.toml"))}
        self._read: dict[str, Provider] = {}
        self._files: dict[str, _Kept] = {}
        self._own: dict[str, Provider] = {}
        self._look_at = clock()

    def get(self, name: str) -> Provider:
        """The provider of that id. Raises InvalidRequest, saying which there are."""
        self._refresh()
        found = self._find(name)
        if found is None:
            self.refresh()
            found = self._find(name)
        if found is None:
            known = ", ".join([*self._shipped, *self._own])
            raise InvalidRequest(
                f"There is no provider {clean(name, limit=64)!r}.", f"Providers: {known}.", param="provider"
            )
        return found

    def all(self) -> tuple[Provider, ...]:
        """Those that come with Ownkey, then the user's own, each in the order of their ids."""
        self._refresh()
        return (*map(self._load_shipped, self._shipped), *self._own.values())

    def place(self, name: str) -> Path:
        """The file in the user's folder where a manifest of that id belongs. Raises InvalidRequest for an id that
        is not one or that is taken by a provider that comes with Ownkey."""
        if not ID.fullmatch(name):
            raise InvalidRequest(
                f"{clean(name, limit=64)!r} cannot be the id of a provider.",
                "Use lower-case letters, digits and hyphens.",
                param="id",
            )
        if name in self._shipped or name in _RESERVED:
            raise InvalidRequest(f"The id {name!r} is Ownkey's own.", "Choose another id.", param="id")
        if self._folder is None:
            raise InvalidRequest("There is no folder for manifests of one's own.", param="id")
        return self._folder / f"{name}.toml"

    def refresh(self) -> None:
        """Looks at the folder now."""
        self._look_at = self._clock() + LOOK_EVERY_S
        if self._folder is None:
            return
        try:
            stamps = _stamps(self._folder)
        except OSError as error:
            self.problems = [Problem(self._folder.name, f"cannot be read: {error.strerror}")]
            return
        self._files = {name: self._keep(name, stamp) for name, stamp in stamps.items()}
        self._arrange()

    def _refresh(self) -> None:
        if self._clock() >= self._look_at:
            self.refresh()

    def _find(self, name: str) -> Provider | None:
        return self._load_shipped(name) if name in self._shipped else self._own.get(name)

    def _load_shipped(self, name: str) -> Provider:
        if name not in self._read:
            self._read[name] = msgspec.convert(tomllib.loads(self._shipped[name].read_text("utf-8")), Provider)
        return self._read[name]

    def _keep(self, name: str, stamp: Stamp) -> _Kept:
        before = self._files.get(name)
        if before is not None and before.stamp == stamp:
            return before
        file = clean(name, limit=100)
        data = _bytes(self._folder / name if self._folder else Path(name), file)
        result = data if isinstance(data, Problem) else read_manifest(data, file, wires=self._wires)
        if isinstance(result, Provider) and (result.id in self._shipped or result.id in _RESERVED):
            result = Problem(file, f"{result.id!r} is Ownkey's own; choose another", 1, "id")
        if isinstance(result, Problem):
            return _Kept(stamp, before.provider if before else None, result)
        return _Kept(stamp, result, None)

    def _arrange(self) -> None:
        own: dict[str, Provider] = {}
        problems: list[Problem] = []
        for name, kept in self._files.items():
            if kept.problem is not None:
                problems.append(kept.problem)
            if kept.provider is None:
                continue
            if kept.provider.id in own:
                problems.append(Problem(clean(name, limit=100), f"{kept.provider.id!r} is taken already", key="id"))
            else:
                own[kept.provider.id] = kept.provider
        self._own, self.problems = dict(sorted(own.items())), problems


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
        return Problem(file, message, _line_of(text, key), key or None)
    for key, message in flaws(provider, wires):
        return Problem(file, message, _line_of(text, key), clean(key, limit=100))
    return provider


def _stamps(folder: Path) -> dict[str, Stamp]:
    try:
        with os.scandir(folder) as entries:
            named = sorted(
                (entry for entry in entries if entry.name.endswith(".toml") and not entry.name.startswith(".")),
                key=lambda entry: entry.name,
            )
            stats = {entry.name: entry.stat(follow_symlinks=False) for entry in named[:MAX_FILES]}
    except FileNotFoundError:
        return {}
    return {name: (info.st_mtime_ns, info.st_size, info.st_ino) for name, info in stats.items()}


def _bytes(path: Path, file: str) -> bytes | Problem:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if path.is_symlink():
        return Problem(file, "is a link; put the file itself there")
    try:
        with open(os.open(path, flags), "rb") as opened:
            info = os.fstat(opened.fileno())
            if not stat.S_ISREG(info.st_mode):
                return Problem(file, "is not a file")
            if info.st_size > MAX_BYTES:
                return Problem(file, f"is over {MAX_BYTES} bytes")
            return opened.read(MAX_BYTES + 1)
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


def _line_of(text: str, key: str) -> int | None:
    """The line where `key` stands, or the nearest table that holds it."""
    best: tuple[int, int | None] = (-1, None)
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
    return best[1]
