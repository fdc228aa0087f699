"""The door out: one request to one origin, and its answer."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Collection, Mapping

from ownkey.talk.errors import EndpointNotAllowed, NetworkError
from ownkey.transport import inside as in_process
from ownkey.transport.answer import Incoming
from ownkey.transport.connection import Connection, Key, Limits
from ownkey.transport.dial import Dialler
from ownkey.transport.guard import Guard, Resolver
from ownkey.transport.inside import Inside
from ownkey.transport.pool import Pool
from ownkey.transport.request import Deadlines, Outgoing, write_request

_DEADLINES = Deadlines()


class Transport:
    """Serves one event loop.

    `allow_private`: host and port of the places on private addresses that may be reached, and without TLS.
    `inside`: providers in this process by the host of their origin. No proxy of the environment is obeyed.
    `guard` is asked by whoever else has something to send.
    """

    def __init__(
        self,
        *,
        allow_private: Collection[tuple[str, int]] = (),
        inside: Mapping[str, Inside] | None = None,
        resolve: Resolver | None = None,
        ssl_context: ssl.SSLContext | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._inside = inside or {}
        self.guard = Guard(allow_private, resolve)
        self._dialler = Dialler(self.guard, ssl_context)
        self._pool = Pool(self._limits)
        self._connections: set[Connection] = set()
        self._closed = False

    async def send(self, out: Outgoing, deadlines: Deadlines = _DEADLINES) -> Incoming:
        """The answer, when its status and headers are in hand. Redirects are answers like others.

        Raises InvalidRequest, EndpointNotAllowed, NetworkError, ProviderTimeout, UnexpectedResponse.
        Cancelled, it closes the connection. A connection that had been closed while it waited is replaced, once.
        """
        if out.origin.scheme == "inside":
            return await self._ask_inside(out, deadlines)
        request = write_request(out)
        loop = asyncio.get_running_loop()
        key = (out.origin, out.pool)
        now = loop.time()
        connection = self._pool.take(key, now)
        if connection is not None:
            answer = connection.ask(request, deadlines, now)
            out.sent()
            await answer.begin()
            if not answer.stale:
                return answer
        connection = await self._dial(key, deadlines)
        answer = connection.ask(request, deadlines, loop.time())
        out.sent()
        await answer.begin()
        return answer

    async def aclose(self) -> None:
        """Closes every connection; what is under way fails."""
        self._closed = True
        self._pool.close()
        closing = [connection.closed for connection in self._connections]
        for connection in list(self._connections):
            connection.abort()
        if closing:
            await asyncio.wait(closing, timeout=1.0)

    async def _ask_inside(self, out: Outgoing, deadlines: Deadlines) -> Incoming:
        provider = self._inside.get(out.origin.host)
        if provider is None:
            raise EndpointNotAllowed(f"There is no provider {out.origin} in this process.", param="base_url")
        out.sent()
        return await in_process.ask(provider, out, deadlines)

    async def _dial(self, key: Key, deadlines: Deadlines) -> Connection:
        loop = asyncio.get_running_loop()
        origin = key[0]

        def make() -> Connection:
            return Connection(loop, key, self._limits, self._release, self._forget)

        connection = await self._dialler.dial(origin, make, min(deadlines.connect_s, deadlines.total_s))
        if self._closed:
            connection.abort()
            raise NetworkError(f"The connection to {origin.host} is closed.", "Ownkey is stopping.")
        if connection.alive:
            self._connections.add(connection)
        return connection

    def _release(self, connection: Connection) -> None:
        self._pool.put(connection, asyncio.get_running_loop())

    def _forget(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._pool.forget(connection)
