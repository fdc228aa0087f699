"""`GET /api/events`: what happens, told to pages as it does (HTML, Server-sent events).

`ready`    listening began: read everything anew, what happened before is not told
`usage`    a try ended, with what it cost
`health`   a target answers otherwise than before, or a provider was probed
`alert`    there is a new one
`reset`    some were left out, because they came faster than they were read: read everything anew
`ended`    whoever listens may not any more
"""

from __future__ import annotations

import asyncio
import time
from asyncio import Task
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress

import msgspec

from ownkey.app.house import House
from ownkey.engine.request import new_id
from ownkey.routing.health import Reached, State
from ownkey.server.doors import API_HEADERS, Doors, Principal
from ownkey.server.exchange import Exchange
from ownkey.server.guard import Head
from ownkey.store.alerts import AlertRow
from ownkey.store.entry import Ending, Hold
from ownkey.talk.errors import Overloaded, StorageUnavailable

LOOK_EVERY_S = 1.0
TOGETHER_S = 0.1
"""What happens within so short a time is sent together."""

WRITTEN_S = 5.0
HEARTBEAT_S = 15.0
MOST_WAITING = 256
"""Events that are kept for one who reads slowly."""

MOST_OF_ONE, MOST = 8, 512
"""Pages that listen, of one person and of all."""

NEWEST_ALERTS = 50

_HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8"), *API_HEADERS]
_BEAT = b":\n\n"

Condition = tuple[State, str | None]
"""How a target is, and its last error."""


def event(name: str, told: Mapping[str, object]) -> bytes:
    """JSON holds no line break, so that it is one line."""
    return b"event: %b\ndata: %b\n\n" % (name.encode("ascii"), msgspec.json.encode(told))


class Feed:
    """What waits to be sent to one page."""

    def __init__(self, principal: Principal) -> None:
        self.principal = principal
        self.alerts: set[str] | None = None
        self.closed = False
        self._waiting: deque[bytes] = deque()
        self._woken = asyncio.Event()

    def put(self, told: bytes) -> None:
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.clear()
            told = event("reset", {})
        self._waiting.append(told)
        self._woken.set()

    def close(self) -> None:
        """What waits is still sent, nothing more."""
        self.closed = True
        self._woken.set()

    async def next(self, heartbeat_s: float = HEARTBEAT_S) -> bytes:
        """All that waits, or after a while a sign that somebody is here."""
        try:
            async with asyncio.timeout(heartbeat_s):
                await self._woken.wait()
        except TimeoutError:
            return _BEAT
        if not self.closed:
            await asyncio.sleep(TOGETHER_S)
        self._woken.clear()
        return self.rest()

    def rest(self) -> bytes:
        """All that waits."""
        told = b"".join(self._waiting)
        self._waiting.clear()
        return told

    def sees(self, owner: str | None) -> bool:
        """Whether what is this owner's is theirs to see; what is nobody's tells what everybody spends."""
        return self.principal.sees_all or owner == self.principal.owner


