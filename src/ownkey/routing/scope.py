"""What a token is limited to: providers, models, and the addresses that it may come from. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from msgspec import Struct

from ownkey.talk.errors import InvalidRequest, PermissionDenied

MOST = 100
"""Of each kind."""

_NAME = re.compile(r"[!-~]{1,200}")


class Scope(Struct, frozen=True):
    """An empty list limits nothing. `models` are `provider/model` or bare names; a `*` at the end stands for any rest.

    `addresses` are networks, such as `192.0.2.0/24`.
    """

    providers: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.providers or self.models or self.addresses)

    def has(self, provider: str, model: str) -> bool:
        if self.providers and provider not in self.providers:
            return False
        return not self.models or any(_fits(wanted, provider, model) for wanted in self.models)

    def has_some(self, provider: str) -> bool:
        """Whether any model of this provider may be in it."""
        if self.providers and provider not in self.providers:
            return False
        return not self.models or any(
            wanted.partition("/")[0] == provider or "/" not in wanted for wanted in self.models
        )

    def admits(self, address: str) -> bool:
        """Whether a client at that address may come in. One that cannot be read may not."""
        return not self.addresses or is_in(address, self.addresses)


def scope_of(providers: Iterable[str] = (), models: Iterable[str] = (), addresses: Iterable[str] = ()) -> Scope | None:
    """A scope of what is given; None where nothing is. Raises InvalidRequest, naming the field."""
    scope = Scope(_named(providers, "providers"), _named(models, "models"), tuple(map(_network, addresses)))
    if max(map(len, (scope.providers, scope.models, scope.addresses))) > MOST:
        raise InvalidRequest(f"A token is limited to at most {MOST} of each.", param="scope")
    return scope if scope else None


@lru_cache(maxsize=4096)
def is_in(address: str, networks: tuple[str, ...]) -> bool:
    """Whether an address is in one of these networks. One that cannot be read is in none."""
    try:
        client = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = client.ipv4_mapped if isinstance(client, IPv6Address) else None
    return any((mapped or client) in ip_network(network) for network in networks)


def denied() -> PermissionDenied:
    return PermissionDenied(
        "This token may not ask this model.", "Ask one that it is for, or take another token.", param="model"
    )


def _fits(wanted: str, provider: str, model: str) -> bool:
    name = f"{provider}/{model}" if "/" in wanted else model
    return name.startswith(wanted[:-1]) if wanted.endswith("*") else name == wanted


def _named(names: Iterable[str], field: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(name.strip() for name in names))
    if not all(_NAME.fullmatch(name) for name in found):
        raise InvalidRequest(f"A name in {field} is of visible ASCII.", param=field)
    return found


def _network(text: str) -> str:
    try:
        return str(ip_network(text.strip()))
    except ValueError:
        raise InvalidRequest(
            "A client's address is one such as 192.0.2.7, or a network such as 192.0.2.0/24.", param="addresses"
        ) from None
