"""The rest of an answer, put to what was said of it: nothing twice, nothing lost, however it comes."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ownkey.engine.splice import LEAST_ANEW, LEAST_REPEATED, Splice
from ownkey.talk.errors import StreamCut

WHOLE = "A key opens a lock that was made for it, and no other; whoever has it may come in, by day and by night."


def joined(said: str, rest: str, size: int = 3, untold: str = "") -> str:
    splice = Splice(said, untold)
    given = [splice.feed(rest[place : place + size]) for place in range(0, len(rest), size)]
    return said + "".join(given) + splice.close()


@given(st.integers(1, len(WHOLE)), st.integers(1, 20), st.data())
def test_whatever_is_said_again_is_said_once(cut: int, size: int, data: st.DataObject) -> None:
    said = WHOLE[:cut]
    again = data.draw(st.sampled_from([0, *range(min(LEAST_REPEATED, cut), cut + 1)]))
    assert joined(said, WHOLE[cut - again :], size) == WHOLE


@given(st.text("ab \n", min_size=1, max_size=20).map(str.rstrip), st.text(" \n", max_size=9), st.integers(1, 20))
def test_blanks_that_were_not_told_are_said_once(told: str, untold: str, size: int) -> None:
    assert joined(told + untold, untold + "xyz", size, untold) == told + untold + "xyz"
    assert joined(told + untold, "xyz", size, untold) == told + untold + "xyz"


@given(st.integers(1, 20))
def test_an_answer_that_ended_just_where_it_was_cut_stays_as_it_is(size: int) -> None:
    assert joined(WHOLE, "", size) == WHOLE
    assert joined(WHOLE, WHOLE, size) == WHOLE
    assert joined(WHOLE, WHOLE[-20:], size) == WHOLE


def test_letters_that_happen_to_be_the_same_are_kept() -> None:
    assert joined("I wil", "l go") == "I will go"
    assert joined("1000", "000") == "1000000"


@given(st.text("ab \n", min_size=1, max_size=40), st.text("ab \n", max_size=40), st.integers(1, 5))
def test_it_is_the_same_however_the_rest_comes_in_pieces(said: str, rest: str, size: int) -> None:
    def tried(size: int) -> str | None:
        try:
            return joined(said, rest, size)
        except StreamCut:
            return None

    assert tried(size) == tried(1_000)


@given(st.text("abcdefgh ", min_size=30, max_size=200), st.text("xyz", min_size=1, max_size=200))
def test_what_is_new_is_whole(said: str, rest: str) -> None:
    assert joined(said, rest) == said + rest


def test_who_begins_anew_and_says_something_else_is_not_put_to_it() -> None:
    with pytest.raises(StreamCut):
        joined(WHOLE[:60], WHOLE[:LEAST_ANEW] + "another thing altogether.")


@given(st.text("ab ", min_size=1, max_size=30))
def test_nothing_is_held_back_for_longer_than_it_may_be_said_again(said: str) -> None:
    splice = Splice(said)
    assume("xyz" not in said)
    assert splice.feed("xyz") == "xyz"
