"""Providers that fail, in simulated time: what is asked of whom, by the plan and the health of each target.

A call is a generator that says how long it waits; a heap of them is the clock. What the engine does around a try is
done here in the same order: plan, ask, tell the health what came of it.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Generator, Iterator
from typing import NamedTuple

import pytest

from ownkey.routing.health import Conditions
from ownkey.routing.plan import Plan, Policy, Standing
from ownkey.talk.errors import OwnkeyError, ProviderTimeout, ProviderUnavailable

Clock = Generator[float, float, None]


class Answer(NamedTuple):
    """What a provider does with a try: it takes so long, and fails or does not."""

    took_s: float
    error: OwnkeyError | None


class Outcome(NamedTuple):
    """`at_s` is when the call came in; `tries` are the targets asked; `answered_by` None: lost."""

    at_s: float
    ended_s: float
    tries: tuple[int, ...]
    answered_by: int | None


Provider = Callable[[float], Answer]


def played(providers: list[Provider], calls_at_s: list[float], seed: int = 7) -> list[Outcome]:
    """Every call to its end, all providers in the order given."""
    conditions = Conditions()
    outcomes: list[Outcome] = []
    chance = random.Random(seed)

    def call(at_s: float) -> Clock:
        def standing(place: int) -> Standing:
            return Standing(conditions.of(str(place)).rests(now_s), conditions.limited_s("one", str(place), now_s))

        now_s = at_s
        plan = Plan(len(providers), Policy(), at_s, chance.random, standing)
        tries: list[int] = []
        step = plan.begin(now_s)
        while step is not None:
            if step.wait_s:
                now_s = yield step.wait_s
            place = step.target
            tries.append(place)
            asker = object()
            conditions.of(str(place)).asked(asker, now_s, streamed=True)
            answer = providers[place](now_s)
            now_s = yield answer.took_s
            if answer.error is None:
                conditions.of(str(place)).answered(asker, now_s)
                outcomes.append(Outcome(at_s, now_s, tuple(tries), place))
                return
            conditions.of(str(place)).failed(asker, answer.error, now_s)
            step = plan.failed(answer.error, now_s)
        outcomes.append(Outcome(at_s, now_s, tuple(tries), None))

    run((at_s, call(at_s)) for at_s in calls_at_s)
    return sorted(outcomes)


def run(calls: Iterator[tuple[float, Clock]]) -> None:
    order = itertools.count()
    due: list[tuple[float, int, Clock, bool]] = [(at_s, next(order), clock, True) for at_s, clock in calls]
    heapq.heapify(due)
    while due:
        now_s, _, clock, new = heapq.heappop(due)
        try:
            wait_s = next(clock) if new else clock.send(now_s)
        except StopIteration:
            continue
        heapq.heappush(due, (now_s + wait_s, next(order), clock, False))


def out(begin_s: float, end_s: float, failing: Answer, took_s: float = 0.3) -> Provider:
    """Answers, but for a while in which it fails in that way."""
    return lambda now_s: failing if begin_s <= now_s < end_s else Answer(took_s, None)


OUTAGES = {
    "refused": Answer(0.01, ProviderUnavailable("refused", status=503)),
    "slow to say so": Answer(2.0, ProviderUnavailable("failed", status=500)),
    "silent": Answer(10.0, ProviderTimeout("silent")),
}


@pytest.mark.row("A3")
@pytest.mark.row("A6")
@pytest.mark.row("D5")
@pytest.mark.parametrize("failing", OUTAGES.values(), ids=list(OUTAGES))
def test_a_minute_without_the_first_provider_costs_no_answer_and_few_tries(failing: Answer) -> None:
    """Fifty calls a second: every one is answered, fewer than one in a hundred is spent on finding out that it is still
    out of order, and ten seconds after it is back all go to it again."""
    begin_s, end_s = 10.0, 70.0
    calls = [number / 50 for number in range(100 * 50)]
    outcomes = played([out(begin_s, end_s, failing), out(0, 0, failing)], calls)
    assert len(outcomes) == len(calls)
    assert all(outcome.answered_by is not None for outcome in outcomes)
    assert max(outcome.ended_s - outcome.at_s for outcome in outcomes) < 15
    known_s = begin_s + failing.took_s + 5
    during = [outcome for outcome in outcomes if known_s <= outcome.at_s < end_s]
    spent = sum(outcome.tries.count(0) for outcome in during)
    assert 0 < spent < len(during) / 100
    after = [outcome for outcome in outcomes if outcome.at_s > end_s + 10]
    assert after
    assert all(outcome.tries == (0,) for outcome in after)


def test_a_minute_of_silence_is_noticed_before_anybody_was_kept_waiting_to_the_end() -> None:
    """Of those who ask later than four seconds into the silence nobody waits for the silent one, but for those who try
    it anew."""
    outcomes = played(
        [out(10, 70, OUTAGES["silent"]), out(0, 0, OUTAGES["silent"])], [number / 50 for number in range(5_000)]
    )
    late = [outcome for outcome in outcomes if 15 <= outcome.at_s < 70]
    assert sum(1 for outcome in late if outcome.ended_s - outcome.at_s > 1) < len(late) / 100


def failing_at_random(seed: int) -> Provider:
    """Well for some minutes, out for some, and now and then one failure for no reason."""
    chance = random.Random(seed)
    turns: list[float] = []
    at_s = chance.uniform(0, 300)
    while at_s < 2 * 3_600:
        turns.append(at_s)
        at_s += chance.uniform(5, 120) if len(turns) % 2 else chance.uniform(60, 600)

    def provider(now_s: float) -> Answer:
        is_out = sum(1 for turn in turns if turn <= now_s) % 2 == 1
        if is_out or chance.random() < 0.02:
            return Answer(chance.uniform(0.05, 1.0), ProviderUnavailable("out", status=503))
        return Answer(chance.uniform(0.2, 2.0), None)

    return provider


@pytest.mark.row("A3")
@pytest.mark.parametrize("seed", range(5))
def test_an_hour_of_ten_providers_that_fail_at_random_loses_nothing(seed: int) -> None:
    chance = random.Random(seed)
    calls = sorted(chance.uniform(0, 3_600) for _ in range(20_000))
    outcomes = played([failing_at_random(100 * seed + number) for number in range(10)], calls, seed)
    assert len(outcomes) == len(calls)
    assert all(outcome.answered_by is not None for outcome in outcomes)
    assert sum(len(outcome.tries) for outcome in outcomes) / len(outcomes) < 1.3
    assert max(outcome.tries.count(place) for outcome in outcomes for place in set(outcome.tries)) <= 3


def test_where_all_fail_but_one_now_and_then_that_one_is_found() -> None:
    """Every target is asked before a call is given up."""

    def never(now_s: float) -> Answer:
        return Answer(0.1, ProviderUnavailable("out", status=503))

    outcomes = played([never] * 9 + [out(0, 0, OUTAGES["refused"])], [float(number) for number in range(300)])
    assert all(outcome.answered_by == 9 for outcome in outcomes)
