"""From a request's bytes to an answer's, with no clock and no chance: the same request gets the same answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct

from ownkey.simulate import anthropic_messages, gemini, ollama, openai_chat, openai_responses
from ownkey.simulate.calls import called
from ownkey.simulate.failing import Failure, Usage, Wire
from ownkey.simulate.speech import Asked, echo, speak, stable
from ownkey.talk.errors import InvalidRequest, UnknownModel

MODELS: Mapping[str, tuple[str, ...]] = {
    "openai-chat": ("gpt-4o", "gpt-4o-mini", "o1", "o3-mini", "sim-small", "sim-large", "sim-reasoner"),
    "ollama": ("sim-small", "sim-large"),
    "openai-responses": ("gpt-4o", "o1", "o3-mini", "sim-small"),
    "anthropic-messages": ("claude-sonnet-4-5", "claude-opus-4-5", "claude-haiku-4-5", "sim-small"),
    "gemini": ("gemini-2.5-flash", "gemini-2.5-pro", "gemini-2.0-flash", "sim-small"),
}
"""What each wire lists. Any other name is answered too, but one that begins with `missing`."""

WIRES: Mapping[str, Wire] = {
    "openai-chat": openai_chat,
    "openai-responses": openai_responses,
    "ollama": ollama,
    "anthropic-messages": anthropic_messages,
    "gemini": gemini,
}

Headers = tuple[tuple[bytes, bytes], ...]


class Request(Struct, frozen=True):
    """Header names in lower case."""

    method: str
    target: str
    headers: Mapping[bytes, bytes]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


class Answer(Struct, frozen=True):
    """`pieces` are the events of a stream, or one whole body."""

    status: int
    headers: Headers
    pieces: tuple[bytes, ...]
    streamed: bool = False


def wire_of(request: Request) -> str:
    """The wire that a request speaks: by the end of its path, and where paths are the same, by its headers."""
    path = request.path
    if path.endswith("/chat/completions"):
        return "openai-chat"
    if path.endswith(("/api/chat", "/api/tags")):
        return "ollama"
    if path.endswith("/responses"):
        return "openai-responses"
    if path.endswith(("/messages", "/messages/count_tokens")):
        return "anthropic-messages"
    if "/v1beta/" in path or b"x-goog-api-key" in request.headers:
        return "gemini"
    asks_anthropic = b"anthropic-version" in request.headers or b"x-api-key" in request.headers
    return "anthropic-messages" if asks_anthropic else "openai-chat"


def answer(
    request: Request,
    *,
    usage: Usage = "true",
    keys: bool = True,
    models: Mapping[str, tuple[str, ...]] = MODELS,
    opening: Callable[[Asked], str] = echo,
) -> Answer:
    """The healthy answer. `keys`: whether one is required; a key that begins with `bad` is refused as the provider
    refuses a wrong one. `opening` is what is said where nothing else was asked for."""
    name = wire_of(request)
    wire = WIRES[name]
    lacking = wire.lacks(request.headers) if keys else None
    if lacking is not None:
        return failed(request, lacking)
    if request.method == "GET" and request.path.endswith(("/models", "/api/tags")):
        return _plain(wire, 200, wire.models(models[name]), stable(request.target.encode()))
    if request.method == "POST" and not _chats(request.path):
        try:
            if (body := called(request.target, request.body)) is not None:
                return _plain(wire, 200, body, stable(request.target.encode(), request.body))
        except (InvalidRequest, msgspec.DecodeError) as wrong:
            return failed(request, Failure("request", message=str(wrong)))
        except UnknownModel as unknown:
            return failed(request, Failure("model", message=unknown.message))
    if request.method != "POST" or not _chats(request.path):
        return failed(request, Failure("request", 404, f"Invalid URL ({request.method} {request.path})"))
    try:
        asked = wire.read(request.target, request.body)
    except UnknownModel as unknown:
        return failed(request, Failure("model", message=unknown.message))
    except InvalidRequest as invalid:
        return failed(request, Failure("request", message=invalid.message, param=invalid.param))
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        return failed(request, Failure("request", message=f"The body cannot be read: {wrong}"))
    said = speak(asked, opening)
    if not asked.stream:
        return _plain(wire, 200, wire.whole(asked, said, usage), asked.seed)
    kind = wire.STREAM_TYPE if asked.sse else wire.JSON_TYPE
    headers = ((b"content-type", kind), *wire.headers(asked.seed))
    return Answer(200, headers, tuple(wire.stream(asked, said, usage)), streamed=True)


def failed(request: Request, failure: Failure) -> Answer:
    """A refusal in the wire's own form; plain JSON, whether or not a stream was asked for."""
    wire = WIRES[wire_of(request)]
    seed = stable(request.target.encode(), request.body)
    status, body = wire.error(msgspec.structs.replace(failure, seed=seed))
    return _plain(wire, status, msgspec.json.encode(body), seed)


def failing_event(request: Request, failure: Failure) -> bytes:
    """The same, inside a stream that has begun."""
    wire = WIRES[wire_of(request)]
    return wire.error_event(wire.error(failure)[1])


def _plain(wire: Wire, status: int, body: bytes, seed: str) -> Answer:
    return Answer(status, ((b"content-type", wire.JSON_TYPE), *wire.headers(seed)), (body,))


def _chats(path: str) -> bool:
    ends = ("/chat/completions", "/api/chat", "/responses", "/messages", ":generateContent", ":streamGenerateContent")
    return path.endswith(ends)
