"""OpenAI's answers as they are read: whole bodies and chunks in one shape, liberal in what it takes.

Every field may be absent. `content` is a list at Mistral; `reasoning_content` is DeepSeek's and others', `reasoning`
Groq's and OpenRouter's; tool calls come without `index` or `type`, and with arguments as an object, here and there.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2s
from typing import Any, cast

from msgspec import Struct, json

from ownkey.talk.chat import Image
from ownkey.talk.errors import ProviderError, ProviderUnavailable
from ownkey.wires.openai_chat.details import details, objects
from ownkey.wires.openai_error import error_in, unreadable


class Function(Struct, gc=False):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class Call(Struct, gc=False):
    index: int | None = None
    id: str | int | None = None
    function: Function | None = None
    extra_content: Any = None


class Said(Struct, gc=False):
    """A message, or what a chunk adds to one."""

    content: str | list[Any] | None = None
    refusal: str | None = None
    reasoning_content: Any = None
    reasoning: Any = None
    reasoning_details: Any = None
    tool_calls: list[Call] | None = None
    function_call: Function | None = None
    images: Any = None


class Choice(Struct, gc=False):
    index: int | None = None
    delta: Said | None = None
    message: Said | None = None
    finish_reason: str | None = None
    error: Any = None


class Passing(Struct, gc=False):
    """What is read of an answer that is passed on."""

    choices: list[Choice] | None = None
    usage: Any = None
    error: Any = None
    x_groq: Any = None
    service_tier: Any = None


class Answer(Passing, gc=False):
    id: Any = None
    model: Any = None
    created: Any = None


passing = json.Decoder(Passing)
answer = json.Decoder(Answer)


def fault(payload: bytes) -> ProviderError | None:
    """The error that this payload tells of, in whichever form; None where it tells of none or is no JSON."""
    try:
        return error_in(json.decode(payload))
    except (ValueError, RecursionError):
        return None


def broken(payload: bytes) -> ProviderError:
    """The error for a payload that does not have the shape: what it tells of, else that it cannot be read."""
    return fault(payload) or unreadable("it is not what a chat completion looks like")


def broke_off(choice: Choice) -> ProviderError:
    """The error for a choice that ended by failing; OpenRouter puts the reason on the choice."""
    told = error_in({"error": choice.error}) if choice.error else None
    return told or ProviderUnavailable(
        f"The provider broke off its answer ({choice.finish_reason}).", "Try again, or use another provider."
    )


def call_id(given: str | int | None, answer_id: object, index: int) -> str:
    """The id of a tool call; where there is none (Gemini's OpenAI form), one that holds for this answer."""
    if given is not None and given != "":
        return str(given)
    return "call_" + blake2s(f"{answer_id}/{index}".encode(errors="replace"), digest_size=9).hexdigest()


def arguments(function: Function) -> str:
    given = function.arguments
    return given if isinstance(given, str) else "" if given is None else json.encode(given).decode()


def signature(call: Call) -> str | None:
    """Google's seal on a tool call: `extra_content.google.thought_signature`."""
    seal = _member(_member(call.extra_content, "google"), "thought_signature")
    return seal if isinstance(seal, str) else None


def thought(said: Said) -> str:
    """What was thought, in plain text. Where more than one field says it, they say the same."""
    plain = plain_thought(said)
    if plain or said.reasoning_details is None:
        return plain
    return "".join(piece.thought.text for piece in details(said.reasoning_details))


def plain_thought(said: Said) -> str:
    for value in (said.reasoning_content, said.reasoning):
        if isinstance(value, str) and value:
            return value
    return ""


def pieces(content: str | list[Any] | None) -> Iterator[tuple[str, str]]:
    """`("text" | "thinking", text)` for each piece of a content that may be a list (Mistral)."""
    if isinstance(content, str):
        if content:
            yield "text", content
        return
    for item in content or ():
        if isinstance(item, str):
            yield "text", item
        elif isinstance(item, dict):
            part = cast("dict[str, Any]", item)
            if isinstance(part.get("text"), str):
                yield "text", part["text"]
            elif part.get("type") == "thinking":
                inner = part.get("thinking")
                yield "thinking", inner if isinstance(inner, str) else _joined(inner)


def pictures(raw: object) -> Iterator[Image]:
    """OpenRouter's `images` in an answer."""
    for item in objects(raw):
        link = item.get("image_url")
        url = cast("dict[str, Any]", link).get("url") if isinstance(link, dict) else link
        if isinstance(url, str):
            yield image(url)


def image(url: str, detail: str | None = None) -> Image:
    """An image by its URL; a `data:` URL (RFC 2397) in base64 is taken apart."""
    head, comma, data = url.partition(",")
    if comma and head.startswith("data:") and head.endswith(";base64"):
        return Image(data=data, media_type=head[5:-7].partition(";")[0] or None, detail=detail)
    return Image(url=url, detail=detail)


def written(said: Said) -> int:
    """How much the model wrote here, in UTF-8 bytes."""
    content, size = said.content, 0
    if content:
        size = _bytes(content) if isinstance(content, str) else sum(_bytes(text) for _, text in pieces(content))
    if said.reasoning_content or said.reasoning or said.reasoning_details:
        size += _bytes(thought(said))
    if said.refusal:
        size += _bytes(said.refusal)
    if said.tool_calls:
        size += sum(_called(call.function) for call in said.tool_calls if call.function is not None)
    if said.function_call:
        size += _called(said.function_call)
    return size


def _called(function: Function) -> int:
    return _bytes(function.name or "") + _bytes(arguments(function))


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _member(raw: object, name: str) -> object:
    return cast("dict[str, object]", raw).get(name) if isinstance(raw, dict) else None


def _joined(raw: object) -> str:
    return "".join(item["text"] for item in objects(raw) if isinstance(item.get("text"), str))
