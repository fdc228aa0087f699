"""What the budgets say of one try before its money is held: how long its answer may be, whether it is a large one."""

from __future__ import annotations

from ownkey.engine.attempt import Made
from ownkey.spending.budget import RUN_TOKENS, Budget, Falls
from ownkey.spending.count import BYTES_PER_TOKEN
from ownkey.spending.price import Rates, ceiling, cost
from ownkey.spending.refusal import GO_ON, show
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


def soft_caps(falls: Falls, made: Made, *, asked_output: int | None, accepted: bool) -> tuple[str, ...]:
    """A warning for each soft cap that the run may well pass. Raises OverBudget where the budget asks first."""
    warnings: list[str] = []
    for budget in falls.budgets:
        if budget.run_soft_nano is None and budget.run_soft_tokens is None:
            continue
        said = _passed(budget, made, asked_output)
        if said is None:
            continue
        if budget.run_soft == "ask" and not accepted:
            raise OverBudget(said, f"To go on all the same: {GO_ON}", param="model")
        warnings.append(said)
    return tuple(warnings)


def _passed(budget: Budget, made: Made, asked_output: int | None) -> str | None:
    taken_in = min(made.input_tokens, -(-made.size_bytes // BYTES_PER_TOKEN))
    given = min(made.output_tokens, asked_output or USUAL_OUTPUT_TOKENS) * made.choices
    name = budget.name or budget.id
    if budget.run_soft_tokens is not None and taken_in + given > budget.run_soft_tokens:
        about, cap = show(taken_in + given, "tokens"), show(budget.run_soft_tokens, "tokens")
        return f"This run takes about {about}, more than the {cap} that the budget {name} thinks usual."
    if budget.run_soft_nano is None or made.rates is None:
        return None
    nano = cost(made.rates, Usage(taken_in, given))
    if nano <= budget.run_soft_nano:
        return None
    about, cap = show(nano, "usd"), show(budget.run_soft_nano, "usd")
    return f"This run costs about {about}, more than the {cap} that the budget {name} thinks usual."


def _ceiling(rates: Rates, made: Made, output_tokens: int) -> int:
    return ceiling(rates, input_tokens=made.input_tokens, output_tokens=output_tokens, choices=made.choices)
