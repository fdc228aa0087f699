"""The rest of an answer that broke off, as another model gives it, put to what was said: pure.

A model that is asked for the rest gives just that, or says the last words again, or begins anew. What is said again is
dropped; where that has to be seen first, the beginning is held back.
"""

from __future__ import annotations

from ownkey.talk.errors import StreamCut

LEAST_REPEATED = 8
"""Characters: fewer that happen to be the same are no repetition (`I wil` and `l go` make one word)."""

MOST_REPEATED = 2_000
"""Of the end of what was said: so far back it is looked for."""

LEAST_ANEW = 24
"""Characters: whoever begins with so many of the first ones has begun anew."""


class Splice:
    """`untold`: the blanks at the end of what was said, where whoever goes on was not given them."""

    def __init__(self, said: str, untold: str = "") -> None:
        self._said = said
        self._untold = untold
        self._end = said[-MOST_REPEATED:]
        self._held = ""
        self._settled = not said

    def feed(self, text: str) -> str:
        """What follows on what was said; may be empty for now.

        Raises StreamCut where it begins anew and says something else.
        """
        if self._settled:
            return text
        self._held += text
        if self._may_repeat() or self._may_be_anew():
            return ""
        return self._settle()

    def close(self) -> str:
        """The rest, where no more comes. Raises the same."""
        return "" if self._settled else self._settle()

    def _settle(self) -> str:
        self._settled = True
        held, said = self._held, self._said
        if held.startswith(said):
            return held[len(said) :]
        for size in range(min(len(held), len(self._end)), LEAST_REPEATED - 1, -1):
            if self._end.endswith(held[:size]):
                return held[size:]
        if _same(held, said) >= LEAST_ANEW:
            raise StreamCut("Who was to go on gave another answer.", "Try again.")
        return held[_same(held, self._untold) :]

    def _may_repeat(self) -> bool:
        """Whether it may be, with what is still to come, the end of what was said."""
        held, end = self._held, self._end
        if len(held) >= len(end):
            return False
        place = end.find(held)
        while place >= 0:
            if place + len(held) < len(end):
                return True
            place = end.find(held, place + 1)
        return False

    def _may_be_anew(self) -> bool:
        return len(self._held) < len(self._said) and self._said.startswith(self._held)


def _same(one: str, other: str) -> int:
    """How many characters at their beginnings are the same."""
    for place, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return place
    return min(len(one), len(other))
