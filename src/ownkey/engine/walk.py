"""Target after target, as the plan says, until one answers."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from ownkey.engine.target import Target
from ownkey.routing.plan import Plan, Policy
from ownkey.talk.errors import OwnkeyError, ProviderError
from ownkey.vault.choice import Version

Result = TypeVar("Result")


async def walk(
    targets: Sequence[Target],
    policy: Policy,
    attempt: Callable[[Target, int, tuple[Version, ...]], Awaitable[Result]],
) -> Result:
    """What the first try gives that succeeds; `attempt` is told the number of the try, from 1, and which keys have
    failed at this target.

    Raises one error that says why none did.
    """
    plan = Plan(len(targets), policy, time.monotonic(), random.random)
    step, number = plan.begin(), 0
    passed: tuple[Version, ...] = ()
    while True:
        number += 1
        target = targets[step.target]
        try:
            return await attempt(target, number, passed)
        except OwnkeyError as error:
            if isinstance(error, ProviderError):
                _name(error, target)
            again = plan.failed(error, time.monotonic())
            if again is None:
                raise _summed_up(plan, targets) from None
            if error.passes is not None:
                passed = (*passed, error.passes)
        if again.target != step.target:
            passed = ()
        step = again
        if step.wait_s > 0:
            await asyncio.sleep(step.wait_s)


def _name(error: ProviderError, target: Target) -> None:
    """Whoever reads it has to know which provider it was."""
    if error.provider is None:
        error.provider, error.model = target.provider.id, target.model
        error.message = f"{target.provider.name}, {target.model}: {error.message}"
        error.args = (error.message,)


def _told(error: OwnkeyError, target: Target) -> str:
    return error.message if isinstance(error, ProviderError) else f"{target.name}: {error.message}"


def _summed_up(plan: Plan, targets: Sequence[Target]) -> OwnkeyError:
    """The first target's error: it is the one that was asked for. The others are named."""
    first = plan.first_errors[0]
    others = [_told(error, targets[place]) for place, error in plan.first_errors.items() if place]
    if others:
        first.hint = " ".join(filter(None, [first.hint, "Then tried " + " Then ".join(others)]))
    return first
