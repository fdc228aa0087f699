"""Answers under way, by the token or the session that asked for them: where it is good no more they are cut within a
second."""

from __future__ import annotations

import asyncio
from asyncio import Task

from msgspec import Struct

from ownkey.app.signing import SignIn
from ownkey.store.people import User
from ownkey.store.sessions import Session
from ownkey.talk.errors import InvalidToken, StorageUnavailable
from ownkey.vault.tokens import Tokens

LOOK_EVERY_S = 0.8


class Watched(Struct, eq=False):
    """One answer, and the task that gives it; a token or a session asked. `cut`: it was cancelled, for that ended."""

    task: Task[None]
    token_id: str | None
    session: tuple[Session, User] | None
    cut: bool = False


class Streams:
    """Serves one event loop. It looks as long as there is an answer under way, and no longer."""

    def __init__(self, tokens: Tokens, sign_in: SignIn) -> None:
        self._tokens = tokens
        self._sign_in = sign_in
        self._open: set[Watched] = set()
        self._looking: Task[None] | None = None

    def begin(self, task: Task[None], token_id: str | None, session: tuple[Session, User] | None) -> Watched:
        watched = Watched(task, token_id, session)
        self._open.add(watched)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look())
        return watched

    def end(self, watched: Watched) -> None:
        self._open.discard(watched)

    async def _look(self) -> None:
        while self._open:
            await asyncio.sleep(LOOK_EVERY_S)
            if not self._open:
                return
            try:
                over = await asyncio.to_thread(self._over, list(self._open))
            except StorageUnavailable:
                continue
            for watched in self._open.intersection(over):
                watched.cut = True
                watched.task.cancel()

    def _over(self, asked: list[Watched]) -> list[Watched]:
        ids = {one.token_id for one in asked if one.token_id is not None}
        live = self._tokens.live(ids) if ids else set[str]()
        return [
            one
            for one in asked
            if not (one.token_id in live if one.session is None else self._sign_in.still(*one.session))
        ]


def ended(watched: Watched) -> InvalidToken:
    if watched.session is not None:
        return InvalidToken("Your session is over.", "Sign in again.")
    return InvalidToken("The token that asked for this is good no more.", "Make one with `ownkey tokens create NAME`.")
