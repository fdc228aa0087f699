"""The audit trail in the database: appended to by many processes, in one order, and read."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct, structs
from sqlalchemy import ColumnElement, Connection, func, insert, or_, select, text, update
from sqlalchemy.exc import DBAPIError

from ownkey.store import tables
from ownkey.store.audit_actions import ACTIONS
from ownkey.store.audit_chain import BEGINNING, AuditKey, Head, Row, Walk, hash_of, proven
from ownkey.store.audit_detail import detail_text, plain
from ownkey.store.connect import Database, unavailable
from ownkey.talk.errors import AuditUnavailable, VaultSealed

PAGE = 2000


class Actor(Struct, frozen=True):
    """Who does it: the `owner` of this install, a `user` of it, a `token` by its id, or the `system` itself."""

    kind: str
    id: str
    request_id: str | None = None


SYSTEM = Actor("system", "")


class Record(Struct, frozen=True):
    """What is to be recorded; `detail` is as `detail_text` writes it."""

    action: str
    target: str
    actor: Actor
    detail: str = "{}"
    outcome: str = "done"
    at_ms: int = 0

    @classmethod
    def of(cls, action: str, target: str, actor: Actor, detail: Mapping[str, Any], outcome: str = "done") -> Record:
        assert action in ACTIONS, action
        return cls(action, plain(target), actor, detail_text(detail), outcome, time.time_ns() // 1_000_000)

    @property
    def narrows(self) -> bool:
        return ACTIONS[self.action].narrows


class Looked(Struct, frozen=True):
    """Which records are wanted. `actor` is an id or a kind; `action` may be the beginning of a name, up to a dot.

    `text` stands somewhere in them, or they are by or about one of `like`. `own`: only what this person, or one of
    `tokens`, has done, and what was done to that person.
    """

    since_ms: int | None = None
    until_ms: int | None = None
    actor: str | None = None
    action: str | None = None
    text: str | None = None
    like: frozenset[str] = frozenset()
    own: str | None = None
    tokens: frozenset[str] = frozenset()

    def terms(self) -> list[ColumnElement[bool]]:
        terms: list[ColumnElement[bool]] = []
        if self.since_ms is not None:
            terms.append(_T.at_ms >= self.since_ms)
        if self.until_ms is not None:
            terms.append(_T.at_ms < self.until_ms)
        if self.actor is not None:
            terms.append((_T.actor == self.actor) | (_T.actor_kind == self.actor))
        if self.action is not None:
            begins = f"{self.action.rstrip('.')}."
            terms.append((_T.action == self.action) | _T.action.startswith(begins, autoescape=True))
        if self.text is not None:
            columns = (_T.action, _T.actor, _T.target, _T.detail)
            has = [func.lower(column).contains(self.text.lower(), autoescape=True) for column in columns]
            terms.append(or_(*has, _T.target.in_(self.like), _T.actor.in_(self.like)))
        if self.own is not None:
            mine = (_T.actor == self.own) & (_T.actor_kind != "token")
            by_token = _T.actor.in_(self.tokens) & (_T.actor_kind == "token")
            terms.append(mine | by_token | ((_T.target == self.own) & (_T.target_kind == "person")))
        return terms


class Trail:
    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, connection: Connection, records: Sequence[Record], keys: Sequence[AuditKey]) -> list[Row]:
        """Write them after all that is there, in the transaction that is open; whoever else appends waits for its end.

        Without keys the vault is sealed: what only takes away is written, and waits for its seal. Raises VaultSealed
        for everything else, and AuditUnavailable where the trail's end is not what was sealed, or does not take more.
        """
        if not keys and not all(record.narrows for record in records):
            raise VaultSealed("The vault is sealed: nothing is changed that could not be vouched for afterwards.")
        try:
            return self._appended(connection, records, keys)
        except DBAPIError as error:
            why = unavailable(error.orig or error)
            raise AuditUnavailable(f"The audit trail cannot be written. {why.message}", why.hint) from None

    def _appended(self, connection: Connection, records: Sequence[Record], keys: Sequence[AuditKey]) -> list[Row]:
        connection.execute(_FIRST)
        head = _head(connection, lock=True)
        walk = self._end(connection, head, keys)
        if keys and walk.seq > head.count:
            adopted = {"first": head.count + 1, "last": walk.seq}
            records = [Record.of("audit.adopted", "", SYSTEM, adopted), *records]
        rows: list[Row] = []
        for record in records:
            row = _chained(record, walk)
            walk.seq, walk.last = row.seq, row.hash
            rows.append(row)
        connection.execute(insert(tables.audit), [structs.asdict(row) for row in rows])
        if keys:
            connection.execute(update(tables.audit_head).values(structs.asdict(keys[0].sealed(walk.seq, walk.last))))
        return rows

    def _end(self, connection: Connection, head: Head, keys: Sequence[AuditKey]) -> Walk:
        """Where the trail ends: at its head, or after what was written while the vault was sealed."""
        if keys and not head.is_first and not proven(head, keys):
            _altered("its head carries no seal of this install's")
        walk = Walk(head.count, head.hash)
        if head.count:
            last = connection.execute(select(_T.hash).where(_T.seq == head.count)).scalar()
            if last != head.hash:
                _altered(f"record {head.count} is not the one that was sealed")
        for values in connection.execute(_ALL.where(_T.seq > head.count)).all():
            row = Row(*values)
            if (broken := walk.next(row)) is not None:
                _altered(broken.says)
            if row.action not in ACTIONS or not ACTIONS[row.action].narrows:
                _altered(f"record {row.seq} was never sealed")
        return walk

    def accept(self, record: Record, after: int, keys: Sequence[AuditKey]) -> Row:
        """Go on from whatever is there, with this record as the first that is sealed again; its number is above all
        that stand in the trail, and above `after`."""
        with self._database.writing() as connection:
            connection.execute(_FIRST)
            head = _head(connection, lock=True)
            seq, last = connection.execute(_LAST).first() or (0, BEGINNING)
            row = _chained(record, Walk(max(seq, head.count, after), last))
            connection.execute(insert(tables.audit).values(structs.asdict(row)))
            connection.execute(update(tables.audit_head).values(structs.asdict(keys[0].sealed(row.seq, row.hash))))
        return row

    def head(self) -> Head:
        with self._database.reading() as connection:
            return _head(connection)

    def hash_at(self, seq: int) -> bytes | None:
        with self._database.reading() as connection:
            return connection.execute(select(_T.hash).where(_T.seq == seq)).scalar()

    def listed(self, wanted: Looked, *, limit: int = 100, before: int | None = None) -> list[Row]:
        """The newest that agree, newest first; those that stand before the one of that number."""
        where = wanted.terms() if before is None else [*wanted.terms(), _T.seq < before]
        with self._database.reading() as connection:
            found = connection.execute(_ALL.where(*where).order_by(None).order_by(_T.seq.desc()).limit(limit)).all()
        return [Row(*values) for values in found]

    def every(self, after: int = 0) -> Iterator[Row]:
        """Oldest first, a page at a time: memory stays as it is, however many there are."""
        while True:
            with self._database.reading() as connection:
                found = connection.execute(_ALL.where(_T.seq > after).limit(PAGE)).all()
            for values in found:
                yield Row(*values)
            if len(found) < PAGE:
                return
            after = found[-1].seq


def _head(connection: Connection, *, lock: bool = False) -> Head:
    found = connection.execute(_HEAD.with_for_update() if lock else _HEAD).first()
    return Head() if found is None else Head(*found)


def loose(record: Record) -> Row:
    """For the file, where the database does not take it: it follows nothing, and nothing follows it."""
    return structs.replace(_chained(record, Walk(-1)), seq=0)


def _chained(record: Record, walk: Walk) -> Row:
    actor = record.actor
    target_kind = ACTIONS[record.action].target
    row = Row(
        seq=walk.seq + 1,
        at_ms=record.at_ms,
        actor_kind=actor.kind,
        actor=plain(actor.id),
        action=record.action,
        target_kind=target_kind,
        target=record.target,
        outcome=record.outcome,
        request_id=None if actor.request_id is None else plain(actor.request_id),
        detail=record.detail,
        previous=walk.last,
        hash=b"",
    )
    return structs.replace(row, hash=hash_of(row))


def _altered(why: str) -> None:
    raise AuditUnavailable(
        f"The audit trail was altered: {why}. Nothing is done that would have to be recorded.",
        "See where: `ownkey audit verify`.",
    )


_T = tables.audit.c
_ALL = select(*(_T[name] for name in Row.__struct_fields__)).order_by(_T.seq)
_LAST = select(_T.seq, _T.hash).order_by(_T.seq.desc()).limit(1)
_HEAD = select(*(tables.audit_head.c[name] for name in Head.__struct_fields__))
_FIRST = text(
    "INSERT INTO audit_head (one, count, hash, kek_id, seal) VALUES (1, 0, :hash, :none, :none) ON CONFLICT DO NOTHING"
).bindparams(hash=BEGINNING, none=b"")
