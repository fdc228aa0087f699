"""How many tokens a chat would be. Nothing is paid for the answer, so that nothing is held and nothing booked. To the
provider it is a request, which takes its turn."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from ownkey.engine.read import MAX_REPLY_BYTES
from ownkey.engine.sender import Sender, Sending
from ownkey.engine.target import Target, hide_key
from ownkey.engine.walk import Tried
from ownkey.routing.scope import Scope
from ownkey.talk.chat import Chat, File, Image, Message, Opaque, Reasoning, Refusal, Text, ToolCall, ToolResult
from ownkey.talk.errors import OwnkeyError, Unsupported
from ownkey.talk.reply import Receipt
from ownkey.wires.wire import Ask, Counter, Door

ESTIMATED = "the count is an estimate"

BYTES_PER_TOKEN = 3.5
MESSAGE_TOKENS = 4
# The most that Anthropic counts for one image; Google and OpenAI count less (their guides on vision).
IMAGE_TOKENS = 1_600


class Count(Struct):
    """A client's chat that is to be counted, through its `door`."""

    id: str
    owner: str
    door: Door
    ask: Ask
    hops: int = 0
    token_id: str | None = None
    scope: Scope | None = None
    yes: frozenset[str] = frozenset()


class Counted(Struct, frozen=True):
    tokens: int
    receipt: Receipt
    warnings: tuple[str, ...] = ()


async def count(sender: Sender, asked: Count, tried: Tried) -> Counted:
    """The provider's own count, or an estimate where it gives none."""
    target, number = tried.target, tried.number
    receipt = Receipt(asked.id, target.provider.id, target.model, number)
    body = _body(asked, target)
    spoken = target.wire
    if body is None or not isinstance(spoken, Counter):
        return Counted(estimate(asked), receipt, (ESTIMATED,))
    sending = Sending(
        target, spoken, "count", body, number, spoken.name, turn_s=tried.turn_s, held=tried.held, hops=asked.hops
    )
    async with sender.key(asked.owner, target, tried.passed, about=asked.id.encode) as key:
        last = tried.last and not sender.has_other(asked.owner, target, key, tried.passed)
        try:
            async with sender.turn(asked, sending, key, wait=last) as ended:
                incoming = await sender.send(asked, sending, key)
                try:
                    tokens = spoken.read_count(await incoming.read(MAX_REPLY_BYTES))
                finally:
                    incoming.close()
                ended(tokens)
            return Counted(tokens, receipt)
        except OwnkeyError as error:
            hide_key(error, key.secret)
            raise


def estimate(asked: Count) -> int:
    """From the bytes of what is text; an image or a file counts as `IMAGE_TOKENS`."""
    try:
        chat = asked.door.read_chat(asked.ask)
    except Unsupported:
        return _tokens(sum(len(bytes(raw)) for raw in asked.ask.fields.values()))
    return _estimate(chat)


def _body(asked: Count, target: Target) -> bytes | None:
    spoken = target.wire
    passes = asked.door is spoken
    if "count" not in target.paths or not isinstance(spoken, Counter):
        return None
    if passes:
        return spoken.forward_count(asked.ask, target.model, target.quirks)
    try:
        return spoken.write_count(asked.door.read_chat(asked.ask), target.model, target.quirks)
    except Unsupported:
        return None


def _estimate(chat: Chat) -> int:
    size = sum(len(msgspec.json.encode(tool)) for tool in chat.tools)
    size += len(msgspec.json.encode(chat.output.schema)) if chat.output and chat.output.schema else 0
    seen = [_seen(message) for message in chat.messages]
    images = sum(one for _, one in seen)
    return _tokens(size + sum(one for one, _ in seen)) + MESSAGE_TOKENS * len(seen) + IMAGE_TOKENS * images


def _seen(message: Message) -> tuple[int, int]:
    """Bytes of text, and how many images and files."""
    size = images = 0
    for part in message.parts:
        for piece in part.parts if isinstance(part, ToolResult) else (part,):
            match piece:
                case Text(text=text) | Refusal(text=text) | Reasoning(text=text):
                    size += len(text.encode())
                case ToolCall(name=name, arguments=arguments):
                    size += len(name.encode()) + len(arguments.encode())
                case Image() | File():
                    images += 1
                case Opaque(raw=raw):
                    size += len(msgspec.json.encode(raw))
                case _:
                    pass
    return size, images


def _tokens(size_bytes: int) -> int:
    return max(1, round(size_bytes / BYTES_PER_TOKEN))
