"""Who answers, made ready: everything of a target that does not change from one request to the next."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from ownkey.catalog.address import as_spoken, endpoint, operation_path, rooted, setting_headers
from ownkey.catalog.facts import embedding_wire_of, quirks_of, wire_of, wires_of
from ownkey.catalog.manifest import OPERATIONS, Auth, Model, Provider, Quirks
from ownkey.spending.terms import charged_by_name
from ownkey.store.choices import Choice
from ownkey.talk.errors import OwnkeyError, Unsupported
from ownkey.talk.origin import Origin
from ownkey.talk.secret import REDACTED, Secret, clean
from ownkey.transport import KeyHeader
from ownkey.wires.embedding import Embedding, embedding
from ownkey.wires.wire import Spoken, Wire, spoken, wire

HOPS = "x-ownkey-hops"
"""The header that counts through how many Ownkeys a request has gone, so that none goes round for ever."""


class Target(Struct, frozen=True):
    """`quirks` are the provider's with those of the model. `paths` holds the request target of each operation that it
    has, `headers` all headers but the key's, which `auth` says. `charges_more`: its name says that more than tokens is
    charged. `embedding` is the wire in which it is asked for vectors, where it is."""

    provider: Provider
    model: str
    facts: Model
    quirks: Quirks
    wire: Wire
    origin: Origin
    paths: Mapping[str, bytes]
    headers: tuple[tuple[bytes, bytes], ...]
    auth: Auth | None
    charges_more: bool
    embedding: Embedding | None = None

    @property
    def name(self) -> str:
        return f"{self.provider.id}/{self.model}"


def make_target(
    provider: Provider, model: str, facts: Model, choice: Choice | None, asked: str | None = None
) -> Target:
    """`asked` is the client's wire. Raises where the provider's address cannot be made: a field is missing, or the
    endpoint is not allowed."""
    as_asked = as_spoken(provider, wire_of(provider, facts, asked))
    speech = wire(as_asked.wire)
    has = {**speech.paths, **as_asked.paths}
    placed = {operation: locate(as_asked, operation, choice, model) for operation in OPERATIONS if operation in has}
    origin, _ = locate(as_asked, "chat", choice, model)
    return Target(
        provider,
        model,
        facts,
        quirks_of(provider, facts, as_asked.wire),
        speech,
        origin,
        {operation: path for operation, (_, path) in placed.items()},
        headers(as_asked, speech, choice),
        as_asked.auth,
        charged_by_name(model),
    )


def make_operation_target(
    provider: Provider, model: str, facts: Model, choice: Choice | None, operation: str, asked: str | None = None
) -> Target:
    """The same for what is no chat. Raises Unsupported, naming the operation, where the provider does not have it."""
    as_asked, vectors = _with_operation(provider, operation, asked)
    speech = spoken(as_asked.wire)
    origin, path = locate(as_asked, operation, choice, model)
    return Target(
        provider,
        model,
        facts,
        provider.quirks,
        wire(provider.wire),
        origin,
        {operation: path},
        headers(as_asked, speech, choice),
        as_asked.auth,
        charged_by_name(model),
        vectors,
    )


def _with_operation(provider: Provider, operation: str, asked: str | None) -> tuple[Provider, Embedding | None]:
    """The provider as it is spoken to for the operation: the first of its wires for which its file names a path."""
    if operation == "embeddings":
        name = embedding_wire_of(provider, asked)
        if name is not None:
            return as_spoken(provider, name), embedding(name)
    else:
        for name in wires_of(provider):
            as_asked = as_spoken(provider, name)
            if operation in as_asked.paths:
                return as_asked, None
    raise Unsupported(
        f"{provider.name} has no {operation.replace('_', ' ')} here.",
        "Choose a model of another provider, or name its path in the provider's file.",
        param="model",
    )


def locate(
    provider: Provider,
    operation: str,
    choice: Choice | None,
    model: str | None = None,
    query: Mapping[str, str] | None = None,
) -> tuple[Origin, bytes]:
    """The origin and request target of one operation of a provider as it is spoken to."""
    speech = provider.speaks.get(provider.wire)
    url = endpoint(
        provider,
        operation_path(provider, operation, spoken(provider.wire).paths),
        model=model,
        base_url_override=rooted(choice.endpoint, speech.root if speech else None)
        if choice and choice.endpoint
        else None,
        fields=choice.fields if choice else None,
        query=query,
    )
    scheme, _, rest = url.partition("://")
    authority, _, asked = rest.partition("/")
    origin, _ = Origin.parse(f"{scheme}://{authority}")
    return origin, f"/{asked}".encode("ascii")


def headers(provider: Provider, speech: Spoken, choice: Choice | None) -> tuple[tuple[bytes, bytes], ...]:
    """What every request to this provider carries, but the key."""
    named = {"content-type": "application/json", "accept": "*/*", "user-agent": "ownkey", HOPS: "1"}
    named |= {name.lower(): value for name, value in speech.headers.items()}
    named |= setting_headers(provider, choice.fields if choice else None)
    return tuple((name.encode("ascii"), value.encode("ascii")) for name, value in named.items())


def hide_key(error: OwnkeyError, key: Secret | None) -> None:
    """A provider's words may quote the key it was sent."""
    if key is not None:
        error.message = clean(error.message, key)
        error.hint = clean(error.hint, key)
        error.param = error.param and clean(error.param, key)
        error.args = (error.message,)


def without_key(body: bytes, key: Secret | None) -> bytes:
    """What a provider answers where it tells of an error, which may quote the key it was sent."""
    return body if key is None else body.replace(key.reveal(), REDACTED.encode("ascii"))


def key_header(auth: Auth | None, key: Secret) -> KeyHeader:
    """The header that carries the key."""
    if auth is None:
        return KeyHeader(b"authorization", b"Bearer ", key)
    before = auth.scheme.encode("ascii") + b" " if auth.scheme else b""
    return KeyHeader(auth.header.lower().encode("ascii"), before, key)
