"""What was said in a chat, as it is kept: its text whole up to a bound, of pictures and files no more than which."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from hashlib import sha256

from msgspec import Struct

from ownkey.talk.chat import CacheMark, Chat, File, Image, Message, Opaque, Part, Reasoning, Refusal, Text, ToolCall
from ownkey.talk.reply import Reply

MOST_CHARACTERS = 200_000
"""Of all the text of one entry: what is over is left out, the oldest messages first."""
LONGEST_URL = 2_000


class Piece(Struct, frozen=True, omit_defaults=True):
    """`kind`: text, reasoning, refusal, tool_call, tool_result, image, file or other; `text` that of it, for a call its
    arguments. `name` is a tool's or a file's, `call_id` a call's. A picture or file is told by its kind, size, SHA-256
    (in hex) or address; it is not kept itself. `cut`: so many characters of its text were left out."""

    kind: str
    text: str = ""
    name: str | None = None
    call_id: str | None = None
    media_type: str | None = None
    bytes: int | None = None
    sha256: str | None = None
    url: str | None = None
    cut: int = 0


class Said(Struct, frozen=True, omit_defaults=True):
    role: str
    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces if piece.kind == "text")


class Entry(Struct, frozen=True, omit_defaults=True):
    """One request and its answer. `asked`: the model by the name it was asked for; `provider` and `model` who answered.

    `whole`: the answer came to its end; else `error` is the code of what broke it off, None where the client went away.
    `cached`: it was given from the cache. `left_out`: so many messages, the oldest, are not here.
    """

    at_ms: int
    asked: str
    provider: str
    model: str
    messages: tuple[Said, ...]
    answer: tuple[Piece, ...]
    finish: str
    whole: bool = True
    error: str | None = None
    cached: bool = False
    token_id: str | None = None
    automation: str | None = None
    left_out: int = 0

    @property
    def text(self) -> str:
        """Of the answer."""
        return "".join(piece.text for piece in self.answer if piece.kind == "text")

    def finds(self, folded: str) -> bool:
        """Whether these words, folded, stand in anything that was said."""
        pieces = [*self.answer, *(piece for said in self.messages for piece in said.pieces)]
        return any(folded in piece.text.casefold() or folded in (piece.name or "").casefold() for piece in pieces)


class _Room:
    """What of the bound is left; what was said last takes of it first."""

    def __init__(self) -> None:
        self.left = MOST_CHARACTERS

    def take(self, pieces: Iterable[Piece]) -> tuple[Piece, ...]:
        return tuple(map(self._fitted, pieces))

    def _fitted(self, piece: Piece) -> Piece:
        kept, over = piece.text[: self.left], len(piece.text) - self.left
        self.left -= len(kept)
        if over <= 0:
            return piece
        return Piece(piece.kind, kept, piece.name, piece.call_id, cut=over)


def said(chat: Chat, answer: Reply) -> tuple[tuple[Said, ...], tuple[Piece, ...], int]:
    """The messages, the answer, and how many messages were left out."""
    room = _Room()
    given = room.take(_pieces(answer.parts))
    kept: list[Said] = []
    for message in reversed(chat.messages):
        if room.left <= 0:
            break
        kept.append(_said(message, room))
    return tuple(reversed(kept)), given, len(chat.messages) - len(kept)


def _said(message: Message, room: _Room) -> Said:
    return Said(message.role, room.take(_pieces(message.parts)))


def _pieces(parts: Iterable[Part]) -> Iterable[Piece]:
    for part in parts:
        match part:
            case Text(text=text):
                yield Piece("text", text)
            case Reasoning(text=text):
                if text:
                    yield Piece("reasoning", text)
            case Refusal(text=text):
                yield Piece("refusal", text)
            case ToolCall(id=id, name=name, arguments=arguments):
                yield Piece("tool_call", arguments, name, id)
            case Image() | File():
                yield _file(part)
            case Opaque(wire=wire):
                yield Piece("other", name=wire)
            case CacheMark():
                pass
            case _:
                inner = tuple(_pieces(part.parts))
                text = "".join(piece.text for piece in inner)
                yield Piece("tool_result", text, part.name, part.call_id)
                yield from (piece for piece in inner if piece.kind != "text")


def _file(part: Image | File) -> Piece:
    kind, name = ("image", None) if isinstance(part, Image) else ("file", part.name)
    url = part.url
    if part.data is None:
        return Piece(kind, name=name, media_type=part.media_type, url=None if url is None else url[:LONGEST_URL])
    try:
        raw = base64.b64decode(part.data)
    except (binascii.Error, ValueError):
        raw = part.data.encode()
    return Piece(kind, name=name, media_type=part.media_type, bytes=len(raw), sha256=sha256(raw).hexdigest())
