"""Anthropic's Messages API, which Vertex, Ollama, DeepSeek, llama.cpp and others speak too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Raw, Struct
from msgspec.json import Decoder, decode, encode

from ownkey.catalog.manifest import Model, Quirks
from ownkey.talk.chat import Chat
from ownkey.talk.errors import OwnkeyError, ProviderError
from ownkey.talk.reply import Reply
from ownkey.wires.anthropic_messages.ask import forward, read_ask, read_count_ask
from ownkey.wires.anthropic_messages.chat import read_chat
from ownkey.wires.anthropic_messages.relay import MessagesRelay, pass_reply
from ownkey.wires.anthropic_messages.reply import NAME, error_in, read_reply, unreadable
from ownkey.wires.anthropic_messages.request import DEFAULT_CAP, write_request
from ownkey.wires.anthropic_messages.stream import MessagesReader
from ownkey.wires.anthropic_messages.usage import UNREADABLE
from ownkey.wires.anthropic_messages.writer import MessagesWriter, error_object, write_count, write_reply
from ownkey.wires.status import by_status
from ownkey.wires.wire import Ask, Headers, Listed, Named, Passed, Written


class _Model(Struct):
    id: str
    display_name: str | None = None
    max_input_tokens: Any = None
    max_tokens: Any = None
    lifecycle: Any = None


class _Page(Struct):
    data: list[_Model]
    has_more: bool | None = None
    last_id: str | None = None


class _Counted(Struct):
    input_tokens: int


_page = Decoder(_Page)
_counted = Decoder(_Counted)
_COUNTED = frozenset({"model", "messages", "system", "tools", "tool_choice", "thinking"})


class AnthropicMessages:
    """The wire of that name, both ways. A provider's base URL ends with `/v1`."""

    name = NAME
    paths: Mapping[str, str] = {
        "chat": "/messages",
        "stream": "/messages",
        "models": "/models?limit=1000",
        "count": "/messages/count_tokens",
    }
    headers: Mapping[str, str] = {"anthropic-version": "2023-06-01"}
    default_output: int | None = DEFAULT_CAP

    def write_request(self, chat: Chat, model: str, *, stream: bool, max_output: int | None, quirks: Quirks) -> Written:
        return write_request(chat, model, stream=stream, max_output=max_output, quirks=quirks)

    def read_reply(self, body: bytes) -> Reply:
        return read_reply(body)

    def reader(self) -> MessagesReader:
        return MessagesReader()

    def read_error(self, status: int, headers: Headers, body: bytes) -> ProviderError:
        return error_in(body, status, headers) or by_status(status, headers, code=None, text=None)

    def read_models(self, body: bytes) -> Listed:
        """Retired models are left out: Anthropic lists them, but requests that name them fail."""
        try:
            page = _page.decode(body)
        except UNREADABLE as error:
            raise error_in(body) or unreadable() from error
        models = tuple(
            Model(
                id=model.id,
                name=model.display_name,
                context=_limit(model.max_input_tokens),
                max_output=_limit(model.max_tokens),
            )
            for model in page.data
            if model.lifecycle != "retired"
        )
        more = page.has_more and page.last_id
        return Listed(models, {"after_id": page.last_id} if more and page.last_id else None)

    def read_ask(self, body: bytes, named: Named | None = None) -> Ask:
        return read_ask(body)

    def read_chat(self, ask: Ask) -> Chat:
        return read_chat(ask)

    def forward(self, ask: Ask, model: str, *, max_output: int | None, quirks: Quirks) -> bytes:
        return forward(ask, model, max_output=max_output)

    def relay(self, ask: Ask) -> MessagesRelay:
        return MessagesRelay()

    def pass_reply(self, body: bytes) -> Passed:
        return pass_reply(body)

    def write_reply(self, reply: Reply, model: str) -> bytes:
        return write_reply(reply, model)

    def writer(self, ask: Ask, model: str) -> MessagesWriter:
        return MessagesWriter(model)

    def write_error(self, error: OwnkeyError, status: int) -> dict[str, object]:
        return error_object(error, status)

    def read_count_ask(self, body: bytes, named: Named | None = None) -> Ask:
        return read_count_ask(body)

    def write_count(self, chat: Chat, model: str, quirks: Quirks) -> bytes:
        """The request that asks how many tokens a chat has. Raises Unsupported, naming the field."""
        written = write_request(chat, model, stream=False, max_output=None, quirks=quirks)
        whole = decode(written.body, type=dict[str, Raw])
        return encode({name: raw for name, raw in whole.items() if name in _COUNTED})

    def forward_count(self, ask: Ask, model: str, quirks: Quirks) -> bytes:
        return forward(ask, model, max_output=None)

    def read_count(self, body: bytes) -> int:
        """Raises UnexpectedResponse."""
        try:
            return _counted.decode(body).input_tokens
        except UNREADABLE:
            raise error_in(body) or unreadable() from None

    def write_count_reply(self, tokens: int) -> bytes:
        return write_count(tokens)


def _limit(value: object) -> int | None:
    return value if type(value) is int and value > 0 else None
