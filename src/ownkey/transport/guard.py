"""Which addresses may be connected to for a name. Whatever leaves asks here first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence

from ownkey.talk.errors import EndpointNotAllowed, NetworkError
from ownkey.transport.addresses import is_global, is_metadata, parse
from ownkey.transport.lookup import system_resolver

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, best first, as text."""

_CACHE_S = 20.0
_CACHE_SIZE = 1024
_MOST_ANSWERS = 64


class Guard:
    """`allow_private`: host and port of each place that may be on a private address, or be spoken to without TLS.

    It is read anew at each question: a provider's file may come while the program runs.
    """

    def __init__(self, allow_private: Collection[tuple[str, int]] = (), resolve: Resolver | None = None) -> None:
        self._allow_private = allow_private
        self._resolve = resolve or system_resolver
        self._cache: dict[tuple[str, int], tuple[float, tuple[str, ...]]] = {}

    def allows(self, host: str, port: int) -> bool:
        """Whether exactly this place was named. `host` in lower case and without brackets."""
        return any((name.lower(), number) == (host, port) for name, number in self._allow_private)

    async def addresses(self, host: str, port: int, *, tls: bool) -> tuple[str, ...]:
        """Those that may be connected to. Raises EndpointNotAllowed if only one of all may not, and NetworkError.

        Without `tls` only places that were named are looked up, and only private addresses are given.
        """
        allowed = self.allows(host, port)
        if not tls and not allowed:
            raise _refused(host, port, "is not spoken to without TLS: the key would go in the clear")
        found = await self._known(host, port)
        if not allowed and not all(map(is_global, found)):
            raise _refused(host, port, "is on a private or reserved address")
        # A name that is allowed is no leave to go wherever its DNS says: at these a machine's own keys are given away.
        if any(parse(address) != parse(host) for address in found if is_metadata(address)):
            raise EndpointNotAllowed(
                f"{host} is on a link-local address, or leads to the metadata service of a cloud.",
                "If it is yours, set the address itself in place of the name, and allow that.",
                param="base_url",
            )
        if not tls and any(map(is_global, found)):
            raise EndpointNotAllowed(
                f"{host} is on the public internet, where no key goes without TLS.", "Use its https:// address."
            )
        return found

    def forget(self, host: str, port: int) -> None:
        """None of its addresses answered."""
        self._cache.pop((host, port), None)

    async def _known(self, host: str, port: int) -> tuple[str, ...]:
        now = asyncio.get_running_loop().time()
        cached = self._cache.get((host, port))
        if cached is not None and now < cached[0]:
            return cached[1]
        found = await self._look_up(host, port)
        if len(self._cache) >= _CACHE_SIZE:
            self._cache.clear()
        self._cache[host, port] = (now + _CACHE_S, found)
        return found

    async def _look_up(self, host: str, port: int) -> tuple[str, ...]:
        literal = parse(host)
        if literal is not None:
            return (str(literal),)
        try:
            found = tuple(await self._resolve(host, port))
        except TimeoutError:
            raise
        except (OSError, UnicodeError):
            found = ()
        if not found:
            raise NetworkError(
                f"The name {host} was not found.", "Check the address that is set, and the network's DNS."
            ) from None
        if len(found) > _MOST_ANSWERS:
            raise NetworkError(f"The name {host} has too many addresses.", "Check the address that is set.")
        return found


def _refused(host: str, port: int, why: str) -> EndpointNotAllowed:
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return EndpointNotAllowed(
        f"{host} {why}.", f"If it is yours, add {place} to OWNKEY_ALLOW_PRIVATE_HOSTS.", param="base_url"
    )
