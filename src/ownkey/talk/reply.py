"""What is answered: whole as a `Reply`, or as a stream of events that add up to one."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Literal

from msgspec import Struct

from ownkey.talk.chat import Image, Opaque, Part, Reasoning, Refusal, Text, ToolCall
from ownkey.talk.money import Money

Unified = Literal["stop", "length", "tool_calls", "content_filter", "unknown"]


class Usage(Struct, frozen=True):
    """Tokens, as the provider counted them. None is unknown, and not 0.

    `input_tokens` is all input: `cached_tokens` (read from a cache) and `cache_write_tokens` are parts of it,
    and so is `input_audio_tokens`, of which `cached_audio_tokens` are among the cached too; `cache_write_1h_tokens`
    are the part of `cache_write_tokens` that was asked to last an hour, which Anthropic charges more for.
    `output_tokens` is all output: `reasoning_tokens` and `output_audio_tokens` are parts of it.
    `tier` is the one in which it was answered, by the provider's name for it: prices differ by tier.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    input_audio_tokens: int | None = None
    output_audio_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    cached_audio_tokens: int | None = None
    tier: str | None = None

    @property
    def known(self) -> bool:
        """Whether both sides were counted by the provider."""
        return self.input_tokens is not None and self.output_tokens is not None

    def merged(self, later: Usage) -> Usage:
        """This, with what `later` knows put over it."""
        mine = {name: getattr(self, name) for name in self.__struct_fields__}
        mine |= {name: value for name in later.__struct_fields__ if (value := getattr(later, name)) is not None}
        return Usage(**mine)


class Start(Struct, frozen=True, tag="start"):
    """The answer has an id and comes from this model, both as the provider says."""

    id: str | None = None
    model: str | None = None
    created: int | None = None


class TextDelta(Struct, frozen=True, tag="text"):
    text: str


class ReasoningDelta(Struct, frozen=True, tag="reasoning"):
    text: str


class ReasoningSeal(Struct, frozen=True, tag="reasoning_seal"):
    """Ends the piece of reasoning before it. `sealed`: the whole piece, encrypted by the provider.
    `maker`: the wire by which it came, and by which alone it can go back."""

    signature: str | None = None
    sealed: str | None = None
    maker: str | None = None


class RefusalDelta(Struct, frozen=True, tag="refusal"):
    text: str


class ToolCallStart(Struct, frozen=True, tag="tool_call_start"):
    """`index` counts the calls of this answer, from 0; deltas of different calls may come interleaved."""

    index: int
    id: str
    name: str
    signature: str | None = None


class ToolCallDelta(Struct, frozen=True, tag="tool_call_delta"):
    index: int
    arguments: str


class WholePart(Struct, frozen=True, tag="part"):
    """A piece that comes at once: an image, something opaque, or text whose seal stands on the part."""

    part: Image | Opaque | Text


class UsageReport(Struct, frozen=True, tag="usage"):
    """What is known so far; a later one is put over an earlier one."""

    usage: Usage


class Notice(Struct, frozen=True, tag="warning"):
    """A setting that could not be honoured and changes nothing that was promised."""

    text: str


class Finish(Struct, frozen=True, tag="finish"):
    """Why it ended: `unified` for programs, `raw` as the provider said it, `stop_sequence` the one that it met.
    `models`: who gave it, first to last, where one went on where another broke off."""

    unified: Unified
    raw: str | None = None
    stop_sequence: str | None = None
    models: tuple[str, ...] = ()

    @property
    def mark(self) -> dict[str, dict[str, list[str]]]:
        """What the last event of a stream carries beside its wire's own members."""
        return {"ownkey": {"models": list(self.models)}} if self.models else {}


Event = (
    Start
    | TextDelta
    | ReasoningDelta
    | ReasoningSeal
    | RefusalDelta
    | ToolCallStart
    | ToolCallDelta
    | WholePart
    | UsageReport
    | Notice
    | Finish
)


class Receipt(Struct, frozen=True):
    """Who answered and what it cost. `cost` is None where the price is not known. `warnings` are of its budgets.

    `cache`: None where no cache was asked; at a `hit` the answer is `age_s` old, and nobody was asked.
    """

    request_id: str
    provider: str
    model: str
    attempts: int
    cost: Money | None = None
    warnings: tuple[str, ...] = ()
    cache: Literal["hit", "miss"] | None = None
    age_s: int | None = None


