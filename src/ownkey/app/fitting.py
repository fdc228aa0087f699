"""Whether a budget takes a request, by what would be held for it: as the book will decide it, nothing else being asked
meanwhile."""

from __future__ import annotations

from collections.abc import Mapping

from ownkey.engine.engine import Sized
from ownkey.engine.funds import affordable
from ownkey.spending.budget import Budget, Count, Place, Unit, room_in
from ownkey.spending.quote import Fits


def held_at_most(sized: Sized) -> tuple[int, int]:
    """What is held in nano-USD, and the longest answer of each choice, after the caps of a run have made it shorter."""
    made, least = sized.made, sized.least
    if least is None:
        return made.held_nano, made.output_tokens
    budgets = sized.falls.budgets
    nano = min([made.held_nano, *(each.run_hard_nano for each in budgets if each.run_hard_nano is not None)])
    tokens = min([made.held_tokens, *(each.run_hard_tokens for each in budgets if each.run_hard_tokens is not None)])
    if nano < least.nano or tokens < least.tokens or (nano, tokens) == (made.held_nano, made.held_tokens):
        return made.held_nano, made.output_tokens
    return nano, max(1, affordable(made, nano, tokens))


def fits(sized: Sized, counts: Mapping[Place, Count]) -> tuple[Fits, ...]:
    """How each budget takes it that it falls under. `counts` are those of `sized.falls.places`."""
    return tuple(_fits(budget, sized, counts) for budget in sized.falls.budgets)


def _fits(budget: Budget, sized: Sized, counts: Mapping[Place, Count]) -> Fits:
    made, least = sized.made, sized.least
    mine = [place for each, place in sized.falls.places if each.id == budget.id]
    rooms = [(place, max(0, room_in(budget, place, counts[place]))) for place in mine]
    left = next((room for place, room in rooms if not place[2]), None)
    name = budget.name or budget.id
    if rooms and budget.unit == "usd" and made.rates is None:
        return Fits(name, left, budget.unit, "no")
    needs: dict[Unit, int] = {"usd": made.held_nano, "tokens": made.held_tokens, "requests": 1}
    if least is not None:
        needs |= {"usd": least.nano, "tokens": least.tokens}
    given: dict[Unit, int] = {"usd": made.held_nano, "tokens": made.held_tokens, "requests": 1}
    limits: list[tuple[Unit, int | None, bool]] = [
        ("usd", budget.run_hard_nano, False),
        ("tokens", budget.run_hard_tokens, False),
        *((budget.unit, room, budget.exhausted == "ask") for _, room in rooms),
    ]
    for unit, room, asks in limits:
        if room is None:
            continue
        if needs[unit] > room:
            return Fits(name, left, budget.unit, "no", None, needs[unit] - room, unit, asks)
        given[unit] = min(given[unit], room)
    if (given["usd"], given["tokens"]) == (made.held_nano, made.held_tokens):
        return Fits(name, left, budget.unit, "whole", made.output_tokens)
    return Fits(name, left, budget.unit, "shorter", max(1, affordable(made, given["usd"], given["tokens"])))
