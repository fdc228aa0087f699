"""Limits in simulated time: never passed, in order, and nobody waits for room that others do not need."""

from __future__ import annotations

import itertools
from collections import deque
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ownkey.routing.limits import Limit, Rule, Rules, Scope
from ownkey.routing.lines import MOST_WAITING, Lines, Meter, Turn
from ownkey.routing.window import MINUTE_S, SLOT_S, Window

SCOPE = Scope("ann", "openai", "gpt-4o", "key_1", "tok_1")
NONE = Limit()


class Went(NamedTuple):
    number: int
    owner: str
    asked_s: float
    went_s: float
    tokens: int


class Call(NamedTuple):
    at_s: float
    owner: str = "ann"
    takes_s: float = 0.0
    tokens: int = 0
    meters: tuple[int, ...] = (0,)


def played(limits: list[Limit], calls: list[Call], until_s: float = 100_000.0) -> list[Went]:
    """Every call to its end, as whoever drives the lines does it: each looks again when it was told to."""
    meters = [Meter(("provider", str(number), ""), limit) for number, limit in enumerate(limits)]
    lines, went, running = Lines(), list[Went](), list[tuple[float, int, Turn]]()
    coming = deque(sorted(enumerate(calls), key=lambda one: one[1].at_s))
    waiting: dict[Turn, tuple[int, Call]] = {}
    now_s = 0.0

    def gone(turn: Turn, number: int, call: Call) -> None:
        went.append(Went(number, call.owner, call.at_s, now_s, turn.tokens))
        running.append((now_s + call.takes_s, number, turn))

    while coming or waiting or running:
        times = [coming[0][1].at_s] if coming else []
        times += [end_s for end_s, _, _ in running]
        for turn in waiting:
            lack = turn.lacks(now_s)
            if lack is not None and lack[1] != "parallel":
                times.append(now_s + lack[0])
        assert times, "nobody will ever go on"
        now_s = max(now_s, min(times))
        assert now_s < until_s
        for one in [one for one in running if one[0] <= now_s]:
            running.remove(one)
            one[2].end(now_s)
        for turn in lines.admit(meters, now_s):
            gone(turn, *waiting.pop(turn))
        while coming and coming[0][1].at_s <= now_s:
            number, call = coming.popleft()
            turn = Turn(tuple(meters[place] for place in call.meters), call.owner, call.tokens, 0)
            if lines.begin(turn, now_s):
                gone(turn, number, call)
            else:
                assert lines.stand(turn)
                waiting[turn] = number, call
    return went


def busiest(amounts: list[tuple[float, int]]) -> int:
    """The most that there was in any minute."""
    return max(
        sum(amount for at_s, amount in amounts if since_s <= at_s < since_s + MINUTE_S) for since_s, _ in amounts
    )


@pytest.mark.row("E8")
@given(
    st.integers(1, 8),
    st.lists(st.floats(0, 200, allow_nan=False), min_size=1, max_size=60),
)
def test_O17_no_minute_whatever_its_edges_has_more_requests_than_the_limit(most: int, times: list[float]) -> None:
    went = played([Limit(requests_per_minute=most)], [Call(at_s) for at_s in times])
    assert len(went) == len(times)
    assert busiest([(one.went_s, 1) for one in went]) <= most


@pytest.mark.row("E8")
def test_a_minutes_requests_may_come_at_once_and_the_next_comes_a_minute_after_the_first() -> None:
    went = played([Limit(requests_per_minute=60)], [Call(10.0) for _ in range(61)])
    assert [one.went_s for one in went[:60]] == [10.0] * 60
    assert went[60].went_s == 70.0


@pytest.mark.row("E8")
def test_what_comes_evenly_at_the_limit_never_waits() -> None:
    went = played([Limit(requests_per_minute=60)], [Call(float(second)) for second in range(600)])
    assert all(one.went_s - one.asked_s <= SLOT_S for one in went)


