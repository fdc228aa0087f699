"""What to try next, after what has come of the tries so far: a pure state machine.

The order of targets is kept. A target is tried again only where its error says that it may help, after the wait the
provider asked for, or else after an exponential backoff with full jitter. Where an error speaks of the key and there
is another one, the same target is tried with that at once.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from ownkey.talk.errors import OwnkeyError, ProviderError


class Policy(Struct, frozen=True):
    """`retries`: more tries at one target. `patience_s`: the longest wait while another target stands ready."""

    retries: int = 2
    delay_s: float = 0.5
    max_delay_s: float = 8.0
    multiplier: float = 2.0
    patience_s: float = 2.0
    total_s: float = 120.0


class Try(Struct, frozen=True):
    """Ask target number `target`, after `wait_s`."""

    target: int
    wait_s: float = 0.0


class Plan:
    """Give it each error; it says what to do. `random` gives numbers from 0 to 1; times are monotonic seconds."""

    def __init__(self, targets: int, policy: Policy, started_s: float, random: Callable[[], float]) -> None:
        self.first_errors: dict[int, OwnkeyError] = {}
        self._targets = targets
        self._policy = policy
        self._end_s = started_s + policy.total_s
        self._random = random
        self._target = 0
        self._failures = 0

    def begin(self) -> Try:
        return Try(0)

    def failed(self, error: OwnkeyError, now_s: float) -> Try | None:
        """The next try, or None: nothing more can help."""
        self.first_errors[self._target] = error
        if error.passes is not None and now_s < self._end_s:
            return Try(self._target)
        self._failures += 1
        others = self._target + 1 < self._targets
        if error.again and self._failures <= self._policy.retries:
            wait_s = self._wait_s(error)
            patient = wait_s <= self._policy.patience_s or not others
            if patient and now_s + wait_s < self._end_s:
                return Try(self._target, wait_s)
        if not error.move_on or not others or now_s >= self._end_s:
            return None
        self._target += 1
        self._failures = 0
        return Try(self._target)

    def _wait_s(self, error: OwnkeyError) -> float:
        if isinstance(error, ProviderError) and error.retry_after_s is not None:
            return error.retry_after_s
        ceiling_s = self._policy.delay_s * self._policy.multiplier ** (self._failures - 1)
        return min(ceiling_s, self._policy.max_delay_s) * self._random()