class Events:
    """Serves one event loop. It looks for what is new as long as somebody listens, and no longer."""

    def __init__(self, house: House, doors: Doors) -> None:
        self._house = house
        self._doors = doors
        self._feeds: set[Feed] = set()
        self._looking: Task[None] | None = None
        self._states: dict[str, Condition] = {}
        self._reached: dict[str, Reached] = {}

    async def serve(self, exchange: Exchange, head: Head) -> None:
        """Until the page is gone, the server stops, or its session or token is good no more."""
        task = asyncio.current_task()
        assert task is not None
        exchange.on_gone = task.cancel
        try:
            feed = self._join(Feed(await asyncio.to_thread(self._doors.known, exchange, head)))
            try:
                await self._tell(exchange, feed)
            finally:
                self._feeds.discard(feed)
        except asyncio.CancelledError:
            if not exchange.gone:
                raise

    async def _tell(self, exchange: Exchange, feed: Feed) -> None:
        exchange.on_stop = feed.close
        # What is there by now is read by whoever is ready: the first look tells what came since.
        if feed.alerts is None:
            self._tell_alerts(feed, (await asyncio.to_thread(self._alerts, [feed]))[0])
        feed.put(event("ready", {"at_ms": time.time_ns() // 1_000_000}))
        exchange.start([*_HEADERS, (b"x-request-id", new_id().encode("ascii"))])
        try:
            while not feed.closed:
                if told := await feed.next():
                    await self._written()
                    await exchange.write(told)
        except asyncio.CancelledError:
            if not exchange.gone:
                exchange.end()
            raise
        exchange.end(feed.rest())

    async def _written(self) -> None:
        """What is told is read anew at once: it is in the book by then, where the database answers."""
        with suppress(TimeoutError, StorageUnavailable):
            async with asyncio.timeout(WRITTEN_S):
                await self._house.store.book.drain()

    def _join(self, feed: Feed) -> Feed:
        own = sum(one.principal.owner == feed.principal.owner for one in self._feeds)
        if own >= MOST_OF_ONE or len(self._feeds) >= MOST:
            raise Overloaded("Too many pages listen here.", "Close some, or ask from time to time instead.")
        if not self._feeds:
            self._states, self._reached = self._seen(), dict(self._house.conditions.reached)
        self._feeds.add(feed)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look())
        return feed

    async def _look(self) -> None:
        self._house.store.book.listen(self._ended)
        try:
            while self._feeds:
                with suppress(StorageUnavailable):
                    await self._once()
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            self._house.store.book.leave(self._ended)

    async def _once(self) -> None:
        feeds = list(self._feeds)
        for feed, good in zip(feeds, await asyncio.to_thread(self._good, feeds), strict=True):
            if not good:
                feed.put(event("ended", {}))
                feed.close()
        for feed, alerts in zip(feeds, await asyncio.to_thread(self._alerts, feeds), strict=True):
            self._tell_alerts(feed, alerts)
        changes = list(self._changed())
        if changes:
            for feed, usable in zip(feeds, await asyncio.to_thread(self._usable, feeds), strict=True):
                for provider, told in changes:
                    if provider in usable:
                        feed.put(told)

    def _good(self, feeds: Iterable[Feed]) -> list[bool]:
        principals = [feed.principal for feed in feeds]
        ids = {one.token_id for one in principals if one.token_id is not None}
        live = self._house.tokens.live(ids) if ids else set[str]()
        return [
            one.token_id in live
            if one.session is None or one.user is None
            else self._doors.sign_in.still(one.session, one.user)
            for one in principals
        ]

    def _alerts(self, feeds: Iterable[Feed]) -> list[list[AlertRow]]:
        found = {owner: self._newest(owner) for owner in {feed.principal.owner for feed in feeds}}
        return [found[feed.principal.owner] for feed in feeds]

    def _newest(self, owner: str) -> list[AlertRow]:
        return self._house.store.alerts.listed(owner, limit=NEWEST_ALERTS)

    def _tell_alerts(self, feed: Feed, alerts: list[AlertRow]) -> None:
        known, feed.alerts = feed.alerts, {alert.id for alert in alerts}
        for alert in reversed(alerts):
            if known is not None and alert.id not in known and feed.sees(alert.owner):
                told = {"id": alert.id, "kind": alert.kind, "message": alert.message, "at_ms": alert.at_ms}
                feed.put(event("alert", told))

    def _usable(self, feeds: Iterable[Feed]) -> list[set[str]]:
        """The providers of which each may know."""
        owners = {feed.principal.owner for feed in feeds}
        found = {
            owner: {id for id, one in self._house.targets.candidates(owner).items() if one.usable} for owner in owners
        }
        return [found[feed.principal.owner] for feed in feeds]

    def _seen(self) -> dict[str, Condition]:
        now_s = time.monotonic()
        return {name: (one.state(now_s), one.last_error) for name, one in self._house.conditions.all().items()}

    def _changed(self) -> Iterable[tuple[str, bytes]]:
        """What is otherwise than it was when it was looked at last, each with its provider."""
        before, self._states = self._states, self._seen()
        for name, (state, error) in self._states.items():
            provider, _, model = name.partition("/")
            if before.get(name, ("unknown", None))[0] != state:
                told = {"provider": provider, "model": model, "state": state, "last_error": error}
                yield provider, event("health", told)
        probed, self._reached = self._reached, dict(self._house.conditions.reached)
        for provider, reached in self._reached.items():
            if probed.get(provider) != reached:
                told = {
                    "provider": provider,
                    "probe": {"took_ms": round(reached.took_s * 1000), "error": reached.error},
                }
                yield provider, event("health", told)

    def _ended(self, hold: Hold, ending: Ending) -> None:
        told = b""
        for feed in self._feeds:
            if feed.sees(hold.owner):
                told = told or event("usage", _usage(hold, ending))
                feed.put(told)


def _usage(hold: Hold, ending: Ending) -> dict[str, object]:
    """As the book has it; `cost_nano` None: its price is not known."""
    return {
        "run": hold.request_id,
        "attempt": hold.attempt,
        "owner": hold.owner,
        "provider": hold.provider,
        "model": hold.model,
        "automation": hold.automation,
        "state": ending.state,
        "cost_nano": ending.cost_nano if hold.priced else None,
        "input_tokens": ending.input_tokens,
        "output_tokens": ending.output_tokens,
        "first_ms": ending.first_ms,
        "total_ms": ending.total_ms,
        "error": ending.error,
        "ended_at_ms": ending.ended_at_ms,
    }