@given(
    st.integers(50, 200),
    st.lists(st.tuples(st.floats(0, 200, allow_nan=False), st.integers(1, 400)), min_size=1, max_size=40),
)
def test_no_minute_has_more_tokens_than_the_limit_but_for_one_call_that_alone_has_more(
    most: int, asked: list[tuple[float, int]]
) -> None:
    went = played([Limit(tokens_per_minute=most)], [Call(at_s, tokens=tokens) for at_s, tokens in asked])
    assert len(went) == len(asked)
    for one in went:
        near = [(other.went_s, other.tokens) for other in went if abs(other.went_s - one.went_s) < 59.999]
        assert len(near) == 1 or one.tokens <= most
    assert busiest([(one.went_s, min(one.tokens, most)) for one in went]) <= most


@given(
    st.integers(1, 5),
    st.lists(st.tuples(st.floats(0, 20, allow_nan=False), st.floats(0.1, 9)), min_size=1, max_size=40),
)
def test_no_more_run_at_once_than_the_limit(most: int, asked: list[tuple[float, float]]) -> None:
    went = played([Limit(parallel=most)], [Call(at_s, takes_s=takes_s) for at_s, takes_s in asked])
    spans = [(one.went_s, one.went_s + asked[one.number][1]) for one in went]
    assert len(spans) == len(asked)
    for began_s, _ in spans:
        assert sum(since_s <= began_s < until_s for since_s, until_s in spans) <= most


@given(st.lists(st.floats(0, 100, allow_nan=False), min_size=2, max_size=40), st.integers(1, 5))
def test_who_came_first_goes_first(times: list[float], most: int) -> None:
    went = played([Limit(requests_per_minute=most, parallel=most)], [Call(at_s, takes_s=3.0) for at_s in times])
    assert [one.asked_s for one in went] == sorted(times)


def test_a_small_call_does_not_pass_a_large_one_that_waits_for_the_same_tokens() -> None:
    calls = [Call(0.0, tokens=90), Call(1.0, tokens=90), *(Call(2.0 + at_s, tokens=5) for at_s in range(9))]
    went = played([Limit(tokens_per_minute=100)], calls)
    assert [one.number for one in went] == list(range(11))


def test_people_who_share_a_line_take_turns() -> None:
    calls = [Call(0.0, "ann", 1.0) for _ in range(9)] + [Call(0.5, "bob", 1.0) for _ in range(2)]
    went = played([Limit(parallel=1)], calls)
    assert "".join(one.owner[0] for one in went) == "aababaaaaaa"


def test_who_waits_for_other_room_holds_nobody_up() -> None:
    """The token's own limit is reached; the provider's is not."""
    calls = [Call(0.0, meters=(0, 1)), Call(1.0, meters=(0, 1)), *(Call(2.0, meters=(0,)) for _ in range(5))]
    went = played([Limit(requests_per_minute=60), Limit(requests_per_minute=1)], calls)
    assert {one.number: one.went_s for one in went} == {0: 0.0, 1: 60.0, **dict.fromkeys(range(2, 7), 2.0)}


