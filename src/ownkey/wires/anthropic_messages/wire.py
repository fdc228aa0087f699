"""Anthropic's Messages API, which Vertex, Ollama, DeepSeek, llama.cpp and others speak too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.json import Decoder

from ownkey.catalog.manifest import Model, Quirks
from ownkey.talk.chat import Chat
from ownkey.talk.errors import ProviderError
from ownkey.talk.reply import Reply
from ownkey.wires.anthropic_messages.reply import NAME, error_in, read_reply, unreadable
from ownkey.wires.anthropic_messages.request import DEFAULT_CAP, write_request
from ownkey.wires.anthropic_messages.stream import MessagesReader
from ownkey.wires.anthropic_messages.usage import UNREADABLE
from ownkey.wires.status import by_status
from ownkey.wires.wire import Headers, Listed, Written


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


_page = Decoder(_Page)


class AnthropicMessages:
    """The outward side. The manifest's base URL ends with `/v1`."""

    name = NAME
    paths: Mapping[str, str] = {"chat": "/messages", "stream": "/messages", "models": "/models?limit=1000"}
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


def _limit(value: object) -> int | None:
    return value if type(value) is int and value > 0 else None
