"""The price catalogues that were taken. They are kept in the database, so that every process that shares the book, on
whatever machine, charges at the same prices."""

from __future__ import annotations

import logging
import time
import zlib
from datetime import UTC, datetime
from hashlib import sha256

import msgspec
from msgspec import Struct
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from ownkey.spending.catalogue import Listing, Prices
from ownkey.spending.listed import FORMAT, File
from ownkey.store import tables
from ownkey.store.connect import Database

MOST_BYTES = 64 << 20

_log = logging.getLogger("ownkey")


class Edition(Struct, frozen=True):
    """One change of the catalogue in use. `sha256` is that of the file as it was read, `shipped` what Ownkey brought
    with it at that time. `back_to`: it was a return to that number, 0 for the shipped one."""

    number: int
    back_to: int | None
    source: str
    sha256: str
    shipped: str
    at_ms: int

    @property
    def used(self) -> int:
        """The number of the catalogue that it put into use."""
        return self.number if self.back_to is None else self.back_to

    @property
    def day(self) -> str:
        return datetime.fromtimestamp(self.at_ms / 1000, UTC).date().isoformat()


class Catalogues:
    def __init__(self, database: Database) -> None:
        self._database = database

    def last(self) -> Edition | None:
        """None where the shipped one was never changed."""
        with self._database.reading() as connection:
            row = connection.execute(_EDITIONS.limit(1)).one_or_none()
        return None if row is None else Edition(*row)

    def listed(self) -> list[Edition]:
        """Every change, newest first."""
        with self._database.reading() as connection:
            return [Edition(*row) for row in connection.execute(_EDITIONS).all()]

    def add(self, edition: Edition, file: File | None = None) -> bool:
        """Put a catalogue into use. False where another change came first: its number is there already."""
        data = b"" if file is None else zlib.compress(msgspec.msgpack.encode(file))
        values = {name: getattr(edition, name) for name in Edition.__struct_fields__}
        values |= {"data": data, "data_sha256": sha256(data).hexdigest()}
        try:
            with self._database.writing() as connection:
                connection.execute(insert(tables.catalogues), values)
        except IntegrityError:
            return False
        return True

    def listing(self, number: int) -> Listing | str:
        """That catalogue; or why it cannot be used."""
        query = select(_T.data, _T.data_sha256, _T.at_ms).where(_T.number == number)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return "it is not there any more"
        data, noted, at_ms = row
        if sha256(data).hexdigest() != noted:
            return "it was changed after it had been taken: its sha256 is not the one that was noted"
        try:
            file = msgspec.msgpack.decode(zlib.decompressobj().decompress(data, MOST_BYTES), type=File)
        except (zlib.error, msgspec.DecodeError):
            return "it cannot be read"
        if file.format != FORMAT:
            return "another version of Ownkey has taken it, in another form"
        day = datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()
        return Listing(file, f"genai-prices, refreshed {day}")

    def follow(self, prices: Prices) -> None:
        """Bring `prices` to the catalogue in use. Where that cannot be used the shipped one is, and the log says so."""
        last = self.last()
        if last is None or last.number == prices.edition:
            return
        found = self.listing(last.used) if last.used else None
        if isinstance(found, str):
            problem = f"The price catalogue {last.used} is not used, but the shipped one: {found}."
            _log.warning("%s", problem)
            prices.use(None, last.number, problem)
        else:
            prices.use(found, last.number)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


_T = tables.catalogues.c
_EDITIONS = select(*(_T[name] for name in Edition.__struct_fields__)).order_by(_T.number.desc())
