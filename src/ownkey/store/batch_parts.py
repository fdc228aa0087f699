"""Parts of batches that are worked on at a provider's own batch endpoint: written before anything is sent there.

A part is put down with its lines (`holding`) before money is held for each of them (`held`), and marked (`creating`)
before the provider is asked for it; it is `running` once its id there is known, and `ended` when its lines are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct, structs
from sqlalchemy import delete, func, insert, select, update

from ownkey.store import tables
from ownkey.store.batches import Batches, LineRow
from ownkey.store.connect import Database

State = Literal["holding", "held", "creating", "running", "ended"]


class PartRow(Struct, frozen=True):
    """`wire` is that of its lines at the provider; `origin` and `key_id` say where it is, and whose it is there."""

    batch_id: str
    number: int
    provider: str
    model: str
    wire: str
    origin: str
    key_id: str | None
    state: State = "holding"
    upload_id: str | None = None
    remote_id: str | None = None
    tried_at_ms: int | None = None

    @property
    def mark(self) -> str:
        """By which it is known at the provider, whatever becomes of this process."""
        return f"{self.batch_id}-p{self.number}"


class BatchParts:
    """All that writes raises Conflict where another process works on the batch."""

    def __init__(self, database: Database, batches: Batches) -> None:
        self._database = database
        self._batches = batches

    def open(self, batch_id: str) -> list[PartRow]:
        """Those that have not ended, oldest first."""
        query = select(*(_P[name] for name in PartRow.__struct_fields__))
        query = query.where(_P.batch_id == batch_id, _P.state != "ended").order_by(_P.number)
        with self._database.reading() as connection:
            return [PartRow(*row) for row in connection.execute(query).all()]

    def count_there(self, batch_id: str) -> int:
        """How many lines wait for a provider."""
        waiting = (_L.batch_id == batch_id, _L.state == "waiting", _L.part.is_not(None))
        with self._database.reading() as connection:
            return int(connection.execute(select(func.count()).where(*waiting)).scalar() or 0)

    def lines(self, batch_id: str, number: int, *, after: int = 0, limit: int = 500) -> list[LineRow]:
        """Those of a part that wait; 0: those that are in none yet."""
        query = select(*(_L[name] for name in LineRow.__struct_fields__)).where(
            _L.batch_id == batch_id, _L.part == number, _L.state == "waiting", _L.number > after
        )
        with self._database.reading() as connection:
            return [LineRow(*row) for row in connection.execute(query.order_by(_L.number).limit(limit)).all()]

    def set_aside(self, owner: str, batch_id: str, lines: Sequence[int]) -> None:
        """These wait for a provider from now on."""
        with self._batches.writing(owner, batch_id) as connection:
            for number in lines:
                line = (_L.batch_id == batch_id, _L.number == number)
                connection.execute(update(tables.batch_lines).where(*line).values(part=0))

    def take_back(self, owner: str, batch_id: str) -> None:
        """Those that are in no part yet are sent from here."""
        waiting = (_L.batch_id == batch_id, _L.part == 0, _L.state == "waiting")
        with self._batches.writing(owner, batch_id) as connection:
            connection.execute(update(tables.batch_lines).where(*waiting).values(part=None))

    def add(self, owner: str, part: PartRow, lines: Sequence[int]) -> PartRow:
        """With these lines; under the next number."""
        with self._batches.writing(owner, part.batch_id) as connection:
            last = connection.execute(select(func.max(_P.number)).where(_P.batch_id == part.batch_id)).scalar()
            part = structs.replace(part, number=(last or 0) + 1)
            connection.execute(insert(tables.batch_parts).values(structs.asdict(part)))
            for number in lines:
                line = (_L.batch_id == part.batch_id, _L.number == number)
                connection.execute(update(tables.batch_lines).where(*line).values(part=part.number))
        return part

    def leave_out(self, owner: str, part: PartRow, lines: Sequence[int] | None = None) -> None:
        """These lines of it, or all that wait, are in no part again, for another attempt."""
        gone = update(tables.batch_lines).where(_L.batch_id == part.batch_id, _L.part == part.number)
        gone = gone.where(_L.state == "waiting").values(part=0, attempt=_L.attempt + 1)
        with self._batches.writing(owner, part.batch_id) as connection:
            if lines is None:
                connection.execute(gone)
            for number in lines or ():
                connection.execute(gone.where(_L.number == number))

    def change(self, owner: str, part: PartRow, **values: Any) -> PartRow:
        mine = (_P.batch_id == part.batch_id, _P.number == part.number)
        with self._batches.writing(owner, part.batch_id) as connection:
            connection.execute(update(tables.batch_parts).where(*mine).values(**values))
        return structs.replace(part, **values)

    def drop(self, owner: str, part: PartRow) -> None:
        mine = (_P.batch_id == part.batch_id, _P.number == part.number)
        with self._batches.writing(owner, part.batch_id) as connection:
            connection.execute(delete(tables.batch_parts).where(*mine))


_L, _P = tables.batch_lines.c, tables.batch_parts.c
