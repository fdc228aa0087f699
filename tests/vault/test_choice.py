"""Which of several keys is taken: pure."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ownkey.store.keys import KeyRow
from ownkey.vault.choice import allows, fitting, none_fits

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


def test_a_key_lasts_to_the_moment_at_which_it_expires() -> None:
    assert ids(replace(ROW, expires_at_ms=1_001)) == "k1"


@given(NAMES, NAMES)
def test_a_star_stands_for_any_letters_and_nothing_else_for_others(pattern: str, name: str) -> None:
    meant = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name) is not None
    assert allows(replace(ROW, models=pattern or "-"), name) == (meant if pattern else name == "-")
