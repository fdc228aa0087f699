"""How many tokens a chat is, before it is sent: counted where the model's vocabulary is known, else estimated.

Sources: OpenAI's cookbook, How to count tokens with tiktoken (3 tokens for each message and 1 for its role, 3 before
the answer); OpenAI, Images and vision (85 tokens and 170 for each tile of 512 pixels, after fitting into 2048 and 768);
Anthropic, Vision (width × height / 750, at most about 1,600); Gemini API, Understand and count tokens (258 up to 384
pixels, and for each tile of 768).
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable
from typing import Literal

import msgspec
from msgspec import Struct

from ownkey.spending.vocabulary import count, vocabulary_of
from ownkey.talk.chat import Chat, File, Image, Message, Opaque, Part, Reasoning, Refusal, Text, ToolCall, ToolResult

How = Literal["counted", "estimated"]

# Of what is not known to be counted so: bytes a token of English and code, at most and at least. Chinese and Japanese
# are at about three bytes of UTF-8 a token.
MOST_BYTES, USUAL_BYTES, LEAST_BYTES = 6.0, 3.8, 2.0

MESSAGE_TOKENS, ANSWER_TOKENS = 4, 3
# Of models that think, by their recorded answers: one less before the answer, two more for each earlier answer.
THINKERS = ("gpt-5", "o1", "o3", "o4")
THINKER_ANSWER_TOKENS, THINKER_SAID_TOKENS = 2, 2
TOOL_TOKENS = 12
"""About what a tool takes beside its own JSON."""
_RENDERED = frozenset({"functions", "prediction", "web_search_options"})
"""Fields that put words into the prompt in a way of the provider's own."""
UNSEEN_IMAGE_TOKENS = (85, 800, 1_600)
FILE_TOKENS_A_KB = (20, 100, 400)


class Tokens(Struct, frozen=True):
    """All the same where they were counted; else what text is usually within. No bound: that is what is held."""

    low: int
    expected: int
    high: int
    how: How = "counted"

    def __add__(self, other: Tokens) -> Tokens:
        how: How = "counted" if self.how == other.how == "counted" else "estimated"
        return Tokens(self.low + other.low, self.expected + other.expected, self.high + other.high, how)


NONE = Tokens(0, 0, 0)

Known = dict[tuple[str | None, str], Tokens]
"""What texts were counted as, by vocabulary."""


class _Of(Struct, frozen=True):
    """The model that is counted for."""

    model: str
    vocabulary: str | None
    known: Known

    def count(self, text: str) -> Tokens:
        found = self.known.get((self.vocabulary, text))
        if found is None:
            found = self.known[self.vocabulary, text] = _count(text, self.vocabulary)
        return found


def count_chat(chat: Chat, model: str, known: Known | None = None) -> Tokens:
    """The input of a chat. Only plain messages of a known vocabulary are counted; tools, pictures and files, whose
    rendering is the provider's own, make it an estimate. `known`: kept between models, so that each text is counted
    once for each vocabulary."""
    of = _Of(model, vocabulary_of(model), {} if known is None else known)
    thinks = model.rpartition("/")[2].lower().startswith(THINKERS)
    before = THINKER_ANSWER_TOKENS if thinks else ANSWER_TOKENS
    total = Tokens(before, before, before)
    for message in chat.messages:
        own = MESSAGE_TOKENS + (THINKER_SAID_TOKENS if thinks and message.role == "assistant" else 0)
        total += _message(message, own, of)
    if not _RENDERED.isdisjoint(chat.other) or "search" in model:
        total = _loosely(total)
    for tool in chat.tools:
        total += _fixed(TOOL_TOKENS) + _loosely(of.count(msgspec.json.encode(tool).decode()))
    if chat.output is not None and chat.output.schema is not None:
        total += _loosely(of.count(msgspec.json.encode(chat.output.schema).decode()))
    return total


def estimate(size_bytes: int) -> Tokens:
    low, usual, high = (math.ceil(size_bytes / each) for each in (MOST_BYTES, USUAL_BYTES, LEAST_BYTES))
    return Tokens(low, usual, high, "estimated")


def _count(text: str, vocabulary: str | None) -> Tokens:
    counted = None if vocabulary is None else count(text, vocabulary)
    if counted is None:
        return estimate(len(text.encode("utf-8", "replace")))
    return Tokens(counted, counted, counted)


