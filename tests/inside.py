"""A gateway in this process, on a thread of its own: what it does can be watched."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from house import Gateway, Simulator
from ownkey import Ownkey
from ownkey.server.connection import Connection
from ownkey.server.pages import Pages
from ownkey.server.refusal import Limits
from ownkey.server.site import Site


@dataclass
class State:
    """What uvicorn keeps of a server."""

    connections: set[asyncio.Protocol] = field(default_factory=set[asyncio.Protocol])
    tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])


@dataclass
class Inside:
    """`gateway` has no process."""

    gateway: Gateway
    ownkey: Ownkey
    loop: asyncio.AbstractEventLoop

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def settle(self, *, idle: bool = False) -> None:
        """What was asked so far is written down when this returns; `idle`: and nothing is under way any more."""
        if idle:
            self.run(_until_idle())
        self.run(self.ownkey.house.store.book.drain())
        self.ownkey.house.memory.settle()
        for thread in threading.enumerate():
            if thread.name == "ownkey-keys":
                thread.join(10)


@contextmanager
def inside(ownkey: Ownkey, simulator: Simulator, pages: Pages | None = None) -> Iterator[Inside]:
    """It serves the house of `ownkey`, and closes it at the end."""
    loop, house, state = asyncio.new_event_loop(), ownkey.house, State()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    house.open()
    site = Site(house, pages)
    home = house.settings.home
    gateway = Gateway(home, {}, simulator, cast("Any", None), 0, "", home / "log")
    here = Inside(gateway, ownkey, loop)
    server = here.run(loop.create_server(lambda: Connection(site, cast("Any", state), loop, Limits()), "127.0.0.1", 0))
    gateway.port = server.sockets[0].getsockname()[1]
    try:
        yield here
    finally:
        here.run(_stop(server, state))
        here.run(house.transport.aclose())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _until_idle() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    if tasks:
        _, running = await asyncio.wait(tasks, timeout=10)
        assert not running


async def _stop(server: asyncio.Server, state: State) -> None:
    server.close()
    for connection in list(state.connections):
        assert isinstance(connection, Connection)
        connection.shutdown()
