"""Answers under way, by the token that asked for them: where it is good no more they are cut within a second."""

from __future__ import annotations

import asyncio
from asyncio import Task

from msgspec import Struct

from ownkey.talk.errors import InvalidToken, StorageUnavailable
from ownkey.vault.tokens import Tokens

LOOK_EVERY_S = 0.8


class Watched(Struct, eq=False):
    """One answer, and the task that gives it. `cut`: it was cancelled for its token."""

    token_id: str
    task: Task[None]
    cut: bool = False


class Streams:
    """Serves one event loop. It looks as long as there is an answer under way, and no longer."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._open: set[Watched] = set()
        self._looking: Task[None] | None = None

    def begin(self, token_id: str, task: Task[None]) -> Watched:
        watched = Watched(token_id, task)
        self._open.add(watched)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look())
        return watched

    def end(self, watched: Watched) -> None:
        self._open.discard(watched)

    async def _look(self) -> None:
        while self._open:
            await asyncio.sleep(LOOK_EVERY_S)
            asked = {watched.token_id for watched in self._open}
            if not asked:
                return
            try:
                live = await asyncio.to_thread(self._tokens.live, asked)
            except StorageUnavailable:
                continue
            for watched in self._open:
                if watched.token_id in asked - live:
                    watched.cut = True
                    watched.task.cancel()


def ended() -> InvalidToken:
    return InvalidToken("The token that asked for this is good no more.", "Make one with `ownkey tokens create NAME`.")
