"""People: who they are, what they may do, and whether they still may."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, structs
from sqlalchemy import Connection, delete, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from ownkey.store import tables
from ownkey.store.connect import Database
from ownkey.talk.errors import Conflict

Role = Literal["owner", "admin", "member", "viewer"]
Status = Literal["active", "suspended"]

KEEPERS = ("owner", "admin")
"""Who may change what is everybody's. One of them who is active always stays."""


class User(Struct, frozen=True):
    """`password` is its digest by Argon2id. `totp_step` is None where no second factor is asked for."""

    id: str
    name: str
    email: str | None
    role: Role
    status: Status
    password: str | None
    totp_step: int | None
    created_at_ms: int

    @property
    def keeper(self) -> bool:
        return self.role in KEEPERS


class People:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, user: User) -> None:
        """Raises Conflict where somebody has that e-mail address."""
        try:
            with self._database.writing() as connection:
                connection.execute(insert(tables.users).values(structs.asdict(user)))
        except IntegrityError:
            raise _taken() from None

    def get(self, id: str) -> User | None:
        with self._database.reading() as connection:
            row = connection.execute(_ALL.where(_T.id == id)).one_or_none()
        return None if row is None else User(*row)

    def may_ask(self, owner: str) -> bool:
        """Whether models may be asked for this person, or for an application's user of theirs. An owner who has no
        account is a member."""
        user = self.get(owner.partition("/")[0])
        return user is None or (user.status == "active" and user.role != "viewer")

    def by_email(self, email: str) -> User | None:
        """`email` as it is kept: folded."""
        with self._database.reading() as connection:
            row = connection.execute(_ALL.where(_T.email == email)).one_or_none()
        return None if row is None else User(*row)

    def all(self) -> list[User]:
        with self._database.reading() as connection:
            return [User(*row) for row in connection.execute(_ALL.order_by(_T.created_at_ms, _T.id)).all()]

    def change(self, id: str, **columns: Any) -> User | None:
        """As they are afterwards; None where there is nobody of that id.

        Raises Conflict where no active keeper would be left, or the e-mail address is somebody else's.
        """
        try:
            with self._database.writing() as connection:
                _one_by_one(connection)
                connection.execute(update(tables.users).where(_T.id == id).values(**columns))
                keep_a_keeper(connection)
                row = connection.execute(_ALL.where(_T.id == id)).one_or_none()
        except IntegrityError:
            raise _taken() from None
        return None if row is None else User(*row)

    def take_step(self, id: str, step: int) -> bool:
        """Note the step of a one-time code as used. False where it or a later one was already: a code is good once."""
        with self._database.writing() as connection:
            taken = update(tables.users).where(_T.id == id, _T.totp_step < step).values(totp_step=step)
            return connection.execute(taken).rowcount == 1

    def known_as(self, issuer: str, subject: str) -> User | None:
        """Whom an issuer calls so."""
        mine = select(_I.user_id).where(_I.issuer == issuer, _I.subject == subject).scalar_subquery()
        with self._database.reading() as connection:
            row = connection.execute(_ALL.where(_T.id == mine)).one_or_none()
        return None if row is None else User(*row)

    def know_as(self, id: str, issuer: str, subject: str, now_ms: int) -> None:
        """From now on it is they whom the issuer calls so; who was there before stays."""
        values = {"issuer": issuer, "subject": subject, "user_id": id, "now_ms": now_ms}
        with self._database.writing() as connection:
            connection.execute(_KNOWN_AS, values)

    def remove(self, id: str) -> bool:
        """The person, with keys, tokens, sessions and whatever else opens something. What the book says of them stays.

        What was remembered for them goes too, with the key that it is sealed under. Of an embedding application's users
        keys and memory go as well. Raises Conflict where no active keeper would be left.
        """
        with self._database.writing() as connection:
            _one_by_one(connection)
            found = connection.execute(delete(tables.users).where(_T.id == id)).rowcount > 0
            keep_a_keeper(connection)
            named = _named(id)
            for statement in _REMOVED:
                connection.execute(text(statement), named)
        return found


