"""A text that quotes a key may be cut off in the middle of it: what is left of it is not shown either."""

from __future__ import annotations

import pytest

from canaries import canary, find
from ownkey.talk.secret import Secret, clean

# Of no shape that keys are known by.
KEY = canary("cut off", "open.", between="()")


@pytest.mark.parametrize("before", [*range(440, 500), *range(3940, 4001)])
@pytest.mark.parametrize("blank", [" ", "a"])
def test_U04_a_key_is_not_shown_in_part_wherever_its_text_was_cut(before: int, blank: str) -> None:
    quoted = blank * before + KEY + " is not known"
    once = clean(quoted, Secret(KEY))
    twice = clean(f"The provider said: {clean(quoted)} Look at its page.", Secret(KEY), limit=1000)
    for text in (once, twice):
        assert find(text.encode()) == []
        assert KEY[:5] not in text


def test_U04_a_text_that_was_cut_shows_half_a_key_to_who_does_not_know_it() -> None:
    assert any(find(clean("a" * before + KEY).encode()) for before in range(440, 500))
