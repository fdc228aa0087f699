"""The management API behind the server, loaded when it is first asked: that takes half a second, and no model's answer
waits for it."""

from __future__ import annotations

import asyncio
from typing import cast

from ownkey.app.house import House
from ownkey.engine.request import new_id
from ownkey.server.asgi import Application, pass_on
from ownkey.server.cross_origin import CrossOrigin
from ownkey.server.doors import Doors
from ownkey.server.exchange import Exchange
from ownkey.server.guard import Head
from ownkey.server.plain import check_plain
from ownkey.talk.errors import TooLarge
from ownkey.talk.ready import make_ready

MOST_BYTES = 256 << 10
FILES = ("/api/byok/import",)
"""Paths that are sent a file: as long as a body may be at all."""


AUTOMATIONS = "/api/automations/"
"""Where runs are asked for, with files too."""


class Api:
    def __init__(self, house: House, doors: Doors, cross_origin: CrossOrigin) -> None:
        self._cross_origin = cross_origin
        self._house = house
        self._doors = doors
        self._application: Application | None = None
        self._loading = asyncio.Lock()

    async def serve(self, exchange: Exchange, head: Head) -> None:
        """Raises what `check_plain` raises, and TooLarge: a body is read before anybody looks who sent it, and while
        everybody waits."""
        if len(exchange.body) > MOST_BYTES and not _takes_files(exchange.path):
            raise TooLarge(f"The body is over {MOST_BYTES >> 10} KiB.", "Nothing here is so long.")
        check_plain(exchange, head)
        application = self._application or await self._load()
        state = {"exchange": exchange, "head": head, "doors": self._doors, "house": self._house}
        await pass_on(
            application,
            exchange,
            state,
            *self._cross_origin.headers(exchange),
            (b"x-request-id", new_id().encode("ascii")),
        )

    async def _load(self) -> Application:
        async with self._loading:
            if self._application is None:
                application = await asyncio.to_thread(_build)
                # Its handlers run in threads, several at once.
                make_ready()
                self._application = application
        return self._application


def _takes_files(path: str) -> bool:
    return path in FILES or (path.startswith(AUTOMATIONS) and path.endswith(("/run", "/quote")))


def _build() -> Application:
    from ownkey.server.api.service import build

    return cast("Application", build())
