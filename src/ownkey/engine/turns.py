"""Every try waits its turn, where limits are set: at the provider's door, before money is held and anything is sent."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Protocol

from msgspec import Struct, structs

from ownkey.catalog.manifest import Provider
from ownkey.engine.target import Target
from ownkey.routing.limits import Limit, Place, Rules, Scope, places
from ownkey.routing.lines import Lines, Meter, Turn
from ownkey.routing.window import MINUTE_S
from ownkey.store.recent import Begun
from ownkey.talk.errors import LimitReached

KEPT_S = 1.0
"""For so long the rules of before are believed."""

MOST_KEPT = 10_000

_COUNTED = {"requests": "requests a minute", "tokens": "tokens a minute", "parallel": "calls at once"}


class Pace(Struct, frozen=True):
    """`requests_per_minute`: of a cloud provider, where nobody has set another; 0: any number. `wait_s`: how long a
    turn is waited for."""

    requests_per_minute: int = 60
    wait_s: float = 10.0


class Others(Protocol):
    """What other processes do."""

    def begun(self, within_s: float) -> list[Begun]: ...
    def running(self) -> list[Begun]: ...


class Turns:
    """Safe to use from many threads and event loops. `rules` gives those that are set now. What `others` do is known
    within a second."""

    def __init__(self, rules: Callable[[], Rules], others: Others, pace: Pace) -> None:
        self._rules_now = rules
        self._others = others
        self._begun: deque[tuple[float, Begun]] | None = None
        self._pace = pace
        self._lock = Lock()
        self._lines = Lines()
        self._meters: dict[Place, Meter] = {}
        self._found: dict[tuple[str, str, str, str | None, str | None], tuple[Meter, ...]] = {}
        self._rules = Rules()
        self._until_s = 0.0
        self._waiting: dict[Turn, tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = {}

    def settle(self, pace: Pace) -> None:
        self._pace = pace
        self._until_s = 0.0

    def changed(self) -> None:
        """The rules are others now."""
        self._until_s = 0.0

    def wait_s(self, owner: str, target: Target, token_id: str | None) -> float:
        """How long a try at this target would wait, as things stand; its key is not known yet."""
        meters = self._of(owner, target, None, token_id)
        if not meters:
            return 0.0
        with self._lock:
            lack = Turn(meters, owner).lacks(time.monotonic())
        return lack[0] if lack else 0.0

    async def take(
        self,
        owner: str,
        target: Target,
        key_id: str | None,
        token_id: str | None,
        input_tokens: int = 0,
        cap: int | None = None,
        *,
        wait_s: float | None = None,
        key_wait_s: float | None = None,
        held: Callable[[bool], None] | None = None,
    ) -> Turn | None:
        """A turn, which is the caller's to `end` or `undo`; None where nothing is limited.

        It is waited for, `wait_s` at most, or as long as is settled; `key_wait_s`: where it is the key that is limited.
        `held` is told that it stands in line, and that it does no longer.
        Raises LimitReached, with the wait that is left.
        """
        meters = self._of(owner, target, key_id, token_id)
        if not meters:
            return None
        now_s = time.monotonic()
        with self._lock:
            self._wake(self._lines.admit(meters, now_s) if any(meter.line for meter in meters) else ())
            turn = Turn(meters, owner, input_tokens, cap)
            if self._lines.begin(turn, now_s):
                return turn
        if held is not None:
            held(True)
        await self._stand(turn, target, now_s, wait_s, key_wait_s)
        if held is not None:
            held(False)
        return turn

    def end(self, turn: Turn | None, used_tokens: int | None = None, output_tokens: int | None = None) -> None:
        """Its answer has ended; so many tokens were used, as far as that is known. A second end changes nothing."""
        if turn is not None and turn.state == "running":
            now_s = time.monotonic()
            with self._lock:
                turn.end(now_s, used_tokens, output_tokens)
                self._wake(self._lines.admit(turn.meters, now_s))

    def undo(self, turn: Turn | None) -> None:
        """Nothing was sent."""
        if turn is not None and turn.state == "running":
            with self._lock:
                turn.undo()
                self._wake(self._lines.admit(turn.meters, time.monotonic()))

    async def _stand(
        self, turn: Turn, target: Target, now_s: float, wait_s: float | None, key_wait_s: float | None
    ) -> None:
        """In line until it has gone. Raises LimitReached."""
        bound_s = self._pace.wait_s if wait_s is None else min(wait_s, self._pace.wait_s)
        loop = asyncio.get_running_loop()
        with self._lock:
            lack = turn.lacks(now_s)
            if lack is not None and lack[2].place[0] == "key" and key_wait_s is not None:
                bound_s = min(bound_s, key_wait_s)
            if (lack is not None and lack[0] > bound_s and lack[1] != "parallel") or bound_s <= 0:
                raise _reached(turn, target, now_s)
            if not self._lines.stand(turn):
                raise _reached(turn, target, now_s)
            gone = loop.create_future()
            self._waiting[turn] = loop, gone
        try:
            await self._gone(turn, gone, now_s + bound_s)
            with self._lock:
                if turn.state == "waiting":
                    raise _reached(turn, target, time.monotonic())
        except BaseException:
            # Whose turn it has become in this very moment did not send anything.
            self.undo(turn)
            with self._lock:
                self._forget(turn)
            raise

    async def _gone(self, turn: Turn, gone: asyncio.Future[None], end_s: float) -> None:
        """Until its turn has come, or that time."""
        while turn.state == "waiting" and (now_s := time.monotonic()) < end_s:
            with self._lock:
                lack = turn.lacks(now_s)
                if lack is None:
                    self._wake(self._lines.admit(turn.meters, now_s))
            if turn.state != "waiting":
                return
            due_s = min(end_s, now_s + (lack[0] if lack is not None and lack[1] != "parallel" else KEPT_S))
            if now_s >= self._until_s:
                self._look(now_s)
            await asyncio.wait((gone,), timeout=max(0.001, due_s - now_s))
        with self._lock:
            if turn.state == "waiting":
                self._wake(self._lines.admit(turn.meters, time.monotonic()))

    def _forget(self, turn: Turn) -> None:
        self._waiting.pop(turn, None)
        if turn.state == "waiting":
            self._lines.leave(turn)
            # Whoever stood behind it may have been waiting for nothing else.
            self._wake(self._lines.admit(turn.meters, time.monotonic()))

    def _wake(self, turns: list[Turn] | tuple[()]) -> None:
        for turn in turns:
            loop, gone = self._waiting.pop(turn)
            loop.call_soon_threadsafe(_done, gone)

    def _of(self, owner: str, target: Target, key_id: str | None, token_id: str | None) -> tuple[Meter, ...]:
        now_s = time.monotonic()
        if now_s >= self._until_s:
            self._look(now_s)
        asked = (owner, target.provider.id, target.model, key_id, token_id)
        found = self._found.get(asked)
        if found is None:
            limits = self._rules.of(Scope(*asked), default_of(target.provider, self._pace.requests_per_minute))
            if limits and self._begun is None:
                self._hear(now_s)
            with self._lock:
                known = len(self._meters)
                found = self._found[asked] = tuple(self._meter(place, limit) for place, limit in limits.items())
            if len(self._meters) > known and any(meter.parallel is not None for meter in found):
                self._hear(now_s)
        return found

    def _look(self, now_s: float) -> None:
        """At the rules anew, and at what others do; and let go of meters that count nothing."""
        self._rules = self._rules_now()
        if self._begun is not None:
            self._hear(now_s)
        with self._lock:
            self._found = {}
            self._until_s = now_s + KEPT_S
            if len(self._meters) > MOST_KEPT:
                self._meters = {place: meter for place, meter in self._meters.items() if not meter.is_idle(now_s)}

    def _hear(self, now_s: float) -> None:
        """What others have begun since, and have under way."""
        parallel = [meter for meter in list(self._meters.values()) if meter.parallel is not None]
        begun, running = self._others.begun(MINUTE_S), self._others.running() if parallel else ()
        with self._lock:
            kept = self._begun if self._begun is not None else deque[tuple[float, Begun]]()
            while kept and kept[0][0] + MINUTE_S <= now_s:
                kept.popleft()
            for one in begun:
                kept.append((now_s - one.age_s, one))
                for meter in self._meters_of(one):
                    meter.heard(one.tokens, now_s - one.age_s)
            for meter in parallel:
                meter.elsewhere = 0
            for one in running:
                for meter in self._meters_of(one):
                    meter.elsewhere += one.running
            self._begun = kept
            for meter in parallel:
                self._wake(self._lines.admit((meter,), now_s))

    def _meters_of(self, one: Begun) -> list[Meter]:
        scope = Scope(one.owner, one.provider, one.model, one.key_id, one.token_id)
        return [meter for place in places(scope) if (meter := self._meters.get(place)) is not None]

    def _meter(self, place: Place, limit: Limit) -> Meter:
        meter = self._meters.get(place)
        if meter is not None:
            meter.change(limit)
            return meter
        meter = self._meters[place] = Meter(place, limit)
        for at_s, one in self._begun or ():
            if meter in self._meters_of(one):
                meter.heard(one.tokens, at_s)
        return meter


def default_of(provider: Provider, requests_per_minute: int) -> Limit:
    """What its file says; else so many requests of one in the cloud."""
    said = provider.limits
    if said.requests_per_minute is None and provider.kind == "cloud":
        return structs.replace(said, requests_per_minute=requests_per_minute)
    return said


def _done(gone: asyncio.Future[None]) -> None:
    if not gone.done():
        gone.set_result(None)


def _reached(turn: Turn, target: Target, now_s: float) -> LimitReached:
    wait_s, part, meter = turn.lacks(now_s) or (0.0, "requests", turn.meters[0])
    kind, name, _ = meter.place
    windows = {"requests": meter.requests, "tokens": meter.tokens}
    window = windows.get(part)
    most = meter.parallel if window is None else window.most
    whose = {"provider": f"for {target.provider.name}", "model": f"for {name}", "key": "of this key"}
    of = whose.get(kind, f"of this {kind}")
    error = LimitReached(
        f"The limit {of} is reached ({_COUNTED[part]}: {most}). There is room again in {math.ceil(wait_s)} s.",
        "Wait for that long, or name another model after it. `ownkey limits list` shows the limits that are set.",
        provider=target.provider.id,
        model=target.model,
        retry_after_s=wait_s,
    )
    error.of_key = kind == "key"
    return error
