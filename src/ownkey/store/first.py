"""People's first steps, and what they agreed to."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, structs
from sqlalchemy import select, text

from ownkey.store import tables
from ownkey.store.connect import Database

Step = Literal["welcome", "privacy", "mode", "key", "limit", "agreement", "try", "more", "done"]
Mode = Literal["cloud", "local"]


class Steps(Struct, frozen=True):
    """How far somebody is. `demo`: they only look around. `done_at_ms`: when they came to the end."""

    owner: str
    step: Step = "welcome"
    mode: Mode | None = None
    demo: bool = False
    done_at_ms: int | None = None
    changed_at_ms: int = 0


class Accepted(Struct, frozen=True):
    version: str
    accepted_at_ms: int


class FirstSteps:
    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, owner: str) -> Steps:
        with self._database.reading() as connection:
            row = connection.execute(_ALL.where(_T.owner == owner)).one_or_none()
        if row is None:
            return Steps(owner)
        return Steps(row.owner, row.step, row.mode, bool(row.demo), row.done_at_ms, row.changed_at_ms)

    def set(self, steps: Steps) -> None:
        with self._database.writing() as connection:
            connection.execute(_SET, structs.asdict(steps))

    def accepted(self, owner: str) -> list[Accepted]:
        """The newest first."""
        mine = _ACCEPTED.where(_A.owner == owner).order_by(_A.accepted_at_ms.desc(), _A.version.desc())
        with self._database.reading() as connection:
            return [Accepted(*row) for row in connection.execute(mine).all()]

    def accept(self, owner: str, version: str, at_ms: int) -> None:
        """Once: that it was accepted before stays as it is."""
        with self._database.writing() as connection:
            connection.execute(_ACCEPT, {"owner": owner, "version": version, "at_ms": at_ms})


_T, _A = tables.onboarding.c, tables.agreements.c
_ALL = select(*(_T[name] for name in Steps.__struct_fields__))
_ACCEPTED = select(_A.version, _A.accepted_at_ms)
_SET = text(
    "INSERT INTO onboarding (owner, step, mode, demo, done_at_ms, changed_at_ms)"
    " VALUES (:owner, :step, :mode, :demo, :done_at_ms, :changed_at_ms)"
    " ON CONFLICT (owner) DO UPDATE SET step = excluded.step, mode = excluded.mode, demo = excluded.demo,"
    " done_at_ms = excluded.done_at_ms, changed_at_ms = excluded.changed_at_ms"
)
_ACCEPT = text(
    "INSERT INTO agreements (owner, version, accepted_at_ms) VALUES (:owner, :version, :at_ms) ON CONFLICT DO NOTHING"
)
