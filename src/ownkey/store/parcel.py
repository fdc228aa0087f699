"""What a move to another installation takes along: which tables, and how their rows are read, compared and written."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Boolean,
    Connection,
    Integer,
    LargeBinary,
    Table,
    Text,
    and_,
    delete,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError

from ownkey.store import tables
from ownkey.store.columns import metadata
from ownkey.store.connect import Database
from ownkey.store.keys import BOXES, counted
from ownkey.store.past import add_past
from ownkey.store.people import keep_a_keeper
from ownkey.store.schema import REVISIONS
from ownkey.talk.errors import Conflict, StorageUnavailable

Values = dict[str, Any]
"""One row by the names of its columns."""

PAGE = 1_000
SCHEMA = REVISIONS[-1]


class Part(Struct, frozen=True):
    """One table that travels. `what` and `name` are how a row is told to people, `also` what besides its primary key
    is its alone. `drifts`: columns that change by themselves and make no difference. `stays`: those that belong to
    this installation. `opens`: the row lets somebody in, or is a key; `opening`: these columns do.
    `kept`: a row that is there already stays as it is."""

    table: str
    what: str
    name: tuple[str, ...]
    also: tuple[tuple[str, ...], ...] = ()
    drifts: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()
    opens: bool = False
    opening: tuple[str, ...] = ()
    kept: bool = False

    @property
    def rows(self) -> Table:
        return metadata.tables[self.table]

    @property
    def key(self) -> tuple[str, ...]:
        return tuple(str(column.name) for column in self.rows.primary_key.columns)

    def columns(self, *, opening: bool) -> tuple[str, ...]:
        left = self.stays if opening else (*self.stays, *self.opening)
        return tuple(str(column.name) for column in self.rows.columns if column.name not in left)


PARTS: Mapping[str, Part] = {
    part.table: part
    for part in (
        Part("choices", "provider's setting", ("provider",)),
        Part("models", "discovered model", ("provider", "id"), kept=True),
        Part("prices", "price", ("provider", "model"), drifts=("set_at_ms",)),
        Part("limits", "limit", ("kind", "name"), also=(("owner", "kind", "name"),), drifts=("created_at_ms",)),
        Part("budgets", "budget", ("name",), also=(("owner", "name"),), drifts=("created_at_ms",)),
        Part("routes", "route", ("name",), drifts=("changed_at_ms",)),
        Part(
            "users",
            "person",
            ("name",),
            also=(("email",),),
            drifts=("created_at_ms", "totp_step"),
            opening=("password", "totp_step"),
        ),
        Part("identities", "sign-in by an issuer", ("issuer", "subject"), drifts=("created_at_ms",), opens=True),
        Part("passkeys", "passkey", ("name",), drifts=("signs", "used_at_ms"), opens=True),
        Part("tickets", "recovery code", ("user_id",), opens=True, kept=True),
        Part("tokens", "token", ("name",), also=(("digest",),), opens=True),
        Part("token_terms", "token's terms", ("token_id",), opens=True),
        Part(
            "keys",
            "key",
            ("provider", "label"),
            also=(("owner", "provider", "label"),),
            drifts=(
                "version",
                "created_at_ms",
                "used_at_ms",
                "position",
                "checked_at_ms",
                "refused",
                "masked",
                "rests_until_ms",
            ),
            opens=True,
        ),
        Part("memory_terms", "what is remembered for somebody", ("owner",)),
        Part("history", "kept chat", ("id",), opens=True, kept=True),
        Part("cache_hits", "answer given again", ("id",), kept=True),
        Part("preferences", "preferences", ("owner",), drifts=("changed_at_ms",)),
        Part("onboarding", "first steps", ("owner",), kept=True),
        Part("agreements", "agreement", ("owner", "version"), kept=True),
        Part("provider_places", "provider's place", ("provider",), kept=True),
        Part("automations", "automation", ("name",), drifts=("created_at_ms", "changed_at_ms")),
        Part("automation_defaults", "model for new automations", ("owner",)),
        Part("book", "run", ("id",), stays=("holder",)),
    )
}

STAYS: Mapping[str, str] = {
    "page_tokens": "good here, for a quarter of an hour",
    "install": "who this installation is, and its root key",
    "rotation": "a root key that is taking over here",
    "budget_state": "how far this database has summed up",
    "counters": "counted from the book",
    "usage_hours": "summed up from the book",
    "usage_days": "summed up from the book",
    "alerts": "what was told to people here",
    "deliveries": "what was told to people here",
    "audit": "what was done here, sealed for this installation",
    "audit_head": "what was done here, sealed for this installation",
    "catalogues": "price catalogues, which can be fetched again",
    "consents": "what people have said yes to here",
    "consents_used": "tokens of consent that were used here",
    "automation_runs": "what automations gave here, sealed for this installation",
    "grants": "whom the keys in this machine's environment serve",
    "cached": "answers that can be asked for again",
    "learned": "learned from what was answered here",
    "thumbs": "said of what was answered here",
    "sessions": "browsers that are signed in here",
    "sign_ins": "attempts to sign in here",
    "files": "uploads, which expire",
    "file_parts": "uploads, which expire",
    "batches": "what is being worked on here",
    "batch_lines": "what is being worked on here",
    "batch_parts": "what is being worked on for here",
}
"""Every other table, and why it does not travel."""


class Step(Struct, frozen=True):
    """What becomes of one table: rows that go, by their primary keys; rows that change; rows that come."""

    part: Part
    gone: Sequence[Values] = ()
    changed: Sequence[tuple[Values, Values]] = ()
    added: Sequence[Values] = ()


class Parcel:
    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def snapshot(self) -> Generator[Connection]:
        """Everything as it is at one moment. Raises StorageUnavailable."""
        with self._database.reading() as connection:
            begin = "BEGIN" if self._database.file is not None else "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
            connection.exec_driver_sql(begin)
            yield connection

    def every(self, part: Part) -> list[Values]:
        with self._database.reading() as connection:
            return list(read(connection, part))

    def there(self, ids: Sequence[str]) -> dict[str, Values]:
        """Of the runs of these ids, those that are in the book."""
        part = PARTS["book"]
        with self._database.reading() as connection:
            query = _select(part, part.columns(opening=True)).where(tables.book.c.id.in_(ids))
            return {row["id"]: _values(part, row) for row in connection.execute(query).mappings()}

    def was_taken(self, id: str) -> bool:
        """Whether the import of that id was committed: its record says so."""
        done = select(tables.audit.c.seq).where(tables.audit.c.action == "parcel.imported", tables.audit.c.target == id)
        with self._database.reading() as connection:
            return connection.execute(done.limit(1)).first() is not None

    def take(
        self, steps: Sequence[Step], seen: Mapping[str, list[Values]], past: Iterable[Values], under: bytes | None
    ) -> None:
        """All of it in one transaction, or nothing. `seen`: the rows that `steps` were made from; `past`: runs, all of
        them over; `under`: the check value of the root key that the keys among the rows are sealed with.

        Raises Conflict where something changed meanwhile.
        """
        try:
            with self._database.writing() as connection:
                # Who holds or settles reads the version first: nobody does beside this.
                connection.execute(text("UPDATE budget_state SET version = version + 1"))
                if self._database.file is None and seen:
                    connection.execute(text(f"LOCK TABLE {', '.join(seen)} IN SHARE ROW EXCLUSIVE MODE"))
                for table, rows in seen.items():
                    part = PARTS[table]
                    if still(part, read(connection, part)) != still(part, rows):
                        raise _meanwhile()
                for step in reversed(steps):
                    _let_go(connection, step)
                for step in steps:
                    _write(connection, step)
                    for _ in step.added if step.part.table == "keys" else ():
                        if not counted(connection, under):
                            raise _meanwhile()
                    if step.part.table == "users" and step.changed:
                        keep_a_keeper(connection)
                add_past(connection, past)
                connection.execute(text("DELETE FROM counters"))
        except IntegrityError as error:
            raise Conflict(f"Something here is of the same name ({type(error.orig).__name__}).", _AGAIN) from None


def read(connection: Connection, part: Part, *, opening: bool = True) -> Iterator[Values]:
    """The rows that travel, a page of them in memory; of the book those that are over."""
    columns = part.columns(opening=opening)
    key = [part.rows.c[name] for name in part.key]
    query = _select(part, columns).order_by(*key)
    if part.table != "book":
        yield from (_values(part, row) for row in connection.execute(query).mappings())
        return
    after = ""
    while True:
        page = connection.execute(query.where(tables.book.c.id > after).limit(PAGE)).mappings().all()
        yield from (_values(part, row) for row in page)
        if len(page) < PAGE:
            return
        after = page[-1]["id"]


def checked(part: Part, values: Values) -> Values:
    """A row as it came, for the database. Raises ValueError, saying what is wrong with it."""
    known = {str(column.name): column for column in part.rows.columns}
    if unknown := [name for name in values if name not in known or name in part.stays]:
        raise ValueError(f"there is no column {unknown[0][:40]!r} in {part.table}")
    for column in known.values():
        optional = column.nullable or column.server_default is not None or column.name in (*part.stays, *part.opening)
        if column.name not in values and not optional:
            raise ValueError(f"{part.table}.{column.name} is missing")
    return {name: _checked(known[name], value) for name, value in values.items()}


def differs(part: Part, row: Values, there: Values) -> bool:
    """Whether they say other things; `row` may have fewer columns."""
    return any(there.get(name) != value for name, value in row.items() if name not in part.drifts)


def still(part: Part, rows: Iterable[Values]) -> list[list[Any]]:
    """What does not change by itself, to be compared."""
    columns = [name for name in part.columns(opening=True) if name not in part.drifts or name == "version"]
    return [[row[name] for name in columns] for row in rows]


def _select(part: Part, columns: Sequence[str]) -> Any:
    query = select(*(part.rows.c[name] for name in columns))
    if part.table == "tickets":
        return query.where(tables.tickets.c.purpose == "recovery")
    if part.table == "keys":
        return query.where(tables.keys.c.provider != BOXES)
    return query.where(tables.book.c.state != "held") if part.table == "book" else query


def _values(part: Part, row: Mapping[Any, Any]) -> Values:
    """The same from every database: flags are numbers in SQLite."""
    columns: Any = part.rows.c
    flags = {name for name in row if isinstance(columns[name].type, Boolean)}
    return {name: bool(value) if name in flags else value for name, value in row.items()}


def _checked(column: Any, value: Any) -> Any:
    if value is None:
        if not column.nullable:
            raise ValueError(f"{column} is missing")
        return None
    kind: Any = column.type
    wanted = next(python for sql, python in _KINDS.items() if isinstance(kind, sql))
    if type(value) is not wanted or (isinstance(value, str) and "\x00" in value):
        raise ValueError(f"{column} is not what it should be")
    if type(value) is int and not 0 <= value < 2**63:
        raise ValueError(f"{column} is out of bounds")
    return value


def _let_go(connection: Connection, step: Step) -> None:
    for key in step.gone:
        connection.execute(delete(step.part.rows).where(_is(step.part.rows, key)))
        if step.part.table == "keys" and all(key["id"] != row["id"] for row in step.added):
            connection.execute(delete(tables.budgets).where(tables.budgets.c.key_id == key["id"]))


def _write(connection: Connection, step: Step) -> None:
    for key, values in step.changed:
        if connection.execute(update(step.part.rows).where(_is(step.part.rows, key)).values(values)).rowcount != 1:
            raise StorageUnavailable("A row that was to be changed is gone.", _AGAIN)
    if step.added:
        connection.execute(insert(step.part.rows), list(step.added))


def _is(table: Table, key: Values) -> Any:
    return and_(*(table.c[name] == value for name, value in key.items()))


def _meanwhile() -> Conflict:
    return Conflict("Something was changed here meanwhile.", _AGAIN)


_KINDS: Mapping[Any, type] = {LargeBinary: bytes, Text: str, Boolean: bool, BigInteger: int, Integer: int}
_AGAIN = "Nothing was imported. Try again."
