"""A stream that goes on at another target where it breaks off: the caller sees one answer.

The next one is given what was said so far, and asked for the rest: as the beginning of its own answer where it takes
one, else by a word. What it says again is dropped. What cannot be told in two halves, a tool's call, a picture or JSON
of a schema, is not carried on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec import Struct, structs

from ownkey.engine.answer import EventStream
from ownkey.engine.splice import Splice
from ownkey.engine.target import Target
from ownkey.talk.chat import Chat, Message, Text, user
from ownkey.talk.errors import ConsentRequired, OwnkeyError, ProviderError
from ownkey.talk.money import Money
from ownkey.talk.reply import (
    Event,
    Finish,
    ReasoningDelta,
    ReasoningSeal,
    Receipt,
    Start,
    TextDelta,
    Usage,
    UsageReport,
)

MOST = 3
"""Times that one answer is carried on."""

GO_ON = (
    "Your answer above was cut off in transmission. Go on exactly where it ends, in the middle of a word if need be. "
    "Repeat nothing of it, and say nothing about this."
)


class Broken(Struct, frozen=True):
    """An answer that broke off: at which targets so far, after how many tries, and what it had said."""

    targets: tuple[Target, ...]
    attempts: int
    said: str
    error: ProviderError


class Rest(Struct, frozen=True):
    """What goes on with a broken answer: its stream, and the blanks at the end of what was said that it did not get."""

    stream: EventStream
    untold: str = ""


def with_prefill(chat: Chat, said: str) -> Chat:
    """The same chat with the answer begun. Blanks at its end are left out: Anthropic refuses a prefilled answer that
    ends with one (Prefill Claude's response)."""
    begun = said.removesuffix(blanks(said))
    return _said(chat, said, Message("assistant", (Text(begun),))) if begun else _said(chat, said)


def blanks(said: str) -> str:
    """Those at its end."""
    return said[len(said.rstrip()) :]


def with_word(chat: Chat, said: str) -> Chat:
    """The same chat with what was said, and the word to go on."""
    return _said(chat, said, Message("assistant", (Text(said),)), user(GO_ON)) if said.strip() else _said(chat, said)


def can_be_carried(chat: Chat) -> bool:
    return chat.output is None


def _said(chat: Chat, said: str, *more: Message) -> Chat:
    """What was said counts among the tokens of the answer."""
    most = chat.max_output_tokens
    if most is not None and said:
        most = max(1, most - len(said.encode("utf-8", "replace")) // 4)
    return structs.replace(chat, messages=(*chat.messages, *more), max_output_tokens=most)


class Carried:
    """As a stream of events is. `rest` begins the rest of a broken answer, or raises; `broke` is told of each."""

    in_events = True

    def __init__(
        self,
        stream: EventStream,
        rest: Callable[[Broken], Awaitable[Rest]],
        broke: Callable[[Target, ProviderError], None],
    ) -> None:
        self.warnings = stream.warnings
        self._stream = stream
        self._rest = rest
        self._broke = broke
        self._targets = (stream.target,)
        self._said: list[str] = []
        self._whole = True
        self._splice: Splice | None = None
        self._usage = Usage()
        self._before: Usage | None = None
        self._costs: list[Money | None] = []

    @property
    def target(self) -> Target:
        """Who began."""
        return self._targets[0]

    @property
    def attempts(self) -> int:
        return self._stream.attempts

    async def next(self) -> list[Event] | None:
        """The next events, or None at the end. Raises where it breaks off and nobody goes on."""
        while True:
            try:
                events = await self._stream.next()
                if events is None:
                    return None
                passed = self._passed(events)
            except ProviderError as error:
                self._stream.close()
                await self._go_on(error)
            else:
                if passed:
                    return passed

    def close(self) -> None:
        self._stream.close()

    def receipt(self) -> Receipt:
        """Of all that went into it; the cost where each one's is known."""
        last = self._stream.receipt()
        costs = [*self._costs, last.cost]
        cost = None if None in costs else Money(sum(one.nano_usd for one in costs if one is not None))
        return structs.replace(last, cost=cost)

    async def _go_on(self, error: ProviderError) -> None:
        self._broke(self._stream.target, error)
        told = error.again or error.move_on
        if not (self._whole and told and len(self._targets) <= MOST):
            raise error
        self._costs.append(self._stream.receipt().cost)
        charged = _sum(self._before, self._stream.charged)
        said = "".join(self._said)
        try:
            rest = await self._rest(Broken(self._targets, self._stream.attempts, said, error))
        except ConsentRequired as asked:
            asked.begun = True
            asked.message = f"The answer broke off. {asked.message}"
            raise asked from None
        except OwnkeyError as other:
            error.hint = " ".join(filter(None, [error.hint, f"Nobody could go on: {other.message}"]))
            raise error from None
        self._stream = rest.stream
        self._targets = (*self._targets, rest.stream.target)
        self._splice = Splice(said, rest.untold)
        self._before, self._usage = charged, Usage()

    def _passed(self, events: list[Event]) -> list[Event]:
        if self._splice is None:
            for event in events:
                self._note(event)
            return events
        passed: list[Event] = []
        for event in events:
            self._follow(event, self._splice, passed)
        for event in passed:
            self._note(event)
        return passed

    def _note(self, event: Event) -> None:
        match event:
            case TextDelta(text=text):
                self._said.append(text)
            case Start() | ReasoningDelta() | ReasoningSeal() | UsageReport() | Finish():
                pass
            case _:
                self._whole = False

    def _follow(self, event: Event, splice: Splice, passed: list[Event]) -> None:
        """What comes of one event of the rest: thoughts and the beginning of an answer have been seen already."""
        match event:
            case Start() | ReasoningDelta() | ReasoningSeal():
                return
            case TextDelta(text=text):
                if text := splice.feed(text):
                    passed.append(TextDelta(text))
            case UsageReport(usage=usage):
                self._usage = self._usage.merged(usage)
                passed.append(UsageReport(_sum(self._before, self._usage)))
            case Finish():
                if text := splice.close():
                    passed.append(TextDelta(text))
                passed.append(structs.replace(event, models=tuple(target.name for target in self._targets)))
            case _:
                passed.append(event)


def _sum(one: Usage | None, other: Usage) -> Usage:
    """Of two halves; what one of them did not tell is not known of both."""
    if one is None:
        return other
    input_tokens, output_tokens = one.input_tokens, one.output_tokens
    if other.input_tokens is not None and input_tokens is not None:
        input_tokens += other.input_tokens
    if other.output_tokens is not None and output_tokens is not None:
        output_tokens += other.output_tokens
    return Usage(input_tokens, output_tokens)
