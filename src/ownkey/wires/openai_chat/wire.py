"""OpenAI's chat completions, both ways. Most providers speak it, and most clients."""

from __future__ import annotations

from collections.abc import Mapping

from ownkey.catalog.manifest import Quirks
from ownkey.talk.chat import Chat
from ownkey.talk.errors import OwnkeyError, ProviderError
from ownkey.talk.reply import Reply
from ownkey.wires.openai_chat.ask import forward, read_ask
from ownkey.wires.openai_chat.chat import read_chat
from ownkey.wires.openai_chat.relay import ChatRelay
from ownkey.wires.openai_chat.reply import pass_reply, read_reply
from ownkey.wires.openai_chat.request import write_request
from ownkey.wires.openai_chat.stream import Reader
from ownkey.wires.openai_chat.writer import ChatWriter, write_reply
from ownkey.wires.openai_error import error_object, read_error
from ownkey.wires.openai_models import read_models
from ownkey.wires.wire import Ask, Headers, Listed, Named, Passed, Written


class OpenAIChat:
    """The wire `openai-chat`. Its parts stand in the modules beside it."""

    name: str = "openai-chat"
    paths: Mapping[str, str] = {"chat": "/chat/completions", "stream": "/chat/completions", "models": "/models"}
    headers: Mapping[str, str] = {}
    default_output: int | None = None

    def write_request(self, chat: Chat, model: str, *, stream: bool, max_output: int | None, quirks: Quirks) -> Written:
        return write_request(chat, model, stream=stream, max_output=max_output, quirks=quirks)

    def read_reply(self, body: bytes) -> Reply:
        return read_reply(body)

    def reader(self) -> Reader:
        return Reader()

    def read_error(self, status: int, headers: Headers, body: bytes) -> ProviderError:
        return read_error(status, headers, body)

    def read_models(self, body: bytes) -> Listed:
        return read_models(body)

    def read_ask(self, body: bytes, named: Named | None = None) -> Ask:
        return read_ask(body)

    def read_chat(self, ask: Ask) -> Chat:
        return read_chat(ask)

    def forward(self, ask: Ask, model: str, *, max_output: int | None, quirks: Quirks) -> bytes:
        return forward(ask, model, max_output=max_output, quirks=quirks)

    def relay(self, ask: Ask) -> ChatRelay:
        return ChatRelay(ask)

    def pass_reply(self, body: bytes) -> Passed:
        return pass_reply(body)

    def write_reply(self, reply: Reply, model: str) -> bytes:
        return write_reply(reply, model)

    def writer(self, ask: Ask, model: str) -> ChatWriter:
        return ChatWriter(ask, model)

    def write_error(self, error: OwnkeyError, status: int) -> dict[str, object]:
        return error_object(error)
