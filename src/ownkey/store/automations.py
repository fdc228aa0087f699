"""Automations as they are kept: documents by name, runs, and what runs cost by the book."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, structs
from sqlalchemy import delete, func, insert, select, text, update

from ownkey.store import tables
from ownkey.store.connect import Database

RunStatus = Literal["running", "done", "partly", "failed"]


class AutomationRow(Struct, frozen=True):
    """`document` is JSON text."""

    owner: str
    name: str
    document: str
    created_at_ms: int
    changed_at_ms: int


class RunRow(Struct, frozen=True):
    """One run. `model` is what was asked for, with commas where several were; `error` the code of what ended it.
    `partly`: some of what was asked came to nothing. `until_ms`: when the result is forgotten."""

    id: str
    owner: str
    automation: str
    model: str
    status: RunStatus
    at_ms: int
    error: str | None = None
    ended_at_ms: int | None = None
    until_ms: int | None = None


class RunCost(Struct, frozen=True):
    """What the book has of a run: `pending_nano` is held and not settled yet."""

    cost_nano: int = 0
    pending_nano: int = 0
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    unpriced: int = 0


class Automations:
    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, owner: str) -> list[AutomationRow]:
        with self._database.reading() as connection:
            found = connection.execute(_ALL.where(_T.owner == owner).order_by(_T.name)).all()
        return [AutomationRow(*row) for row in found]

    def get(self, owner: str, name: str) -> AutomationRow | None:
        with self._database.reading() as connection:
            row = connection.execute(_ALL.where(_T.owner == owner, _T.name == name)).one_or_none()
        return None if row is None else AutomationRow(*row)

    def put(self, row: AutomationRow) -> None:
        """In place of the one of its name."""
        with self._database.writing() as connection:
            connection.execute(_PUT, structs.asdict(row))

    def remove(self, owner: str, name: str) -> bool:
        """With its runs; what the book says of them stays."""
        with self._database.writing() as connection:
            connection.execute(delete(tables.automation_runs).where(_R.owner == owner, _R.automation == name))
            this = delete(tables.automations).where(_T.owner == owner, _T.name == name)
            return connection.execute(this).rowcount == 1

    def default(self, owner: str) -> str | None:
        """The model that new ones get."""
        with self._database.reading() as connection:
            return connection.execute(select(_D.model).where(_D.owner == owner)).scalar_one_or_none()

    def set_default(self, owner: str, model: str | None) -> None:
        with self._database.writing() as connection:
            connection.execute(delete(tables.automation_defaults).where(_D.owner == owner))
            if model is not None:
                connection.execute(insert(tables.automation_defaults).values(owner=owner, model=model))

    def begin(self, run: RunRow) -> None:
        """A run begins. Results that are over are forgotten, whosever they are."""
        with self._database.writing() as connection:
            connection.execute(_FORGET, {"now_ms": run.at_ms})
            connection.execute(insert(tables.automation_runs).values(structs.asdict(run)))

    def end(self, run: RunRow, result: bytes | None) -> None:
        values = {"status": run.status, "error": run.error, "ended_at_ms": run.ended_at_ms, "until_ms": run.until_ms}
        this = update(tables.automation_runs).where(_R.owner == run.owner, _R.id == run.id)
        with self._database.writing() as connection:
            connection.execute(this.values(**values, result=result))

    def runs(self, owner: str, automation: str | None = None, *, limit: int = 100) -> list[RunRow]:
        """The newest first."""
        query = _RUNS.where(_R.owner == owner)
        if automation is not None:
            query = query.where(_R.automation == automation)
        with self._database.reading() as connection:
            found = connection.execute(query.order_by(_R.at_ms.desc(), _R.id.desc()).limit(limit)).all()
        return [RunRow(*row) for row in found]

    def run(self, owner: str, id: str) -> tuple[RunRow, bytes | None] | None:
        """One run, and its result as it was sealed."""
        with self._database.reading() as connection:
            row = connection.execute(_RUN.where(_R.owner == owner, _R.id == id)).one_or_none()
        return None if row is None else (RunRow(*tuple(row)[:-1]), row[-1])

    def remove_run(self, owner: str, id: str) -> bool:
        with self._database.writing() as connection:
            this = delete(tables.automation_runs).where(_R.owner == owner, _R.id == id)
            return connection.execute(this).rowcount == 1

    def costs(self, owner: str, automation: str, since_ms: int, until_ms: int) -> dict[str, RunCost]:
        """Of the runs that began in [since, until], by their ids: what the book has of them."""
        query = _COSTS.where(
            _B.owner == owner, _B.automation == automation, _B.started_at_ms >= since_ms, _B.started_at_ms <= until_ms
        )
        with self._database.reading() as connection:
            found = connection.execute(query.group_by(_B.request_id)).all()
        costs: dict[str, RunCost] = {}
        for request, *sums in found:
            run = request.partition("-")[0]
            before = structs.astuple(costs.get(run, RunCost()))
            costs[run] = RunCost(*(have + int(more or 0) for have, more in zip(before, sums, strict=True)))
        return costs


_T, _D, _R, _B = (
    tables.automations.c,
    tables.automation_defaults.c,
    tables.automation_runs.c,
    tables.book.c,
)
_ALL = select(*(_T[name] for name in AutomationRow.__struct_fields__))
_PUT = text(
    "INSERT INTO automations (owner, name, document, created_at_ms, changed_at_ms)"
    " VALUES (:owner, :name, :document, :created_at_ms, :changed_at_ms)"
    " ON CONFLICT (owner, name) DO UPDATE SET document = excluded.document, changed_at_ms = excluded.changed_at_ms"
)
_RUNS = select(*(_R[name] for name in RunRow.__struct_fields__))
_RUN = select(*(_R[name] for name in RunRow.__struct_fields__), _R.result)
_FORGET = text("UPDATE automation_runs SET result = NULL WHERE until_ms <= :now_ms AND result IS NOT NULL")
_COSTS = select(
    _B.request_id,
    func.sum(_B.cost_nano),
    func.sum(_B.held_nano).filter(_B.state == "held"),
    func.count(),
    func.sum(_B.input_tokens),
    func.sum(_B.output_tokens),
    func.count().filter(_B.priced.is_(False)),
)
