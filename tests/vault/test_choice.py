"""Which of several keys is taken: pure."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ownkey.store.keys import KeyRow
from ownkey.talk.errors import KeyMissing, KeyUnreadable
from ownkey.vault.choice import RESTS_MS, allows, fitting, none_fits, unreadable

HERE = "https://api.example.com:443"
ROW = KeyRow("k1", "ann", "example", HERE, 1, b"", "...", "one", 1)
NAMES = st.text("ab-.*", max_size=8)


def ids(*rows: KeyRow, model: str | None = "m", resting: str = "", passed: tuple[tuple[str, int], ...] = ()) -> str:
    found = fitting(rows, HERE, model, 1_000, passed=passed, resting=lambda row: row.id in resting)
    return "".join(row.id for row in found)


def test_what_rests_comes_last_and_the_order_stays() -> None:
    rows = [replace(ROW, id=id) for id in "abcd"]
    assert ids(*rows) == "abcd"
    assert ids(*rows, resting="ac") == "bdac"
    assert ids(*rows, resting="abcd") == "abcd"
    assert ids(*rows, passed=(("b", 1), ("c", 2))) == "acd"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"paused_at_ms": 1}, "paused"),
        ({"expires_at_ms": 1_000}, "expired"),
        ({"models": "n o"}, "not for the model m"),
        ({"origin": "https://other.example:443"}, "does not go to"),
    ],
)
def test_what_does_not_fit_says_why(changes: dict[str, object], says: str) -> None:
    row = replace(ROW, **changes)
    assert ids(row) == ""
    assert says in none_fits([row], HERE, "m", 1_000).message
    assert ids(row, replace(ROW, id="k2")) == "k2"


PAUSED = "The key one for example is paused."
RESUME = "To use it again: `ownkey keys resume example --label 'one'`."
EXPIRED = "The key one for example has expired."
RENEW = "Store a new one: `ownkey keys set example --label 'one' --expires DATE`."
NARROW = "The key one for example is not for the model m."
SEE = "`ownkey keys list` says what each is for; `ownkey keys change` changes it."
ELSEWHERE = f"The stored key for example was entered for https://other.example:443 and does not go to {HERE}."
ENTER = "Enter it again for the new endpoint: `ownkey keys set example`."


@pytest.mark.parametrize(
    ("changes", "kind", "message", "hint"),
    [
        ({"paused_at_ms": 1, "expires_at_ms": 1}, KeyMissing, PAUSED, RESUME),
        ({"expires_at_ms": 1_000, "models": "n"}, KeyMissing, EXPIRED, RENEW),
        ({"models": "n o"}, KeyMissing, NARROW, SEE),
        ({"origin": "https://other.example:443"}, KeyUnreadable, ELSEWHERE, ENTER),
    ],
)
def test_what_does_not_fit_says_what_to_do_of_one_key_and_of_several(
    changes: dict[str, object], kind: type, message: str, hint: str
) -> None:
    row = replace(ROW, **changes)
    alone = none_fits([row], HERE, "m", 1_000)
    assert (type(alone), alone.message, alone.hint) == (kind, message, hint)
    others = "" if kind is KeyUnreadable else " The others do not fit either."
    beside = none_fits([row, replace(row, id="k2", label="two")], HERE, "m", 1_000)
    assert (type(beside), beside.message, beside.hint) == (kind, message + others, hint)


def test_of_keys_for_other_places_the_first_that_goes_here_is_told_of() -> None:
    away = replace(ROW, origin="https://other.example:443", label="away")
    assert "The key one for example is paused." in none_fits([away, replace(ROW, paused_at_ms=1)], HERE, "m", 1).message
    assert "was entered for https://other" in none_fits([away, replace(away, origin="x")], HERE, "m", 1).message


def test_a_key_that_cannot_be_read_is_named_by_its_label_where_it_has_one_of_its_own() -> None:
    told = unreadable(ROW, "was altered")
    assert told.message == "The stored key one for example was altered."
    assert told.hint == "Enter it again: `ownkey keys set example --label 'one'`."
    assert unreadable(replace(ROW, label="default"), "was altered").hint == "Enter it again: `ownkey keys set example`."


def test_a_refused_key_rests_a_quarter_of_an_hour() -> None:
    assert RESTS_MS == 900_000


def test_a_key_without_a_model_to_be_for_is_asked_nothing_of_it() -> None:
    assert ids(replace(ROW, models="n"), model=None) == "k1"


def test_a_key_lasts_to_the_moment_at_which_it_expires() -> None:
    assert ids(replace(ROW, expires_at_ms=1_001)) == "k1"


@given(NAMES, NAMES)
def test_a_star_stands_for_any_letters_and_nothing_else_for_others(pattern: str, name: str) -> None:
    meant = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name) is not None
    assert allows(replace(ROW, models=pattern or "-"), name) == (meant if pattern else name == "-")
