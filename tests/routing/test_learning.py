"""The learned choice against every fixed one, in worlds that are played out: chance is seeded, time is counted.

Each world says what an answer of a target is worth at one moment for one kind of request. A fixed choice asks the same
target always, from the first request to the last; it knows nothing, and needs to learn nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from ownkey.routing.learn import Learned, Lesson, explained, kind_of, reward_of

TARGETS = ("one/fine", "two/quick", "three/cheap", "four/odd")
KINDS = ("short", "tools,medium", "code,long")
REQUESTS, SEEDS = 2_000, 20
PRIOR = dict.fromkeys(TARGETS, 0.6)

World = Callable[[random.Random, int, str, str], float]


def worth(chance: random.Random, share: float, total_s: float, cost_usd: float) -> float:
    """Of one answer: it succeeds with that chance, and takes about so long."""
    took_s = total_s * chance.uniform(0.7, 1.3)
    return reward_of(succeeded=chance.random() < share, total_s=took_s, cost_usd=cost_usd)


def drifting(chance: random.Random, number: int, kind: str, target: str) -> float:
    """Who is good changes: each third of the time another one is."""
    good = TARGETS[3 * number // REQUESTS]
    return worth(chance, 0.98 if target == good else 0.75, 1.0 if target == good else 6.0, 0.004)


def one_failing(chance: random.Random, number: int, kind: str, target: str) -> float:
    """The best one answers nothing for a third of the time, and is as good as before afterwards."""
    down = target == TARGETS[0] and REQUESTS // 3 <= number < 2 * REQUESTS // 3
    share = {TARGETS[0]: 0.0 if down else 0.99, TARGETS[1]: 0.9, TARGETS[2]: 0.8, TARGETS[3]: 0.7}[target]
    return worth(chance, share, {TARGETS[0]: 0.8, TARGETS[1]: 3.0}.get(target, 5.0), 0.003)


def by_task(chance: random.Random, number: int, kind: str, target: str) -> float:
    """Each kind of request is answered well by another one."""
    good = dict(zip(KINDS, TARGETS, strict=False))[kind]
    return worth(chance, 0.97 if target == good else 0.65, 1.5 if target == good else 4.0, 0.005)


def slowly_worse(chance: random.Random, number: int, kind: str, target: str) -> float:
    """One gets dearer and slower bit by bit, another one better."""
    part = number / REQUESTS
    seconds = {TARGETS[0]: 0.5 + 14 * part, TARGETS[1]: 14.5 - 14 * part}.get(target, 8.0)
    return worth(chance, 0.97, seconds, {TARGETS[0]: 0.001 + 0.1 * part, TARGETS[1]: 0.02}.get(target, 0.05))


def played(
    world: World, seed: int, choose: Callable[[random.Random, str], str], learn: Callable[[Lesson], None]
) -> float:
    """What all answers were worth together. The same seed brings the same requests."""
    requests, chance, total = random.Random(seed), random.Random(seed + 10_000), 0.0
    for number in range(REQUESTS):
        kind = requests.choice(KINDS)
        target = choose(chance, kind)
        reward = world(chance, number, kind, target)
        learn(Lesson(kind, target, reward))
        total += reward
    return total


def learned_total(world: World, seed: int) -> float:
    known = Learned({})
    return played(world, seed, lambda chance, kind: known.choose(kind, PRIOR, chance.gauss)[0].name, known.learn)


@pytest.mark.parametrize("world", [drifting, one_failing, by_task, slowly_worse], ids=lambda world: world.__name__)
def test_what_is_learned_beats_every_fixed_choice_over_twenty_seeds(world: World) -> None:
    learned = sum(learned_total(world, seed) for seed in range(SEEDS))
    fixed = {
        target: sum(
            played(world, seed, lambda chance, kind, name=target: name, lambda _: None) for seed in range(SEEDS)
        )
        for target in TARGETS
    }
    best = max(fixed.values())
    assert learned > 1.01 * best, (learned, fixed)


def test_it_beats_the_best_fixed_choice_with_nearly_every_seed_and_not_by_luck_of_one() -> None:
    better = 0
    for seed in range(SEEDS):
        fixed = max(played(by_task, seed, lambda chance, kind, name=name: name, lambda _: None) for name in TARGETS)
        better += learned_total(by_task, seed) > fixed
    assert better == SEEDS


def test_it_finds_the_one_that_is_always_best_and_loses_little_in_finding_it() -> None:
    def steady(chance: random.Random, number: int, kind: str, target: str) -> float:
        return worth(chance, 0.95 if target == TARGETS[2] else 0.8, 2.0, 0.002)

    learned = sum(learned_total(steady, seed) for seed in range(SEEDS))
    fixed = sum(played(steady, seed, lambda chance, kind: TARGETS[2], lambda _: None) for seed in range(SEEDS))
    assert learned > 0.95 * fixed


def test_what_a_person_says_of_answers_changes_who_is_asked() -> None:
    known, chance = Learned({}), random.Random(1)
    for _ in range(100):
        for target in TARGETS[:2]:
            known.learn(Lesson("short", target, 0.8))
    for _ in range(20):
        known.learn(Lesson("short", TARGETS[0], 0.0, 3.0))
        known.learn(Lesson("short", TARGETS[1], 1.0, 3.0))
    firsts = [known.choose("short", PRIOR, chance.gauss)[0].name for _ in range(100)]
    assert TARGETS[0] not in firsts
    assert firsts.count(TARGETS[1]) > 60


def test_what_is_learned_of_one_kind_is_a_beginning_for_another() -> None:
    known = Learned({})
    for _ in range(50):
        known.learn(Lesson("short", TARGETS[0], 0.95))
        known.learn(Lesson("short", TARGETS[1], 0.05))
    means = [known.mean("code,long", target, 0.6)[0] for target in TARGETS[:2]]
    assert means[0] > means[1] + 0.3
    assert [known.mean("code,long", target, 0.6)[1] for target in TARGETS[:2]] == [0, 0]


def test_each_place_is_explained() -> None:
    known = Learned({})
    for _ in range(30):
        known.learn(Lesson("short", TARGETS[0], 0.9))
    chosen = known.choose("short", PRIOR, lambda mean, spread: mean)
    told = explained(chosen, "short")
    assert chosen[0].name == TARGETS[0]
    assert told[0] == "worth 0.89 over about 26 answers to short requests"
    assert told[1] == "no answers to short requests yet, taken for 0.60"
    tried = known.choose("short", PRIOR, lambda mean, spread: -mean)
    assert explained(tried, "short")[0].endswith("; tried, for it may be better")


def test_a_reward_rises_with_speed_and_thrift_and_a_failure_is_worth_nothing() -> None:
    assert reward_of(succeeded=True, total_s=0, cost_usd=0) == pytest.approx(1.0)
    assert reward_of(succeeded=False, total_s=0, cost_usd=0) == 0.0
    usual = reward_of(succeeded=True, total_s=5, cost_usd=0.01)
    assert usual == pytest.approx(0.8)
    assert (
        reward_of(succeeded=True, total_s=1, cost_usd=0.01) > usual > reward_of(succeeded=True, total_s=9, cost_usd=1)
    )
    assert reward_of(succeeded=True, total_s=5, cost_usd=None) == usual


def test_a_kind_says_what_a_request_holds_and_nothing_of_its_words() -> None:
    assert kind_of(tools=False, pictures=False, code=False, size_tokens=10) == "short"
    assert kind_of(tools=True, pictures=True, code=True, size_tokens=900) == "tools,pictures,code,medium"
    assert kind_of(tools=False, pictures=False, code=True, size_tokens=20_000) == "code,long"
