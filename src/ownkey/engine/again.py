"""Which requests are the same, and answers that are given again. What is the same is exact: every word, every setting,
who may answer, and what the caller may ask for."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from ownkey.engine.answer import Whole
from ownkey.engine.request import Request
from ownkey.engine.target import Target
from ownkey.talk.chat import Chat, Opaque, ToolResult
from ownkey.talk.errors import RequestError
from ownkey.talk.money import Money
from ownkey.talk.reply import Event, Receipt, Reply, events

PURPOSE = "answer"
MOST_BYTES = 1 << 20
"""Of one answer: a longer one is not kept."""


class Stored(Struct, frozen=True):
    """An answer, and the time at which it was given. `reply` in words, which any client can be told; or `body`, in the
    very bytes of the client's wire, where the request had something that only that wire knows.

    `cost_nano` is what it cost then; None where that is not known.
    """

    made_at_ms: int
    ttl_s: int
    provider: str
    model: str
    target: str
    cost_nano: int | None
    reply: Reply
    body: bytes | None = None


def content(request: Request, targets: Sequence[Target]) -> tuple[bytes, bool] | None:
    """What makes the request what it is, and whether it can be said in words; None where its answer is not kept."""
    if request.choices != 1:
        return None
    try:
        chat = request.as_chat()
    except RequestError:
        chat = None
    in_words = chat is not None and not chat.other and not _has_opaque(chat)
    asked: object = chat
    if not in_words and request.door is not None and request.ask is not None:
        asked = [request.door.name, request.ask, request.stream]
    might = sorted((target.name, str(target.origin)) for target in targets)
    headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.headers]
    return msgspec.json.encode(
        ["chat v1", request.model, might, request.scope, headers, in_words, request.most, asked]
    ), in_words


def is_good(reply: Reply) -> bool:
    """Whether it is whole, came from one model, and refuses nothing."""
    ended = reply.finish.unified in ("stop", "tool_calls") and not reply.finish.models
    return ended and bool(reply.parts) and reply.refusal is None


def receipt(request: Request, stored: Stored, now_ms: int) -> Receipt:
    age_s = max(0, now_ms - stored.made_at_ms) // 1000
    return Receipt(request.id, stored.provider, stored.model, 0, Money(0), cache="hit", age_s=age_s)


def whole(stored: Stored, told: Receipt) -> Whole:
    if stored.body is not None:
        return Whole(told, body=stored.body)
    return Whole(told, reply=msgspec.structs.replace(stored.reply, receipt=told))


class Replay:
    """As a stream is."""

    def __init__(self, stored: Stored, told: Receipt, targets: Sequence[Target]) -> None:
        self.target = next((one for one in targets if one.name == stored.target), targets[0])
        self.attempts = 0
        self.warnings: tuple[str, ...] = ()
        self.in_events = stored.body is None
        self._pieces: list[bytes | list[Event]] = [stored.body or list(events(stored.reply))]
        self._receipt = told

    async def next(self) -> bytes | list[Event] | None:
        return self._pieces.pop() if self._pieces else None

    def close(self) -> None:
        self._pieces.clear()

    def receipt(self) -> Receipt:
        return self._receipt


def _has_opaque(chat: Chat) -> bool:
    parts = [part for message in chat.messages for part in message.parts]
    inner = [piece for part in parts if isinstance(part, ToolResult) for piece in part.parts]
    return any(isinstance(part, Opaque) for part in (*parts, *inner))