def _message(message: Message, own: int, of: _Of) -> Tokens:
    total = Tokens(own, own, own)
    if message.name:
        total += _loosely(of.count(message.name))
    # Texts of one message are one text to the tokenizer.
    texts = [part.text for part in message.parts if isinstance(part, Text)]
    total += of.count("".join(texts))
    for part in message.parts:
        if not isinstance(part, Text):
            total += _part(part, of)
    return total


def _part(part: Part, of: _Of) -> Tokens:
    match part:
        case Text(text=text) | Refusal(text=text):
            return of.count(text)
        case Reasoning(text=text):
            return _loosely(of.count(text))
        case ToolCall(name=name, arguments=arguments):
            return _fixed(TOOL_TOKENS) + _loosely(of.count(name + arguments))
        case ToolResult(parts=parts):
            return sum((_part(piece, of) for piece in parts), _fixed(0))
        case Image(data=data, detail=detail):
            return image_tokens(_size_of(data), detail, of.model)
        case File(data=data):
            return _file(data)
        case Opaque(raw=raw):
            return _loosely(of.count(msgspec.json.encode(raw).decode()))
        case _:
            return NONE


def image_tokens(size: tuple[int, int] | None, detail: str | None, model: str) -> Tokens:
    """Of a picture of that width and height, in pixels; None: nobody here has seen it."""
    if vocabulary_of(model) is not None and detail == "low":
        return _fixed(85)
    if size is None:
        return Tokens(*UNSEEN_IMAGE_TOKENS, "estimated")
    counts = next((rule for name, rule in _PICTURES if name in model.lower()), _in_tiles_of_512)
    return _around(counts(*size))


def _by_area(width: int, height: int) -> int:
    return min(1_600, math.ceil(width * height / 750))


def _in_tiles_of_768(width: int, height: int) -> int:
    if width <= 384 and height <= 384:
        return 258
    return 258 * math.ceil(width / 768) * math.ceil(height / 768)


def _in_tiles_of_512(width: float, height: float) -> int:
    fit = min(1.0, 2_048 / max(width, height, 1))
    width, height = width * fit, height * fit
    fit = min(1.0, 768 / max(1.0, min(width, height)))
    return 85 + 170 * math.ceil(width * fit / 512) * math.ceil(height * fit / 512)


_PICTURES: tuple[tuple[str, Callable[[int, int], int]], ...] = (
    ("claude", _by_area),
    ("gemini", _in_tiles_of_768),
)
"""How models of that name count a picture of a width and height; others in tiles of 512."""


def _file(data: str | None) -> Tokens:
    kb = 100 if data is None else max(1, len(data) * 3 // 4 // 1_024)
    low, usual, high = (each * kb for each in FILE_TOKENS_A_KB)
    return Tokens(low, usual, high, "estimated")


def _fixed(count: int) -> Tokens:
    return Tokens(count, count, count, "estimated")


def _around(count: int) -> Tokens:
    return Tokens(count * 3 // 4, count, count * 3 // 2, "estimated")


def _loosely(tokens: Tokens) -> Tokens:
    """The text is known, how it is wrapped is not."""
    return Tokens(tokens.low * 3 // 4, tokens.expected, tokens.high * 3 // 2, "estimated")


def _size_of(data: str | None) -> tuple[int, int] | None:
    """Width and height of a PNG, GIF, JPEG or WebP picture, from its first bytes in base64."""
    if data is None:
        return None
    try:
        head = base64.b64decode(data[: 4 * (len(data) // 4)][:87_380], validate=False)
    except (ValueError, binascii.Error):
        return None
    if head.startswith(b"\x89PNG\r\n\x1a\n") and len(head) >= 24:
        return int.from_bytes(head[16:20]), int.from_bytes(head[20:24])
    if head[:4] == b"GIF8" and len(head) >= 10:
        return int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP" and len(head) >= 30:
        return _webp_size(head)
    return _jpeg_size(head) if head[:2] == b"\xff\xd8" else None


def _webp_size(head: bytes) -> tuple[int, int] | None:
    """WebP container specification: VP8 (lossy), VP8L (lossless), VP8X (extended)."""
    kind = head[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + ((bits >> 14) & 0x3FFF)
    if kind == b"VP8 ":
        return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
    return None


def _jpeg_size(head: bytes) -> tuple[int, int] | None:
    """In the first start-of-frame segment (ITU T.81, B.2.2)."""
    place = 2
    while place + 9 <= len(head) and head[place] == 0xFF:
        marker = head[place + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(head[place + 7 : place + 9]), int.from_bytes(head[place + 5 : place + 7])
        place += 2 + int.from_bytes(head[place + 2 : place + 4])
    return None
