"""A gateway in this process, in place of one in its own: what is changed here is changed there."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import house
from ownkey.app.house import House
from ownkey.server.connection import Connection
from ownkey.server.refusal import Limits
from ownkey.server.site import Site
from ownkey.settings import load


class _Here:
    """A server on a thread. `connections` and `tasks` are what its connections note themselves in."""

    def __init__(self, home: Path, env: dict[str, str]) -> None:
        self.house = House(load(env, home=home, keychain=False))
        self.connections: set[asyncio.Protocol] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self.house.open()
        self.port = asyncio.run_coroutine_threadsafe(self._serve(), self._loop).result(30)

    async def _serve(self) -> int:
        site, loop = Site(self.house), asyncio.get_running_loop()
        server = await loop.create_server(lambda: Connection(site, self, loop, Limits()), "127.0.0.1", 0)
        return server.sockets[0].getsockname()[1]

    async def aclose(self) -> None:
        for connection in list(self.connections):
            assert isinstance(connection, Connection)
            connection.shutdown()
        await self.house.aclose()

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self.aclose(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)


@contextmanager
def gateway(home: Path, simulator: Any, *, token: str | None = None, **settings: str) -> Iterator[house.Gateway]:
    """As `house.gateway`; there is no process."""
    house.make_home(home)
    env = house.environment(home, OWNKEY_ALLOW_PRIVATE_HOSTS=f"127.0.0.1:{simulator.port}") | settings
    here = _Here(home, env)
    nothing: Any = None
    try:
        if token is None:
            with house.library(home) as ownkey:
                token = ownkey.house.tokens.create(ownkey.owner, f"tests-{here.port}")[1].reveal().decode()
        yield house.Gateway(home, env, simulator, nothing, here.port, token, home / "log")
    finally:
        here.close()


def put_in() -> None:
    """For every test that starts a gateway."""
    true = house.gateway
    for module in list(sys.modules.values()):
        if getattr(module, "gateway", None) is true:
            module.gateway = gateway  # type: ignore[attr-defined]
