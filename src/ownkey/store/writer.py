"""The one who writes the book: what waits goes into one transaction, and all are told at once.

Where the database is quick it is written on the event loop that brings it, else on a thread of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from threading import Condition, Thread

from ownkey.store.connect import unavailable
from ownkey.store.entry import Ending
from ownkey.store.pen import Pen
from ownkey.store.posting import Verdict, Wish
from ownkey.talk.errors import StorageUnavailable

_RETRY_S = 0.25

# On an event loop a write keeps everything else waiting. Slower than this, on average or once, it goes to the thread,
# for a second at first and for longer each time that it is still slow.
_QUICK_S = 0.004
_TOO_SLOW_S = 0.05
_APART_S = 1.0
_MOST_APART_S = 60.0

Waiting = tuple[Wish | None, "asyncio.Future[Verdict | None]"]
"""A hold that is asked for and who waits; without one, who waits until everything before is on disk."""
Gathered = deque[Waiting | Ending]
"""What one thread has put, in its order. Only its own thread adds to it; under the writer's lock all of it is taken."""
_Told = list[tuple["asyncio.Future[Verdict | None]", Verdict | str | None]]
"""The verdict, or in words why there is none."""


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Writer:
    """Takes holds and endings from any thread. What is put first is written first.

    Where the database does not answer, holds fail, and endings are kept and tried again until they are written.
    """

    def __init__(self, open_pen: Callable[[], Pen]) -> None:
        self._open_pen = open_pen
        self._turn = Condition()
        self._batches: deque[list[Waiting | Ending]] = deque()
        self._busy = False
        self._stopping = False
        self._ended = False
        self._holds: list[Waiting] = []
        self._drains: list[asyncio.Future[Verdict | None]] = []
        self._endings: list[Ending] = []
        self._pen: Pen | None = None
        self._gave_up = False
        self._usual_s = 0.0
        self._apart_s = _APART_S
        self._apart_until_s = 0.0
        self._thread = Thread(target=self._run, name="ownkey-book", daemon=True)
        self._thread.start()

    def put(self, gathered: Gathered) -> None:
        """The thread writes it."""
        with self._turn:
            refused = self._queue(_drawn(gathered))
        self._tell(refused, None)

    def put_here(self, gathered: Gathered, loop: asyncio.AbstractEventLoop) -> None:
        """Write it now, on this event loop, where that is quick and nobody else is at it; else the thread writes it."""
        apart = time.monotonic() < self._apart_until_s
        refused: _Told = []
        with self._turn:
            batch = _drawn(gathered)
            if not batch:
                return
            taken = apart or self._busy or self._stopping or self._batches or self._left
            free = not taken and self._pen is not None and self._pen.here
            if free:
                self._busy = True
            else:
                refused = self._queue(batch)
        if free:
            self._write_here(batch, loop)
        elif refused:
            self._tell(refused, None)

    def stop(self, wait_s: float) -> None:
        """Write what was put, as far as the database lets, which is tried once more, and end the thread."""
        with self._turn:
            self._stopping = True
            self._gave_up = False
            self._turn.notify()
        self._thread.join(wait_s)

    def leave(self) -> None:
        """In a forked child, where this thread does not run: nothing here is used, closed or written."""
        if self._pen is not None:
            self._pen.leave()

    @property
    def _left(self) -> bool:
        """Whether something was taken and not written."""
        return bool(self._holds or self._endings or self._drains)

    def _queue(self, batch: list[Waiting | Ending]) -> _Told:
        """Who has to be told that there is no thread any more."""
        if self._ended:
            return [(item[1], "The book is closed.") for item in batch if isinstance(item, tuple)]
        if batch:
            self._batches.append(batch)
            self._turn.notify()
        return []

    def _write_here(self, batch: list[Waiting | Ending], loop: asyncio.AbstractEventLoop) -> None:
        began_s = time.monotonic()
        self._take(batch)
        try:
            assert self._pen is not None
            self._pen.wait_for_others(False)
            self._write(loop)
        except Exception:  # noqa: BLE001  the thread tries it again, and says what is wrong
            self._usual_s = _TOO_SLOW_S
        finally:
            self._measure(began_s)
            self._done()

    def _measure(self, began_s: float) -> None:
        now_s = time.monotonic()
        self._usual_s = 0.9 * self._usual_s + 0.1 * (now_s - began_s)
        if self._usual_s > _QUICK_S or now_s - began_s > _TOO_SLOW_S:
            self._apart_until_s = now_s + self._apart_s
            self._apart_s = min(2 * self._apart_s, _MOST_APART_S)
            self._usual_s = 0.0
        elif self._apart_s > _APART_S and now_s > self._apart_until_s + self._apart_s:
            self._apart_s = _APART_S

    def _run(self) -> None:
        while self._collect():
            try:
                if self._left:
                    self._pen = self._pen or self._open_pen()
                    self._pen.wait_for_others(True)
                    self._write(None)
                if self._pen is not None and self._pen.untidy:
                    self._pen.tidy()
            except StorageUnavailable as error:
                self._give_up(error)
            except Exception as error:  # noqa: BLE001  whatever happens, nobody may wait for ever
                self._give_up(unavailable(error))
            self._done()
        if self._pen is not None:
            self._pen.close()
        self._tell([(future, "The book was closed before it could write.") for future in self._drains], None)

    def _collect(self) -> bool:
        """Wait for something to do, take all that is there, and keep others out; False: it is time to end."""
        with self._turn:
            if self._gave_up and self._left and not self._batches and not self._stopping:
                self._turn.wait(_RETRY_S)
            while self._busy or not (self._batches or self._left or self._stopping or self._untidy):
                self._turn.wait()
            if self._stopping and not self._batches and (self._gave_up or not self._left):
                self._ended = True
                return False
            self._busy = True
            while self._batches:
                self._take(self._batches.popleft())
        return True

    @property
    def _untidy(self) -> bool:
        return self._pen is not None and self._pen.untidy

    def _done(self) -> None:
        with self._turn:
            self._busy = False
            if self._batches or self._left or self._untidy or self._stopping:
                self._turn.notify()

    def _take(self, batch: list[Waiting | Ending]) -> None:
        for item in batch:
            if isinstance(item, Ending):
                self._endings.append(item)
            elif item[0] is None:
                self._drains.append(item[1])
            else:
                self._holds.append(item)

    def _write(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """All that was taken, but for endings of what is held only now: they are the next to be written, and who waits
        until everything is on disk waits for them too. `loop` is the one it runs on, if any."""
        wishes = [wish for wish, _ in self._holds if wish is not None]
        endings, late = _apart(self._endings, wishes)
        told: _Told
        if wishes or endings:
            pen = self._pen
            assert pen is not None
            try:
                verdicts = pen.write(wishes, endings)
                told = [(future, verdict) for (_, future), verdict in zip(self._holds, verdicts, strict=True)]
            except StorageUnavailable:
                raise
            except Exception:  # noqa: BLE001  one row that no database would keep must not take the others with it
                told, late = self._write_singly(pen), []
        else:
            told = []
        self._holds, self._endings = [], late
        if not late:
            told += [(future, None) for future in self._drains]
            self._drains = []
        self._gave_up = False
        self._tell(told, loop)

    def _write_singly(self, pen: Pen) -> _Told:
        told: _Told = []
        while self._holds:
            wish, future = self._holds[0]
            verdict: Verdict | str | None = None
            try:
                if wish is not None:
                    verdict = pen.write([wish], [])[0]
            except StorageUnavailable:
                self._tell(told, None)
                raise
            except Exception as error:  # noqa: BLE001
                verdict = f"The book cannot keep this hold: {type(error).__name__}."
            told.append((future, verdict))
            self._holds.pop(0)
        while self._endings:
            try:
                pen.write([], [self._endings[0]])
            except StorageUnavailable:
                self._tell(told, None)
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
        self._gave_up = True
        with self._turn:
            while self._batches:
                self._take(self._batches.popleft())
        if self._pen is not None:
            self._pen.close()
            self._pen = None
            self._endings += [Ending(wish.hold.id, "released", ended_at_ms=now_ms()) for wish, _ in self._holds if wish]
        told: _Told = [(future, error.message) for _, future in self._holds]
        self._holds = []
        self._tell(told, None)

    def _tell(self, told: _Told, here: asyncio.AbstractEventLoop | None) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, _Told] = {}
        for future, refusal in told:
            by_loop.setdefault(future.get_loop(), []).append((future, refusal))
        for loop, its in by_loop.items():
            if loop is here:
                _resolve(its)
                continue
            try:
                loop.call_soon_threadsafe(_resolve, its)
            except RuntimeError:
                # The loop is closed and nobody waits any more; what it held ends with this process.
                continue


def _apart(endings: list[Ending], wishes: list[Wish]) -> tuple[list[Ending], list[Ending]]:
    """What ended makes room before anything is held; what was given up before it was held comes after, by itself."""
    if len(endings) > 1:
        endings = list({ending.id: ending for ending in reversed(endings)}.values())
    asked = {wish.hold.id for wish in wishes} if endings else set[str]()
    if asked.isdisjoint(ending.id for ending in endings):
        return endings, []
    return [one for one in endings if one.id not in asked], [one for one in endings if one.id in asked]


def _drawn(gathered: Gathered) -> list[Waiting | Ending]:
    return [gathered.popleft() for _ in range(len(gathered))]


def _resolve(told: _Told) -> None:
    for future, verdict in told:
        if future.done():
            continue
        if isinstance(verdict, str):
            future.set_exception(StorageUnavailable(verdict, "Nothing was sent. Try again when the database answers."))
        else:
            future.set_result(verdict)
