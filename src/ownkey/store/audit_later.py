"""Records that nobody waits for: gathered, and written together by a thread of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Condition, Thread

import msgspec
from msgspec import structs

from ownkey.store.audit_trail import Record
from ownkey.talk.errors import AuditUnavailable, StorageUnavailable, VaultSealed

GATHERED_S = 1.0
RETRY_S = 5.0
CLOSE_S = 15.0
MOST = 10_000
"""So many different records wait at most; of more than that, later ones are dropped while the database is away."""

_Alike = tuple[str, str, str, str, str, str]


class Later:
    """`write` is called on the thread, with what came in the last second; where it fails it is tried again."""

    def __init__(self, write: Callable[[Sequence[Record]], None]) -> None:
        self._write = write
        self._turn = Condition()
        self._waiting: dict[_Alike, tuple[Record, int]] = {}
        self._thread: Thread | None = None
        self._closing = False

    def put(self, record: Record) -> None:
        actor = record.actor
        alike = (record.action, record.target, actor.kind, actor.id, record.outcome, record.detail)
        with self._turn:
            if (there := self._waiting.get(alike)) is not None:
                self._waiting[alike] = there[0], there[1] + 1
                return
            if len(self._waiting) >= MOST:
                return
            self._waiting[alike] = record, 1
            if self._thread is None and not self._closing:
                self._thread = Thread(target=self._run, name="ownkey-audit", daemon=True)
                self._thread.start()
            self._turn.notify()

    def close(self) -> None:
        """Write what waits, tried once, and end the thread."""
        with self._turn:
            self._closing = True
            self._turn.notify()
        if self._thread is not None:
            self._thread.join(CLOSE_S)

    def _run(self) -> None:
        pause_s = GATHERED_S
        while True:
            with self._turn:
                while not self._waiting and not self._closing:
                    self._turn.wait()
                if not self._closing:
                    self._turn.wait_for(lambda: self._closing, pause_s)
                closing, taken = self._closing, self._waiting
                self._waiting = {}
            pause_s = GATHERED_S if self._written(taken) else RETRY_S
            if closing:
                return

    def _written(self, taken: dict[_Alike, tuple[Record, int]]) -> bool:
        if not taken:
            return True
        try:
            self._write([_told(record, times) for record, times in taken.values()])
        except (AuditUnavailable, StorageUnavailable, VaultSealed):
            with self._turn:
                for alike, (record, times) in taken.items():
                    _, more = self._waiting.pop(alike, (record, 0))
                    self._waiting[alike] = record, times + more
            return False
        return True


def _told(record: Record, times: int) -> Record:
    if times == 1:
        return record
    detail = msgspec.json.decode(record.detail, type=dict[str, msgspec.Raw]) | {"times": times}
    return structs.replace(record, detail=msgspec.json.encode(detail).decode())
