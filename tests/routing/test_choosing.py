"""In which order targets are asked, and why; which rules nothing passes; how good models are said to be."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from ownkey.catalog.quality import board, quality
from ownkey.routing.choose import EXPLORED, LEAST_MEASURED, Known, Needs, lacks, ordered
from ownkey.routing.plan import Policy
from ownkey.routing.rules import NAMED, Route, route_of
from ownkey.routing.speed import Speeds
from ownkey.talk.errors import InvalidRequest

DEAR = Known("dear/best", 9_000_000, 2.0, 50.0, 9, quality=1500.0)
MIDDLE = Known("middle/good", 1_000_000, 0.5, 100.0, 9, quality=1450.0)
CHEAP = Known("cheap/poor", 100_000, 4.0, 20.0, 9, quality=1300.0)
NEW = Known("new/unknown", None)
ALL = (DEAR, MIDDLE, CHEAP, NEW)


def never() -> float:
    return 1.0


def names(choose: Any, known: tuple[Known, ...] = ALL, chance: Any = never) -> list[str]:
    placed = ordered(Route("mine", choose=choose), known, chance)
    assert sorted(one.place for one in placed) == list(range(len(known)))
    assert all(one.why for one in placed)
    return [known[one.place].name for one in placed]


@pytest.mark.row("C13")
@pytest.mark.row("D4")
def test_by_speed_by_cost_and_by_quality_each_has_its_order() -> None:
    assert names("listed") == ["dear/best", "middle/good", "cheap/poor", "new/unknown"]
    assert names("cheapest") == ["cheap/poor", "middle/good", "dear/best", "new/unknown"]
    assert names("fastest") == ["middle/good", "dear/best", "cheap/poor", "new/unknown"]
    assert names("best") == ["dear/best", "middle/good", "cheap/poor", "new/unknown"]
    assert names("balanced")[0] == "middle/good"


def test_among_those_without_a_figure_the_cheaper_is_asked_first() -> None:
    known = (Known("a/dear", 5_000), Known("b/none"), Known("c/cheap", 1_000), Known("d/good", 90_000, quality=1.0))
    assert names("best", known) == ["d/good", "c/cheap", "a/dear", "b/none"]


def test_the_whole_answer_counts_and_not_its_first_word_alone() -> None:
    quick = Known("a/quick-word", first_s=0.1, tokens_per_s=10.0, measured=9, output_tokens=500)
    steady = Known("b/steady", first_s=1.0, tokens_per_s=100.0, measured=9, output_tokens=500)
    assert names("fastest", (quick, steady)) == ["b/steady", "a/quick-word"]


def test_one_in_ten_requests_for_the_fastest_goes_to_one_that_was_not_measured() -> None:
    assert names("fastest", chance=lambda: EXPLORED - 0.001)[0] == "new/unknown"
    assert names("fastest", chance=lambda: EXPLORED)[0] == "middle/good"
    fresh = (Known("a/a", measured=LEAST_MEASURED - 1), Known("b/b"), Known("c/c", measured=1))
    assert names("fastest", fresh)[0] == "b/b"
    placed = ordered(Route("mine", choose="fastest"), fresh, never)
    assert placed[0].why == "asked to be measured: not measured yet"


def test_what_stands_in_comes_after_others_whatever_it_costs() -> None:
    local = Known("local/free", 0, 0.01, 900.0, 9, quality=9999.0, spare=True)
    for choose in ("listed", "cheapest", "fastest", "best", "balanced"):
        assert names(choose, (local, *ALL))[-1] == "local/free"


@pytest.mark.row("A4")
def test_who_cannot_carry_a_request_is_said_to_lack_it() -> None:
    needs = Needs(frozenset({"chat", "tools", "vision"}), 9_000, 1_000)
    assert lacks(needs, ("chat", "tools", "vision"), 10_000) is None
    assert lacks(needs, ("chat", "vision"), None) == "cannot call tools"
    assert lacks(needs, ("chat", "tools"), None) == "takes no pictures"
    assert lacks(needs, ("chat", "tools", "vision"), 9_999) == (
        "context too small: about 10,000 tokens are wanted of 9,999"
    )
    assert lacks(needs, (), None) is None  # nobody knows what it can


def test_speed_is_what_it_was_lately() -> None:
    speeds = Speeds()
    assert speeds.of("a/a").first_s is None
    for _ in range(20):
        speeds.note("a/a", 1_000, 3_000, 100)
    assert speeds.of("a/a").first_s == pytest.approx(1.0)
    assert speeds.of("a/a").tokens_per_s == pytest.approx(50.0)
    for _ in range(20):
        speeds.note("a/a", 100, 300, 100)
    assert speeds.of("a/a").first_s == pytest.approx(0.1, abs=0.02)
    speeds.note("b/b", 100, 100, None)
    assert (speeds.of("b/b").measured, speeds.of("b/b").tokens_per_s) == (1, None)


@pytest.mark.parametrize(
    ("rules", "provider", "regions", "here", "refused"),
    [
        ({}, "one", None, False, False),
        ({"exclude": ("one",)}, "one", ("us",), False, True),
        ({"exclude": ("one",)}, "one", None, True, True),
        ({"exclude": ("one",)}, "two", None, False, False),
        ({"local_only": True}, "one", ("us",), False, True),
        ({"local_only": True}, "one", None, True, False),
        ({"regions": ("eu",)}, "one", ("fr",), False, False),
        ({"regions": ("eu",)}, "one", ("eu",), False, False),
        ({"regions": ("eu",)}, "one", ("fr", "us"), False, True),
        ({"regions": ("us",)}, "one", ("us-east",), False, False),
        ({"regions": ("us-east",)}, "one", ("us",), False, True),
        ({"regions": ("fr",)}, "one", ("eu",), False, True),
        ({"regions": ("eu",)}, "one", None, False, True),
        ({"regions": ("eu",)}, "one", None, True, False),
        ({"not_regions": ("cn",)}, "one", ("cn",), False, True),
        ({"not_regions": ("cn",)}, "one", ("us",), False, False),
        ({"not_regions": ("cn",)}, "one", None, False, True),
        ({"not_regions": ("us-east",)}, "one", ("us",), False, True),
        ({"not_regions": ("fr",)}, "one", ("eu",), False, True),
        ({"not_regions": ("eu",)}, "one", ("fr",), False, True),
    ],
)
def test_a_hard_rule_is_kept_where_it_is_not_known_that_it_is(
    rules: dict[str, Any], provider: str, regions: tuple[str, ...] | None, here: bool, refused: bool
) -> None:
    route = route_of("mine", rules)
    assert (route.refuses(provider, regions, is_here=here) is not None) is refused


@pytest.mark.parametrize(
    ("name", "given", "param"),
    [
        ("auto", {}, "name"),
        ("With Blanks", {}, "name"),
        ("a/b", {}, "name"),
        ("mine", {"targets": []}, "targets"),
        ("mine", {"targets": ["one,two"]}, "targets"),
        ("mine", {"targets": ["auto:cheap"]}, "targets"),
        ("mine", {"targets": "openai"}, "targets"),
        ("mine", {"choose": "dearest"}, "choose"),
        ("mine", {"choose": "cheapest", "task": "code"}, "task"),
        ("mine", {"choose": "best", "task": "juggling"}, "task"),
        ("mine", {"regions": ["Europe"]}, "regions"),
        ("mine", {"retries": -1}, "retries"),
        ("mine", {"retries": 11}, "retries"),
        ("mine", {"total_s": 0}, "total_s"),
        ("mine", {"first_token_timeout_s": float("nan")}, "first_token_timeout_s"),
        ("mine", {"local_only": "yes"}, "local_only"),
        ("mine", {"owner": "somebody"}, "owner"),
    ],
)
def test_what_is_no_route_is_refused_by_the_name_of_the_field(name: str, given: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        route_of(name, given)
    assert caught.value.param == param


def test_a_route_changes_of_the_usual_policy_what_it_says_and_nothing_else() -> None:
    usual = Policy(retries=2, first_s=10.0, total_s=120.0, delay_s=0.5)
    assert Route("mine").policy(usual) is usual
    own = route_of("mine", {"retries": 0, "total_s": 5, "first_token_timeout_s": 1.5}).policy(usual)
    assert own == Policy(retries=0, first_s=1.5, total_s=5, delay_s=0.5)


def test_what_is_not_given_of_a_route_stays_and_none_goes_back() -> None:
    first = route_of("mine", {"targets": ["openai"], "choose": "best", "task": "code", "retries": 3})
    second = route_of("mine", {"retries": None, "exclude": ["xai"]}, first)
    assert (second.targets, second.choose, second.task) == (("openai",), "best", "code")
    assert (second.retries, second.exclude) == (None, ("xai",))


def test_the_names_that_are_always_there() -> None:
    assert {"auto", "auto:cheap", "auto:fast", "auto:code", "auto:local", "auto:learned"} <= set(NAMED)
    assert NAMED["auto:code"].task == "code"
    assert NAMED["auto:local"].local_only


@pytest.mark.row("C13")
def test_quality_is_read_off_a_dated_board_by_whatever_name_a_model_is_sold() -> None:
    found = board("code")
    assert found is not None
    assert found.source.startswith("https://")
    assert date(2026, 1, 1) < date.fromisoformat(found.dated) < date(2027, 1, 1)
    assert quality("claude-opus-5-5", "code") == quality("anthropic/claude-opus-5.5", "code") == 1514.8
    assert quality("claude-opus-4-5-20251101") == quality("claude-opus-4.5")
    assert quality("a-model-of-nobodys", "code") is None
    assert board("embeddings") is None
    assert quality("text-embedding-3-large", "embeddings") is None