_T, _I = tables.users.c, tables.identities.c
_KNOWN_AS = text(
    "INSERT INTO identities (issuer, subject, user_id, created_at_ms) VALUES (:issuer, :subject, :user_id, :now_ms)"
    " ON CONFLICT DO NOTHING"
)
_ALL = select(*(_T[name] for name in User.__struct_fields__))
_THEIRS = (
    *("routes", "learned", "thumbs", "preferences", "consents", "consents_used"),
    *("memory_terms", "history", "cached", "automation_runs", "automation_defaults", "automations"),
    *("batches", "files", "onboarding", "agreements", "page_tokens"),
)
"""Tables of what is somebody's, or an application's user's of theirs, and goes with them."""

_SEALED = ("memory", "runs", "boxes")
"""What the keys are for that some of it is sealed under: they stand under the person's id after that word."""

_REMOVED = (
    "DELETE FROM sessions WHERE user_id = :id",
    "DELETE FROM tickets WHERE user_id = :id",
    "DELETE FROM identities WHERE user_id = :id",
    "DELETE FROM passkeys WHERE user_id = :id",
    "DELETE FROM grants WHERE user_id = :id",
    "DELETE FROM limits WHERE owner = :id OR substr(owner, 1, length(:users)) = :users",
    "DELETE FROM limits WHERE kind = 'user' AND name = :id",
    "DELETE FROM limits WHERE kind = 'token' AND name IN (SELECT id FROM tokens WHERE owner = :id)",
    "DELETE FROM limits WHERE kind = 'key' AND name IN (SELECT id FROM keys WHERE owner = :id)",
    *(
        f"DELETE FROM {part} WHERE {whole}_id IN (SELECT id FROM {table}"  # noqa: S608
        " WHERE owner = :id OR substr(owner, 1, length(:users)) = :users)"
        for part, whole, table in (
            ("batch_lines", "batch", "batches"),
            ("batch_parts", "batch", "batches"),
            ("file_parts", "file", "files"),
        )
    ),
    "DELETE FROM keys WHERE owner IN (:id, :totp) OR substr(owner, 1, length(:users)) = :users",
    *(
        f"DELETE FROM {table} WHERE owner = :id OR substr(owner, 1, length(:users)) = :users"  # noqa: S608
        for table in _THEIRS
    ),
    *(
        f"DELETE FROM keys WHERE owner = :{kind} OR substr(owner, 1, length(:{kind}_users)) = :{kind}_users"  # noqa: S608
        for kind in _SEALED
    ),
    "DELETE FROM token_terms WHERE token_id IN (SELECT id FROM tokens WHERE owner = :id)",
    "DELETE FROM tokens WHERE owner = :id",
)


def _named(id: str) -> dict[str, str]:
    sealed = {kind: f"{kind}:{id}" for kind in _SEALED}
    return {
        "id": id,
        "totp": f"totp:{id}",
        "users": f"{id}/",
        **sealed,
        **{f"{kind}_users": f"{owner}/" for kind, owner in sealed.items()},
    }


def _one_by_one(connection: Connection) -> None:
    """Two who take each other's role at once would both find the other in office."""
    if connection.dialect.name != "sqlite":
        connection.execute(text("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE"))


def keep_a_keeper(connection: Connection) -> None:
    """Raises Conflict where no active keeper is left."""
    kept = select(func.count()).select_from(tables.users).where(_T.role.in_(KEEPERS), _T.status == "active")
    if not connection.execute(kept).scalar_one():
        raise Conflict("Nobody would be left who can change this back.", "Make somebody else an owner or admin first.")


def _taken() -> Conflict:
    return Conflict("Somebody has this e-mail address already.", "Take another one.", param="email")
