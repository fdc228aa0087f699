"""An event loop whose clock stands still: what is due at a time is due then, not about then.

    async def main(clock):
        ...
        await clock.leap(2.0)

    on_clock(main)

Sockets work as they do; times are whole parts of a second that floats hold exactly.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class StandingClock(asyncio.SelectorEventLoop):
    now = 1024.0

    def time(self) -> float:
        return self.now

    async def leap(self, seconds: float) -> None:
        """So much later, when what was due is done."""
        self.now += seconds
        await turns()


async def turns() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


def on_clock(main: Callable[[StandingClock], Coroutine[Any, Any, None]]) -> None:
    clock = StandingClock()
    with asyncio.Runner(loop_factory=lambda: clock) as runner:
        runner.run(main(clock))
