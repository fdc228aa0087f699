"""A root key that takes over from another: how far it has come, and the keys that are re-wrapped for it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct, structs
from sqlalchemy import Connection, delete, func, select, text, update

from ownkey.store import tables
from ownkey.store.connect import Database
from ownkey.store.keys import KeyRow

Step = Literal["making", "sharing", "wrapping", "leaving"]

_KEK_ID = func.substr(tables.keys.c.sealed, 7, 8)
"""`KEK_ID_AT` and `KEK_ID_BYTES` of the envelope, as SQL counts."""


class Rotation(Struct, frozen=True):
    """`making`: the new root key is being put in its place. `sharing`: every process learns of it. `wrapping`: keys are
    sealed under it. `leaving`: it has taken over, and the old one is still to be removed.

    `forward` is the new one's handover wrapped by the old one, `backward` the other way round: whoever has one of them
    has both, for as long as it takes. `wraps` counts what was sealed under the new one.
    """

    step: Step
    from_source: str
    from_check: bytes
    to_source: str
    to_check: bytes
    to_probe: bytes | None
    to_place: str | None
    forward: bytes | None
    backward: bytes | None
    wraps: int
    started_at_ms: int


class Rotations:
    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self) -> Rotation | None:
        with self._database.reading() as connection:
            row = connection.execute(select(*(_T[name] for name in _NAMES))).one_or_none()
        return None if row is None else Rotation(*row)

    def begin(self, new: Rotation) -> bool:
        """False, and nothing changed, where another is under way or the root key is not the one it takes over from."""
        with self._database.writing() as connection:
            same = connection.execute(update(_I).where(_I.c.root_check == new.from_check).values(one=1)).rowcount == 1
            return same and connection.execute(_BEGIN, structs.asdict(new)).rowcount == 1

    def advance(self, to_check: bytes, was: Step, now: Step) -> bool:
        """Whether it was at that step."""
        with self._database.writing() as connection:
            here = (_T.to_check == to_check) & (_T.step == was)
            return connection.execute(update(tables.rotation).where(here).values(step=now)).rowcount == 1

    def drop(self, to_check: bytes, step: Step) -> bool:
        """Forget it: it has ended, or never began."""
        with self._database.writing() as connection:
            here = (_T.to_check == to_check) & (_T.step == step)
            return connection.execute(delete(tables.rotation).where(here)).rowcount == 1

    def under(self) -> dict[bytes, int]:
        """How many keys are sealed under each root key, by its id."""
        with self._database.reading() as connection:
            return _under(connection)

    def others(self, kek_id: bytes, after: str = "", limit: int = 100) -> list[KeyRow]:
        """Keys that are not sealed under this root key, by their ids and after that one."""
        with self._database.reading() as connection:
            found = connection.execute(
                select(*(tables.keys.c[name] for name in KeyRow.__struct_fields__))
                .where(_KEK_ID.is_distinct_from(kek_id), tables.keys.c.id > after)
                .order_by(tables.keys.c.id)
                .limit(limit)
            ).all()
        return [KeyRow(*row) for row in found]

    def rewrap(self, to_check: bytes, sealed: Sequence[tuple[KeyRow, bytes]]) -> int:
        """Put each key's new sealing in place of the one it was made from; how many were still that one.

        None is changed where the rotation is no longer wrapping.
        """
        with self._database.writing() as connection:
            here = (_T.to_check == to_check) & (_T.step == "wrapping")
            counted = update(tables.rotation).where(here).values(wraps=_T.wraps + len(sealed))
            if connection.execute(counted).rowcount != 1:
                return 0
            return sum(
                connection.execute(
                    update(tables.keys)
                    .where(
                        tables.keys.c.id == row.id,
                        tables.keys.c.version == row.version,
                        tables.keys.c.sealed == row.sealed,
                    )
                    .values(sealed=fresh)
                ).rowcount
                for row, fresh in sealed
            )

    def promote(self, rotation: Rotation, kek_id: bytes) -> Mapping[bytes, int]:
        """The new root key takes over, where every key is sealed under it, and the handovers are gone: empty then, and
        where it has taken over already. Else how many keys are under others, and nothing is changed."""
        with self._database.writing() as connection:
            # Whoever writes a key counts it in one of these rows first, and so is before this or after it.
            connection.execute(update(_I).values(one=1))
            here = (_T.to_check == rotation.to_check) & (_T.step == "wrapping")
            if connection.execute(update(tables.rotation).where(here).values(one=1)).rowcount != 1:
                return {}
            if others := {id: count for id, count in _under(connection).items() if id != kek_id}:
                return others
            values = {
                "root_source": rotation.to_source,
                "root_check": rotation.to_check,
                "root_probe": rotation.to_probe,
                "root_since_ms": time.time_ns() // 1_000_000,
                "root_wraps": select(_T.wraps).scalar_subquery(),
            }
            connection.execute(update(_I).values(values))
            connection.execute(update(tables.rotation).values(step="leaving", forward=None, backward=None))
            return {}


def _under(connection: Connection) -> dict[bytes, int]:
    found = connection.execute(select(_KEK_ID, func.count()).group_by(_KEK_ID)).all()
    return {bytes(id): count for id, count in found}


_I = tables.install
_T = tables.rotation.c
_NAMES = Rotation.__struct_fields__
_BEGIN = text(
    f"INSERT INTO rotation (one, {', '.join(_NAMES)}) VALUES (1, {', '.join(f':{name}' for name in _NAMES)})"  # noqa: S608
    " ON CONFLICT DO NOTHING"
)
