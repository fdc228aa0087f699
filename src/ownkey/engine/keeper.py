"""What is written down after an answer, by a thread of its own, so that no answer waits for it."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from threading import Condition, Thread
from typing import Generic, Protocol, TypeVar

from ownkey.talk.errors import StorageUnavailable

MOST, MOST_BYTES, MOST_MARKS = 1_000, 64 << 20, 100_000
AT_ONCE, GATHERED_S = 100, 0.25
"""So many are written together, and what comes within that time: while they are, the book is not."""
TRIES, BETWEEN_S = 3, 0.5
IDLE_S = 5.0

_log = logging.getLogger("ownkey")


class Job(Protocol):
    """`size`: about how many bytes it holds in memory."""

    @property
    def size(self) -> int: ...


Each = TypeVar("Each", bound=Job)


class Keeper(Generic[Each]):
    """`write` may raise StorageUnavailable, and is asked again then; `lost` is told, on the same thread, of what could
    not be written or found no room, and why. Safe to use from many threads."""

    def __init__(self, write: Callable[[list[Each]], None], lost: Callable[[list[tuple[Each, str]]], None]) -> None:
        self._write = write
        self._lost = lost
        self._changed = Condition()
        self._queue: deque[tuple[Each, str | None]] = deque()
        self._size = 0
        self._busy = False
        self._waiting = 0
        self._thread: Thread | None = None
        self._closing = False

    def put(self, job: Each, bare: Callable[[], Each]) -> None:
        """`bare`: the same without what takes room, to be told of where there is none."""
        with self._changed:
            if len(self._queue) >= MOST_MARKS:
                _log.error("What was asked is not in the history: the database is far too slow for it.")
                return
            full = len(self._queue) >= MOST or self._size + job.size > MOST_BYTES
            self._queue.append((bare(), "queue_full") if full else (job, None))
            self._size += self._queue[-1][0].size
            if self._thread is None:
                self._thread = Thread(target=self._work, name="ownkey-memory", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def settle(self, within_s: float = 10.0) -> bool:
        """Whether all that was put before is written."""
        with self._changed:
            self._waiting += 1
            self._changed.notify_all()
            done = self._changed.wait_for(lambda: not (self._queue or self._busy), within_s)
            self._waiting -= 1
            return done

    def close(self) -> None:
        self._closing = True
        if not self.settle():
            _log.error("%d requests are not in the history: there was no time left to write them.", len(self._queue))

    def _work(self) -> None:
        try:
            self._write_all()
        except BaseException:
            # What comes next gets another thread.
            with self._changed:
                self._busy, self._thread = False, None
                self._changed.notify_all()
            raise

    def _write_all(self) -> None:
        while (batch := self._next()) is not None:
            jobs = [job for job, why in batch if why is None]
            lost = [(job, why) for job, why in batch if why is not None]
            if jobs and not self._did(partial(self._write, jobs)):
                lost += [(job, StorageUnavailable.code) for job in jobs]
            if lost and not self._did(partial(self._lost, lost)):
                _log.error("%d requests are not in the history: the database does not answer.", len(lost))

    def _next(self) -> list[tuple[Each, str | None]] | None:
        """What is to be written together; None where nothing has come for a while."""
        with self._changed:
            self._busy = False
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: bool(self._queue), IDLE_S):
                self._thread = None
                return None
            self._changed.wait_for(lambda: self._waiting > 0 or len(self._queue) >= AT_ONCE, GATHERED_S)
            batch = [self._queue.popleft() for _ in range(min(AT_ONCE, len(self._queue)))]
            self._size -= sum(job.size for job, _ in batch)
            self._busy = True
            return batch

    def _did(self, do: Callable[[], None]) -> bool:
        for tried in range(TRIES):
            try:
                do()
            except StorageUnavailable:
                if tried < TRIES - 1 and not self._closing:
                    time.sleep(BETWEEN_S)
            else:
                return True
        return False
