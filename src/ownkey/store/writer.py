"""The one thread of a process that writes the book: what waits goes into one transaction, and all are told at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread

from ownkey.store.connect import unavailable
from ownkey.store.pen import Ending, Hold, Pen
from ownkey.talk.errors import StorageUnavailable

_RETRY_S = 0.25
_MOST_AT_ONCE = 1024

Waiting = tuple[Hold | None, "asyncio.Future[None]"]
"""A hold and who waits for it; without one, who waits until everything before is on disk."""
_Told = list[tuple["asyncio.Future[None]", str | None]]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Writer:
    """Takes holds and endings from any thread. What is put first is written first.

    Where the database does not answer, holds fail, and endings are kept and tried again until they are written.
    """

    def __init__(self, open_pen: Callable[[], Pen]) -> None:
        self._open_pen = open_pen
        self._queue: SimpleQueue[list[Waiting | Ending] | None] = SimpleQueue()
        self.put = self._queue.put
        self._holds: list[Waiting] = []
        self._drains: list[asyncio.Future[None]] = []
        self._endings: list[Ending] = []
        self._pen: Pen | None = None
        self._stopping = False
        self._thread = Thread(target=self._run, name="ownkey-book", daemon=True)
        self._thread.start()

    def stop(self, wait_s: float) -> None:
        """Write what was put, as far as the database lets, and end the thread."""
        self.put(None)
        self._thread.join(wait_s)

    def leave(self) -> None:
        """In a forked child, where this thread does not run: nothing here is used, closed or written."""
        if self._pen is not None:
            self._pen.leave()

    def _run(self) -> None:
        while not self._stopping:
            self._collect()
            try:
                self._write()
            except StorageUnavailable as error:
                self._give_up(error)
            except Exception as error:  # noqa: BLE001  whatever happens, nobody may wait for ever
                self._give_up(unavailable(error))
        if self._pen is not None:
            self._pen.close()
        self._tell([(future, "The book was closed before it could write.") for future in self._drains])

    def _collect(self) -> None:
        """Wait for something to do, and take all that is there."""
        try:
            self._take(self._queue.get(timeout=_RETRY_S if self._endings or self._drains else None))
            for _ in range(min(self._queue.qsize(), _MOST_AT_ONCE)):
                self._take(self._queue.get_nowait())
        except Empty:
            pass

    def _take(self, batch: list[Waiting | Ending] | None) -> None:
        if batch is None:
            self._stopping = True
            return
        for item in batch:
            if isinstance(item, Ending):
                self._endings.append(item)
            elif item[0] is None:
                self._drains.append(item[1])
            else:
                self._holds.append(item)

    def _write(self) -> None:
        holds = [hold for hold, _ in self._holds if hold is not None]
        endings = self._endings
        if len(endings) > 1:
            endings = list({ending.id: ending for ending in reversed(endings)}.values())
        told: _Told
        if holds or endings:
            pen = self._pen = self._pen or self._open_pen()
            try:
                pen.write(holds, endings)
                told = [(future, None) for _, future in self._holds]
            except StorageUnavailable:
                raise
            except Exception:  # noqa: BLE001  one row that no database would keep must not take the others with it
                told = self._write_singly(pen)
        else:
            told = []
        told += [(future, None) for future in self._drains]
        self._holds, self._endings, self._drains = [], [], []
        self._tell(told)

    def _write_singly(self, pen: Pen) -> _Told:
        told: _Told = []
        while self._holds:
            hold, future = self._holds[0]
            refusal = None
            try:
                pen.write([hold] if hold is not None else [], [])
            except StorageUnavailable:
                self._tell(told)
                raise
            except Exception as error:  # noqa: BLE001
                refusal = f"The book cannot keep this hold: {type(error).__name__}."
            told.append((future, refusal))
            self._holds.pop(0)
        while self._endings:
            try:
                pen.write([], [self._endings[0]])
            except StorageUnavailable:
                self._tell(told)
                raise
            except Exception:  # noqa: BLE001
                self._assume(pen, self._endings[0].id)
            self._endings.pop(0)
        return told

    def _assume(self, pen: Pen, id: str) -> None:
        """An id that cannot even be written is in no row."""
        try:
            pen.assume(id, now_ms())
        except StorageUnavailable:
            raise
        except Exception:  # noqa: BLE001
            return

    def _give_up(self, error: StorageUnavailable) -> None:
        """Every hold that waits by now fails. One whose commit was cut off may be there yet: it is released."""
        while not self._queue.empty():
            self._take(self._queue.get_nowait())
        if self._pen is not None:
            self._pen.close()
            self._pen = None
            self._endings += [Ending(hold.id, "released", ended_at_ms=now_ms()) for hold, _ in self._holds if hold]
        told: _Told = [(future, error.message) for _, future in self._holds]
        self._holds = []
        self._tell(told)

    def _tell(self, told: _Told) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, _Told] = {}
        for future, refusal in told:
            by_loop.setdefault(future.get_loop(), []).append((future, refusal))
        for loop, its in by_loop.items():
            try:
                loop.call_soon_threadsafe(_resolve, its)
            except RuntimeError:
                # The loop is closed and nobody waits any more; what it held ends with this process.
                continue


def _resolve(told: _Told) -> None:
    for future, refusal in told:
        if future.done():
            continue
        if refusal is None:
            future.set_result(None)
        else:
            future.set_exception(StorageUnavailable(refusal, "Nothing was sent. Try again when the database answers."))
