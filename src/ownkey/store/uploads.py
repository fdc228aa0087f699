"""Files that people uploaded, sealed and in parts; and those that their batches have to show."""

from __future__ import annotations

from msgspec import Struct, structs
from sqlalchemy import delete, func, insert, select, update

from ownkey.store import tables
from ownkey.store.connect import Database


class FileRow(Struct, frozen=True):
    """`box` is the id of the key that its parts are sealed with; None where `batch_id` says whose lines it shows."""

    id: str
    owner: str
    purpose: str
    name: str
    size_bytes: int
    box: str | None
    batch_id: str | None
    created_at_ms: int
    expires_at_ms: int


class Uploads:
    """A file is there once `add` says so: parts without a row of their own are what a broken upload left."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put_part(self, file_id: str, number: int, sealed: bytes) -> None:
        with self._database.writing() as connection:
            connection.execute(insert(tables.file_parts).values(file_id=file_id, number=number, sealed=sealed))

    def part(self, file_id: str, number: int) -> bytes | None:
        """Of a file that its owner has asked for."""
        query = select(_P.sealed).where(_P.file_id == file_id, _P.number == number)
        with self._database.reading() as connection:
            return connection.execute(query).scalar_one_or_none()

    def add(self, row: FileRow) -> None:
        with self._database.writing() as connection:
            connection.execute(insert(tables.files).values(structs.asdict(row)))

    def get(self, owner: str, id: str, now_ms: int) -> FileRow | None:
        """None where there is none, or no longer."""
        with self._database.reading() as connection:
            row = connection.execute(_ALL.where(_F.owner == owner, _F.id == id, _F.expires_at_ms > now_ms)).first()
        return None if row is None else FileRow(*row)

    def listed(
        self, owner: str, now_ms: int, *, after: FileRow | None, limit: int, purpose: str | None
    ) -> list[FileRow]:
        """Newest first."""
        query = _ALL.where(_F.owner == owner, _F.expires_at_ms > now_ms)
        if purpose is not None:
            query = query.where(_F.purpose == purpose)
        if after is not None:
            at_ms = after.created_at_ms
            query = query.where((_F.created_at_ms < at_ms) | ((_F.created_at_ms == at_ms) & (_F.id < after.id)))
        query = query.order_by(_F.created_at_ms.desc(), _F.id.desc()).limit(limit)
        with self._database.reading() as connection:
            return [FileRow(*row) for row in connection.execute(query).all()]

    def keep_until(self, owner: str, id: str, at_ms: int) -> None:
        """No less long than that."""
        kept = update(tables.files).where(_F.id == id, _F.owner == owner, _F.expires_at_ms < at_ms)
        with self._database.writing() as connection:
            connection.execute(kept.values(expires_at_ms=at_ms))

    def held_bytes(self, owner: str) -> int:
        """What this person's files come to."""
        query = select(func.coalesce(func.sum(_F.size_bytes), 0)).where(_F.owner == owner, _F.box.is_not(None))
        with self._database.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def remove(self, owner: str, id: str) -> bool:
        with self._database.writing() as connection:
            gone = connection.execute(delete(tables.files).where(_F.id == id, _F.owner == owner)).rowcount == 1
            if gone:
                connection.execute(delete(tables.file_parts).where(_P.file_id == id))
            return gone

    def drop_parts(self, file_id: str) -> None:
        """Of an upload that came to nothing."""
        with self._database.writing() as connection:
            connection.execute(delete(tables.file_parts).where(_P.file_id == file_id))

    def expired(self, now_ms: int, limit: int = 20) -> list[FileRow]:
        """Everybody's that are past their time."""
        with self._database.reading() as connection:
            found = connection.execute(_ALL.where(_F.expires_at_ms <= now_ms).order_by(_F.id).limit(limit)).all()
        return [FileRow(*row) for row in found]


_F, _P = tables.files.c, tables.file_parts.c
_ALL = select(*(_F[name] for name in FileRow.__struct_fields__))
