"""Everything that is kept here as one file that its owner's passphrase opens, and such a file taken in.

Over the API (`only`) no more goes out or comes in than whoever asks may see and change there: of keys their own, and
nothing by which anybody signs in.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from msgspec import Struct

from ownkey.app.parcel_file import FORMAT, VERSION, Head, lines
from ownkey.app.parcel_home import provider_files
from ownkey.app.parcel_in import Incoming
from ownkey.settings import Password
from ownkey.settings.written import travelling
from ownkey.store.files import put
from ownkey.store.keys import KeyRow
from ownkey.store.parcel import PARTS, SCHEMA, Part, Values, read
from ownkey.talk.errors import Conflict, InvalidRequest, KeyUnreadable, TooLarge
from ownkey.vault.age import Opened, sealed

if TYPE_CHECKING:
    from ownkey.app.house import House

LEAST_PASSPHRASE = 12


class Exported(Struct, frozen=True):
    """How many rows of which table went along, how many files of providers and settings; `left`: what did not."""

    rows: dict[str, int]
    files: int
    settings: list[str]
    left: list[str]


class Parcels:
    def __init__(self, house: House, owner: str, *, only: str | None = None) -> None:
        self._house = house
        self._owner = owner
        self._only = only

    def export(
        self, path: Path, passphrase: Password, *, keys: bool = True, usage: bool = True, replace: bool = False
    ) -> Exported:
        """To a file that is there whole or not at all, for its owner only.

        Raises InvalidRequest for a passphrase that is too short and a path that cannot be written, Conflict where
        something is there already, KeyUnreadable, VaultSealed.
        """
        _check(passphrase)
        if not replace and path.exists():
            raise Conflict(f"{path} is there already.", "Take another name, or `--force` to write over it.")
        with self._recorded(path.name, keys, usage) as packing:
            try:
                put(path, sealed(passphrase, packing.lines(keys=keys, usage=usage)))
            except OSError as error:
                raise InvalidRequest(f"{path} cannot be written: {error.strerror}.", param="file") from None
        return packing.exported

    def packed(self, passphrase: Password, *, keys: bool, usage: bool, most_bytes: int) -> bytes:
        """The same in memory. Raises TooLarge, and what `export` raises."""
        _check(passphrase)
        data = BytesIO()
        with self._recorded("", keys, usage) as packing:
            for piece in sealed(passphrase, packing.lines(keys=keys, usage=usage)):
                data.write(piece)
                if data.tell() > most_bytes:
                    raise TooLarge(
                        f"This would be a file of over {most_bytes >> 20} MiB.",
                        "Leave the usage out, or export at the terminal: `ownkey export FILE`.",
                    )
        return data.getvalue()

    def open(self, file: BinaryIO, passphrase: Password, *, replace: bool = False) -> Incoming:
        """What a file would bring, and, with its `take`, brings. Nothing is changed before that.

        Raises InvalidRequest where the file or the passphrase is not good.
        """
        return Incoming(self._house, self._owner, Opened(passphrase, file).pieces, only=self._only, replace=replace)

    @contextmanager
    def _recorded(self, target: str, keys: bool, usage: bool) -> Generator[_Packing]:
        packing = _Packing(self._house, self._only)
        told = {"with_keys": keys, "with_usage": usage}
        with self._house.audit.around("parcel.exported", target, owner=self._owner, detail=told) as told:
            yield packing
            told["rows"] = dict(packing.count)


class _Packing:
    def __init__(self, house: House, only: str | None) -> None:
        self._house = house
        self._only = only
        self.count: Counter[str] = Counter()
        self._files, bad = provider_files(house.settings.home) if only is None else ([], [])
        self._settings = travelling(house.settings.home) if only is None else {}
        self._left = [f"providers/{name}, which describes no provider" for name in bad]

    @property
    def exported(self) -> Exported:
        return Exported(dict(self.count), len(self._files), list(self._settings), self._left)

    def lines(self, *, keys: bool, usage: bool) -> Iterator[bytes]:
        head = Head(FORMAT, VERSION, time.time_ns() // 1_000_000, metadata.version("ownkey"), SCHEMA, keys)
        with self._house.store.parcel.snapshot() as connection:
            parts: list[tuple[Part, Sequence[str], Iterable[Values]]] = []
            opening = keys and self._only is None
            for part in PARTS.values():
                if (part.table == "book" and not usage) or (part.opens and not self._goes(part, keys)):
                    continue
                rows = read(connection, part, opening=opening)
                if part.table == "keys":
                    rows = self._opened(rows)
                parts.append((part, part.columns(opening=opening), self._counted(part, rows)))
            yield from lines(head, parts, self._files, self._settings)

    def _goes(self, part: Part, keys: bool) -> bool:
        return keys and (self._only is None or part.table == "keys")

    def _opened(self, rows: Iterable[Values]) -> Iterator[Values]:
        for row in rows:
            if self._only not in (None, row["owner"]):
                continue
            try:
                secret = self._house.vault.give_out(KeyRow(**row))
            except KeyUnreadable as error:
                raise KeyUnreadable(error.message, "Enter it again or remove it; or leave the keys out.") from None
            yield row | {"sealed": secret.reveal().decode("ascii")}

    def _counted(self, part: Part, rows: Iterable[Values]) -> Iterator[Values]:
        for row in rows:
            self.count[part.table] += 1
            yield row


def _check(passphrase: Password) -> None:
    if len(passphrase.reveal().decode()) < LEAST_PASSPHRASE:
        raise InvalidRequest(
            f"A passphrase has {LEAST_PASSPHRASE} characters or more.",
            "Whoever has the file can try as many as they like.",
            param="passphrase",
        )
