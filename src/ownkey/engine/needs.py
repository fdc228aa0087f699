"""What a request needs of whoever answers, read off it without reading all of it."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from ownkey.catalog.manifest import Ability
from ownkey.engine.request import Request
from ownkey.routing.choose import Needs
from ownkey.routing.learn import kind_of
from ownkey.spending.tokens import UNSEEN_IMAGE_TOKENS, Tokens, estimate
from ownkey.talk.chat import Chat, Image, Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from ownkey.talk.errors import RequestError

_TOOLS = ("tools", "functions")
_FORMS = ("response_format", "text", "output_config", "output_format", "generationConfig", "format")
"""The members in which wires say what form an answer shall have."""

_FENCE = "```"


class Shape(Struct, frozen=True):
    """`needs`, about how many tokens go in, which kind of request it is, for what is learned, and whether nothing but
    text goes in."""

    needs: Needs
    tokens: Tokens
    kind: str
    text_only: bool


def shape_of(request: Request, *, with_kind: bool = True) -> Shape:
    """Raises nothing: what cannot be read is taken for the most that it may need. Without its kind, no word of it is
    looked at."""
    does: set[Ability] = {"chat"}
    if request.stream:
        does.add("stream")
    size, pictures, code = _read(request, does, with_kind=with_kind)
    tokens = estimate(size)
    if pictures:
        low, usual, high = (pictures * each for each in UNSEEN_IMAGE_TOKENS)
        tokens += Tokens(low, usual, high, "estimated")
        does.add("vision")
    # Only what is surely too much is taken elsewhere beforehand: a provider counts for itself.
    needs = Needs(frozenset(does), tokens.low, request.max_output or 0)
    kind = kind_of(tools="tools" in does, pictures=bool(pictures), code=code, size_tokens=tokens.expected)
    return Shape(needs, tokens, kind, request.text_only)


def _read(request: Request, does: set[Ability], *, with_kind: bool) -> tuple[int, int, bool]:
    """The size in bytes, the number of pictures, and whether there is code in it; `does` is added to."""
    ask = request.ask
    if ask is not None:
        if any(name in ask.fields and bytes(ask.fields[name])[:2] not in (b"[]", b"nu") for name in _TOOLS):
            does.add("tools")
        if any(name in ask.fields and b"schema" in bytes(ask.fields[name]).lower() for name in _FORMS):
            does.add("json")
        if ask.text_only:
            code = with_kind and any(_FENCE.encode() in bytes(value) for value in ask.fields.values())
            return sum(memoryview(value).nbytes for value in ask.fields.values()), 0, code
        try:
            chat = request.as_chat()
        except RequestError:
            # It passes through, or is refused, where it goes.
            return 0, 1, False
    else:
        chat = request.as_chat()
        if chat.tools:
            does.add("tools")
        if chat.output is not None and chat.output.schema is not None:
            does.add("json")
    return _sized(chat)


def _sized(chat: Chat) -> tuple[int, int, bool]:
    size, pictures, code = 0, 0, False
    for part in _parts(part for message in chat.messages for part in message.parts):
        match part:
            case Text(text=text) | Refusal(text=text) | Reasoning(text=text):
                size += len(text)
                code = code or _FENCE in text
            case ToolCall(arguments=arguments):
                size += len(arguments)
            case Image():
                pictures += 1
            case _:
                pass
    return size, pictures, code


def _parts(parts: Iterable[Part]) -> Iterable[Part]:
    for part in parts:
        if isinstance(part, ToolResult):
            yield from part.parts
        else:
            yield part
