"""What a wire is. Everything in it is pure: bytes to words and back.

Outward a wire speaks to a provider, inward to a client; one that does both can pass a request and its answer through
untouched where the two sides match. The table of wires is at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Set
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from msgspec import Raw, Struct

from ownkey.catalog.manifest import Model, Quirks
from ownkey.talk.chat import Chat
from ownkey.talk.errors import BadConfiguration, OwnkeyError, ProviderError
from ownkey.talk.ready import make_ready
from ownkey.talk.reply import Event, Reply, Usage

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Headers = Mapping[bytes, bytes]
"""Header names in lower case."""


class Written(Struct, frozen=True):
    """A request body for a provider, and the settings that it could not honour."""

    body: bytes
    warnings: tuple[str, ...] = ()


class Listed(Struct, frozen=True):
    """One page of a provider's models; `next_query` asks for the following one."""

    models: tuple[Model, ...]
    next_query: Mapping[str, str] | None = None


class Reader(Protocol):
    """Reads one provider's stream. Events are the same wherever the bytes were cut."""

    @property
    def ended(self) -> bool:
        """Whether the provider has said that the answer is whole."""
        ...

    def feed(self, data: bytes) -> list[Event]:
        """Events that are whole by now. Raises ProviderError where the stream tells of one or cannot be read."""
        ...

    def close(self) -> list[Event]:
        """Called at the end of the body. Raises StreamCut where the answer is not whole."""
        ...


class Writer(Protocol):
    """Writes one client's stream."""

    def write(self, event: Event) -> bytes: ...

    def end(self) -> bytes:
        """What comes after a whole answer."""
        ...

    def fail(self, error: OwnkeyError, status: int) -> bytes:
        """What ends a stream that broke; never what ends a whole one. `status` is the HTTP status it would have had."""
        ...


class Relay(Protocol):
    """Passes a provider's stream on to a client of the same wire, whole events only, and reads what passes."""

    began: bool
    """Whether something of the answer itself has passed: from then on nobody else may answer."""
    ended: bool
    usage: Usage
    finish: str | None
    text_bytes: int
    """How much the model wrote, in UTF-8 bytes, so far."""

    def feed(self, data: bytes) -> bytes:
        """What can be passed on by now. Raises ProviderError where the stream tells of one or cannot be read."""
        ...

    def close(self) -> bytes:
        """The rest, at the end of the body. Raises StreamCut where the answer is not whole."""
        ...


class Passed(Struct, frozen=True):
    """A whole answer that is passed on as it came, and what was read from it."""

    body: bytes
    usage: Usage
    finish: str | None
    text_bytes: int = 0


class Ask(Struct):
    """A client's request as its own wire brought it.

    `fields` are the members of the body, each with its bytes untouched. `max_output` is the output cap that the
    client asked for, `choices` how many answers. `usage_in_stream`: whether the client wants to be told.
    `text_only`: nothing but text goes in, so that its bytes bound its tokens. `sse`: a stream is sent as server-sent
    events; else as one JSON array that grows, which is Gemini's other form.
    """

    model: str
    stream: bool
    fields: dict[str, Raw]
    max_output: int | None = None
    choices: int = 1
    usage_in_stream: bool = True
    text_only: bool = True
    sse: bool = True


class Named(Struct, frozen=True):
    """What a client says beside the body, where its wire puts the model into the path (Gemini's)."""

    model: str
    stream: bool
    sse: bool = True


class Spoken(Protocol):
    """What every wire has that a provider is spoken to in, for chats or for embeddings."""

    name: str
    paths: Mapping[str, str]
    """Path and query of each operation after the base URL: `chat`, `stream`, `models`, and those of `catalog.manifest`
    that it has. `{model}` is the model."""
    headers: Mapping[str, str]

    def read_error(self, status: int, headers: Headers, body: bytes) -> ProviderError:
        """The error for an answer that is not a success. Its text is fit to be shown."""
        ...


@runtime_checkable
class Wire(Spoken, Protocol):
    """Outward: how a provider is spoken to."""

    default_output: int | None
    """The output cap that is sent where none was asked for, by a wire that cannot do without."""

    def write_request(self, chat: Chat, model: str, *, stream: bool, max_output: int | None, quirks: Quirks) -> Written:
        """`max_output` is the cap that is sent, whatever the chat says. Raises Unsupported, naming the field."""
        ...

    def read_reply(self, body: bytes) -> Reply:
        """Raises UnexpectedResponse, or the error that the body tells of."""
        ...

    def reader(self) -> Reader: ...

    def read_models(self, body: bytes) -> Listed:
        """Raises UnexpectedResponse."""
        ...


