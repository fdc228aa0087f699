"""Whether a target answers, as its own answers show. Pure: times are monotonic seconds, given by whoever asks.

After some failures in a row a target rests, longer each time, and others are asked before it. When its rest is over one
request, and no more than one, is sent to it; the others go on going elsewhere until that one was answered. A target
that several have been waiting for without a word rests as well. Whoever is told when to ask again does not ask before.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Literal

from msgspec import Struct

from ownkey.talk.errors import (
    NetworkError,
    OwnkeyError,
    ProviderTimeout,
    ProviderUnavailable,
    StreamCut,
    UnexpectedResponse,
)

FAILURES = 3
"""In a row, that put a target to rest."""

REST_S, LONGEST_REST_S = 1.0, 5.0
"""The first rest, and the longest. With `PROBE_S`: what has recovered is back in use within ten seconds."""

PROBE_S = 4.0
"""How long the one request that tries a target anew is waited for before another one tries it."""

LONGEST_LIMIT_S = 600.0
"""For longer than this no target is left alone, whatever it says."""

QUIET, QUIET_S, UNKNOWN_QUIET_S = 3, 4.0, 10.0
"""So many requests that have waited for a first word for so long, and four times as long as is usual there: nothing is
heard of the target. The last: where nothing was ever heard of it."""

MOST_LIMITS = 10_000

_WEIGHT = 0.2
"""Of the newest in what is usual."""

_OF_TARGET = (ProviderUnavailable, NetworkError, ProviderTimeout, UnexpectedResponse, StreamCut)
"""What speaks of the target, whatever was asked of it and by whom."""

KINDS = {kind.code: kind for kind in _OF_TARGET}
"""The same, by the codes that the book has."""

IN_USE_S = 3600.0
"""For so long after it was asked last a provider is in use."""

State = Literal["well", "failing", "resting", "probing", "quiet", "unknown"]


class Reached(Struct, frozen=True):
    """What came of the last probe of a provider: `error` is a code, None where it answered within `took_s`."""

    at_s: float
    took_s: float
    error: str | None = None


class Used(Struct, frozen=True):
    """Who asked a provider last, and when."""

    owner: str
    at_s: float


class Health:
    """Of one target. `share` of its tries that went well lately, from 0 to 1; `first_s`: how long it usually takes to
    its first word, None as long as none was heard; `failures` in a row. `answers`: how many there were, of how many
    `tries` that ended. `since_s`: when it began to answer, or to fail, as it does now.
    """

    __slots__ = (
        *("_probe", "_rested_s", "_rests_until_s", "_waiting"),
        *("answers", "failures", "first_s", "last_error", "share", "since_s", "tries"),
    )

    def __init__(self) -> None:
        self.failures = 0
        self.share = 1.0
        self.first_s: float | None = None
        self.last_error: str | None = None
        self.answers = self.tries = 0
        self.since_s: float | None = None
        self._rests_until_s = 0.0
        self._rested_s = 0.0
        self._probe: object = None
        self._waiting: dict[object, float] = {}

    def rests(self, now_s: float) -> bool:
        """Whether others are to be asked before it."""
        return now_s < self._rests_until_s or self._is_quiet(now_s)

    def state(self, now_s: float) -> State:
        """In a word: `probing` while one request tries whether it answers again."""
        if self._probe is not None:
            return "probing"
        if now_s < self._rests_until_s:
            return "resting"
        if self._is_quiet(now_s):
            return "quiet"
        if self.failures:
            return "failing"
        return "unknown" if self.tries == 0 else "well"

    def asked(self, asker: object, now_s: float, *, streamed: bool) -> None:
        """A try begins; it ends with `answered`, `failed` or `left`. What is not streamed is silent for as long as it
        takes."""
        if self.failures >= FAILURES and now_s >= self._rests_until_s:
            self._probe = asker
            self._rest(min(LONGEST_REST_S, 2 * self._rested_s), now_s + PROBE_S)
        if streamed:
            self._waiting[asker] = now_s

    def answered(self, asker: object, now_s: float) -> None:
        """It has begun to answer."""
        asked_s = self._waiting.pop(asker, None)
        if asked_s is not None:
            took_s = now_s - asked_s
            self.first_s = took_s if self.first_s is None else self.first_s + _WEIGHT * (took_s - self.first_s)
        self.share += _WEIGHT * (1.0 - self.share)
        self.answers += 1
        self.tries += 1
        if self.failures or self.since_s is None:
            self.since_s = now_s
        self.failures = 0
        self._probe = None
        self._rests_until_s = self._rested_s = 0.0

    def failed(self, asker: object, error: OwnkeyError, now_s: float) -> None:
        """It has answered with that, or broken off."""
        if not isinstance(error, _OF_TARGET):
            self.left(asker)
            return
        self._waiting.pop(asker, None)
        self.share -= _WEIGHT * self.share
        self.last_error = error.code
        self.tries += 1
        if not self.failures:
            self.since_s = now_s
        self.failures += 1
        if self._probe is asker:
            self._probe = None
            self._rest(self._rested_s, now_s)
        elif self.failures >= FAILURES and now_s >= self._rests_until_s:
            self._rest(REST_S, now_s)

    def left(self, asker: object) -> None:
        """Nothing was learned of it: nothing was sent, or nobody waited for the answer."""
        self._waiting.pop(asker, None)
        if self._probe is asker:
            self._probe = None
            self._rests_until_s = 0.0

    def reachable(self, now_s: float) -> None:
        """Its provider has just answered something else: where it rests, the one request that tries it may go now."""
        if self.failures >= FAILURES and self._probe is None:
            self._rests_until_s = min(self._rests_until_s, now_s)

    def _rest(self, rest_s: float, from_s: float) -> None:
        self._rested_s = rest_s
        self._rests_until_s = from_s + rest_s

    def _is_quiet(self, now_s: float) -> bool:
        if len(self._waiting) < QUIET:
            return False
        since_s = next(islice(self._waiting.values(), QUIET - 1, None))
        usual_s = UNKNOWN_QUIET_S if self.first_s is None else max(QUIET_S, 4 * self.first_s)
        return now_s - since_s > usual_s


class Conditions:
    """Of every target, and of what its provider has told an owner: to ask again no sooner than then, and how much is
    left to ask for. Of every provider: who asked it last, and what came of the last probe."""

    def __init__(self) -> None:
        self._heard: dict[tuple[str, str], tuple[Mapping[bytes, bytes], float]] = {}
        self.reached: dict[str, Reached] = {}
        self.used: dict[str, Used] = {}
        self._health: dict[str, Health] = {}
        self._limits_s: dict[tuple[str, str], float] = {}

    def of(self, target: str) -> Health:
        found = self._health.get(target)
        if found is None:
            found = self._health[target] = Health()
        return found

    def limit(self, owner: str, target: str, for_s: float, now_s: float) -> float:
        """The owner has been told to wait for so long. Gives for how long it is to wait: a longer wait that was told
        before still holds."""
        left_s = self.limited_s(owner, target, now_s)
        for_s = min(for_s, LONGEST_LIMIT_S)
        if for_s <= left_s:
            return left_s
        if len(self._limits_s) >= MOST_LIMITS:
            self._limits_s = {name: until_s for name, until_s in self._limits_s.items() if until_s > now_s}
        self._limits_s[owner, target] = now_s + for_s
        return for_s

    def limited_s(self, owner: str, target: str, now_s: float) -> float:
        """How long the owner has been told to wait, in seconds from now."""
        until_s = self._limits_s.get((owner, target), 0.0)
        return max(0.0, until_s - now_s)

    def all(self) -> dict[str, Health]:
        """Of every target that was asked, by its name."""
        return dict(self._health)

    def hear(self, owner: str, target: str, headers: Mapping[bytes, bytes], now_s: float) -> None:
        """An answer to this owner told, in these headers, how much is left to ask for."""
        if len(self._heard) >= MOST_LIMITS:
            self._heard.clear()
        self._heard[owner, target] = (headers, now_s)

    def heard(self, owner: str, target: str) -> tuple[Mapping[bytes, bytes], float] | None:
        """The last of them, and when it came."""
        return self._heard.get((owner, target))

    def wants_probe(self, provider: str, now_s: float, every_s: float, idle_s: float) -> bool:
        """Whether it is in use, and fails, or has not been asked anything for so long. Whoever has told that owner to
        wait is left alone."""
        used, reached = self.used[provider], self.reached.get(provider)
        heard_s = used.at_s if reached is None else max(used.at_s, reached.at_s)
        if now_s - used.at_s > IN_USE_S or (reached is not None and now_s - reached.at_s < every_s):
            return False
        own = [(name, one) for name, one in self._health.items() if name.partition("/")[0] == provider]
        if any(self.limited_s(used.owner, name, now_s) > 0 for name, _ in own):
            return False
        ailing = reached is not None and reached.error is not None
        ailing = ailing or any(one.state(now_s) not in ("well", "unknown") for _, one in own)
        return ailing or now_s - heard_s > idle_s

    def probed(self, provider: str, reached: Reached) -> None:
        """A probe has come back. One that was answered says nothing of whether chats are: it lets them try."""
        self.reached[provider] = reached
        if reached.error is None:
            for name, health in self._health.items():
                if name.partition("/")[0] == provider:
                    health.reachable(reached.at_s)
