"""Requests that wait for a person's yes, in this process. A crash loses the waiting, and nothing was held meanwhile."""

from __future__ import annotations

import asyncio
import secrets
import time
from threading import Lock

from msgspec import Struct

from ownkey.talk.consent import Estimate, Reason
from ownkey.talk.errors import ConsentRequired, NotFound

LONGEST_S = 600.0
MOST_OF_ONE, MOST = 8, 256
"""Of one person, and of all."""


class Waiting(Struct, frozen=True):
    """`model` is what was asked for; from `since_ms` to `until_ms` it waits."""

    id: str
    owner: str
    model: str
    automation: str | None
    reasons: tuple[Reason, ...]
    quote: Estimate | None
    since_ms: int
    until_ms: int


class _Place(Struct, frozen=True):
    waiting: Waiting
    decided: asyncio.Future[bool]
    loop: asyncio.AbstractEventLoop


class WaitingRoom:
    """Asked by requests on their event loop, and decided from any thread."""

    def __init__(self) -> None:
        self._places: dict[str, _Place] = {}
        self._lock = Lock()

    async def wait(
        self, owner: str, model: str, automation: str | None, error: ConsentRequired, gone: asyncio.Future[bool]
    ) -> bool | None:
        """Whether it may go on; None where nobody said within its time, there is no room to wait in, or `gone` came
        first, which is that of the client."""
        now_ms = time.time_ns() // 1_000_000
        id = f"wait_{secrets.token_hex(8)}"
        until_ms = now_ms + int(LONGEST_S * 1000)
        waiting = Waiting(id, owner, model, automation, error.reasons, error.quote, now_ms, until_ms)
        loop = asyncio.get_running_loop()
        place = _Place(waiting, loop.create_future(), loop)
        with self._lock:
            mine = sum(other.waiting.owner == owner for other in self._places.values())
            if mine >= MOST_OF_ONE or len(self._places) >= MOST:
                return None
            self._places[id] = place
        try:
            done, _ = await asyncio.wait((place.decided, gone), timeout=LONGEST_S, return_when=asyncio.FIRST_COMPLETED)
            return place.decided.result() if place.decided in done else None
        finally:
            with self._lock:
                self._places.pop(id, None)

    def listed(self, owner: str) -> list[Waiting]:
        """This person's, the longest waiting first."""
        with self._lock:
            return [place.waiting for place in self._places.values() if place.waiting.owner == owner]

    def get(self, owner: str, id: str) -> Waiting:
        """Raises NotFound, of somebody else's too."""
        return self._place(owner, id).waiting

    def decide(self, owner: str, id: str, yes: bool) -> None:
        """Let it go on, or not. Raises NotFound where it waits no more."""
        with self._lock:
            place = self._place(owner, id)
            del self._places[id]
        place.loop.call_soon_threadsafe(_decide, place.decided, yes)

    def _place(self, owner: str, id: str) -> _Place:
        place = self._places.get(id)
        if place is None or place.waiting.owner != owner:
            raise NotFound("There is no such request waiting.", "The list shows those that are.")
        return place


def _decide(decided: asyncio.Future[bool], yes: bool) -> None:
    if not decided.done():
        decided.set_result(yes)
