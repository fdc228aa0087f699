"""How much there was in the last minute: pure, times are monotonic seconds, given by whoever asks.

No span of a minute ever holds more than the limit: what was let in counts until a minute after, to the moment. Who has
asked for nothing in a minute may ask for all of it at once.
"""

from __future__ import annotations

import math
from collections import deque

MINUTE_S = 60.0

SLOT_S = 0.05
"""What comes within so short a time is one entry, as if all of it had come with the last: memory is bounded, and the
limit holds all the same."""


class Entry:
    """An amount, and when the last of it was let in."""

    __slots__ = ("amount", "at_s", "began_s", "gone")

    def __init__(self, amount: int, at_s: float) -> None:
        self.amount = amount
        self.at_s = self.began_s = at_s
        self.gone = False


class Window:
    """`most` may be changed at any time; what was let in stays."""

    __slots__ = ("_entries", "_total", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self._total = 0
        self._entries: deque[Entry] = deque()

    def total(self, now_s: float) -> int:
        """Of the last minute."""
        entries = self._entries
        while entries and entries[0].at_s + MINUTE_S <= now_s:
            entry = entries.popleft()
            entry.gone = True
            self._total -= entry.amount
        return self._total

    def wait_s(self, amount: int, now_s: float, before: int = 0) -> float:
        """How long until so much more fits, after what stands in line `before` it; 0: now. What is more than a whole
        minute's fits where there is nothing else."""
        over = self.total(now_s) + before + min(amount, self.most) - self.most
        if over <= 0:
            return 0.0
        for entry in self._entries:
            over -= entry.amount
            if over <= 0:
                return entry.at_s + MINUTE_S - now_s
        last_s = self._entries[-1].at_s if self._entries else now_s
        return last_s - now_s + MINUTE_S * math.ceil(over / self.most)

    def take(self, amount: int, now_s: float, *, alone: bool = False) -> Entry:
        """Let it in. `alone`: in an entry of its own, to be corrected."""
        entries = self._entries
        self._total += amount
        if not alone and entries and now_s - entries[-1].began_s < SLOT_S:
            entry = entries[-1]
            entry.amount += amount
            entry.at_s = max(entry.at_s, now_s)
            return entry
        entry = Entry(amount, max(now_s, entries[-1].at_s) if entries else now_s)
        entries.append(entry)
        return entry

    def correct(self, entry: Entry, by: int) -> None:
        """It was so much more, or less."""
        if not entry.gone:
            entry.amount += by
            self._total += by
