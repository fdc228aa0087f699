"""Who answers, made ready: everything of a target that does not change from one request to the next."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from ownkey.catalog.address import endpoint, operation_path, setting_headers
from ownkey.catalog.facts import quirks_of
from ownkey.catalog.manifest import Model, Provider, Quirks
from ownkey.spending.terms import charged_by_name
from ownkey.store.choices import Choice
from ownkey.talk.errors import OwnkeyError
from ownkey.talk.origin import Origin
from ownkey.talk.secret import Secret, clean
from ownkey.wires.wire import Wire, wire


class Target(Struct, frozen=True):
    """`quirks` are the provider's with those of the model. `paths` holds the request target of each operation,
    `headers` all headers but the key's. `charges_more`: its name says that more than tokens is charged."""

    provider: Provider
    model: str
    facts: Model
    quirks: Quirks
    wire: Wire
    origin: Origin
    paths: Mapping[str, bytes]
    headers: tuple[tuple[bytes, bytes], ...]
    charges_more: bool

    @property
    def name(self) -> str:
        return f"{self.provider.id}/{self.model}"


def make_target(provider: Provider, model: str, facts: Model, choice: Choice | None) -> Target:
    """Raises where the provider's address cannot be made: a field is missing, or the endpoint is not allowed."""
    spoken = wire(provider.wire)
    origin, chat = locate(provider, "chat", choice, model)
    _, stream = locate(provider, "stream", choice, model)
    paths, quirks = {"chat": chat, "stream": stream}, quirks_of(provider, facts)
    named = headers(provider, spoken, choice)
    return Target(provider, model, facts, quirks, spoken, origin, paths, named, charged_by_name(model))


def locate(
    provider: Provider,
    operation: str,
    choice: Choice | None,
    model: str | None = None,
    query: Mapping[str, str] | None = None,
) -> tuple[Origin, bytes]:
    """The origin and request target of one operation: `chat`, `stream` or `models`."""
    url = endpoint(
        provider,
        operation_path(provider, operation, wire(provider.wire).paths),
        model=model,
        base_url_override=choice.endpoint if choice else None,
        fields=choice.fields if choice else None,
        query=query,
    )
    scheme, _, rest = url.partition("://")
    authority, _, asked = rest.partition("/")
    origin, _ = Origin.parse(f"{scheme}://{authority}")
    return origin, f"/{asked}".encode("ascii")


def headers(provider: Provider, spoken: Wire, choice: Choice | None) -> tuple[tuple[bytes, bytes], ...]:
    """What every request to this provider carries, but the key."""
    named = {"content-type": "application/json", "accept": "*/*", "user-agent": "ownkey"}
    named |= {name.lower(): value for name, value in spoken.headers.items()}
    named |= setting_headers(provider, choice.fields if choice else None)
    return tuple((name.encode("ascii"), value.encode("ascii")) for name, value in named.items())


def hide_key(error: OwnkeyError, key: Secret | None) -> None:
    """A provider's words may quote the key it was sent."""
    if key is not None:
        error.message = clean(error.message, key)
        error.hint = clean(error.hint, key)
        error.args = (error.message,)


def key_header(provider: Provider, key: bytes) -> tuple[bytes, bytes]:
    """The header that carries the key."""
    auth = provider.auth
    if auth is None:
        return b"authorization", b"Bearer " + key
    value = auth.scheme.encode("ascii") + b" " + key if auth.scheme else key
    return auth.header.lower().encode("ascii"), value
