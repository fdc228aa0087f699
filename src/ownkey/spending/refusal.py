"""What a budget says when an attempt does not fit: one error, in the words and amounts that its owner set it in."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from ownkey.spending.budget import Budget, Refused, Room, Unit
from ownkey.talk.consent import Reason
from ownkey.talk.errors import BudgetExceeded, OverBudget, OwnkeyError
from ownkey.talk.money import say_usd

GO_ON = "`--accept-over-budget`, in Python `accept_over_budget=True`, or the header `x-ownkey-accept-over-budget: yes`."


def refusal(refused: Refused, unknown_price_of: str = "") -> OwnkeyError:
    """BudgetExceeded, or OverBudget where the budget asks. `unknown_price_of` names the model."""
    room = refused.room
    budget = room.budget
    message, hint = _told(refused, unknown_price_of)
    if budget.exhausted == "ask" and refused.why in ("limit", "share"):
        asked = Reason(
            "over_budget",
            message,
            budget=budget.id,
            name=budget.name or budget.id,
            unit=budget.unit,
            about=refused.needs,
            cap=budget.limit or 0,
        )
        return OverBudget(message, f"To go on all the same: {GO_ON}", param="model", reasons=(asked,))
    return BudgetExceeded(
        message,
        hint,
        budget=budget.id,
        resets_at_ms=room.end_ms if budget.window.period != "ever" else None,
        move_on=budget.exhausted == "fall_back",
        of_key=budget.key_id is not None,
        of_run=refused.why in ("run", "price"),
    )


def _told(refused: Refused, model: str) -> tuple[str, str]:
    room = refused.room
    budget, name = room.budget, room.budget.name or room.budget.id
    needs = show(refused.needs, budget.unit)
    if refused.why == "price":
        said = f"What {model or 'this model'} costs is not known, and the budget {name} is in dollars."
        return said, "Give its price: `ownkey prices set PROVIDER/MODEL`."
    if refused.why == "run":
        cap = run_cap(budget)
        return f"This run may take more than the {cap} that the budget {name} lets one run take.", _SHORTER
    if refused.why == "share":
        return f"What you have under way fills your share of the budget {name}.", "Wait until some of it has ended."
    left = show(room.left or 0, budget.unit)
    pending = f", {show(room.pending, budget.unit)} of it pending" if room.pending else ""
    most = show(budget.limit or 0, budget.unit)
    taken = show(room.spent + room.pending, budget.unit)
    said = f"The budget {name} has {left} left of {most} ({taken} taken{pending}); this run may take {needs}."
    return said, f"{_SHORTER} Or raise it: `ownkey budgets set`.{_again(room)}"


_SHORTER = "Ask for a shorter answer (max_tokens) or a cheaper model."


def run_cap(budget: Budget) -> str:
    """What one run may take at most, in words."""
    caps: list[str] = []
    if budget.run_hard_nano is not None:
        caps.append(show(budget.run_hard_nano, "usd"))
    if budget.run_hard_tokens is not None:
        caps.append(show(budget.run_hard_tokens, "tokens"))
    return " or ".join(caps)


def show(amount: int, unit: Unit) -> str:
    if unit == "usd":
        return say_usd(amount)
    one = unit.removesuffix("s")
    return f"{amount:,} {one if amount == 1 else unit}"


def _again(room: Room) -> str:
    if room.budget.window.period == "ever":
        return ""
    zone = room.budget.window.zone
    begins = datetime.fromtimestamp(room.end_ms / 1000, UTC).astimezone(ZoneInfo(zone))
    return f" It begins anew on {begins:%Y-%m-%d at %H:%M} ({zone})."
