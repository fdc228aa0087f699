"""From an origin to a connection: resolve, check every address, connect to the one that was checked."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Collection, Sequence

from ownkey.talk.errors import EndpointNotAllowed, NetworkError, OwnkeyError
from ownkey.talk.origin import Origin
from ownkey.transport.addresses import is_global, parse
from ownkey.transport.connection import Connection, too_slow
from ownkey.transport.tls import checked, make_context, no_handshake

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, best first, as text."""

_CACHE_S = 20.0
_CACHE_SIZE = 1024
_MOST_ANSWERS = 64
_MOST_TRIES = 6


async def system_resolver(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Dialler:
    """`allow_private`: host and port of each place that may be on a private address, or be spoken to without TLS.

    It is read anew for each connection: a provider's file may come while the program runs.
    """

    def __init__(
        self, allow_private: Collection[tuple[str, int]], resolver: Resolver, context: ssl.SSLContext | None
    ) -> None:
        self._allow_private = allow_private
        self._resolve = resolver
        self._context = None if context is None else checked(context)
        self._cache: dict[tuple[str, int], tuple[float, tuple[str, ...]]] = {}

    async def dial(self, origin: Origin, make: Callable[[], Connection], timeout_s: float) -> Connection:
        """Raises EndpointNotAllowed, NetworkError, ProviderTimeout."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        try:
            async with asyncio.timeout_at(until):
                addresses = (await self.addresses(origin))[:_MOST_TRIES]
        except TimeoutError:
            raise too_slow(origin, f"to connect, {timeout_s:g} s") from None
        trouble: OwnkeyError = NetworkError(f"{origin.host} has no address.")
        for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            now = loop.time()
            try:
                async with asyncio.timeout_at(now + (until - now) / left):
                    return await self._connect(origin, address, make())
            except TimeoutError:
                trouble = too_slow(origin, f"to connect, {timeout_s:g} s")
            except OSError as error:
                trouble = _unreachable(origin, error)
        self._cache.pop((origin.host, origin.port), None)
        raise trouble from None

    async def addresses(self, origin: Origin) -> tuple[str, ...]:
        """The addresses that may be connected to. Raises EndpointNotAllowed if only one of all may not."""
        place = (origin.host, origin.port)
        allowed = any((host.lower(), port) == place for host, port in self._allow_private)
        if origin.scheme != "https" and not allowed:
            raise _not_private(origin, "is not spoken to without TLS: the key would go in the clear")
        now = asyncio.get_running_loop().time()
        cached = self._cache.get(place)
        if cached is not None and now < cached[0]:
            found = cached[1]
        else:
            found = await self._look_up(origin)
            if len(self._cache) >= _CACHE_SIZE:
                self._cache.clear()
            self._cache[place] = (now + _CACHE_S, found)
        if not allowed and not all(map(is_global, found)):
            raise _not_private(origin, "is on a private or reserved address")
        if origin.scheme != "https" and any(map(is_global, found)):
            raise EndpointNotAllowed(
                f"{origin.host} is on the public internet, where no key goes without TLS.", "Use its https:// address."
            )
        return found

    async def _look_up(self, origin: Origin) -> tuple[str, ...]:
        literal = parse(origin.host)
        if literal is not None:
            return (str(literal),)
        try:
            found = tuple(await self._resolve(origin.host, origin.port))
        except TimeoutError:
            raise
        except (OSError, UnicodeError):
            found = ()
        if not found:
            raise NetworkError(
                f"The name {origin.host} was not found.", "Check the provider's base URL and the network's DNS."
            ) from None
        if len(found) > _MOST_ANSWERS:
            raise NetworkError(f"The name {origin.host} has too many addresses.", "Check the provider's base URL.")
        return found

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


def _not_private(origin: Origin, why: str) -> EndpointNotAllowed:
    place = f"{origin.bracketed}:{origin.port}"
    return EndpointNotAllowed(
        f"{origin.host} {why}.", f"If it is yours, add {place} to OWNKEY_ALLOW_PRIVATE_HOSTS.", param="base_url"
    )
