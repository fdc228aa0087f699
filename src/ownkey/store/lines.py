"""Those who wait for room in a budget, on one event loop: a line for each budget, in their order.

What is in front asks again as soon as something has ended here, and now and then, for what has ended elsewhere.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from itertools import islice

FRONT = 8
ASKS_AGAIN_S = 0.05


class Standing:
    """One who waits."""

    def __init__(self, line: deque[Standing]) -> None:
        self._line = line
        self._woken = asyncio.Event()

    async def turn(self, most_s: float) -> None:
        """Wait until it is worth asking again, but no longer."""
        in_front = self in islice(self._line, FRONT)
        self._woken.clear()
        try:
            await asyncio.wait_for(self._woken.wait(), min(most_s, ASKS_AGAIN_S) if in_front else most_s)
        except TimeoutError:
            return

    def wake(self) -> None:
        self._woken.set()


class Lines:
    def __init__(self) -> None:
        self._lines: dict[str, deque[Standing]] = {}

    @contextmanager
    def joined(self, budget: str) -> Generator[Standing]:
        line = self._lines.setdefault(budget, deque())
        mine = Standing(line)
        line.append(mine)
        try:
            yield mine
        finally:
            line.remove(mine)
            for next_one in islice(line, FRONT):
                next_one.wake()
            if not line:
                self._lines.pop(budget, None)

    def ended(self) -> None:
        """Something has ended: there may be room."""
        for line in self._lines.values():
            for standing in islice(line, FRONT):
                standing.wake()
