"""The fuzzer's targets, alive: what is known, and what Hypothesis makes of it in a few seconds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.targets import CORPUS, TARGETS

FOUND: dict[str, list[bytes]] = {
    "manifest": [b"n = " + b"9" * 5000],
}
"""What broke once."""


@pytest.mark.parametrize("name", TARGETS)
def test_what_the_fuzzer_begins_from_and_what_it_found_holds(name: str) -> None:
    for data in (*CORPUS[name], *FOUND.get(name, ())):
        TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
def test_it_holds_for_what_is_near_to_that(name: str) -> None:
    one = st.sampled_from(CORPUS[name])
    edits = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), st.binary(max_size=12)), min_size=1, max_size=4)

    @settings(max_examples=60)
    @given(one, edits)
    def near(data: bytes, edits: list[tuple[float, int, bytes]]) -> None:
        for place, gone, new in edits:
            at = int(place * len(data))
            data = data[:at] + new + data[at + gone :]
        TARGETS[name](data)

    near()


@pytest.mark.parametrize("name", TARGETS)
def test_it_holds_for_any_bytes(name: str) -> None:
    settings(max_examples=60)(given(st.one_of(st.binary(max_size=200), st.text().map(str.encode)))(TARGETS[name]))()
