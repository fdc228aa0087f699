"""Browsers' sessions, as digests of their cookies; what is good once; and how often a sign-in failed."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, structs
from sqlalchemy import delete, insert, select, text, update

from ownkey.store import tables
from ownkey.store.connect import Database
from ownkey.store.people import User


class Session(Struct, frozen=True):
    """`agent` and `address`: the browser, as it names itself, and where it was. Over at `until_ms` at the latest."""

    id: str
    user_id: str
    digest: bytes
    created_at_ms: int
    seen_at_ms: int
    until_ms: int
    proved_at_ms: int
    agent: str
    address: str


class Ticket(Struct, frozen=True):
    """`facts` is JSON. Good until `until_ms`, and once."""

    digest: bytes
    purpose: str
    user_id: str | None
    facts: str
    created_at_ms: int
    until_ms: int


class Sessions:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, session: Session, *, instead_of: bytes | None = None) -> None:
        """`instead_of`: the digest of the session that it takes the place of."""
        with self._database.writing() as connection:
            connection.execute(_OVER, {"now_ms": session.created_at_ms})
            connection.execute(delete(tables.sessions).where(_S.digest == instead_of))
            connection.execute(insert(tables.sessions).values(structs.asdict(session)))

    def by_digest(self, digest: bytes) -> tuple[Session, User] | None:
        """The session with its user, over or not."""
        with self._database.reading() as connection:
            row = connection.execute(_WITH_USER.where(_S.digest == digest)).one_or_none()
        return None if row is None else (Session(*row[:_WIDTH]), User(*row[_WIDTH:]))

    def of(self, user_id: str, now_ms: int) -> list[Session]:
        """Newest first."""
        query = _ALL.where(_S.user_id == user_id, _S.until_ms > now_ms).order_by(_S.seen_at_ms.desc(), _S.id)
        with self._database.reading() as connection:
            return [Session(*row) for row in connection.execute(query).all()]

    def seen(self, id: str, now_ms: int) -> None:
        with self._database.writing() as connection:
            connection.execute(update(tables.sessions).where(_S.id == id).values(seen_at_ms=now_ms))

    def proved(self, id: str, now_ms: int) -> None:
        with self._database.writing() as connection:
            connection.execute(update(tables.sessions).where(_S.id == id).values(proved_at_ms=now_ms))

    def end(self, user_id: str, id: str) -> bool:
        with self._database.writing() as connection:
            mine = delete(tables.sessions).where(_S.id == id, _S.user_id == user_id)
            return connection.execute(mine).rowcount > 0

    def end_all(self, user_id: str, *, but: str | None = None) -> int:
        with self._database.writing() as connection:
            mine = delete(tables.sessions).where(_S.user_id == user_id, _S.id != (but or ""))
            return connection.execute(mine).rowcount


class Tickets:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, *tickets: Ticket, alone: bool = False) -> None:
        """`alone`: in place of every other of the same purpose and user."""
        with self._database.writing() as connection:
            for ticket in tickets if alone else ():
                connection.execute(_INSTEAD, {"user_id": ticket.user_id, "purpose": ticket.purpose})
            for ticket in tickets:
                connection.execute(_LAPSED, {"now_ms": ticket.created_at_ms})
                connection.execute(insert(tables.tickets).values(structs.asdict(ticket)))

    def look(self, digest: bytes, purpose: str, now_ms: int) -> Ticket | None:
        """The ticket, where it is still good; it stays so."""
        good = (_K.digest == digest, _K.purpose == purpose, _K.used_at_ms.is_(None), _K.until_ms > now_ms)
        with self._database.reading() as connection:
            row = connection.execute(_TICKET.where(*good)).one_or_none()
        return None if row is None else Ticket(*row)

    def use(self, digest: bytes, purpose: str, now_ms: int) -> Ticket | None:
        """The same, and it is good no more: of many who come with it at once, one gets it."""
        good = (_K.digest == digest, _K.purpose == purpose, _K.used_at_ms.is_(None), _K.until_ms > now_ms)
        with self._database.writing() as connection:
            used = connection.execute(update(tables.tickets).where(*good).values(used_at_ms=now_ms)).rowcount
            row = connection.execute(_TICKET.where(_K.digest == digest)).one_or_none() if used else None
        return None if row is None else Ticket(*row)

    def left(self, user_id: str, purpose: str, now_ms: int) -> int:
        """How many are still good."""
        query = _TICKET.where(
            _K.user_id == user_id, _K.purpose == purpose, _K.used_at_ms.is_(None), _K.until_ms > now_ms
        )
        with self._database.reading() as connection:
            return len(connection.execute(query).all())

    def drop(self, user_id: str, purpose: str) -> None:
        with self._database.writing() as connection:
            connection.execute(_INSTEAD, {"user_id": user_id, "purpose": purpose})


Limits = Mapping[bytes, int]
"""How many tries may fail, by the digest of what is counted; always in the same order, or two would wait for each
other."""


class SignIns:
    def __init__(self, database: Database) -> None:
        self._database = database

    def wait_ms(self, limits: Limits, within_ms: int, now_ms: int) -> int:
        """How long to wait, in ms, where no further try would be counted; 0 where one would."""
        with self._database.reading() as connection:
            found = [(connection.execute(_TRIES, {"who": who}).one_or_none(), most) for who, most in limits.items()]
        rows = ((row, most) for row, most in found if row is not None and row[1] > now_ms - within_ms)
        return max(
            (max(1, since_ms + within_ms - now_ms) for (tries, since_ms), most in rows if tries >= most), default=0
        )

    def try_(self, limits: Limits, within_ms: int, now_ms: int) -> int:
        """Count one more try with each; with none where it is one too many for any of them. How long to wait then, in
        ms; 0 where it may go on."""
        waits: list[int] = []
        try:
            with self._database.writing() as connection:
                connection.execute(_STALE, {"before_ms": now_ms - within_ms})
                for who, most in limits.items():
                    connection.execute(_TRIED, {"who": who, "now_ms": now_ms})
                    failures, since_ms = connection.execute(_TRIES, {"who": who}).one()
                    if failures > most:
                        waits.append(max(1, since_ms + within_ms - now_ms))
                if waits:
                    raise _TooMany
        except _TooMany:
            return max(waits)
        return 0

    def succeeded(self, own: bytes, *shared: bytes) -> None:
        """What was counted of their own is forgotten; of what they share with others this one try is taken back."""
        with self._database.writing() as connection:
            connection.execute(text("DELETE FROM sign_ins WHERE who = :who"), {"who": own})
            for who in shared:
                connection.execute(_TAKEN_BACK, {"who": who})


class _TooMany(Exception):
    """Rolls back what was counted."""


_S, _K = tables.sessions.c, tables.tickets.c
_WIDTH = len(Session.__struct_fields__)
_ALL = select(*(_S[name] for name in Session.__struct_fields__))
_USER = [tables.users.c[name] for name in User.__struct_fields__]
_WITH_USER = select(*(_S[name] for name in Session.__struct_fields__), *_USER).join(
    tables.users, tables.users.c.id == _S.user_id
)
_TICKET = select(*(_K[name] for name in Ticket.__struct_fields__))
_OVER = text("DELETE FROM sessions WHERE until_ms <= :now_ms")
_LAPSED = text("DELETE FROM tickets WHERE until_ms <= :now_ms")
_INSTEAD = text("DELETE FROM tickets WHERE user_id = :user_id AND purpose = :purpose")
_STALE = text("DELETE FROM sign_ins WHERE since_ms <= :before_ms")
_TRIED = text(
    "INSERT INTO sign_ins (who, failures, since_ms) VALUES (:who, 1, :now_ms)"
    " ON CONFLICT (who) DO UPDATE SET failures = sign_ins.failures + 1"
)
_TAKEN_BACK = text("UPDATE sign_ins SET failures = failures - 1 WHERE who = :who AND failures > 0")
_TRIES = text("SELECT failures, since_ms FROM sign_ins WHERE who = :who")
