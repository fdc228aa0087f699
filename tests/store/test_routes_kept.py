"""Routes, what was learned, and what was said of answers, in both databases: kept, each person's own, learned once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ownkey.routing.learn import ALL, Lesson
from ownkey.routing.rules import Route
from ownkey.store.db import Store
from ownkey.store.learned import Thumb


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = Store.open(url)
    yield opened
    opened.close()


def of_thumb(thumb: Thumb) -> Lesson:
    return Lesson(ALL, thumb.target, 1.0 if thumb.up else 0.0, 3.0)


def test_a_route_comes_back_as_it_was_put_and_ones_own_goes_before_everybodys(store: Store) -> None:
    whole = Route(
        "mine", ("openai/gpt-4o", "auto"), "best", "code", True, ("xai",), ("eu",), ("cn",), 0, 1.5, 30.0, False, True,
        False, "a",
    )  # fmt: skip
    store.routes.set(whole)
    store.routes.set(Route("mine", ("gemini",)))
    store.routes.set(Route("shared", ("gemini",)))
    assert store.routes.get("a", "mine") == whole
    assert store.routes.of("a") == {"mine": whole, "shared": Route("shared", ("gemini",))}
    assert store.routes.of("b") == {"mine": Route("mine", ("gemini",)), "shared": Route("shared", ("gemini",))}
    store.routes.set(Route("mine", ("anthropic",), owner="a"))
    assert store.routes.of("a")["mine"].targets == ("anthropic",)
    assert store.routes.remove("a", "mine")
    assert not store.routes.remove("a", "mine")
    assert store.routes.of("a")["mine"].owner is None


def test_what_two_processes_learn_adds_up_and_is_each_persons_own(store: Store, url: str) -> None:
    other = Store.open(url)
    try:
        store.learned.learn("a", [Lesson("short", "x/m", 0.9)] * 3, of_thumb)
        known = other.learned.learn("a", [Lesson("short", "x/m", 0.9)] * 2, of_thumb)
    finally:
        other.close()
    assert known.kinds["short"]["x/m"].weight == pytest.approx(5, abs=0.2)
    assert store.learned.of("a") == known
    assert store.learned.of("b").kinds == {}
    store.learned.forget("a")
    assert store.learned.of("a").kinds == {}


def test_a_thumb_is_learned_from_once_and_again_when_it_is_turned(store: Store) -> None:
    store.learned.say("a", Thumb("r1", "x/m", True))
    store.learned.say("b", Thumb("r1", "y/m", False))
    assert store.learned.learn("a", [], of_thumb).kinds[ALL]["x/m"].weight == 3
    assert store.learned.learn("a", [], of_thumb).kinds[ALL]["x/m"].weight == 3
    store.learned.say("a", Thumb("r1", "x/m", False))
    arm = store.learned.learn("a", [], of_thumb).kinds[ALL]["x/m"]
    assert arm.weight > 3
    assert arm.total / arm.weight < 0.6
    assert store.learned.of("b").kinds == {}


def test_with_a_person_go_their_routes_and_what_was_learned_for_them_and_their_users(store: Store) -> None:
    gone = "u1"
    for owner in (gone, f"{gone}/customer", "u2"):
        store.routes.set(Route("mine", owner=owner))
        store.learned.learn(owner, [Lesson("short", "x/m", 0.9)], of_thumb)
        store.learned.say(owner, Thumb("r1", "x/m", True))
    store.people.remove(gone)
    assert [list(store.routes.of(owner)) for owner in (gone, f"{gone}/customer", "u2")] == [[], [], ["mine"]]
    assert [bool(store.learned.of(owner).kinds) for owner in (gone, f"{gone}/customer", "u2")] == [False, False, True]
    assert store.learned.learn(f"{gone}/customer", [], of_thumb).kinds == {}
