"""What is wanted, by whom, and how it came in."""

from __future__ import annotations

import itertools
import secrets
import time
from typing import Literal

import msgspec
from msgspec import Struct

from ownkey.engine.purse import Purse
from ownkey.routing.scope import Scope
from ownkey.talk.chat import Chat, File, Image, Opaque, ToolResult
from ownkey.vault.choice import Version
from ownkey.wires.wire import Ask, Door

CacheWish = Literal["", "on", "off", "refresh"]

# Ids that rise with time are cheap to keep in order in a database.
_prefix = f"{time.time_ns() // 1_000_000:011x}{secrets.token_hex(5)}"
_count = itertools.count(1)


def new_id() -> str:
    """An id that no other request of any process has."""
    return f"{_prefix}{next(_count):08x}"


class Request(Struct):
    """Either a client's `ask` through its `door`, or a `chat` of the library's.

    `price_accepted`: the caller goes on where the price is not known; `over_accepted`: where a budget that asks is
    passed; `yes`: marks of reasons that were said yes to, of which `budgets_accepted` come, as `kind:budget`. `most`:
    its owner's own cap of output. `automation`: which of them it is a run of. `headers` go to a provider of the
    client's own wire: they belong to the body. `scope` is what the caller's token is limited to; `passed`: keys that
    are not to be used; `hops`: how many Ownkeys it came through. `carries`: a stream that breaks off goes on at another
    target; `carry_said`: whoever asks has said so, or that it shall not, so that no route says otherwise. `chosen`: who
    was chosen, and why, once that is known. `cache`: whether an answer may be given again, which is kept for
    `cache_ttl_s`; empty: as its owner has it. `purse`: what it is paid from, with others that belong to the same run.
    """

    id: str
    owner: str
    model: str
    stream: bool
    token_id: str | None = None
    door: Door | None = None
    ask: Ask | None = None
    chat: Chat | None = None
    price_accepted: bool = False
    over_accepted: bool = False
    yes: frozenset[str] = frozenset()
    budgets_accepted: frozenset[str] = frozenset()
    automation: str | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    scope: Scope | None = None
    passed: tuple[Version, ...] = ()
    hops: int = 0
    carries: bool = False
    cache: CacheWish = ""
    cache_ttl_s: int | None = None
    carry_said: bool = False
    chosen: str | None = None
    most: int | None = None
    purse: Purse | None = None

    def as_chat(self) -> Chat:
        """The whole request in words; raises InvalidRequest or Unsupported where the client's cannot be read."""
        if self.chat is None:
            assert self.door is not None
            assert self.ask is not None
            self.chat = self.door.read_chat(self.ask)
        return self.chat

    def beginning(self) -> bytes:
        """What stays the same while a conversation grows: of each list, such as its messages, the first two."""
        if self.ask is None:
            return msgspec.json.encode(self.as_chat().messages[:2])
        begun: list[bytes] = []
        for name in sorted(self.ask.fields):
            raw = bytes(self.ask.fields[name])
            if raw.startswith(b"["):
                begun += map(bytes, msgspec.json.decode(raw, type=list[msgspec.Raw])[:2])
            elif name in ("input", "system"):
                begun.append(raw)
        return b"".join(begun)

    @property
    def max_output(self) -> int | None:
        return self.ask.max_output if self.ask is not None else self.as_chat().max_output_tokens

    @property
    def choices(self) -> int:
        return self.ask.choices if self.ask is not None else 1

    @property
    def text_only(self) -> bool:
        """Whether nothing but text goes in, so that its bytes bound its tokens."""
        if self.ask is not None:
            return self.ask.text_only
        parts = [part for message in self.as_chat().messages for part in message.parts]
        inner = [piece for part in parts if isinstance(part, ToolResult) for piece in part.parts]
        return not any(isinstance(part, Image | File | Opaque) for part in (*parts, *inner))