class Reply(Struct, frozen=True):
    """A whole answer. `id`, `model` and `created` are the provider's own."""

    parts: tuple[Part, ...]
    finish: Finish
    usage: Usage
    id: str | None = None
    model: str | None = None
    created: int | None = None
    warnings: tuple[str, ...] = ()
    receipt: Receipt | None = None

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def reasoning(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, Reasoning))

    @property
    def refusal(self) -> str | None:
        return "".join(part.text for part in self.parts if isinstance(part, Refusal)) or None

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        return tuple(part for part in self.parts if isinstance(part, ToolCall))


def collect(events: Iterable[Event]) -> Reply:
    """The whole answer that a finished stream of events adds up to."""
    collector = Collector()
    for event in events:
        collector.add(event)
    return collector.reply()


def events(reply: Reply) -> Iterator[Event]:
    """A whole answer as a stream that adds up to it."""
    yield Start(reply.id, reply.model, reply.created)
    yield from map(Notice, reply.warnings)
    calls = itertools.count()
    for part in reply.parts:
        match part:
            case Text(text=text, signature=None):
                yield TextDelta(text)
            case Reasoning(text=text, signature=signature, sealed=sealed, maker=maker):
                if text:
                    yield ReasoningDelta(text)
                if (signature, sealed, maker) != (None, None, None):
                    yield ReasoningSeal(signature, sealed, maker)
            case Refusal(text=text):
                yield RefusalDelta(text)
            case ToolCall(id=id, name=name, arguments=arguments, signature=signature):
                index = next(calls)
                yield ToolCallStart(index, id, name, signature)
                yield ToolCallDelta(index, arguments)
            case Image() | Opaque() | Text():
                yield WholePart(part)
            case _:
                pass
    yield UsageReport(reply.usage)
    yield reply.finish


class Collector:
    """Adds events up. Pieces stand in the order in which they began."""

    def __init__(self) -> None:
        self._parts: list[Part | list[str]] = []
        self._open: type[TextDelta | ReasoningDelta | RefusalDelta] | None = None
        self._calls: dict[int, tuple[int, ToolCallStart, list[str]]] = {}
        self._start = Start()
        self._usage = Usage()
        self._finish = Finish("unknown")
        self._warnings: list[str] = []

    def add(self, event: Event) -> None:
        match event:
            case TextDelta() | ReasoningDelta() | RefusalDelta():
                self._extend(type(event), event.text)
            case ReasoningSeal(signature=signature, sealed=sealed, maker=maker):
                if self._open is not ReasoningDelta:
                    self._settle()
                text = self._close() if self._open else ""
                self._parts.append(Reasoning(text, signature, sealed, maker))
            case ToolCallStart(index=index):
                self._settle()
                self._calls[index] = (len(self._parts), event, [])
                self._parts.append([])
            case ToolCallDelta(index=index, arguments=arguments):
                self._calls[index][2].append(arguments)
            case WholePart(part=part):
                self._settle()
                self._parts.append(part)
            case UsageReport(usage=usage):
                self._usage = self._usage.merged(usage)
            case Notice(text=text):
                self._warnings.append(text)
            case Start():
                self._start = event
            case Finish():
                self._finish = event

    def reply(self) -> Reply:
        self._settle()
        parts = list(self._parts)
        for place, start, arguments in self._calls.values():
            parts[place] = ToolCall(start.id, start.name, "".join(arguments), start.signature)
        return Reply(
            parts=tuple(part for part in parts if not isinstance(part, list)),
            finish=self._finish,
            usage=self._usage,
            id=self._start.id,
            model=self._start.model,
            created=self._start.created,
            warnings=tuple(self._warnings),
        )

    def _extend(self, kind: type[TextDelta | ReasoningDelta | RefusalDelta], text: str) -> None:
        if self._open is not kind:
            self._settle()
            self._open = kind
            self._parts.append([])
        piece = self._parts[-1]
        if isinstance(piece, list):
            piece.append(text)

    def _close(self) -> str:
        self._open = None
        piece = self._parts.pop()
        return "".join(piece) if isinstance(piece, list) else ""

    def _settle(self) -> None:
        kind = self._open
        if kind is None:
            return
        text = self._close()
        if not text:
            return
        made = {TextDelta: Text, ReasoningDelta: Reasoning, RefusalDelta: Refusal}[kind]
        self._parts.append(made(text))
