"""What is learned from answers: whom to ask for which kind of request. Pure: chance is given, and so are outcomes.

For each kind of request and each target there is a mean reward and how much it stands on: a Gaussian posterior, from
which Thompson sampling draws (Thompson, 1933; Russo et al., A Tutorial on Thompson Sampling, 2018). With every answer
of its kind all that was known before fades a little (discounted Thompson sampling: Raj and Kalyani, 2017), so that
the choice follows targets that change. What is known of a target over all kinds is where each kind begins.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

FADES = 0.99
"""What is left of the weight of all earlier answers of its kind after one more: about the last hundred count."""

FAILED = 0.8
"""What is left of the weight of all that is known of a target, in every kind, when it fails: what has begun to fail is
seen at once, whatever it was worth before."""

PRIOR_WEIGHT = 2.0
"""As many answers is worth what is known beforehand."""

FROM_ALL = 4.0
"""As many answers, at most, is worth what a target did with requests of other kinds."""

SPREAD = 0.1
"""How far one reward usually is from its mean."""

ALL = "all"
"""The kind that every request is of."""

SUCCESS, SPEED, THRIFT = 0.6, 0.2, 0.2
USUAL_S, USUAL_USD = 5.0, 0.01
"""An answer that takes so long, or costs so much, gets half of what is given for speed, or for thrift."""

THUMB_WEIGHT = 3.0
"""A person's word is worth so many answers."""


class Arm(Struct):
    """Of one target with one kind: the sum of its rewards, and of their weights, both faded."""

    total: float = 0.0
    weight: float = 0.0


Kind = dict[str, Arm]


class Chosen(Struct, frozen=True):
    """A target with what was drawn for it, its mean and the answers that this stands on."""

    name: str
    drawn: float
    mean: float
    weight: float


class Lesson(Struct, frozen=True):
    """One answer: of which kind the request was, who gave it, what it was worth."""

    kind: str
    target: str
    reward: float
    weight: float = 1.0


def kind_of(*, tools: bool, pictures: bool, code: bool, size_tokens: int) -> str:
    """The kind of a request, guessed from what it holds: `tools,long`. No word of it is kept."""
    marks = [name for name, there in (("tools", tools), ("pictures", pictures), ("code", code)) if there]
    size = "short" if size_tokens < 500 else "medium" if size_tokens < 8_000 else "long"
    return ",".join((*marks, size))


def reward_of(*, succeeded: bool, total_s: float, cost_usd: float | None) -> float:
    """From 0, nothing was answered, to 1: at once and for nothing. A price that is not known counts as the usual."""
    if not succeeded:
        return 0.0
    thrift = 0.5 if cost_usd is None else 1.0 / (1.0 + cost_usd / USUAL_USD)
    return SUCCESS + SPEED / (1.0 + total_s / USUAL_S) + THRIFT * thrift


class Learned(Struct):
    """What is known of the targets, by kind of request."""

    kinds: dict[str, Kind] = {}

    def learn(self, lesson: Lesson) -> None:
        if lesson.reward <= 0:
            for kind in self.kinds.values():
                if (arm := kind.get(lesson.target)) is not None:
                    _fade(arm, FAILED)
        for name in dict.fromkeys((lesson.kind, ALL)):
            kind = self.kinds.setdefault(name, {})
            for arm in kind.values():
                _fade(arm, FADES)
            arm = kind.setdefault(lesson.target, Arm())
            arm.total += lesson.reward * lesson.weight
            arm.weight += lesson.weight

    def choose(self, kind: str, prior: Mapping[str, float], draw: Callable[[float, float], float]) -> list[Chosen]:
        """All targets of `prior`, the one to ask first. `prior`: what each is taken for before anything was learned,
        from 0 to 1. `draw` draws from a normal distribution of that mean and deviation (`random.gauss`)."""
        return sorted((self._drawn(kind, *one, draw) for one in prior.items()), key=lambda one: -one.drawn)

    def mean(self, kind: str, target: str, prior: float) -> tuple[float, float]:
        """What an answer is expected to be worth, and how many answers of that kind this stands on."""
        base, base_weight = prior, PRIOR_WEIGHT
        over_all = self.kinds.get(ALL, {}).get(target)
        if over_all is not None and over_all.weight > 0:
            weight = min(FROM_ALL, over_all.weight)
            base = (prior * PRIOR_WEIGHT + weight * over_all.total / over_all.weight) / (PRIOR_WEIGHT + weight)
        own = self.kinds.get(kind, {}).get(target) or Arm()
        return (base * base_weight + own.total) / (base_weight + own.weight), own.weight

    def _drawn(self, kind: str, target: str, prior: float, draw: Callable[[float, float], float]) -> Chosen:
        mean, weight = self.mean(kind, target, prior)
        return Chosen(target, draw(mean, SPREAD / math.sqrt(PRIOR_WEIGHT + weight)), mean, weight)


def _fade(arm: Arm, left: float) -> None:
    arm.total *= left
    arm.weight *= left


def explained(chosen: Sequence[Chosen], kind: str) -> list[str]:
    """Why each stands where it does, in the same order."""
    best = max((one.mean for one in chosen), default=0.0)
    told: list[str] = []
    for one in chosen:
        worth = f"worth {one.mean:.2f} over about {one.weight:.0f} answers to {kind} requests"
        if one.weight < 1:
            worth = f"no answers to {kind} requests yet, taken for {one.mean:.2f}"
        told.append(worth if one.mean == best or one is not chosen[0] else f"{worth}; tried, for it may be better")
    return told
