"""Who answers, made ready: everything of a target that does not change from one request to the next."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from ownkey.catalog.address import endpoint
from ownkey.catalog.manifest import Model, Provider
from ownkey.store.choices import Choice
from ownkey.talk.origin import Origin
from ownkey.wires.wire import Wire, wire


class Target(Struct, frozen=True):
    """`paths` holds the request target of each operation, `headers` all headers but the key's."""

    provider: Provider
    model: str
    facts: Model
    wire: Wire
    origin: Origin
    paths: Mapping[str, bytes]
    headers: tuple[tuple[bytes, bytes], ...]

    @property
    def name(self) -> str:
        return f"{self.provider.id}/{self.model}"


def make_target(provider: Provider, model: str, facts: Model, choice: Choice | None) -> Target:
    """Raises where the provider's address cannot be made: a field is missing, or the endpoint is not allowed."""
    spoken = wire(provider.wire)
    fields = field_values(provider, choice)
    origin: Origin | None = None
    paths: dict[str, bytes] = {}
    for operation in ("chat", "stream"):
        path = provider.paths.get(operation, spoken.paths[operation])
        origin, paths[operation] = locate(provider, path, model, choice)
    assert origin is not None
    return Target(provider, model, facts, spoken, origin, paths, headers(provider, spoken, fields))


def locate(provider: Provider, path: str, model: str, choice: Choice | None) -> tuple[Origin, bytes]:
    """The origin and request target of one operation."""
    override = choice.endpoint if choice else None
    url = endpoint(provider, path, model=model, base_url_override=override, fields=field_values(provider, choice))
    base, _, query = url.partition("?")
    origin, path = Origin.parse(base)
    return origin, (f"{path}?{query}" if query else path).encode("ascii")


def field_values(provider: Provider, choice: Choice | None) -> dict[str, str]:
    chosen = choice.fields if choice else {}
    defaults = {name: field.default for name, field in provider.fields.items() if field.default is not None}
    return defaults | {name: value for name, value in chosen.items() if name in provider.fields}


def headers(provider: Provider, spoken: Wire, fields: Mapping[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    """What every request to this provider carries, but the key."""
    named = {"content-type": "application/json", "accept": "*/*", "user-agent": "ownkey"}
    named |= {name.lower(): value for name, value in {**spoken.headers, **provider.headers}.items()}
    named |= {
        field.header.lower(): fields[name]
        for name, field in provider.fields.items()
        if field.header is not None and name in fields
    }
    return tuple((name.encode("ascii"), value.encode("ascii")) for name, value in named.items())


def key_header(provider: Provider, key: bytes) -> tuple[bytes, bytes]:
    """The header that carries the key."""
    auth = provider.auth
    if auth is None:
        return b"authorization", b"Bearer " + key
    value = auth.scheme.encode("ascii") + b" " + key if auth.scheme else key
    return auth.header.lower().encode("ascii"), value
