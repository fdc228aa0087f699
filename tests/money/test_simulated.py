"""Lives of a book by chance, on the real database, beside the simplest book there can be: they agree at every step.

What happens: holds, endings of every kind, processes that die, clocks that are set, budgets that come, change and go.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger_model import Attempt, Life, Model
from ownkey.store.db import Store
from ownkey.store.entry import Ending, Hold
from ownkey.store.pen_sqlite import SqlitePen
from ownkey.store.posting import Wish

AT_ONCE = 8
GENERATION = 1_500
"""Steps after which a book is begun anew: the simple one works everything out from every attempt."""


def live(folder: Path, seed: int, steps: int) -> int:
    """So many steps; how many holds were refused."""
    file = folder / f"{seed}" / "ownkey.db"
    store = Store.open(f"sqlite:///{file}")
    store.close()
    life, model = Life(seed), Model()
    pens = [SqlitePen(file, f"{number:016x}") for number in range(3)]
    store = Store.open(f"sqlite:///{file}")
    refused = done = turn = 0
    for number in range(3):
        model.budgets[f"b{number}"] = life.budget(number)
        store.budgets.set(model.budgets[f"b{number}"])
    while done < steps:
        turn += 1
        chance = life.random.random()
        if chance < 0.03:
            life.jump()
        elif chance < 0.06 and model.budgets:
            id = life.random.choice(sorted(model.budgets))
            model.budgets[id] = life.limit_changed(model.budgets[id])
            store.budgets.set(model.budgets[id])
        elif chance < 0.07:
            budget = life.budget()
            model.budgets[budget.id] = budget
            store.budgets.set(budget)
        elif chance < 0.08 and model.budgets:
            id = life.random.choice(sorted(model.budgets))
            del model.budgets[id]
            assert store.budgets.remove(id)
        elif chance < 0.10:
            done += crash(model, pens, life)
        else:
            more, less = written(model, pens, life)
            done, refused = done + more, refused + less
        if turn % 20 == 0:
            agree(model, store, life)
    agree(model, store, life)
    for pen in pens:
        pen.close()
    store.close()
    return refused


def written(model: Model, pens: list[SqlitePen], life: Life) -> tuple[int, int]:
    """One transaction of one process: some endings, then some holds, each with the verdict that the model gives."""
    which = life.random.randrange(len(pens))
    mine = [id for id, one in model.attempts.items() if one.ending is None and one.holder == which]
    endings = [life.ending(model.attempts[id].hold) for id in life.some(mine, AT_ONCE)]
    holds = [life.hold() for _ in range(life.random.randint(0, AT_ONCE))]
    verdicts = pens[which].write([Wish(hold) for hold in holds], endings)
    for ending in endings:
        model.attempts[ending.id].ending = ending
    refused = 0
    for hold, verdict in zip(holds, verdicts, strict=True):
        fits = model.fits(hold)
        assert isinstance(verdict, Hold) is fits, (life.seed, hold, verdict)
        if fits:
            model.attempts[hold.id] = Attempt(hold, which)
        refused += not fits
    return len(endings) + len(holds), refused


def crash(model: Model, pens: list[SqlitePen], life: Life) -> int:
    """A process dies, and the others end what it held, at the amount held."""
    which = life.random.randrange(len(pens))
    mine = [one for one in model.attempts.values() if one.ending is None and one.holder == which]
    endings = [Ending(one.hold.id, "assumed", one.hold.held_nano, ended_at_ms=life.clock_ms) for one in mine]
    pens[(which + 1) % len(pens)].write([], endings)
    for one, ending in zip(mine, endings, strict=True):
        one.ending = ending
    return len(endings)


def agree(model: Model, store: Store, life: Life) -> None:
    assert store.budgets.wrong_counters() == [], life.seed
    for room in store.budgets.rooms(life.clock_ms):
        found = (room.spent, room.pending)
        assert found == model.counts(model.budgets[room.budget.id], life.clock_ms), (life.seed, room)


def test_B22_B29_B32_lives_by_chance_agree_with_the_simplest_book(tmp_path: Path) -> None:
    seeds = range(20)
    refused = sum(live(tmp_path, seed, 600) for seed in seeds)
    print(f"{len(seeds)} lives of 600 steps, seeds {seeds[0]} to {seeds[-1]}, {refused} holds refused")
    assert refused > 500


@pytest.mark.soak
def test_B32_a_million_steps_break_nothing(tmp_path: Path) -> None:
    steps, seed, refused = 0, 1_000, 0
    while steps < 1_000_000:
        refused += live(tmp_path, seed, GENERATION)
        steps, seed = steps + GENERATION, seed + 1
    print(f"{steps:,} steps, seeds 1000 to {seed - 1}, {refused:,} holds refused, no invariant broken")
