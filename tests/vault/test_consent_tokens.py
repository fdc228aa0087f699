"""A token of consent is good for what it was written for, and for nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ownkey.talk.consent import Reason
from ownkey.vault.consent import GOOD_MS, Asked, read, write

KEY, OTHER = b"k" * 32, b"o" * 32
ASKED = Asked("usr_a", "tok_1", b"d" * 32)
NOW = 1_800_000_000_000
MARKS = (Reason("switch", "says", "b/model", "a").mark, Reason("soft_cap", "says", budget="b_1", cap=5).mark)


def written() -> bytes:
    return write(KEY, ASKED, MARKS, NOW)[0].encode()


def test_it_says_what_it_is_for_until_it_expires() -> None:
    yes = read([OTHER, KEY], ASKED, written(), NOW + GOOD_MS - 1)
    assert yes is not None
    assert yes.marks == MARKS
    assert read([KEY], ASKED, written(), NOW + GOOD_MS) is None


@pytest.mark.parametrize(
    "asked",
    [
        Asked("usr_b", "tok_1", b"d" * 32),
        Asked("usr_a", "tok_2", b"d" * 32),
        Asked("usr_a", None, b"d" * 32),
        Asked("usr_a", "tok_1", b"e" * 32),
        Asked("usr_atok_1", "", b"d" * 32),
    ],
)
def test_it_is_nothing_to_who_asks_otherwise(asked: Asked) -> None:
    assert read([KEY], asked, written(), NOW) is None


def test_it_is_nothing_under_another_root_key() -> None:
    assert read([OTHER], ASKED, written(), NOW) is None
    assert read([], ASKED, written(), NOW) is None


def test_no_two_are_alike() -> None:
    assert written() != written()


@given(place=st.integers(0, 10_000), with_=st.integers(0, 255))
def test_with_another_byte_it_is_nothing(place: int, with_: int) -> None:
    token = bytearray(written())
    place %= len(token)
    before, token[place] = token[place], with_
    assert (read([KEY], ASKED, bytes(token), NOW) is not None) == (before == with_)


@given(st.binary(max_size=200) | st.text("oc1.ABCabc_-=", max_size=60).map(str.encode))
def test_whatever_else_comes_is_nothing(token: bytes) -> None:
    assert read([KEY], ASKED, token, NOW) is None
    assert read([KEY], ASKED, b"oc1." + token, NOW) is None


def test_a_mark_is_of_exactly_one_reason() -> None:
    base = {"model": "b/m", "source": "a", "budget": "b_1", "unit": "usd", "about": 5, "cap": 3, "field": "f"}
    one = Reason("soft_cap", "", **base)  # pyright: ignore[reportArgumentType]
    others = [base | {name: "other" if isinstance(value, str) else 9} for name, value in base.items()]
    marks = {Reason("soft_cap", "", **other).mark for other in others}  # pyright: ignore[reportArgumentType]
    assert len(marks | {one.mark, Reason("over_budget", "", **base).mark}) == len(base) + 2  # pyright: ignore[reportArgumentType]
    assert Reason.of_mark(one.mark) == one
