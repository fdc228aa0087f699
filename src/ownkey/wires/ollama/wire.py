"""Ollama's own API, outward: what its OpenAI form has no field for is said here. The base URL ends with `/api`."""

from __future__ import annotations

from collections.abc import Mapping

from ownkey.catalog.manifest import Quirks
from ownkey.talk.chat import Chat
from ownkey.talk.errors import ProviderError
from ownkey.talk.reply import Reply
from ownkey.wires.ollama.reply import read_error, read_models, read_reply
from ownkey.wires.ollama.request import NAME, write_request
from ownkey.wires.ollama.stream import OllamaReader
from ownkey.wires.wire import Headers, Listed, Written


class Ollama:
    """The wire of that name."""

    name: str = NAME
    paths: Mapping[str, str] = {"chat": "/chat", "stream": "/chat", "models": "/tags"}
    headers: Mapping[str, str] = {}
    default_output: int | None = None

    def write_request(self, chat: Chat, model: str, *, stream: bool, max_output: int | None, quirks: Quirks) -> Written:
        return write_request(chat, model, stream=stream, max_output=max_output, quirks=quirks)

    def read_reply(self, body: bytes) -> Reply:
        return read_reply(body)

    def reader(self) -> OllamaReader:
        return OllamaReader()

    def read_error(self, status: int, headers: Headers, body: bytes) -> ProviderError:
        return read_error(status, headers, body)

    def read_models(self, body: bytes) -> Listed:
        return read_models(body)
