"""How much a model shall think, said as that model takes it.

Between levels and tokens one table holds: Google's own for OpenAI's efforts (Gemini API, OpenAI compatibility), with
32,768 above it, the most that Gemini 2.5 Pro takes and beyond which Anthropic sees little gain (Extended thinking).
"""

from __future__ import annotations

from collections.abc import Mapping

from ownkey.catalog.manifest import ThinkingRules
from ownkey.talk.chat import Chat, Effort, Thinking
from ownkey.talk.errors import Unsupported

BUDGETS: Mapping[Effort, int] = {
    "minimal": 1_024,
    "low": 1_024,
    "medium": 8_192,
    "high": 24_576,
    "xhigh": 32_768,
    "max": 32_768,
}
EFFORTS: tuple[Effort, ...] = tuple(BUDGETS)
"""From the least to the most. Beside them `none` asks for no thinking."""

# Up to so many tokens a budget is sent as this level; more is `high`.
_LEVELS: tuple[tuple[int, Effort], ...] = ((2_048, "low"), (8_192, "medium"))


def fitted(
    chat: Chat,
    rules: ThinkingRules,
    warnings: list[str],
    *,
    efforts: tuple[Effort, ...] = EFFORTS,
    has_none: bool = True,
) -> Thinking | None:
    """What can be said to the model: an effort, a budget, `none`, or neither (as it sees fit); None: nothing at all.

    `efforts` are the wire's own levels, `has_none` whether `none` is one. What is said otherwise than it was asked for
    is named in `warnings`. Raises Unsupported where the model cannot be asked with these tools.
    """
    asked = chat.thinking
    off = asked is not None and (asked.effort == "none" or (asked.effort is None and asked.budget_tokens == 0))
    if chat.tools and rules.tools != "any" and _at_rest(chat, rules):
        if asked is not None and not off:
            warnings.append("thinking: it was switched off, for this model takes tools only without it")
        return Thinking("none")
    if asked is None:
        return None
    if rules.by == "none":
        if not off:
            warnings.append("thinking: how much is not told to this model, and was left out")
        return None
    if off and rules.off and (has_none or rules.by == "budget"):
        return Thinking("none")
    if rules.by == "budget":
        return _by_budget(asked, rules, warnings, off=off)
    return _by_effort(asked, rules.efforts or efforts, warnings, off=off)


def _at_rest(chat: Chat, rules: ThinkingRules) -> bool:
    """Whether thinking has to be off for these tools. Raises Unsupported where nothing helps."""
    if rules.tools == "unthinking" and rules.off:
        return True
    if rules.tools == "unthinking":
        raise Unsupported("This model takes no tools on this wire.", "Use another model.", param="tools")
    if chat.tool_choice is not None and chat.tool_choice.mode in ("required", "named"):
        raise Unsupported(
            "This model cannot be made to call a tool: it decides by itself.",
            "Leave tool_choice out and ask for the call in words, or use another model.",
            param="tool_choice",
        )
    return False


def _by_effort(asked: Thinking, taken: tuple[Effort, ...], warnings: list[str], *, off: bool) -> Thinking:
    if off:
        warnings.append(f"thinking: it cannot be switched off here and was sent as {taken[0]!r}")
        return Thinking(taken[0])
    wanted, budget = asked.effort, asked.budget_tokens
    if wanted is None:
        if budget is None or budget < 0:
            return Thinking()
        wanted = next((level for most, level in _LEVELS if budget <= most), "high")
    place = EFFORTS.index(wanted)
    level = min(taken, key=lambda one: (abs(EFFORTS.index(one) - place), EFFORTS.index(one)))
    if asked.effort is None:
        warnings.append(f"thinking: a budget of {budget} tokens is sent as {level!r}, the nearest level")
    elif level != wanted:
        warnings.append(f"thinking: effort {wanted!r} is sent as {level!r}, the nearest that is taken")
    return Thinking(level)


def _by_budget(asked: Thinking, rules: ThinkingRules, warnings: list[str], *, off: bool) -> Thinking:
    if off:
        warnings.append(f"thinking: it cannot be switched off here, {rules.least} tokens are allowed for it")
        return Thinking(budget_tokens=rules.least)
    named = asked.budget_tokens
    if named is None and asked.effort is None:
        return Thinking()
    # A budget below 0 is Gemini's word for: as many as it sees fit.
    if named is not None and named < 0:
        return Thinking(budget_tokens=named)
    wanted = BUDGETS[asked.effort or "low"] if named is None else named
    budget = max(wanted if rules.most is None else min(wanted, rules.most), rules.least)
    if named is not None and budget != named:
        warnings.append(f"thinking: a budget of {named} tokens is sent as {budget}, the nearest that is taken")
    return Thinking(budget_tokens=budget)
