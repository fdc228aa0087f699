"""Conversations for the Anthropic Messages wire: system text, turns that alternate, content blocks.

Facts from Anthropic's API reference (Messages, Vision, Tool use, Extended thinking).
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Sequence
from typing import Any

from msgspec.json import decode

from ownkey.talk.chat import (
    CacheMark,
    File,
    Image,
    Message,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from ownkey.talk.errors import InvalidRequest, Unsupported
from ownkey.wires.anthropic_messages.reply import NAME
from ownkey.wires.anthropic_messages.usage import UNREADABLE

Json = dict[str, Any]

HOISTED = (
    "Instructions in the middle of the conversation were moved to its start: "
    "most models of this wire take them nowhere else."
)
UNSIGNED = "Reasoning without this provider's signature was left out."
FOREIGN = "A piece that only another provider understands was left out."
NAMES = "`name` of a message has no equivalent on this wire and was left out."
DETAIL = "`detail` of an image has no equivalent on this wire and was left out."
WRAPPED = "Arguments of an earlier tool call that were not a JSON object were wrapped in one."

# Anthropic takes no other characters in the id of a tool call; others' ids may hold dots and colons.
_NO_ID = re.compile(r"[^a-zA-Z0-9_-]")


def conversation(messages: Sequence[Message], warnings: list[str]) -> tuple[str | list[Json], list[Json]]:
    """`system` and `messages` of the body. Neighbours of one role become one turn, tool results first in it.

    Raises Unsupported where a piece cannot be carried, InvalidRequest where it is incomplete.
    """
    system: list[Json] = []
    turns: list[Json] = []
    for message in messages:
        if message.name is not None:
            warnings.append(NAMES)
        if message.role in ("system", "developer"):
            if turns:
                warnings.append(HOISTED)
            system += _instructions(message, warnings)
            continue
        role = "assistant" if message.role == "assistant" else "user"
        blocks = _blocks(message.parts, role, warnings)
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    if not turns:
        raise Unsupported("This wire needs at least one message that is no instruction.", param="messages")
    for turn in turns:
        if turn["role"] == "user":
            turn["content"].sort(key=_after_results)
    plain = len(system) == 1 and system[0].keys() == {"type", "text"}
    return (system[0]["text"] if plain else system), turns


def _after_results(block: Json) -> bool:
    return block["type"] != "tool_result"


def _blocks(parts: Sequence[Part], role: str, warnings: list[str]) -> list[Json]:
    """The blocks of these parts; a mark for the cache stands on the block before it."""
    blocks: list[Json] = []
    for part in parts:
        if isinstance(part, CacheMark):
            if blocks:
                blocks[-1]["cache_control"] = cache_control(part)
        elif (block := _block(part, role, warnings)) is not None:
            blocks.append(block)
    return blocks


def cache_control(mark: CacheMark) -> Json:
    return {"type": "ephemeral", "ttl": mark.ttl} if mark.ttl else {"type": "ephemeral"}


def _instructions(message: Message, warnings: list[str]) -> list[Json]:
    blocks = _blocks(message.parts, "system", warnings)
    if any(block["type"] != "text" for block in blocks):
        raise Unsupported("Instructions are text only on this wire.", param="messages")
    return blocks


def _block(part: Part, role: str, warnings: list[str]) -> Json | None:
    match part:
        case Text(text=text) | Refusal(text=text):
            # An empty text block is refused.
            return {"type": "text", "text": text} if text else None
        case Image():
            if role == "assistant":
                raise Unsupported("An image in the assistant's turn cannot be carried on this wire.", param="messages")
            return _image(part, warnings)
        case File():
            return _document(part)
        case CacheMark():
            return None
        case Reasoning():
            return _reasoning(part, warnings)
        case ToolCall():
            return {
                "type": "tool_use",
                "id": _id(part.id),
                "name": part.name,
                "input": _input(part.arguments, warnings),
            }
        case ToolResult():
            return _result(part, warnings)
        case Opaque(wire=wire, raw=raw):
            if wire == NAME:
                return raw
            if role != "assistant":
                raise Unsupported(f"A {raw.get('type', 'piece')!s} cannot be carried on this wire.", param="messages")
            warnings.append(FOREIGN)
            return None


def _image(image: Image, warnings: list[str]) -> Json:
    if image.detail not in (None, "auto"):
        warnings.append(DETAIL)
    if image.data is not None:
        if image.media_type is None:
            raise InvalidRequest(
                "An image came without its media type.", "Say image/png or the like.", param="messages"
            )
        return {"type": "image", "source": {"type": "base64", "media_type": image.media_type, "data": image.data}}
    if image.url is None:
        raise InvalidRequest("An image came without data and without a URL.", param="messages")
    return {"type": "image", "source": {"type": "url", "url": image.url}}


def _document(file: File) -> Json:
    kind = file.media_type or "application/pdf"
    if kind.startswith(("audio/", "video/")):
        raise Unsupported("A sound cannot be carried on this wire.", "Use a model that hears.", param="messages")
    source: Json
    if file.data is None:
        if file.url is None:
            raise InvalidRequest("A file came without data and without a URL.", param="messages")
        source = {"type": "url", "url": file.url}
    elif kind.startswith("text/"):
        try:
            text = b64decode(file.data).decode()
        except ValueError:
            raise InvalidRequest("A text file is not UTF-8 in base64.", param="messages") from None
        source = {"type": "text", "media_type": "text/plain", "data": text}
    else:
        source = {"type": "base64", "media_type": kind, "data": file.data}
    return {"type": "document", "source": source, **({"title": file.name} if file.name else {})}


def _reasoning(reasoning: Reasoning, warnings: list[str]) -> Json | None:
    if reasoning.maker != NAME:
        warnings.append(UNSIGNED)
        return None
    if reasoning.signature:
        return {"type": "thinking", "thinking": reasoning.text, "signature": reasoning.signature}
    if reasoning.sealed:
        return {"type": "redacted_thinking", "data": reasoning.sealed}
    warnings.append(UNSIGNED)
    return None


def _result(result: ToolResult, warnings: list[str]) -> Json:
    blocks = _blocks(result.parts, "user", warnings)
    block: Json = {"type": "tool_result", "tool_use_id": _id(result.call_id)}
    if blocks:
        block["content"] = blocks[0]["text"] if len(blocks) == 1 and blocks[0].keys() == {"type", "text"} else blocks
    if result.failed:
        block["is_error"] = True
    return block


def _id(call_id: str) -> str:
    return _NO_ID.sub("_", call_id) or "_"


def _input(arguments: str, warnings: list[str]) -> Json:
    """Anthropic's advice for arguments that a model got wrong is to send them back within an object."""
    if not arguments.strip():
        return {}
    try:
        return decode(arguments, type=Json)
    except UNREADABLE:
        warnings.append(WRAPPED)
        return {"invalid_json": arguments}
