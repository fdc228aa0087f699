"""Target after target, as the plan says, until one answers; and what that says of each target's health."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from msgspec import Struct, structs

from ownkey.engine.target import Target
from ownkey.engine.turns import Turns
from ownkey.routing.health import Conditions, Used
from ownkey.routing.plan import Plan, Policy, Standing, Try
from ownkey.talk.errors import (
    MAX_RETRIES_EXCEEDED,
    RATE_LIMIT_EXCEEDED,
    ContextTooLong,
    OwnkeyError,
    ProviderError,
    ProviderUnavailable,
    RateLimitExceeded,
)
from ownkey.vault.choice import Version

Result = TypeVar("Result")

THINKING, USUAL, READ_BYTES_PER_S = 6, 4, 100_000
"""How much longer one that thinks is waited for; how many times as long as is usual; how fast input is read."""


class Tried(Struct, frozen=True):
    """One try: its number, from 1, and which keys have failed at this target. `last`: nobody else is left to ask.
    `turn_s`: how long its turn is waited for, where a limit is reached; None: as long as is settled. `within_s`: how
    long it may take, where its route says so. `held` is told that it stands in line, and that it does no longer: for so
    long its target is not silent."""

    target: Target
    number: int
    passed: tuple[Version, ...]
    last: bool
    policy: Policy
    turn_s: float | None = None
    within_s: float | None = None
    held: Callable[[bool], None] | None = None


class Wanted(Protocol):
    """What is walked for."""

    @property
    def owner(self) -> str: ...
    @property
    def token_id(self) -> str | None: ...


class Walker:
    """Safe to use for many requests at once."""

    def __init__(self, policy: Policy, conditions: Conditions, turns: Turns) -> None:
        self.policy = policy
        self._turns = turns
        self.conditions = conditions

    async def walk(
        self,
        wanted: Wanted,
        targets: Sequence[Target],
        attempt: Callable[[Tried], Awaitable[Result]],
        moved: Callable[[Target, Target, OwnkeyError], None],
        *,
        streamed: bool = False,
        tries: int = 0,
        policy: Policy | None = None,
        end_s: float | None = None,
    ) -> Result:
        """What the first try gives that succeeds. `moved`: from which target to which, and why; the first too where
        others go before it. It may refuse that. `tries`: how many there have been of the same request. `policy`: that
        of a route; `end_s` when all has to be over (monotonic).

        Raises one error that says why none did.
        """
        owner = wanted.owner
        policy = policy or self.policy
        plan = Plan(len(targets), policy, time.monotonic(), random.random, self._standing(wanted, targets))
        step = plan.begin(time.monotonic())
        if step is None:
            raise self._limited(owner, targets)
        if step.target:
            moved(targets[0], targets[step.target], self._passed_over(owner, targets[0]))
        passed: tuple[Version, ...] = ()
        number = tries
        while True:
            if step.wait_s > 0:
                await asyncio.sleep(step.wait_s)
            number += 1
            target = targets[step.target]
            within_s = None if end_s is None else max(0.001, end_s - time.monotonic())
            turn_s = None if plan.is_last or step.queues else policy.patience_s
            tried = Tried(target, number, passed, plan.is_last, policy, turn_s, within_s)
            try:
                return await self._try(tried, owner, attempt, streamed=streamed)
            except OwnkeyError as error:
                again = self._after(plan, targets, step, error)
                if again is None:
                    raise _summed_up(plan, targets) from None
                if error.passes is not None:
                    passed = (*passed, error.passes)
                elif isinstance(error, RateLimitExceeded):
                    # By then each of its keys may be asked with again.
                    passed = ()
                if again.target != step.target:
                    passed = ()
                    moved(target, targets[again.target], error)
            step = again

    def broke(self, target: Target, error: OwnkeyError) -> None:
        """An answer that had begun broke off."""
        self.conditions.of(target.name).failed(object(), error, time.monotonic())

    def first_s(self, target: Target, size_bytes: int, policy: Policy) -> float:
        """How long the first word of an answer is waited for while somebody else could give one. Longer where the
        target is known to be slow, thinks before it speaks, or has much to read."""
        allowed_s = policy.first_s
        if "reasoning" in target.facts.does:
            allowed_s *= THINKING
        usual_s = self.conditions.of(target.name).first_s or 0.0
        return max(allowed_s, USUAL * usual_s) + size_bytes / READ_BYTES_PER_S

    async def _try(
        self, tried: Tried, owner: str, attempt: Callable[[Tried], Awaitable[Result]], *, streamed: bool
    ) -> Result:
        health = self.conditions.of(tried.target.name)
        asker, now_s = object(), time.monotonic()
        self.conditions.used[tried.target.provider.id] = Used(owner, now_s)
        health.asked(asker, now_s, streamed=streamed)

        def held(stands: bool) -> None:
            health.left(asker) if stands else health.asked(asker, time.monotonic(), streamed=streamed)

        try:
            result = await attempt(structs.replace(tried, held=held))
        except OwnkeyError as error:
            now_s = time.monotonic()
            if error.passes is None:
                health.failed(asker, error, now_s)
                if type(error) is RateLimitExceeded and error.retry_after_s is not None:
                    left_s = self.conditions.limit(owner, tried.target.name, error.retry_after_s, now_s)
                    error.retry_after_s = max(error.retry_after_s, left_s)
            else:
                health.left(asker)
            raise
        except BaseException:
            health.left(asker)
            raise
        health.answered(asker, time.monotonic())
        return result

    def _after(self, plan: Plan, targets: Sequence[Target], step: Try, error: OwnkeyError) -> Try | None:
        target = targets[step.target]
        if isinstance(error, ProviderError):
            _name(error, target)
        if isinstance(error, ContextTooLong):
            for place, other in enumerate(targets):
                if not _is_larger(other, target):
                    plan.close(place)
        return plan.failed(error, time.monotonic())

    def _standing(self, wanted: Wanted, targets: Sequence[Target]) -> Callable[[int], Standing]:
        owner, token_id, several = wanted.owner, wanted.token_id, len(targets) > 1

        def standing(place: int) -> Standing:
            target = targets[place]
            name, now_s = target.name, time.monotonic()
            queue_s = self._turns.wait_s(owner, target, token_id) if several else 0.0
            return Standing(
                self.conditions.of(name).rests(now_s), self.conditions.limited_s(owner, name, now_s), queue_s
            )

        return standing

    def _limited(self, owner: str, targets: Sequence[Target]) -> RateLimitExceeded:
        now_s = time.monotonic()
        wait_s, target = min(
            ((self.conditions.limited_s(owner, one.name, now_s), one) for one in targets), key=lambda pair: pair[0]
        )
        return _said_to_wait(target, wait_s)

    def _passed_over(self, owner: str, target: Target) -> ProviderError:
        """Why others go before it."""
        wait_s = self.conditions.limited_s(owner, target.name, time.monotonic())
        if wait_s:
            return _said_to_wait(target, wait_s)
        return ProviderUnavailable(
            f"{target.name} has failed or been silent several times in a row, and others go before it for a while.",
            provider=target.provider.id,
            model=target.model,
        )


def _said_to_wait(target: Target, wait_s: float) -> RateLimitExceeded:
    error = RateLimitExceeded(
        f"{target.provider.name} has said to ask {target.model} again in {math.ceil(wait_s)} s, and no sooner.",
        "Wait for that long, or name another model after it.",
        provider=target.provider.id,
        model=target.model,
        retry_after_s=wait_s,
    )
    _name(error, target)
    return error


def _is_larger(one: Target, other: Target) -> bool:
    """Whether it may take more input; what is not known of may."""
    return one.facts.context is None or other.facts.context is None or one.facts.context > other.facts.context


def _name(error: ProviderError, target: Target) -> None:
    """Whoever reads it has to know which provider it was."""
    error.provider_name, error.model_name = target.provider.name, target.facts.name
    error.is_local = target.provider.kind != "cloud"
    if error.provider is None:
        error.provider, error.model = target.provider.id, target.model
        error.message = f"{target.provider.name}, {target.model}: {error.message}"
        error.args = (error.message,)


def _told(error: OwnkeyError, target: Target) -> str:
    return error.message if isinstance(error, ProviderError) else f"{target.name}: {error.message}"


def _summed_up(plan: Plan, targets: Sequence[Target]) -> OwnkeyError:
    """The error of the first that was asked, in the order in which they stand. The others are named."""
    told = sorted(plan.first_errors.items())
    place, first = told[0]
    if plan.tries(place) > 1 and first.kind != RATE_LIMIT_EXCEEDED:
        first.kind = MAX_RETRIES_EXCEEDED
    others = [_told(error, targets[place]) for place, error in told[1:]]
    waits_s = [error.retry_after_s for _, error in told if isinstance(error, RateLimitExceeded)]
    if len(waits_s) == len(told) and isinstance(first, RateLimitExceeded):
        first.retry_after_s = min((wait_s for wait_s in waits_s if wait_s is not None), default=None)
    if others:
        first.hint = " ".join(filter(None, [first.hint, "Then tried " + " Then ".join(others)]))
    return first
