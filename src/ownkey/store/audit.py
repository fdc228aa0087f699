"""The audit trail: who did what, written before it is done, and never rewritten.

    with audit.within("key.removed", key_id, owner=owner, detail={"provider": "openai"}):
        store.keys.remove(key_id)

What is done in the database has its record in the same transaction, `within`. What is done elsewhere is recorded first,
by `record`. What nobody waits for, such as a fallback, is gathered by `later` and written within a second or two.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import msgspec
from msgspec import Struct, structs
from sqlalchemy import Connection

from ownkey.store.audit_actions import ACCEPTED
from ownkey.store.audit_chain import AuditKey, Row
from ownkey.store.audit_file import AnchorFile, SystemLog, TrailFile
from ownkey.store.audit_later import Later
from ownkey.store.audit_trail import SYSTEM, Actor, Record, Trail, loose
from ownkey.store.connect import Database
from ownkey.store.lock import alone
from ownkey.talk.errors import AuditUnavailable, StorageUnavailable, VaultSealed

MOST_KEPT = 1000
"""Records that only the file has taken and that still go into the database, where it answers again."""

_acting: ContextVar[Actor | None] = ContextVar("acting", default=None)


@contextmanager
def acting(actor: Actor) -> Generator[None]:
    """Whatever is recorded in here was done by that one."""
    before = _acting.set(actor)
    try:
        yield
    finally:
        _acting.reset(before)


class Sinks(Struct, frozen=True):
    """Where records go beside the database."""

    file: TrailFile | None = None
    log: SystemLog | None = None


class Audit:
    """Safe to use from many threads and in many processes at once."""

    def __init__(
        self, database: Database, keys: Callable[[], Sequence[AuditKey]], anchor: Path, sinks: Sinks | None = None
    ) -> None:
        self.trail = Trail(database)
        self.anchor = AnchorFile(anchor)
        self.sinks = sinks or Sinks()
        self.lag: str | None = None
        """Why file, log or anchor could not be written the last time; None where they could."""
        self._database = database
        self._keys = keys
        self._lock_file = anchor.parent / "run" / "audit.lock"
        self._spares: list[Record] = []
        self._turn = Lock()
        self._later = Later(self._write)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=partial(_after_fork, weakref.ref(self)))

    def record(
        self,
        action: str,
        target: str,
        *,
        owner: str | None = None,
        actor: Actor | None = None,
        detail: Mapping[str, Any] | None = None,
        outcome: str = "done",
    ) -> None:
        """Write it down: it is on disk when this returns. Without `actor` it is whoever is acting, else the owner.

        Raises AuditUnavailable where neither database nor file takes it, and VaultSealed.
        """
        self._write([self._record(action, target, owner, actor, detail, outcome)])

    @contextmanager
    def within(
        self,
        action: str,
        target: str,
        *,
        owner: str | None = None,
        actor: Actor | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> Generator[None]:
        """The next transaction in here begins with this record: both are there, or neither is. Where there is none, it
        is written at the end.

        Raises AuditUnavailable where it cannot be written, and VaultSealed.
        """
        with self._together([self._record(action, target, owner, actor, detail, "done")]):
            yield

    @contextmanager
    def all_within(
        self, target: str, actions: Mapping[str, Mapping[str, Any]], *, owner: str | None = None
    ) -> Generator[None]:
        """The same for several actions, each with its detail."""
        with self._together([self._record(name, target, owner, None, detail) for name, detail in actions.items()]):
            yield

    @contextmanager
    def around(
        self, action: str, target: str, *, owner: str | None = None, detail: Mapping[str, Any] | None = None
    ) -> Generator[dict[str, Any]]:
        """For what is done elsewhere: a record that it begins, and one of what came of it, with what is put into the
        dict that this gives. Raises AuditUnavailable and VaultSealed before anything is done."""
        told = dict(detail or {})
        self.record(action, target, owner=owner, detail=told, outcome="begun")
        try:
            yield told
        except BaseException as error:
            told["error"] = getattr(error, "code", type(error).__name__)
            self.later(action, target, owner=owner, detail=told, outcome="failed")
            raise
        self.later(action, target, owner=owner, detail=told, outcome="succeeded")

    def later(
        self,
        action: str,
        target: str,
        *,
        owner: str | None = None,
        actor: Actor | None = None,
        detail: Mapping[str, Any] | None = None,
        outcome: str = "done",
    ) -> None:
        """Write it within a second or two, on a thread of its own, and at the latest when this is closed; what is alike
        until then becomes one record that says how many times. Does not wait, and raises nothing."""
        self._later.put(self._record(action, target, owner, actor, detail, outcome))

    def accept(self, digest: str, found: Sequence[str], keys: Sequence[AuditKey], *, owner: str) -> None:
        """Let the trail go on from what it is now, which `digest` stands for; `found` says what is wrong with it.

        Raises AuditUnavailable where data folder or file cannot be written.
        """
        record = self._record(ACCEPTED, "", owner, None, {"found": found})
        told = msgspec.json.decode(record.detail, type=dict[str, msgspec.Raw]) | {"digest": digest}
        record = structs.replace(record, detail=msgspec.json.encode(told).decode())
        try:
            row = self.trail.accept(record, self._furthest(), keys)
            with self._alone():
                self.anchor.write(keys[0].sealed(row.seq, row.hash))
        except OSError as error:
            raise AuditUnavailable(f"The data folder cannot be written: {_why(error)}.") from None
        self._follow([row], keys)

    def _furthest(self) -> int:
        """The last record that anchor or file know of: no number is given twice."""
        with suppress(ValueError):
            if (anchor := self.anchor.read()) is not None:
                return max(anchor.count, self._last_in_file())
        return self._last_in_file()

    def _last_in_file(self) -> int:
        file = self.sinks.file
        return 0 if file is None else max((row.seq for row in file.lines() if row is not None), default=0)

    def keys(self) -> Sequence[AuditKey]:
        """What heads are sealed with; the first for new ones. Raises VaultSealed."""
        return self._keys()

    def close(self) -> None:
        """Everything that was to be written later is written when this returns, unless the database does not answer."""
        self._later.close()
        if self.sinks.log is not None:
            self.sinks.log.close()

    def _record(
        self,
        action: str,
        target: str,
        owner: str | None,
        actor: Actor | None,
        detail: Mapping[str, Any] | None,
        outcome: str = "done",
    ) -> Record:
        by = actor or _acting.get() or (SYSTEM if owner is None else Actor("owner", owner))
        return Record.of(action, target, by, detail or {}, outcome)

    def _write(self, records: Sequence[Record]) -> None:
        keys = self._keys_for(records)
        with self._turn:
            kept, self._spares = (self._spares, []) if keys else ([], self._spares)
        every = [*kept, *records]
        try:
            with self._database.writing() as connection:
                rows = self.trail.append(connection, every, keys)
        except (StorageUnavailable, AuditUnavailable) as error:
            with self._turn:
                self._spares = kept + self._spares
            self._spare(records, error)
        else:
            self._follow(rows, keys)

    @contextmanager
    def _together(self, records: Sequence[Record]) -> Generator[None]:
        if not records:
            yield
            return
        keys = self._keys_for(records)
        rows: list[Row] = []

        def write(connection: Connection) -> None:
            rows[:] = self.trail.append(connection, records, keys)

        with self._database.begun_with(write) as begun:
            try:
                yield
            finally:
                if begun.done:
                    self._follow(rows, keys)
        if not rows:
            self._write(records)

    def _keys_for(self, records: Sequence[Record]) -> Sequence[AuditKey]:
        try:
            return self._keys()
        except VaultSealed:
            if all(record.narrows for record in records):
                return ()
            raise

    def _spare(self, records: Sequence[Record], error: StorageUnavailable | AuditUnavailable) -> None:
        """The file suffices where the database does not take them. Raises AuditUnavailable where it does not either."""
        file = self.sinks.file
        try:
            if file is None:
                raise AuditUnavailable(error.message, error.hint)
            with self._alone():
                for record in records:
                    file.spare(loose(record))
        except (OSError, StorageUnavailable) as wrong:
            both = f"{error.message} Nor does the file {file.path if file else ''} take anything ({_why(wrong)})."
            raise AuditUnavailable(both, error.hint) from None
        with self._turn:
            self._spares = [*self._spares, *records][-MOST_KEPT:]

    def _follow(self, rows: Sequence[Row], keys: Sequence[AuditKey]) -> None:
        """Bring everything beside the database up to it. That one of them cannot be written stops nobody."""
        lag: str | None = None
        try:
            with self._alone():
                if self.sinks.file is not None:
                    self.sinks.file.follow(self.trail.every)
                if keys:
                    self._remember(rows[-1], keys[0])
        except (OSError, StorageUnavailable) as error:
            lag = _why(error)
        try:
            if self.sinks.log is not None:
                self.sinks.log.tell(rows)
        except OSError as error:
            lag = f"the system's log: {_why(error)}"
        self.lag = lag

    def _remember(self, last: Row, key: AuditKey) -> None:
        """A head that cannot be true beside the one that is remembered does not take its place: both are evidence."""
        with suppress(ValueError):
            before = self.anchor.read()
            if before is not None and (before.count >= last.seq or self.trail.hash_at(before.count) != before.hash):
                return
            self.anchor.write(key.sealed(last.seq, last.hash))

    @contextmanager
    def _alone(self) -> Generator[None]:
        self._lock_file.parent.mkdir(mode=0o700, exist_ok=True)
        with self._turn, alone(self._lock_file):
            yield

    def _forget(self) -> None:
        """In a forked child: what waits is the parent's to write."""
        self._turn = Lock()
        self._spares = []
        self._later = Later(self._write)


def _why(error: OSError | StorageUnavailable) -> str:
    return error.message if isinstance(error, StorageUnavailable) else (error.strerror or type(error).__name__)


def _after_fork(audit: weakref.ref[Audit]) -> None:
    if (mine := audit()) is not None:
        mine._forget()  # pyright: ignore[reportPrivateUsage]
