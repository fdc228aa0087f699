"""What was learned of targets, and what people said of their answers: each person's own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, select, text

from ownkey.routing.learn import Kind, Learned, Lesson
from ownkey.store import tables
from ownkey.store.connect import Database


class Thumb(Struct, frozen=True):
    """What was said of the answer to a request, which that target gave."""

    request_id: str
    target: str
    up: bool


class LearnedTable:
    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, owner: str) -> Learned:
        with self._database.reading() as connection:
            return _read(connection, owner)

    def learn(self, owner: str, lessons: Sequence[Lesson], of_thumb: Callable[[Thumb], Lesson]) -> Learned:
        """What is known after these lessons, and after what was said since: both are learned from once, whichever
        process does it, and after whatever another process has learned."""
        with self._database.writing() as connection:
            known = _read(connection, owner)
            found = connection.execute(_SAID, {"owner": owner}).all()
            said = [of_thumb(Thumb(id, target, bool(up))) for id, target, up in found]
            taught = (*lessons, *said)
            for lesson in taught:
                known.learn(lesson)
            now_ms = time.time_ns() // 1_000_000
            rows = [
                {"owner": owner, "kind": kind, "arms": msgspec.json.encode(arms).decode(), "now_ms": now_ms}
                for kind, arms in known.kinds.items()
            ]
            if taught:
                connection.execute(_SET, rows)
            if said:
                connection.execute(_HEARD, {"owner": owner})
        return known

    def say(self, owner: str, thumb: Thumb) -> None:
        """In place of what they said of it before."""
        values = {"owner": owner, "id": thumb.request_id, "target": thumb.target, "up": thumb.up}
        with self._database.writing() as connection:
            connection.execute(_SAY, values | {"now_ms": time.time_ns() // 1_000_000, "no": False})

    def forget(self, owner: str) -> None:
        """Begin anew."""
        with self._database.writing() as connection:
            connection.execute(text("DELETE FROM learned WHERE owner = :owner"), {"owner": owner})


def _read(connection: Connection, owner: str) -> Learned:
    found = connection.execute(_ALL.where(_T.owner == owner)).all()
    return Learned({kind: _decode(arms) for kind, arms in found})


_T, _S = tables.learned.c, tables.thumbs.c
_ALL = select(_T.kind, _T.arms)
_SAID = text("SELECT request_id, target, up FROM thumbs WHERE owner = :owner AND NOT heard ORDER BY at_ms, request_id")
_HEARD = text("UPDATE thumbs SET heard = :yes WHERE owner = :owner AND NOT heard").bindparams(yes=True)
_SET = text(
    "INSERT INTO learned (owner, kind, arms, changed_at_ms) VALUES (:owner, :kind, :arms, :now_ms)"
    " ON CONFLICT (owner, kind) DO UPDATE SET arms = excluded.arms, changed_at_ms = excluded.changed_at_ms"
)
_SAY = text(
    "INSERT INTO thumbs (owner, request_id, target, up, at_ms, heard)"
    " VALUES (:owner, :id, :target, :up, :now_ms, :no)"
    " ON CONFLICT (owner, request_id) DO UPDATE SET up = excluded.up, at_ms = excluded.at_ms,"
    " heard = excluded.heard"
)
_decode = msgspec.json.Decoder(Kind).decode