@runtime_checkable
class Door(Wire, Protocol):
    """Inward too: a wire that clients speak to Ownkey."""

    def read_ask(self, body: bytes, named: Named | None = None) -> Ask:
        """The request as far as the hot path needs it; `named` where the path names the model.

        Raises InvalidRequest, naming the field.
        """
        ...

    def read_chat(self, ask: Ask) -> Chat:
        """The whole request. Raises InvalidRequest or Unsupported, naming the field."""
        ...

    def forward(self, ask: Ask, model: str, *, max_output: int | None, quirks: Quirks) -> bytes:
        """The request for a provider of the same wire: every field with its own bytes but the model, the cap,
        and what makes a stream tell its usage."""
        ...

    def relay(self, ask: Ask) -> Relay: ...

    def pass_reply(self, body: bytes) -> Passed:
        """Raises UnexpectedResponse, or the error that the body tells of."""
        ...

    def write_reply(self, reply: Reply, model: str) -> bytes: ...

    def writer(self, ask: Ask, model: str) -> Writer: ...

    def write_error(self, error: OwnkeyError, status: int) -> dict[str, object]:
        """The error in this wire's own form; `status` is the HTTP status that it is answered with."""
        ...


@runtime_checkable
class Counter(Protocol):
    """A wire that asks, or is asked, for the tokens of a chat that is not answered: its operation `count`."""

    def read_count_ask(self, body: bytes, named: Named | None = None) -> Ask:
        """Raises InvalidRequest, naming the field."""
        ...

    def write_count(self, chat: Chat, model: str, quirks: Quirks) -> bytes:
        """Raises Unsupported, naming the field."""
        ...

    def forward_count(self, ask: Ask, model: str, quirks: Quirks) -> bytes:
        """The same for a client of this wire: every field with its own bytes but the model."""
        ...

    def read_count(self, body: bytes) -> int:
        """Raises UnexpectedResponse."""
        ...

    def write_count_reply(self, tokens: int) -> bytes: ...


TABLE: Mapping[str, str] = {
    "openai-chat": "ownkey.wires.openai_chat.wire:OpenAIChat",
    "openai-responses": "ownkey.wires.openai_responses.wire:OpenAIResponses",
    "anthropic-messages": "ownkey.wires.anthropic_messages.wire:AnthropicMessages",
    "gemini": "ownkey.wires.gemini.wire:Gemini",
    "ollama": "ownkey.wires.ollama.wire:Ollama",
    "openai-embeddings": "ownkey.wires.openai_embeddings.wire:OpenAIEmbeddings",
    "gemini-embeddings": "ownkey.wires.gemini_embeddings.wire:GeminiEmbeddings",
    "ollama-embeddings": "ownkey.wires.ollama_embeddings.wire:OllamaEmbeddings",
}
"""Those for embeddings, which `catalog.manifest.embeds` knows by their names, are described in `wires.embedding`."""

ENTRY_POINTS = "ownkey.wires"
"""The group by which another package brings a wire: the name, and a class that makes it without arguments."""

_loaded: dict[str, Spoken] = {}


WIRE_NAMES: Set[str] = frozenset(TABLE)
"""Ownkey's own."""


def wire_names(named: Collection[str]) -> Set[str]:
    """Ownkey's own wires, and those of other packages that are installed and named: by the setting `wires`."""
    return WIRE_NAMES | {name for name in (_others() if named else ()) if name in named}


@cache
def _others() -> Mapping[str, EntryPoint | None]:
    """What other packages bring; None where two bring the same name."""
    from importlib.metadata import entry_points  # a fiftieth of a second, which most programs need not spend

    found: dict[str, EntryPoint | None] = {}
    for point in entry_points(group=ENTRY_POINTS):
        if point.name not in TABLE:
            found[point.name] = None if found.get(point.name, point) != point else point
    return found


def spoken(name: str) -> Spoken:
    """The wire of that name, loaded when it is first asked for. Raises BadConfiguration where there is none.

    The name is one of `wire_names`: what nobody named must not be loaded.
    """
    if name not in _loaded:
        loaded = _load(name)
        make_ready()
        _loaded[name] = loaded
    return _loaded[name]


def wire(name: str) -> Wire:
    """The wire for chats of that name. Raises BadConfiguration where there is none."""
    return cast("Wire", spoken(name))


def _load(name: str) -> Spoken:
    if name in TABLE:
        module, _, attribute = TABLE[name].partition(":")
        return cast("Callable[[], Spoken]", getattr(import_module(module), attribute))()
    if name not in _others():
        raise BadConfiguration(f"There is no wire named {name!r}.", f"Wires: {', '.join(sorted(WIRE_NAMES))}.")
    point = _others()[name]
    if point is None:
        raise BadConfiguration(f"Two packages bring a wire named {name!r}.", "Remove one of them; neither is loaded.")
    try:
        made: object = cast("Callable[[], object]", point.load())()
    except (ImportError, AttributeError, TypeError) as error:
        raise BadConfiguration(
            f"The wire {name!r} cannot be loaded: {type(error).__name__}.", "Look at the package that brings it."
        ) from None
    if not isinstance(made, Wire) or made.name != name:
        raise BadConfiguration(f"What another package brings as {name!r} is no such wire.", "See docs/wires.md.")
    return made
