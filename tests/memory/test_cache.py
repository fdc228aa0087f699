"""The same question again: the same answer, to the same person, at no cost; and to nobody else."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from house import Simulator, until
from matrix import IN
from ownkey.routing.scope import Scope
from remembering import Remembering, remembering

_numbers = itertools.count(1)
FEATURES: dict[str, dict[str, Any]] = {
    "text": {},
    "tool": {"say": "use tool get_weather", "tools": ["get_weather"]},
    "tools": {"say": "use all tools", "tools": ["get_weather", "get_time"]},
}


@pytest.fixture(scope="module")
def house(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remembering]:
    with remembering(tmp_path_factory.mktemp("cache") / "home", simulator) as made:
        yield made


def fresh(**more: Any) -> dict[str, Any]:
    """A question that nobody has asked."""
    return {"say": f"Say 5 words about {next(_numbers)}", **more}


@pytest.mark.row("C14")
@pytest.mark.parametrize("outward", ["openai-chat", "anthropic-messages", "gemini"])
def test_what_was_asked_before_is_answered_again_in_every_wire(
    simulator: Simulator, tmp_path: Path, outward: str
) -> None:
    """Whole and streamed, over the same wire as the provider's and over another, text and tools."""
    with remembering(tmp_path / "home", simulator, wire=outward) as house:
        for wire, streamed, feature in itertools.product(IN, (False, True), FEATURES):
            asked = {"system": f"{wire} {streamed}", **FEATURES[feature], "stream": streamed}
            first, told = house.texts("a", wire, asked, cache="on")
            before = house.asked()
            again, repeated = house.texts("a", wire, asked, cache="on")
            assert first.headers["x-ownkey-cache"] == "miss"
            assert again.headers["x-ownkey-cache"] == "hit", (wire, streamed, feature)
            assert (again.headers["x-ownkey-cost-usd"], again.headers["x-ownkey-attempts"]) == ("0.00", "0")
            assert int(again.headers["age"]) < 60
            assert again.headers["x-ownkey-model"] == first.headers["x-ownkey-model"]
            assert house.asked() == before
            assert repeated.text == told.text
            assert [call[1:] for call in repeated.calls] == [call[1:] for call in told.calls]
            assert repeated.reason == told.reason
            assert repeated.text or repeated.calls


def test_an_answer_of_one_wire_is_given_again_in_every_other_whole_and_streamed(house: Remembering) -> None:
    """Of the clients' own wires those that say the same: without a field that only one of them knows."""
    asked = fresh(cap=500)
    _, told = house.texts("a", "openai-chat", asked, cache="on")
    before = house.asked()
    for wire, streamed in itertools.product(("openai-chat", "anthropic-messages", "gemini"), (False, True)):
        again, repeated = house.texts("a", wire, asked | {"stream": streamed}, cache="on")
        assert again.headers["x-ownkey-cache"] == "hit", (wire, streamed)
        assert repeated.text == told.text
    assert house.asked() == before


def test_G22_two_people_with_the_same_request_never_share_an_answer(house: Remembering) -> None:
    asked = fresh()
    for who in ("a", "b"):
        answer, _ = house.texts(who, "openai-chat", asked, cache="on")
        assert answer.headers["x-ownkey-cache"] == "miss"
    before = house.asked()
    for who in ("a", "b"):
        answer, _ = house.texts(who, "openai-chat", asked, cache="on")
        assert answer.headers["x-ownkey-cache"] == "hit"
    assert house.asked() == before
    assert house.digests("a")
    assert house.digests("b")
    assert not house.digests("a") & house.digests("b")


def test_G22_a_token_that_may_not_ask_for_it_gets_nothing_from_the_cache(house: Remembering) -> None:
    asked = fresh()
    house.texts("a", "openai-chat", asked, cache="on")
    house.token("elsewhere", house.ids["a"], Scope(providers=("openai",)))
    house.token("narrower", house.ids["a"], Scope(providers=(house.provider,)))
    assert house.ask("elsewhere", "openai-chat", asked, {"x-ownkey-cache": "on"}).status == 403
    narrower, _ = house.texts("narrower", "openai-chat", asked, cache="on")
    assert narrower.headers["x-ownkey-cache"] == "miss"


def test_G22_it_is_off_by_default(house: Remembering) -> None:
    asked = fresh()
    before = house.asked()
    for _ in range(2):
        answer, _ = house.texts("b", "openai-chat", asked)
        assert "x-ownkey-cache" not in answer.headers
        assert "age" not in answer.headers
    assert house.asked() == before + 2


