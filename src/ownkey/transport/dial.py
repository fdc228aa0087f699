"""From an origin to a connection: resolve, check every address, connect to the one that was checked."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from ownkey.talk.errors import EndpointNotAllowed, NetworkError, OwnkeyError
from ownkey.talk.origin import Origin
from ownkey.transport.addresses import parse
from ownkey.transport.connection import Connection, too_slow
from ownkey.transport.guard import Guard
from ownkey.transport.tls import checked, make_context, no_handshake

_MOST_TRIES = 6


class Dialler:
    """`guard` says which addresses may be connected to."""

    def __init__(self, guard: Guard, context: ssl.SSLContext | None) -> None:
        self._guard = guard
        self._context = None if context is None else checked(context)

    async def dial(self, origin: Origin, make: Callable[[], Connection], timeout_s: float) -> Connection:
        """Raises EndpointNotAllowed, NetworkError, ProviderTimeout."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        try:
            async with asyncio.timeout_at(until):
                found = await self._guard.addresses(origin.host, origin.port, tls=origin.scheme == "https")

        except TimeoutError:
            raise too_slow(origin, f"to connect, {timeout_s:g} s") from None
        addresses = found[:_MOST_TRIES]
        trouble: OwnkeyError = NetworkError(f"{origin.host} has no address.")
        for tried, address in enumerate(addresses):
            now = loop.time()
            try:
                async with asyncio.timeout_at(now + (until - now) / (len(addresses) - tried)):
                    return await self._connect(origin, address, make())
            except TimeoutError:
                trouble = too_slow(origin, f"to connect, {timeout_s:g} s")
            except OSError as error:
                trouble = _unreachable(origin, error)
        self._guard.forget(origin.host, origin.port)
        raise trouble from None

    async def _connect(self, origin: Origin, address: str, connection: Connection) -> Connection:
        """To this address under the origin's own name."""
        tls = origin.scheme == "https"
        if tls and self._context is None:
            self._context = make_context()
        try:
            transport, _ = await asyncio.get_running_loop().create_connection(
                lambda: connection,
                address,
                origin.port,
                ssl=self._context if tls else None,
                server_hostname=origin.host if tls else None,
            )
        except BaseException:
            connection.abort()
            raise
        peer = transport.get_extra_info("peername")
        if not peer or parse(str(peer[0]).partition("%")[0]) != parse(address.partition("%")[0]):
            connection.abort()
            raise EndpointNotAllowed(f"The connection to {origin.host} went to another address than the one checked.")
        return connection


def _unreachable(origin: Origin, error: OSError) -> NetworkError:
    """A reset or an early end comes after TCP has connected, in the handshake of TLS."""
    if isinstance(error, ssl.SSLError | ConnectionResetError | ConnectionAbortedError):
        return no_handshake(origin.host, error)
    return NetworkError(
        f"{origin.host} could not be reached on port {origin.port}.", "Check the network and the provider's base URL."
    )
