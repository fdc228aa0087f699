"""The providers there are: those that come with Ownkey and those in the user's own folder."""

from __future__ import annotations

import os
import time
import tomllib
from collections.abc import Callable, Set
from pathlib import Path

import msgspec
from msgspec import Struct

from ownkey.catalog.check import ID
from ownkey.catalog.manifest import Provider
from ownkey.catalog.read import Problem, read_file, read_manifest
from ownkey.talk.errors import InvalidRequest
from ownkey.talk.secret import clean

MAX_FILES = 500
LOOK_EVERY_S = 1.0

_SHIPPED = Path(__file__).parent / "providers"
_GALLERY = Path(__file__).parent / "gallery"
# Words that stand before the slash of `provider/model` with a meaning of their own.
_RESERVED = frozenset({"auto", "ownkey"})
Stamp = tuple[int, int, int]


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

    def is_shipped(self, name: str) -> bool:
        """Whether the provider of that id comes with Ownkey: no file of the user's takes its place."""
        return name in self._shipped

    def gallery(self) -> tuple[Provider, ...]:
        """Those that can be added, in the order of their ids."""
        return tuple(_load(path) for path in sorted(_GALLERY.glob("*.toml"), key=lambda path: path.stem))

    def gallery_file(self, name: str) -> bytes:
        """The file of a provider that can be added. Raises InvalidRequest."""
        path = _GALLERY / f"{name}.toml"
        if not ID.fullmatch(name) or not path.is_file():
            raise InvalidRequest(
                f"There is no {clean(name, limit=64)!r} in the gallery.",
                "`ownkey providers gallery` lists it.",
                param="id",
            )
        return path.read_bytes()

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

    def file_of(self, name: str) -> Path | None:
        """The file in the user's folder that describes the provider of that id; None where there is none."""
        self.refresh()
        found = self._own.get(name)
        files = (file for file, kept in self._files.items() if found is not None and kept.provider is found)
        file = next(files, None)
        return None if file is None or self._folder is None else self._folder / file

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
            self._read[name] = _load(self._shipped[name])
        return self._read[name]

    def _keep(self, name: str, stamp: Stamp) -> _Kept:
        before = self._files.get(name)
        if before is not None and before.stamp == stamp:
            return before
        file = clean(name, limit=100)
        data = read_file(self._folder / name if self._folder else Path(name), file)
        result = data if isinstance(data, Problem) else read_manifest(data, file, wires=self._wires)
        if isinstance(result, Provider) and (result.id in self._shipped or result.id in _RESERVED):
            result = Problem(file, f"{result.id!r} is Ownkey's own; choose another", 1, "id")
        if isinstance(result, Problem):
            return _Kept(stamp, before.provider if before else None, result)
        return _Kept(stamp, result, None)

    def _arrange(self) -> None:
        own: dict[str, Provider] = {}
        taken: dict[str, str] = {}
        problems: list[Problem] = []
        for name, kept in self._files.items():
            if kept.problem is not None:
                problems.append(kept.problem)
            if kept.provider is None:
                continue
            if kept.provider.id in own:
                problems.append(
                    Problem(
                        clean(name, limit=100),
                        f"{kept.provider.id!r} is taken already, by {taken[kept.provider.id]}",
                        key="id",
                    )
                )
            else:
                own[kept.provider.id] = kept.provider
                taken[kept.provider.id] = clean(name, limit=100)
        self._own, self.problems = dict(sorted(own.items())), problems


def _load(path: Path) -> Provider:
    """A file of Ownkey's own, which the tests have checked."""
    return msgspec.convert(tomllib.loads(path.read_text("utf-8")), Provider)


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
