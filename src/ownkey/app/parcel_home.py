"""The files of the data folder that travel, and how they come in together with what goes into the database.

They are written beside their places first. Whether they are put there is decided by one thing: whether the transaction
of that import was committed. A process that died in between leaves the rest to the next one that starts.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from ownkey.app.parcel_file import File
from ownkey.catalog.load import MAX_FILES
from ownkey.catalog.read import Problem, read_file, read_manifest
from ownkey.settings import CONFIG
from ownkey.store.files import put, sync_folder
from ownkey.store.lock import alone
from ownkey.talk.errors import BadConfiguration
from ownkey.wires.wire import WIRE_NAMES

_STAGED = "import-"
_NAME = re.compile(r"providers/[^/\\\x00-\x1f.][^/\\\x00-\x1f]{0,99}\.toml")


def provider_files(home: Path) -> tuple[list[File], list[str]]:
    """Those that describe a provider, and the names of those that do not."""
    good: list[File] = []
    bad: list[str] = []
    names = sorted(path.name for path in (home / "providers").glob("*.toml") if not path.name.startswith("."))
    for name in names[:MAX_FILES]:
        data = read_file(home / "providers" / name, name)
        if isinstance(data, Problem) or isinstance(read_manifest(data, name, wires=WIRE_NAMES), Problem):
            bad.append(name)
        else:
            good.append(File(f"providers/{name}", data.decode()))
    return good, bad


def fault(file: File) -> str | None:
    """Why this is no provider's file."""
    if not _NAME.fullmatch(file.name):
        return "it has no place in the data folder"
    found = read_manifest(file.text.encode(), file.name, wires=WIRE_NAMES)
    return f"{found.message}" if isinstance(found, Problem) else None


def there(home: Path, name: str) -> bytes | None:
    """What stands at that place; None where nothing does."""
    try:
        return (home / name).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadConfiguration(f"{home / name} cannot be read: {error.strerror}.") from None


def lock(home: Path) -> Path:
    """What imports into this folder hold, one at a time."""
    (home / "run").mkdir(mode=0o700, exist_ok=True)
    return home / "run" / "import.lock"


def stage(home: Path, id: str, files: Mapping[str, bytes]) -> Path:
    """Write them, durably, where nothing reads them. Raises BadConfiguration."""
    folder = home / f"{_STAGED}{id}"
    try:
        (folder / "providers").mkdir(mode=0o700, parents=True)
        for name, data in files.items():
            put(folder / name, [data])
        for made in (folder / "providers", folder, home):
            sync_folder(made)
    except OSError as error:
        drop(home, id)
        raise BadConfiguration(f"The data folder {home} cannot be written: {error.strerror}.") from None
    return folder


def drop(home: Path, id: str) -> None:
    shutil.rmtree(home / f"{_STAGED}{id}", ignore_errors=True)


def put_in_place(home: Path, id: str) -> None:
    """Those that are not there yet. Raises BadConfiguration."""
    folder = home / f"{_STAGED}{id}"
    try:
        (home / "providers").mkdir(mode=0o700, exist_ok=True)
        for path in (*sorted((folder / "providers").glob("*.toml")), folder / CONFIG):
            if path.exists():
                path.replace(home / path.relative_to(folder))
        sync_folder(home / "providers")
        sync_folder(home)
    except OSError as error:
        raise BadConfiguration(
            f"The data folder {home} cannot be written: {error.strerror}.",
            "The rest of the import is there; these files follow at the next start.",
        ) from None
    drop(home, id)


def recover(home: Path, was_taken: Callable[[str], bool]) -> None:
    """End what a process that died has begun: files of an import that was committed come to their places, others go.

    Raises StorageUnavailable, BadConfiguration.
    """
    if not any(home.glob(f"{_STAGED}*")):
        return
    with alone(lock(home)):
        for folder in home.glob(f"{_STAGED}*"):
            id = folder.name.removeprefix(_STAGED)
            if was_taken(id):
                put_in_place(home, id)
            else:
                drop(home, id)
