"""Models beside each other, and the one to take for a task and a budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from ownkey.app.providers import ModelView
from ownkey.catalog.manifest import Ability
from ownkey.catalog.quality import board, quality
from ownkey.spending.price import cost
from ownkey.talk.errors import InvalidRequest, UnknownModel
from ownkey.talk.money import Money
from ownkey.talk.reply import Usage

if TYPE_CHECKING:
    from ownkey.app.providers import Providers


class Task(Struct, frozen=True):
    """What a model has to be able to do, and a usual size of one request, in tokens."""

    needs: tuple[Ability, ...]
    input_tokens: int
    output_tokens: int
    context: int = 0


TASKS: Mapping[str, Task] = {
    "chat": Task(("chat",), 500, 500),
    "writing": Task(("chat",), 500, 2_000),
    "code": Task(("chat", "tools"), 4_000, 1_500),
    "tools": Task(("chat", "tools"), 2_000, 500),
    "json": Task(("chat", "json"), 1_000, 500),
    "reasoning": Task(("chat", "reasoning"), 1_000, 4_000),
    "vision": Task(("chat", "vision"), 1_500, 500),
    "long-context": Task(("chat",), 100_000, 1_000, context=200_000),
    "embeddings": Task(("embeddings",), 1_000, 0),
}


class Recommended(Struct, frozen=True):
    """A model with what one usual request of the task costs there, its score, and why it stands where it does."""

    model: ModelView
    cost: Money
    why: str
    score: float | None = None

    @property
    def name(self) -> str:
        return f"{self.model.provider}/{self.model.model.id}"


def recommend(providers: Providers, budget_usd: Money, task: str, *, usable_only: bool = True) -> list[Recommended]:
    """Models that can do the task with a usual request within the budget, the best first.

    By the scores of `catalog.quality`. Those that have none come after, the dearest first, for prices are what their
    makers think of them; among equals the one with the longer context. `usable_only`: of providers that can be asked
    now. Raises InvalidRequest for a task that is none.
    """
    wanted = TASKS.get(task)
    if wanted is None:
        raise InvalidRequest(f"There is no task {task[:40]!r}.", f"Tasks: {', '.join(TASKS)}.", param="task")
    ready = {view.provider.id for view in providers.listed() if view.lack is None and view.provider.kind != "demo"}
    found: list[Recommended] = []
    for view in providers.models():
        if (
            (usable_only and view.provider not in ready)
            or not _can(view, wanted)
            or view.rates is None
            or view.model.retired
        ):
            continue
        price = Money(cost(view.rates, Usage(wanted.input_tokens, wanted.output_tokens)))
        if price.nano_usd <= budget_usd.nano_usd:
            score = quality(view.model.id, task if board(task) else None) if "chat" in wanted.needs else None
            found.append(Recommended(view, price, _why(wanted, price, score), score))
    return sorted(found, key=_rank)


def compare(providers: Providers, names: Sequence[str]) -> list[ModelView]:
    """What is known of each of these models, in this order. A name is `provider/model`, or a bare model, which stands
    for that of every provider that has it. Raises UnknownModel."""
    every = providers.models()
    found: list[ModelView] = []
    for name in names:
        fits = [view for view in every if name == f"{view.provider}/{view.model.id}"]
        fits = fits or [view for view in every if name in (view.model.id, *view.model.aliases)]
        if not fits:
            raise UnknownModel(
                f"No model here is called {name[:80]!r}.", "`ownkey models` lists all that are known.", param="model"
            )
        found += [view for view in fits if view not in found]
    return found


def _can(view: ModelView, task: Task) -> bool:
    return set(task.needs) <= set(view.model.does) and (view.model.context or 0) >= task.context


def _rank(one: Recommended) -> tuple[bool, float, int, int, str]:
    context = one.model.model.context or 0
    return one.score is None, -(one.score or 0.0), -one.cost.nano_usd, -context, one.name


def _why(task: Task, price: Money, score: float | None) -> str:
    scored = "not scored" if score is None else f"quality {score:g}"
    size = f"{task.input_tokens:,} tokens in and {task.output_tokens:,} out"
    return f"can do {', '.join(task.needs)}; {size} cost {price}; {scored}"
