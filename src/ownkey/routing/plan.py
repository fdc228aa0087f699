"""What to try next, after what has come of the tries so far: a pure state machine.

The order of targets is kept, but for those that rest or have said to wait: they come after the others, and are asked
all the same where nobody else is left. A target is tried again only where its error says that it may help, after the
wait the provider asked for, or else after an exponential backoff with full jitter; where others stand ready, those are
asked before anybody waits long. Where an error speaks of the key and there is another one, the same target is tried
with that at once.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from ownkey.talk.errors import OwnkeyError, ProviderError


class Policy(Struct, frozen=True):
    """`retries`: more tries at one target. `patience_s`: the longest wait while another target stands ready,
    `longest_wait_s` while none does. `first_s`: how long the first word of a stream is waited for while another one
    stands ready. `total_s`: after that no further try begins."""

    retries: int = 2
    delay_s: float = 0.5
    max_delay_s: float = 8.0
    multiplier: float = 2.0
    patience_s: float = 2.0
    longest_wait_s: float = 60.0
    first_s: float = 10.0
    total_s: float = 120.0


class Standing(Struct, frozen=True):
    """Of a target as a plan is made: whether others go before it, how long it has said to wait, and how long its turn
    would be waited for, where a limit is set."""

    rests: bool = False
    limited_s: float = 0.0
    queue_s: float = 0.0


class Try(Struct, frozen=True):
    """Ask target number `target`, after `wait_s`. `queues`: nobody stands ready sooner, so that its turn is waited
    for."""

    target: int
    wait_s: float = 0.0
    queues: bool = False


class _State(Struct):
    """`due_s`: not to be asked before. `open`: it may be asked at all."""

    due_s: float
    failures: int = 0
    open: bool = True


class Plan:
    """Give it each error; it says what to do. `standing` says how a target stands now; `random` gives numbers from 0 to
    1; times are monotonic seconds."""

    def __init__(
        self,
        targets: int,
        policy: Policy,
        started_s: float,
        random: Callable[[], float],
        standing: Callable[[int], Standing],
    ) -> None:
        self.first_errors: dict[int, OwnkeyError] = {}
        self._policy = policy
        self._end_s = started_s + policy.total_s
        self._random = random
        self._standing = standing
        self._states = [_State(started_s) for _ in range(targets)]
        self._target = 0

    def begin(self, now_s: float) -> Try | None:
        """The first try; None where nobody is to be asked for longer than anybody waits."""
        return self._next(now_s)

    def failed(self, error: OwnkeyError, now_s: float) -> Try | None:
        """The next try, or None: nothing more can help."""
        place = self._target
        state = self._states[place]
        self.first_errors[place] = error
        if error.passes is not None and now_s < self._end_s:
            return Try(place)
        state.failures += 1
        state.open = error.again and state.failures <= self._policy.retries
        if not (error.move_on or state.open):
            return None
        others = any(one.open and not one.failures for one in self._states)
        if state.open:
            standing = self._standing(place)
            wait_s = max(self._wait_s(error, state.failures), standing.limited_s)
            state.due_s = now_s + wait_s
            soon = wait_s <= self._policy.patience_s and not standing.rests
            if soon and others and state.due_s < self._end_s:
                return Try(place, wait_s)
        return self._next(now_s) if error.move_on or not others else None

    @property
    def is_last(self) -> bool:
        """Whether nobody else is left to be asked."""
        return not any(state.open for place, state in enumerate(self._states) if place != self._target)

    def tries(self, target: int) -> int:
        """How many of them failed there, other than for the key."""
        return self._states[target].failures

    def close(self, target: int) -> None:
        """That one cannot help either."""
        self._states[target].open = False

    def _next(self, now_s: float) -> Try | None:
        if now_s >= self._end_s:
            return None
        later: list[tuple[float, int, float]] = []
        resting: int | None = None
        for place, state in enumerate(self._states):
            if not state.open:
                continue
            standing = self._standing(place)
            due_s = max(state.due_s, now_s + standing.limited_s)
            if due_s > now_s or state.failures or standing.queue_s > self._policy.patience_s:
                later.append((max(due_s, now_s + standing.queue_s), place, due_s))
            elif not standing.rests:
                return self._ask(place)
            elif resting is None:
                resting = place
        if resting is not None:
            return self._ask(resting)
        _, place, due_s = min(later, default=(self._end_s, 0, self._end_s))
        wait_s = max(0.0, due_s - now_s)
        if due_s >= self._end_s or wait_s > self._policy.longest_wait_s:
            return None
        return self._ask(place, wait_s, queues=True)

    def _ask(self, place: int, wait_s: float = 0.0, *, queues: bool = False) -> Try:
        self._target = place
        return Try(place, wait_s, queues)

    def _wait_s(self, error: OwnkeyError, failures: int) -> float:
        if isinstance(error, ProviderError) and error.retry_after_s is not None:
            return error.retry_after_s
        ceiling_s = self._policy.delay_s * self._policy.multiplier ** (failures - 1)
        return min(ceiling_s, self._policy.max_delay_s) * self._random()