@given(
    st.lists(
        st.tuples(
            st.floats(0, 100, allow_nan=False),
            st.sampled_from(["ann", "bob", "cat"]),
            st.floats(0, 20),
            st.sampled_from([(0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)]),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_nobody_starves_whatever_limits_they_fall_under(asked: list[tuple[float, str, float, tuple[int, ...]]]) -> None:
    limits = [Limit(requests_per_minute=5), Limit(parallel=1), Limit(requests_per_minute=9, parallel=2)]
    calls = [Call(at_s, owner, takes_s, 0, meters) for at_s, owner, takes_s, meters in asked]
    went = played(limits, calls)
    assert len(went) == len(calls)
    # Each limit alone would let all of them through in that time, one after the other.
    worst_s = 100 + sum(call.takes_s for call in calls) + MINUTE_S * (len(calls) // 5 + len(calls) // 9 + 2)
    assert max(one.went_s for one in went) <= worst_s


@pytest.mark.row("E8")
@given(st.integers(1, 9), st.lists(st.floats(0, 100, allow_nan=False), max_size=30), st.floats(100, 150))
def test_the_wait_that_is_told_is_true_to_the_moment(most: int, times: list[float], now_s: float) -> None:
    window = Window(most)
    for at_s in sorted(times):
        if not window.wait_s(1, at_s):
            window.take(1, at_s)
    wait_s = window.wait_s(1, now_s)
    assert wait_s == 0.0 or window.wait_s(1, now_s + wait_s * 0.999 - 1e-6) > 0.0
    assert window.wait_s(1, now_s + wait_s + 1e-9) == 0.0


def test_tokens_that_were_guessed_are_put_right_when_the_answer_has_ended() -> None:
    meter = Meter(("token", "t", ""), Limit(tokens_per_minute=1_000))
    turn = Turn((meter,), "ann", 300, 100)
    assert turn.tokens == 400
    turn.take(0.0)
    assert meter.lacks(700, 1.0) is not None
    turn.end(2.0, 150, 50)
    assert meter.lacks(850, 3.0) is None
    assert meter.lacks(851, 3.0) is not None
    # How long answers are is learned from them; a cap that is lower holds.
    assert Turn((meter,), "ann", 300, 10_000).tokens < 800
    assert Turn((meter,), "ann", 300, 7).tokens == 307


def test_what_was_not_sent_is_not_counted() -> None:
    meter = Meter(("token", "t", ""), Limit(requests_per_minute=1, tokens_per_minute=100, parallel=1))
    turn = Turn((meter,), "ann", 100, 0)
    turn.take(0.0)
    assert meter.lacks(1, 0.0) is not None
    turn.undo()
    assert meter.lacks(100, 0.0) is None
    assert meter.is_idle(0.0)


def test_O17_a_million_requests_a_minute_are_counted_in_little_memory() -> None:
    window = Window(1_000_000)
    for number in range(200_000):
        window.take(1, number / 5_000)
    entries = window._entries  # pyright: ignore[reportPrivateUsage]
    assert len(entries) <= MINUTE_S / SLOT_S + 1
    assert window.total(40.0) == 200_000
    assert window.total(100.0 + SLOT_S) == 0


def test_a_line_has_an_end() -> None:
    lines, meter = Lines(), Meter(("token", "t", ""), Limit(parallel=1))
    assert lines.begin(Turn((meter,), "ann"), 0.0)
    assert all(lines.stand(Turn((meter,), "ann")) for _ in range(MOST_WAITING))
    assert not lines.stand(Turn((meter,), "bob"))


def test_where_nobody_sets_a_limit_the_providers_default_holds_for_each_owner_apart() -> None:
    rules = Rules()
    assert rules.of(SCOPE, Limit(60)) == {("provider", "openai", "ann"): Limit(60)}
    assert rules.of(SCOPE, NONE) == {}
    assert rules.of(SCOPE, Limit(0)) == {}


def _rule(kind: str, name: str, limit: Limit, owner: str | None = None) -> Rule:
    return Rule(f"{kind}{owner}", owner, kind, name, limit)  # pyright: ignore[reportArgumentType]


def test_a_rule_takes_the_defaults_place_and_the_least_of_several_holds() -> None:
    default = Limit(60, None, 8)
    house = _rule("provider", "openai", Limit(requests_per_minute=100))
    own = _rule("provider", "openai", Limit(requests_per_minute=500), "ann")
    place = ("provider", "openai", "ann")
    assert Rules([own]).of(SCOPE, default) == {place: Limit(500, None, 8)}
    assert Rules([house, own]).of(SCOPE, default) == {place: Limit(100, None, 8)}
    assert Rules([_rule("provider", "openai", Limit(0, None, 0), "ann")]).of(SCOPE, default) == {}
    # Nobody lifts what was set for them.
    lifted = _rule("provider", "openai", Limit(0), "ann")
    assert Rules([house, lifted]).of(SCOPE, default) == {place: Limit(100, None, 8)}
    assert Rules([_rule("provider", "openai", Limit(1), "bob")]).of(SCOPE, NONE) == {}


@pytest.mark.row("E8")
def test_a_call_falls_under_the_limits_of_its_provider_model_key_user_and_token() -> None:
    one = Limit(requests_per_minute=1)
    named = {"provider": "openai", "model": "openai/gpt-4o", "key": "key_1", "user": "ann", "token": "tok_1"}
    rules = Rules([_rule(kind, name, one) for kind, name in named.items()])
    found = rules.of(SCOPE, NONE)
    assert [(kind, name) for kind, name, _ in found] == list(named.items())
    apart = {kind for kind, _, owner in found if owner}
    assert apart == {"provider", "model"}
    others = Scope("bob", "gemini", "flash", "key_2", "tok_2")
    assert rules.of(others, NONE) == {}
    for left, right in itertools.pairwise(named.values()):
        assert left != right
