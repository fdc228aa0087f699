"""What the budgets say of one try before its money is held: how long its answer may be, whether it is a large one."""

from __future__ import annotations

from typing import Protocol

from ownkey.engine.attempt import Made
from ownkey.spending.budget import RUN_TOKENS, Budget, Falls, Unit
from ownkey.spending.count import BYTES_PER_TOKEN
from ownkey.spending.price import Rates, ceiling, cost
from ownkey.spending.refusal import GO_ON, show
from ownkey.talk.consent import Reason
from ownkey.talk.errors import OverBudget
from ownkey.talk.reply import Usage

LEAST_OUTPUT_TOKENS = 256
"""A shorter answer is of no use to one who did not ask for it."""

USUAL_OUTPUT_TOKENS = 1_024
"""What an answer is taken to be where a soft cap is compared and nobody said how long it may be."""


def run_cap(falls: Falls) -> int | None:
    """The most output of a run that did not say how much it wants; None where no budget applies."""
    if not falls.budgets:
        return None
    return min((each.run_hard_tokens for each in falls.budgets if each.run_hard_tokens is not None), default=RUN_TOKENS)


def affordable(made: Made, held_nano: int, held_tokens: int) -> int:
    """The longest answer, in tokens, that is paid for by what was given: of each choice."""
    least, most = 0, made.output_tokens
    while least < most:
        middle = (least + most + 1) // 2
        fits = made.input_tokens + middle * made.choices <= held_tokens and bound(made, middle) <= held_nano
        least, most = (middle, most) if fits else (least, middle - 1)
    return least


def bound(made: Made, output_tokens: int) -> int:
    """What it costs at most, in nano-USD, with so long an answer."""
    return max((_ceiling(rates, made, output_tokens) for rates in made.options), default=0)


class Accepting(Protocol):
    """`over_accepted`: whatever a budget asks about; `budgets_accepted`: of one of them, as `kind:budget`."""

    @property
    def over_accepted(self) -> bool: ...
    @property
    def budgets_accepted(self) -> frozenset[str]: ...


def soft_caps(falls: Falls, made: Made, *, asked_output: int | None, asker: Accepting) -> tuple[str, ...]:
    """A warning for each soft cap that the run may well pass. Raises OverBudget, naming all that ask first."""
    warnings: list[str] = []
    asked: list[Reason] = []
    for budget in falls.budgets:
        if budget.run_soft_nano is None and budget.run_soft_tokens is None:
            continue
        passed = _passed(budget, made, asked_output)
        if passed is None:
            continue
        if (
            budget.run_soft == "ask"
            and not asker.over_accepted
            and f"{passed.kind}:{budget.id}" not in asker.budgets_accepted
        ):
            asked.append(passed)
        warnings.append(passed.says)
    if asked:
        says = " ".join(reason.says for reason in asked)
        raise OverBudget(says, f"To go on all the same: {GO_ON}", param="model", reasons=asked)
    return tuple(warnings)


def _passed(budget: Budget, made: Made, asked_output: int | None) -> Reason | None:
    taken_in = min(made.input_tokens, -(-made.size_bytes // BYTES_PER_TOKEN))
    given = min(made.output_tokens, asked_output or USUAL_OUTPUT_TOKENS) * made.choices
    if budget.run_soft_tokens is not None and taken_in + given > budget.run_soft_tokens:
        return _soft(budget, "takes", "tokens", taken_in + given, budget.run_soft_tokens)
    if budget.run_soft_nano is None or made.rates is None:
        return None
    nano = cost(made.rates, Usage(taken_in, given))
    if nano <= budget.run_soft_nano:
        return None
    return _soft(budget, "costs", "usd", nano, budget.run_soft_nano)


def _soft(budget: Budget, does: str, unit: Unit, about: int, cap: int) -> Reason:
    name = budget.name or budget.id
    passed = f"more than the {show(cap, unit)} that the budget {name} thinks usual"
    says = f"This run {does} about {show(about, unit)}, {passed}."
    return Reason("soft_cap", says, budget=budget.id, name=name, unit=unit, about=about, cap=cap)


def _ceiling(rates: Rates, made: Made, output_tokens: int) -> int:
    return ceiling(rates, input_tokens=made.input_tokens, output_tokens=output_tokens, choices=made.choices)
