"""What answers teach of the targets that gave them: heard on the way, kept now and then, never waited for."""

from __future__ import annotations

import random
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from msgspec import Struct, field

from ownkey.routing.choose import Known, Placed, scores
from ownkey.routing.learn import ALL, THUMB_WEIGHT, Learned, Lesson, explained, reward_of
from ownkey.store.book import Hold
from ownkey.store.entry import Ending
from ownkey.store.learned import LearnedTable, Thumb
from ownkey.talk.errors import ContentRefused, ContextTooLong, RequestRefused, StorageUnavailable
from ownkey.talk.money import NANO_PER_USD

KEPT_EVERY_S = 15.0
MOST_OWNERS, MOST_ASKED, MOST_UNKEPT = 1_000, 10_000, 5_000

_OF_THE_REQUEST = frozenset({RequestRefused.code, ContextTooLong.code, ContentRefused.code})
"""Errors that say nothing of who answered so."""


class _Known(Struct):
    """Of one person: what is known, and the lessons of it that are not kept yet."""

    learned: Learned = field(default_factory=Learned)
    unkept: list[Lesson] = field(default_factory=list[Lesson])
    due_s: float = 0.0


class Lessons:
    """Safe to use from many threads."""

    def __init__(self, table: LearnedTable) -> None:
        self._table = table
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._asked: OrderedDict[str, tuple[str, str]] = OrderedDict()
        self._lock = threading.Lock()
        self._thread: ThreadPoolExecutor | None = None

    def order(self, owner: str, kind: str, known: Sequence[Known]) -> list[Placed]:
        """Whom to ask, by what was learned from this person's requests of that kind."""
        with self._lock:
            mine = self._of(owner)
            prior = dict(zip((one.name for one in known), scores(known), strict=True))
            chosen = mine.learned.choose(kind, prior, random.gauss)
            self._keep_soon(owner, mine)
        places = {one.name: place for place, one in enumerate(known)}
        told = explained(chosen, kind)
        return [Placed(places[one.name], why) for one, why in zip(chosen, told, strict=True)]

    def asked(self, request_id: str, owner: str, kind: str) -> None:
        """What comes of this request is to be learned from."""
        with self._lock:
            self._asked[request_id] = (owner, kind)
            if len(self._asked) > MOST_ASKED:
                self._asked.popitem(last=False)

    def ended(self, hold: Hold, ending: Ending) -> None:
        """A try has ended. One that nobody waited for teaches nothing, and neither does one that could not begin."""
        if not self._asked:
            return
        with self._lock:
            asked = self._asked.get(hold.request_id)
            left = ending.error is None and ending.state in ("assumed", "released")
            if asked is None or left or ending.error in _OF_THE_REQUEST:
                return
            owner, kind = asked
            cost = ending.cost_nano / NANO_PER_USD if hold.priced else None
            succeeded = ending.error is None
            reward = reward_of(succeeded=succeeded, total_s=(ending.total_ms or 0) / 1000, cost_usd=cost)
            lesson = Lesson(kind, f"{hold.provider}/{hold.model}", reward)
            mine = self._of(owner)
            mine.learned.learn(lesson)
            mine.unkept.append(lesson)
            if len(mine.unkept) >= MOST_UNKEPT:
                mine.due_s = 0.0
                self._keep_soon(owner, mine)

    def now(self, owner: str) -> Learned:
        """What is known, with what was said and not learned from yet. Asks the store."""
        self._keep(owner)
        with self._lock:
            mine = self._of(owner)
            mine.due_s = time.monotonic() + KEPT_EVERY_S
            return mine.learned

    def forget(self, owner: str) -> None:
        with self._lock:
            self._known.pop(owner, None)
        self._table.forget(owner)

    def close(self) -> None:
        """What is not kept yet is kept now, if the store answers."""
        if self._thread is not None:
            self._thread.shutdown(wait=True)
        with self._lock:
            left = [owner for owner, mine in self._known.items() if mine.unkept]
        for owner in left:
            self._keep(owner)

    def _of(self, owner: str) -> _Known:
        mine = self._known.get(owner)
        if mine is None:
            mine = self._known[owner] = _Known()
            if len(self._known) > MOST_OWNERS:
                other = next((one for one, known in self._known.items() if not known.unkept), owner)
                if other != owner:
                    del self._known[other]
        self._known.move_to_end(owner)
        return mine

    def _keep_soon(self, owner: str, mine: _Known) -> None:
        now_s = time.monotonic()
        if now_s < mine.due_s:
            return
        mine.due_s = now_s + KEPT_EVERY_S
        self._thread = self._thread or ThreadPoolExecutor(1, "lessons")
        self._thread.submit(self._keep, owner)

    def _keep(self, owner: str) -> None:
        """What the store cannot take now it is given the next time."""
        with self._lock:
            mine = self._of(owner)
            lessons, mine.unkept = mine.unkept, []
        try:
            learned = self._table.learn(owner, lessons, partial(self._of_thumb, owner))
        except StorageUnavailable:
            with self._lock:
                mine.unkept = [*lessons, *mine.unkept][-MOST_UNKEPT:]
            return
        with self._lock:
            for lesson in mine.unkept:
                learned.learn(lesson)
            mine.learned = learned

    def _of_thumb(self, owner: str, thumb: Thumb) -> Lesson:
        """Of which kind the request was is known here for as long as it is remembered."""
        asked = self._asked.get(thumb.request_id)
        kind = asked[1] if asked is not None and asked[0] == owner else ALL
        return Lesson(kind, thumb.target, 1.0 if thumb.up else 0.0, THUMB_WEIGHT)
