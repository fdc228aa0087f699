"""Somebody else's key, token or budget, named where one's own belongs, is nobody's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from house import KEYS, library
from ownkey import Ownkey
from ownkey.app.budgets import BudgetBook
from ownkey.app.keys import KeyRing
from ownkey.talk.errors import InvalidRequest, PermissionDenied


@pytest.fixture
def ownkey(tmp_path: Path) -> Iterator[Ownkey]:
    with library(tmp_path / "home") as opened:
        yield opened


def test_A20_a_budget_names_no_key_and_no_token_of_somebody_elses(ownkey: Ownkey) -> None:
    a, b = (ownkey.people.add(name).id for name in ("Ann", "Ben"))
    key = KeyRing(ownkey.house, a).set("openai", KEYS["openai"]).row
    token, _ = ownkey.house.tokens.create(a, "laptop")
    of_b = BudgetBook(ownkey.house, b, only=b)
    for field, theirs, missing in (
        ("key", key.id, "key_0000000000000000"),
        ("token", token.id, "tok_0000000000000000"),
    ):
        told: list[str] = []
        for named in (theirs, missing):
            with pytest.raises(InvalidRequest) as refused:
                of_b.set("mine", limit="5", **{field: named})
            told.append(str(refused.value).replace(named, ""))
        assert told[0] == told[1]
    assert of_b.all() == []


def test_A20_a_budget_of_somebody_elses_is_not_changed_by_its_name(ownkey: Ownkey) -> None:
    a, b = (ownkey.people.add(name).id for name in ("Ann", "Ben"))
    of_a, of_b = (BudgetBook(ownkey.house, owner, only=owner) for owner in (a, b))
    theirs = of_a.set("trip", limit="5").room.budget
    mine = of_b.set("trip", limit="7").room.budget
    assert theirs.id != mine.id
    for named in (theirs.id, "bo_000000000000"):
        with pytest.raises(InvalidRequest):
            of_b.remove(named)
    kept = ownkey.budgets.set("kept", limit="1", owner=b).room.budget
    with pytest.raises(PermissionDenied):
        of_b.remove(kept.id)
    assert {budget.limit for budget in ownkey.budgets.all()} == {5 * 10**9, 7 * 10**9, 10**9}