def test_whoever_switches_it_on_need_not_ask_for_it_and_may_say_no(house: Remembering) -> None:
    asked = fresh()
    mine = house.of("b").cache
    mine.on(600, f"{house.provider}/*")
    try:
        marks = [house.texts("b", "openai-chat", asked)[0].headers.get("x-ownkey-cache") for _ in range(2)]
        assert marks == ["miss", "hit"]
        assert "x-ownkey-cache" not in house.texts("b", "openai-chat", asked, cache="off")[0].headers
        mine.on(600, "other/*")
        assert "x-ownkey-cache" not in house.texts("b", "openai-chat", asked)[0].headers
    finally:
        mine.off()
    assert "x-ownkey-cache" not in house.texts("b", "openai-chat", asked)[0].headers


def test_refresh_asks_anew_and_keeps_the_new_answer(house: Remembering) -> None:
    asked = fresh()
    house.texts("a", "openai-chat", asked, cache="on")
    before = house.asked()
    assert house.texts("a", "openai-chat", asked, cache="refresh")[0].headers["x-ownkey-cache"] == "miss"
    assert house.asked() == before + 1
    assert house.texts("a", "openai-chat", asked, cache="on")[0].headers["x-ownkey-cache"] == "hit"


@pytest.mark.parametrize(
    ("header", "value"), [("x-ownkey-cache", "maybe"), ("x-ownkey-cache-ttl", "0"), ("x-ownkey-cache-ttl", "1e9")]
)
def test_a_wish_that_is_not_understood_is_refused(house: Remembering, header: str, value: str) -> None:
    answer = house.ask("a", "openai-chat", fresh(), {header: value})
    assert (answer.status, answer.error["param"]) == (422, header)


def test_an_answer_is_not_given_again_when_its_time_is_over(house: Remembering) -> None:
    """The clock is looked at when it is read: a shorter wish holds for an answer that was kept for longer."""
    asked = fresh()
    house.texts("a", "openai-chat", asked, cache_ttl="1")
    before = house.asked()
    until(lambda: house.texts("a", "openai-chat", asked, cache_ttl="1")[0].headers["x-ownkey-cache"] == "miss")
    assert house.asked() == before + 1
    kept = fresh()
    house.texts("a", "openai-chat", kept, cache_ttl="600")
    before = house.asked()
    until(lambda: house.texts("a", "openai-chat", kept, cache_ttl="1")[0].headers["x-ownkey-cache"] == "miss")
    assert house.asked() == before + 1


def test_one_word_one_setting_or_one_model_more_is_another_question(house: Remembering) -> None:
    asked = fresh(stop="x")
    house.texts("a", "openai-chat", asked, cache="on")
    others: list[dict[str, Any]] = [
        asked | {"say": asked["say"] + "."},
        asked | {"stop": "y"},
        asked | {"cap": 300},
        asked | {"seed": 1},
        asked | {"system": "Be brief."},
        asked | {"tools": ["get_weather"]},
        asked | {"logprobs": True},
    ]
    for other in others:
        assert house.texts("a", "openai-chat", other, cache="on")[0].headers["x-ownkey-cache"] == "miss", other
    assert house.texts("a", "openai-chat", asked, cache="on")[0].headers["x-ownkey-cache"] == "hit"


def test_what_only_the_clients_wire_knows_comes_again_with_its_own_bytes(house: Remembering) -> None:
    asked = fresh(logprobs=True)
    first, _ = house.texts("a", "openai-chat", asked, cache="on")
    again, _ = house.texts("a", "openai-chat", asked, cache="on")
    assert again.headers["x-ownkey-cache"] == "hit"
    assert again.body == first.body
    streamed = house.texts("a", "openai-chat", asked | {"stream": True}, cache="on")[0]
    assert streamed.headers["x-ownkey-cache"] == "miss"
    assert house.texts("a", "openai-chat", asked | {"stream": True}, cache="on")[0].body == streamed.body


