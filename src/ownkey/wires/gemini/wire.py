"""Gemini's generateContent, both ways: the Gemini API and Vertex AI, which speak it, and clients who do.

Source: the Gemini API reference (models.generateContent, streamGenerateContent, countTokens, list).
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Raw, json

from ownkey.catalog.manifest import Ability, Model, Quirks
from ownkey.talk.chat import Chat
from ownkey.talk.errors import OwnkeyError, ProviderError
from ownkey.talk.reply import Reply, collect
from ownkey.wires.gemini.ask import forward, read_ask, read_count_ask
from ownkey.wires.gemini.chat import read_chat
from ownkey.wires.gemini.error import error_object, error_of, read_error, status_of
from ownkey.wires.gemini.relay import GeminiRelay, pass_reply
from ownkey.wires.gemini.reply import Reading
from ownkey.wires.gemini.request import write_request
from ownkey.wires.gemini.stream import GeminiReader
from ownkey.wires.gemini.values import NAME, Object, as_count, as_list, as_object, as_text, decoded, unreadable
from ownkey.wires.gemini.writer import GeminiWriter, write_reply
from ownkey.wires.wire import Ask, Headers, Listed, Named, Passed, Reader, Written

# Every model that generates also streams; the list names only the one.
_DOES: Mapping[str, tuple[Ability, ...]] = {
    "generateContent": ("chat", "stream"),
    "embedContent": ("embeddings",),
}


class Gemini:
    """The wire of that name."""

    name: str = NAME
    paths: Mapping[str, str] = {
        "chat": "/models/{model}:generateContent",
        "stream": "/models/{model}:streamGenerateContent?alt=sse",
        "models": "/models?pageSize=1000",
        "count": "/models/{model}:countTokens",
    }
    headers: Mapping[str, str] = {}
    default_output: int | None = None

    def write_request(self, chat: Chat, model: str, *, stream: bool, max_output: int | None, quirks: Quirks) -> Written:
        """The body is the same for both operations: the path says whether the answer streams."""
        return write_request(chat, max_output=max_output, quirks=quirks)

    def read_reply(self, body: bytes) -> Reply:
        reading = Reading()
        value = decoded(body)
        chunks = as_list(value) or [value]
        events = [event for chunk in chunks for event in reading.chunk(chunk)]
        return collect([*events, *reading.whole()])

    def reader(self) -> Reader:
        return GeminiReader()

    def read_error(self, status: int, headers: Headers, body: bytes) -> ProviderError:
        return read_error(status, headers, body)

    def read_models(self, body: bytes) -> Listed:
        value = decoded(body)
        page = as_object(value)
        # Protobuf's JSON leaves an empty list out: no models at all are `{}`.
        if value != {} and not page.keys() & {"models", "nextPageToken"}:
            raise unreadable("is not a list of models")
        token = as_text(page.get("nextPageToken"))
        models = tuple(model for item in as_list(page.get("models")) if (model := _model(as_object(item))))
        return Listed(models, {"pageToken": token} if token else None)

    def read_ask(self, body: bytes, named: Named | None = None) -> Ask:
        return read_ask(body, named)

    def read_chat(self, ask: Ask) -> Chat:
        return read_chat(ask)

    def forward(self, ask: Ask, model: str, *, max_output: int | None, quirks: Quirks) -> bytes:
        return forward(ask, max_output=max_output, quirks=quirks)

    def relay(self, ask: Ask) -> GeminiRelay:
        return GeminiRelay(ask)

    def pass_reply(self, body: bytes) -> Passed:
        return pass_reply(body)

    def write_reply(self, reply: Reply, model: str) -> bytes:
        return write_reply(reply, model)

    def writer(self, ask: Ask, model: str) -> GeminiWriter:
        return GeminiWriter(ask, model)

    def write_error(self, error: OwnkeyError, status: int) -> dict[str, object]:
        return error_object(error, status)

    def read_count_ask(self, body: bytes, named: Named | None = None) -> Ask:
        return read_count_ask(body, named)

    def write_count(self, chat: Chat, model: str, quirks: Quirks) -> bytes:
        """The request that asks how many tokens a chat has. Raises Unsupported, naming the field."""
        written = write_request(chat, max_output=None, quirks=quirks)
        name = model if "/" in model else f"models/{model}"
        return json.encode(
            {"generateContentRequest": {"model": name, **json.decode(written.body, type=dict[str, Raw])}}
        )

    def forward_count(self, ask: Ask, model: str, quirks: Quirks) -> bytes:
        whole = self.forward(ask, model, max_output=None, quirks=quirks)
        fields = json.decode(whole, type=dict[str, Raw])
        return json.encode({"generateContentRequest": {"model": f"models/{model}", **fields}})

    def read_count(self, body: bytes) -> int:
        """Raises UnexpectedResponse."""
        counts = as_object(decoded(body))
        if counts.get("error"):
            raise error_of(counts, status_of(counts))
        tokens = as_count(counts.get("totalTokens"))
        if tokens is None:
            raise unreadable("is not a count of tokens")
        return tokens

    def write_count_reply(self, tokens: int) -> bytes:
        return json.encode({"totalTokens": tokens})


def _model(item: Object) -> Model | None:
    name = as_text(item.get("name"))
    if name is None:
        return None
    methods = as_list(item.get("supportedGenerationMethods"))
    does: list[Ability] = [ability for method in methods for ability in _DOES.get(str(method), ())]
    if item.get("thinking") is True:
        does.append("reasoning")
    return Model(
        id=name.removeprefix("models/"),
        name=as_text(item.get("displayName")),
        context=as_count(item.get("inputTokenLimit")),
        max_output=as_count(item.get("outputTokenLimit")),
        does=tuple(does),
    )