@pytest.mark.parametrize(
    "asked",
    [{"say": "Please refuse this."}, {"say": "Say 50 words", "cap": 5}, {"n": 2}],
    ids=["a refusal", "one that ran into its cap", "several at once"],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_what_is_no_good_answer_is_not_kept(house: Remembering, asked: dict[str, Any], streamed: bool) -> None:
    if streamed and "n" in asked:
        asked = {"say": "Please refuse this, streamed."}
    before = house.asked()
    for _ in range(2):
        house.ask("a", "openai-chat", asked | {"stream": streamed}, {"x-ownkey-cache": "on"})
    assert house.asked() == before + 2


@pytest.mark.parametrize("fault", ["status=500", "cut=6", "end=6"])
def test_neither_an_error_nor_a_cut_stream_is_kept(simulator: Simulator, tmp_path: Path, fault: str) -> None:
    with remembering(tmp_path / "home", simulator, fault=fault, retries=0) as house:
        for streamed in (False, True):
            for _ in range(2):
                house.ask("a", "openai-chat", {"say": "Say 50 words", "stream": streamed}, {"x-ownkey-cache": "on"})
        assert house.asked() == 4
        assert house.of("a").cache.stats().held.answers == 0


def test_a_client_that_hangs_up_leaves_no_answer_behind(simulator: Simulator, tmp_path: Path) -> None:
    with remembering(tmp_path / "home", simulator, fault="chunk-delay=0.05") as house:
        house.leave("a", {"say": "Say 50 words", "stream": True}, {"x-ownkey-cache": "on"})
        house.here.settle(idle=True)
        assert house.of("a").cache.stats().held.answers == 0
        again, _ = house.texts("a", "openai-chat", {"say": "Say 50 words", "stream": True}, cache="on")
        assert again.headers["x-ownkey-cache"] == "miss"


@pytest.mark.row("C14")
def test_what_was_saved_is_counted_and_no_budget_is_charged(simulator: Simulator, tmp_path: Path) -> None:
    with remembering(tmp_path / "home", simulator) as house:
        mine = house.of("a")
        mine.budgets.set("one", limit="1", unit="requests", owner=house.ids["a"])
        asked = fresh()
        house.texts("a", "openai-chat", asked, cache="on")
        for _ in range(3):
            assert house.texts("a", "openai-chat", asked, cache="on")[0].headers["x-ownkey-cache"] == "hit"
        assert house.ask("a", "openai-chat", fresh(), {"x-ownkey-cache": "on"}).status == 402
        house.here.settle()
        (room,) = mine.budgets.rooms()
        assert (room.spent, room.pending) == (1, 0)
        stats = mine.cache.stats()
        (row,) = house.ownkey.house.store.book.rows(owner=house.ids["a"])
        assert (stats.saved.hits, stats.saved.saved_nano, stats.saved.unpriced) == (3, 3 * row.cost_nano, 0)
        assert row.cost_nano > 0
        tokens = ((row.input_tokens or 0) * 3, (row.output_tokens or 0) * 3)
        assert (stats.saved.input_tokens, stats.saved.output_tokens) == tokens
        assert house.ownkey.usage.summary().cached.saved_nano == 3 * row.cost_nano
        assert house.of("b").cache.stats().saved.hits == 0


def test_the_oldest_give_way_when_there_is_no_more_room(simulator: Simulator, tmp_path: Path) -> None:
    with remembering(tmp_path / "home", simulator, cache_size_mb=1) as house:
        questions = [fresh(say=f"Say 40000 words about {number}") for number in range(6)]
        for asked in questions:
            house.texts("a", "openai-chat", asked, cache="on")
        held = house.of("a").cache.stats().held
        assert 0 < held.bytes <= 1 << 20
        assert 0 < held.answers < 6
        assert house.texts("a", "openai-chat", questions[-1], cache="on")[0].headers["x-ownkey-cache"] == "hit"
        assert house.texts("a", "openai-chat", questions[0], cache="on")[0].headers["x-ownkey-cache"] == "miss"


def test_cleared_it_is_empty(house: Remembering) -> None:
    asked = fresh()
    house.texts("b", "openai-chat", asked, cache="on")
    theirs = house.of("a").cache.stats().held.answers
    assert house.of("b").cache.clear() >= 1
    assert house.of("b").cache.stats().held.answers == 0
    assert house.of("a").cache.stats().held.answers == theirs
    assert house.texts("b", "openai-chat", asked, cache="on")[0].headers["x-ownkey-cache"] == "miss"


def test_a_row_that_was_altered_is_no_reason_not_to_answer(house: Remembering) -> None:
    asked = fresh()
    house.texts("a", "openai-chat", asked, cache="on")
    with house.sql() as sql:
        house.here.settle()
        house.of("a").cache.stats()
        sql.execute("UPDATE cached SET sealed = zeroblob(300) WHERE owner = ?", (house.ids["a"],))
    assert house.texts("a", "openai-chat", asked, cache="on")[0].headers["x-ownkey-cache"] == "miss"
    assert house.texts("a", "openai-chat", asked, cache="on")[0].headers["x-ownkey-cache"] == "hit"


def test_G22_an_answer_that_is_put_in_anothers_place_does_not_open(house: Remembering) -> None:
    one, two = fresh(), fresh()
    for asked in (one, two):
        house.texts("a", "openai-chat", asked, cache="refresh")
    house.of("a").cache.stats()
    with house.sql() as sql:
        rows = sql.execute(
            "SELECT digest, sealed FROM cached WHERE owner = ? ORDER BY made_at_ms DESC LIMIT 2", (house.ids["a"],)
        ).fetchall()
        for (digest, _), (_, other) in zip(rows, reversed(rows), strict=True):
            sql.execute("UPDATE cached SET sealed = ? WHERE digest = ?", (other, digest))
    for asked in (one, two):
        assert house.texts("a", "openai-chat", asked, cache="on")[0].headers["x-ownkey-cache"] == "miss"
